"""The index of identities: the table `identities`, and their rows in the ledger."""

# ruff: noqa: S608 (what is pasted are whole numbers of ours)

from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence

import msgspec

from outlay_aggregator.domain.identities import Place, Suspect
from outlay_aggregator.domain.rollup_sql import SETTINGS
from outlay_kit.clickhouse import ClickHouseClient
from outlay_schemas.identity import identity

_NUMBERS = 5000
"""Whole numbers in one statement: 100 of its 256 kB."""
_NAMES_BYTES = 8192
"""Bytes of tenants' names in one request line."""
_SLICE_ROWS = 4_000_000
_ALL = 2**64
_IDENTITY = (
    "bitShiftLeft(toUInt64(CRC32(concat(tenant, '\\0', source, '\\0', id))), 32)"
    " + CRC32(reverse(concat(tenant, '\\0', source, '\\0', id)))"
)
_BINARY: dict[str, object] = {"wait_end_of_query": 1}
_decoder = msgspec.json.Decoder(Place)


class Index:
    """Reads the index, which has the rows of an insert when the insert returns. Every method raises Retryable."""

    def __init__(self, clickhouse: ClickHouseClient) -> None:
        self._clickhouse = clickhouse

    def words(self, shift: int) -> Iterator[tuple[int, int]]:
        """Yield the words of the filter `Seen` that are not 0: number and word."""
        [row] = self._clickhouse.rows("SELECT count() AS n FROM identities")
        slices = int(row["n"]) // _SLICE_ROWS + 1
        for at in range(slices):
            low, high = _ALL * at // slices, _ALL * (at + 1) // slices - 1
            yield from self._pairs(
                f"SELECT intDiv(identity, {2**shift}) AS slot,"
                f" groupBitOr(bitShiftLeft(toUInt64(1), bitAnd(bitShiftRight(identity, {shift - 6}), 63))) AS word"
                f" FROM identities WHERE identity BETWEEN {low} AND {high} GROUP BY slot"
                " SETTINGS optimize_aggregation_in_order = 1"
            )

    def places(self, identities: Iterable[int]) -> dict[int, set[int]]:
        """Return the seconds in which each identity has rows, Unix seconds."""
        found: dict[int, set[int]] = {}
        wanted = sorted(set(identities))
        for first in range(0, len(wanted), _NUMBERS):
            some = wanted[first : first + _NUMBERS]
            for name, second in self._pairs(
                "SELECT identity, toUInt64(toUnixTimestamp(second)) AS at FROM identities"
                f" WHERE identity IN ({_list(some)})"
            ):
                found.setdefault(name, set()).add(second)
        return found

    def _pairs(self, sql: str) -> Iterator[tuple[int, int]]:
        numbers = array("Q", self._clickhouse.raw(sql, settings=_BINARY, fmt="RowBinary"))
        return zip(numbers[::2], numbers[1::2], strict=True)

    def rows(self, suspects: Iterable[Suspect], seconds: Mapping[int, set[int]]) -> list[Place]:
        """Return the rows of `suspects` in the `seconds` of their identities."""
        found: list[Place] = []
        for some in _chunks(set(suspects), seconds):
            names = {(suspect.tenant, suspect.source, suspect.id) for suspect in some}
            where, bound = _asked(some, seconds)
            answer = self._clickhouse.raw(
                "SELECT tenant, source, id, toUnixTimestamp(toDateTime(time, 'UTC')) AS second,"
                f" max(row_version) AS top, maxIf(row_version, NOT retracted) AS live {where}"
                " GROUP BY tenant, source, id, second",
                bound,
                settings=SETTINGS,
            )
            found += [p for p in _decoder.decode_lines(answer) if (p.tenant, p.source, p.id) in names]
        return found

    def keep_moved(self, places: Iterable[Place]) -> None:
        """Store the events in `places` that are not merged yet as conflicts. Safe to repeat."""
        seconds: dict[int, set[int]] = {}
        suspects: set[Suspect] = set()
        for place in places:
            name = (place.tenant, place.source, place.id)
            suspect = Suspect(identity(*name), *name)
            suspects.add(suspect)
            seconds.setdefault(suspect.identity, set()).add(place.second)
        for some in _chunks(suspects, seconds):
            where, bound = _asked(some, seconds)
            self._clickhouse.command(
                "INSERT INTO conflicts (tenant, source, id, time, fingerprint, cost, revision)"
                " SELECT tenant, source, id, time, fingerprint, argMax(ledger.cost, ledger.revision),"
                f" max(ledger.revision) {where} AND NOT retracted GROUP BY tenant, source, id, time, fingerprint",
                bound,
            )


def _chunks(suspects: Iterable[Suspect], seconds: Mapping[int, set[int]]) -> Iterator[list[Suspect]]:
    chunk: list[Suspect] = []
    numbers = size = 0
    tenant = None
    for suspect in sorted(suspects, key=lambda s: s.tenant):
        more = 1 + 3 * len(seconds[suspect.identity])
        width = 0 if suspect.tenant == tenant else len(suspect.tenant.encode()) + 3
        if chunk and (numbers + more > _NUMBERS or size + width > _NAMES_BYTES):
            yield chunk
            chunk, numbers, size = [], 0, 0
        chunk.append(suspect)
        numbers += more
        size += width
        tenant = suspect.tenant
    if chunk:
        yield chunk


def _asked(suspects: Sequence[Suspect], seconds: Mapping[int, set[int]]) -> tuple[str, dict[str, object]]:
    names = sorted({suspect.identity for suspect in suspects})
    where = sorted({second for name in names for second in seconds[name]})
    places = ",".join(f"({second - second % 60},{second % 60})" for second in where)
    sql = (
        "FROM ledger PREWHERE tenant IN {tenants:Array(String)}"
        f" AND minute IN ({_list(sorted({second - second % 60 for second in where}))})"
        f" AND (minute, toSecond(time)) IN ({places}) WHERE {_IDENTITY} IN ({_list(names)})"
    )
    return sql, {"tenants": sorted({suspect.tenant for suspect in suspects})}


def _list(numbers: Iterable[int]) -> str:
    return ",".join(map(str, numbers))
