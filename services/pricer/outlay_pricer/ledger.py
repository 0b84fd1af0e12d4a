"""Reads cost events back from the ledger, a bounded piece at a time."""

# ruff: noqa: S608 (what is pasted are the constants of this file)

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import msgspec

from outlay_kit.clickhouse import ClickHouseClient
from outlay_schemas.events import CostEvent

PIECE = 20_000
"""Rows read at once; a single second may have more."""
_TEXT = {
    "time": "formatDateTime(l.time, '%Y-%m-%dT%H:%i:%s.%fZ', 'UTC')",
    **{name: f"toString(l.{name})" for name in ("cost", "list_cost", "charged", "reported_cost")},
    **{
        name: f"mapApply((k, v) -> (k, toString(v)), l.{name})"
        for name in ("usage", "cost_parts", "list_parts")
    },
}
"""Money and quantities as text. A user who can only read may not ask for it by a setting."""
_COLUMNS = ", ".join(f"{_TEXT.get(name, f'l.`{name}`')} AS `{name}`" for name in CostEvent.__struct_fields__)
_decoder = msgspec.json.Decoder(CostEvent, strict=False)
"""Not strict: some engines write large whole numbers as text."""
_FIRST = datetime(2000, 1, 1, tzinfo=UTC)
_LAST = datetime(2100, 1, 1, tzinfo=UTC)
"""What the ledger can hold."""


@dataclass(frozen=True, slots=True)
class Selection:
    """Which events of the ledger. What is empty restricts nothing."""

    since: datetime | None = None
    until: datetime | None = None
    """Exclusive."""
    tenant: str = ""
    provider: str = ""
    sku: str = ""
    """`*` stands for anything."""
    source: str = ""
    id: str = ""
    unsure: bool = False
    """Only what is unpriced or estimated: a catalog may bring a price."""
    before_revision: int = 0
    """Only what an older revision priced; 0: all."""


class LedgerReader:
    """The ledger, for reading. Every method raises Retryable where ClickHouse is away."""

    def __init__(self, clickhouse: ClickHouseClient, piece: int = PIECE) -> None:
        self._clickhouse = clickhouse
        self._piece = piece

    def events(self, wanted: Selection) -> Iterator[CostEvent]:
        """Return the events of a selection by minute, each once, as its newest revision says."""
        where, bound = _conditions(wanted)
        for start, end in self._spans(wanted):
            answer = self._clickhouse.raw(
                f"SELECT {_COLUMNS} FROM (SELECT * FROM ledger FINAL WHERE NOT retracted AND {where}"
                " AND minute >= toStartOfMinute({from:DateTime64(6, 'UTC')})"
                " AND minute <= {to:DateTime64(6, 'UTC')}) AS l ORDER BY l.time",
                {**bound, "from": start, "to": end},
            )
            yield from (_decoder.decode(line) for line in answer.splitlines())

    def count(self, wanted: Selection) -> int:
        """Return how many events a selection has."""
        where, bound = _conditions(wanted)
        sql = f"SELECT count() AS found FROM ledger FINAL WHERE NOT retracted AND {where}"
        rows = self._clickhouse.rows(sql, bound)
        return int(rows[0]["found"])

    def catalog(self, revision: int) -> bytes | None:
        """Return a catalog as it was published; None if it is not kept."""
        rows = self._clickhouse.rows(
            "SELECT body FROM catalogs WHERE revision = {revision:UInt64} LIMIT 1", {"revision": revision}
        )
        return rows[0]["body"].encode() if rows else None

    def closed_months(self) -> list[tuple[str, str, str]]:
        """Return the months that were closed: tenant, month as 2026-11, and the zone in which it begins and ends."""
        rows = self._clickhouse.rows("SELECT DISTINCT tenant, period, zone FROM closed_periods ORDER BY ALL")
        return [(row["tenant"], row["period"], row["zone"]) for row in rows]

    def _spans(self, wanted: Selection) -> Iterator[tuple[datetime, datetime]]:
        low, high = wanted.since or _FIRST, wanted.until or _LAST
        begin: datetime | None = None
        rows = 0
        end = low
        for minute, found in self._minutes(wanted):
            if begin is not None and rows + found > self._piece:
                yield max(begin, low), min(end, high)
                begin, rows = None, 0
            begin = minute if begin is None else begin
            rows += found
            end = minute + timedelta(minutes=1)
            if rows > self._piece:
                yield from _seconds(max(begin, low), min(end, high))
                begin, rows = None, 0
        if begin is not None:
            yield max(begin, low), min(end, high)

    def _minutes(self, wanted: Selection) -> Iterator[tuple[datetime, int]]:
        """Return the minutes that a selection has rows in, and at most how many."""
        where, bound = _conditions(wanted)
        hours = ""
        if wanted.unsure:  # the rollups know where to look: a small table instead of a large one
            hours = (
                " AND toStartOfHour(minute) IN (SELECT time FROM costs_hourly"
                " WHERE unpriced_events + estimated_events > 0"
                " AND time >= toStartOfHour({from:DateTime64(6, 'UTC')}) AND time < {to:DateTime64(6, 'UTC')})"
            )
        found = self._clickhouse.rows(
            f"SELECT minute, count() AS found FROM ledger WHERE {where}{hours} GROUP BY minute ORDER BY minute",
            bound,
        )
        for row in found:
            minute: datetime = row["minute"]
            yield minute.replace(tzinfo=UTC) if minute.tzinfo is None else minute, int(row["found"])


def _seconds(start: datetime, end: datetime) -> Iterator[tuple[datetime, datetime]]:
    while start < end:
        after = min(start.replace(microsecond=0) + timedelta(seconds=1), end)
        yield start, after
        start = after


def _conditions(wanted: Selection) -> tuple[str, dict[str, object]]:
    parts = ["time >= {from:DateTime64(6, 'UTC')}", "time < {to:DateTime64(6, 'UTC')}"]
    bound: dict[str, object] = {"from": wanted.since or _FIRST, "to": wanted.until or _LAST}
    for name in ("tenant", "provider", "source", "id"):
        if value := getattr(wanted, name):
            parts.append(f"{name} = {{{name}:String}}")
            bound[name] = value
    if wanted.sku:
        parts.append("(sku LIKE {sku:String} OR given['sku'] LIKE {sku:String})")
        bound["sku"] = (
            wanted.sku.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_").replace("*", "%")
        )
    if wanted.unsure:
        parts.append("price_status IN ('unpriced', 'estimated')")
    if wanted.before_revision:
        parts.append("revision < {revision:UInt64}")
        bound["revision"] = wanted.before_revision
    return " AND ".join(parts), bound
