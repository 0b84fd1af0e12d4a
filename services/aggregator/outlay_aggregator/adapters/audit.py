"""Compares the rollups with the ledger, cell by cell, and finds events with one identity that differ."""

# ruff: noqa: S608 (what is pasted are constants of ours)

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from decimal import Decimal

from outlay_aggregator.adapters.ledger_store import Difference, LedgerStore
from outlay_aggregator.domain.rollup_sql import TABLES, between
from outlay_aggregator.domain.windows import GRAINS, Range, Window
from outlay_kit.clickhouse import ClickHouseClient
from outlay_kit.clock import Clock
from outlay_schemas.dimensions import CELL
from outlay_schemas.events import Grain, RollupGroup, RollupWindow, rollup_window_decoder

SPAN_ROWS = 2_000_000
"""Rows of the ledger that are recomputed by one statement."""
SUM_ROWS = 16_000_000
"""Rows of the ledger that are summed or grouped by identity by one statement."""
MANY = 2000
"""Above so many suspected windows of a grain, a whole range is recomputed instead of each of them."""
_HASHES = 500
"""Hashes in one request line."""
NAMED = 20
"""Differences and conflicts that are named."""
_STORED = " UNION ALL ".join(
    f"SELECT toStartOfHour(window) AS start, count() AS rows FROM {table} WHERE {between('window')} GROUP BY start"
    for table in TABLES.values()
)
_HOURS = f"""
SELECT toUnixTimestamp(start) AS hour, sum(rows) AS n FROM (
    SELECT toStartOfHour(minute) AS start, count() AS rows FROM ledger WHERE {between("minute")} GROUP BY start
    UNION ALL {_STORED})
GROUP BY start ORDER BY start"""
"""Counts the rows of each hour, of the ledger and of the rollups."""
_LEDGER_TOTALS = f"""
SELECT tenant, formatDateTime(minute, '%Y-%m') AS month, countIf(NOT retracted) AS events,
    toString(sum(ifNull(ledger.cost, 0))) AS cost, countIf(price_status = 'unpriced' OR ledger.cost IS NULL) AS unpriced
FROM ledger FINAL WHERE {between("minute")} GROUP BY tenant, month ORDER BY tenant, month"""
"""Sums the ledger by tenant and month."""
_KNOWN_CONFLICTS = f"""
SELECT tenant, source, id,
    if(min(toStartOfSecond(time)) != max(toStartOfSecond(time)), 'another time', 'another body') AS kind,
    count() AS bodies, toString(min(time)) AS first_time, toString(max(time)) AS last_time
FROM conflicts FINAL WHERE {between("time")} GROUP BY tenant, source, id LIMIT {{most:UInt32}}"""
"""Lists identities of different events: one of them counts."""
_TWICE_HASHES = f"""
SELECT cityHash64(tenant, source, id) AS h FROM ledger FINAL
WHERE {between("minute")} AND NOT retracted AND h % {{parts:UInt32}} = {{part:UInt32}}
GROUP BY h HAVING count() > 1 ORDER BY h LIMIT {{most:UInt32}}"""
"""Finds hashes of identities that count in several seconds, of part `part` of `parts`."""
_TWICE = f"""
SELECT tenant, source, id, 'counted twice' AS kind, count() AS bodies,
    toString(min(time)) AS first_time, toString(max(time)) AS last_time
FROM ledger FINAL
WHERE {between("minute")} AND NOT retracted AND cityHash64(tenant, source, id) IN {{hashes:Array(UInt64)}}
GROUP BY tenant, source, id HAVING bodies > 1"""
"""Names the identities behind `hashes`."""


@dataclass(frozen=True, slots=True)
class CellDifference:
    """A cell in which a rollup differs from the ledger: (USD, events)."""

    cell: str
    right: tuple[Decimal, int]
    stored: tuple[Decimal, int]


@dataclass(frozen=True, slots=True)
class Wrong:
    """A window in which a rollup is wrong, and its first wrong cells."""

    grain: Grain
    window: Window
    difference: Difference
    cells: list[CellDifference]


@dataclass
class Period:
    """A month of a tenant: events and USD of the ledger and of each rollup."""

    tenant: str
    month: str
    events: int
    unpriced: int
    ledger: Decimal
    rollups: dict[Grain, Decimal] = field(default_factory=lambda: dict.fromkeys(GRAINS, Decimal(0)))

    @property
    def balanced(self) -> bool:
        """Whether all rollups have the ledger's cost."""
        return all(cost == self.ledger for cost in self.rollups.values())


@dataclass(frozen=True, slots=True)
class Conflict:
    """An identity with different events. One of them counts, except for the kind `counted twice`."""

    tenant: str
    source: str
    id: str
    kind: str
    bodies: int
    first_time: str
    last_time: str

    @property
    def identity(self) -> tuple[str, str, str]:
        """Tenant, source and id."""
        return self.tenant, self.source, self.id


class Audit:
    """Reads only."""

    def __init__(self, store: LedgerStore, clickhouse: ClickHouseClient, clock: Clock) -> None:
        self._store, self._clickhouse, self._clock = store, clickhouse, clock

    def periods(self, asked: Range) -> list[Period]:
        """Return the months of each tenant. While events arrive, the rollups may be a moment behind."""
        found: dict[tuple[str, str], Period] = {}
        for row in self._clickhouse.rows(_LEDGER_TOTALS, asked.bound):
            key = row["tenant"], row["month"]
            found[key] = Period(*key, row["events"], row["unpriced"], Decimal(row["cost"]))
        for grain in GRAINS:
            for row in self._clickhouse.rows(_rollup_totals(grain), asked.bound):
                key = row["tenant"], row["month"]
                found.setdefault(key, Period(*key, 0, 0, Decimal(0))).rollups[grain] = Decimal(row["cost"])
        return [found[key] for key in sorted(found)]

    def _days(self, asked: Range) -> Iterator[tuple[int, int]]:
        """Cut a range at whole days, of at most SUM_ROWS rows each unless a day has more."""
        first = last = size = 0
        for day, hours in self._hours(asked).items():
            rows = sum(count for _, count in hours)
            if size and size + rows > SUM_ROWS:
                yield first, last
                size = 0
            first, last, size = (first if size else day), day + 86_400, size + rows
        if size:
            yield first, last

    def spans(self, asked: Range) -> list[tuple[int, int]]:
        """Cut a range at whole days, of at most SPAN_ROWS rows each unless a day has more: then at its hours."""
        found: list[tuple[int, int]] = []
        for day, hours in self._hours(asked).items():
            whole = sum(rows for _, rows in hours) <= SPAN_ROWS
            found += [(day, day + 86_400)] if whole else [(hour, hour + 3600) for hour, _ in hours]
        return found

    def _hours(self, asked: Range) -> dict[int, list[tuple[int, int]]]:
        days: dict[int, list[tuple[int, int]]] = {}
        for row in self._clickhouse.rows(_HOURS, asked.bound):
            days.setdefault(row["hour"] - row["hour"] % 86_400, []).append((row["hour"], row["n"]))
        return days

    def differences(
        self, asked: Range, patience: float = 10, progress: Callable[[float], None] = lambda _: None
    ) -> tuple[int, list[Wrong]]:
        """Return how many windows differ, and the first of them by cell; call `progress(share)`.

        A window that gets events may be behind for a moment: it counts if it differs for `patience` seconds.
        """
        spans = list(self._days(asked))
        found: list[tuple[Grain, Difference]] = []
        for at, (low, high) in enumerate(spans):
            span = Range(low, high, asked.tenants)
            for grain, windows in self._store.suspects(span).items():
                found += [(grain, difference) for difference in self._certain(grain, windows, span)]
            progress((at + 1) / len(spans))
        wrong = self._settle(sorted(set(found), key=lambda s: GRAINS.index(s[0])), patience)
        return len(wrong), [self._name(grain, difference) for grain, difference in wrong[:NAMED]]

    def _certain(self, grain: Grain, windows: list[Window], span: Range) -> list[Difference]:
        if len(windows) <= MANY:
            return [d for part in _hundreds(windows) for d in self._store.differences(grain, part)]
        parts = (Range(low, high, span.tenants).whole(grain) for low, high in self.spans(span))
        return [d for part in parts for d in self._store.differences(grain, part)]

    def _settle(
        self, suspects: list[tuple[Grain, Difference]], patience: float
    ) -> list[tuple[Grain, Difference]]:
        until = self._clock.monotonic() + patience
        while suspects and self._clock.monotonic() < until:
            self._clock.sleep(min(2.0, patience))
            windows = {(grain, Window(d.start, d.tenant)) for grain, d in suspects}
            suspects = [
                (grain, difference)
                for grain in GRAINS
                for part in _hundreds([window for g, window in windows if g == grain])
                for difference in self._store.differences(grain, part)
            ]
        return suspects

    def _name(self, grain: Grain, difference: Difference) -> Wrong:
        window = Window(difference.start, difference.tenant)
        right = _one(self._store.compute(grain, [window]))
        stored = _one(self._store.stored(grain, [window]))
        return Wrong(grain, window, difference, list(cells_apart(right, stored))[:NAMED])

    def conflicts(self, asked: Range) -> list[Conflict]:
        """Return the first identities with different events.

        Another body within the same second is found if the aggregator saw both rows before the engine merged them;
        `accepted_events` finds it in Kafka.
        """
        found = self._clickhouse.rows(_KNOWN_CONFLICTS, {**asked.bound, "most": NAMED})
        return [Conflict(**row) for row in found]

    def twice(self, asked: Range, most: int = NAMED) -> Iterator[Conflict]:
        """Yield identities that 0.1.0 counted more than once, the first `most` of each part."""
        rows = sum(row["n"] for row in self._clickhouse.rows(_HOURS, asked.bound))
        parts = rows // SUM_ROWS + 1
        for part in range(parts):
            here = {**asked.bound, "most": most, "parts": parts, "part": part}
            hashes = [row["h"] for row in self._clickhouse.rows(_TWICE_HASHES, here)]
            for first in range(0, len(hashes), _HASHES):
                bound = {**asked.bound, "hashes": hashes[first : first + _HASHES]}
                yield from (Conflict(**row) for row in self._clickhouse.rows(_TWICE, bound))


def _hundreds(windows: list[Window]) -> Iterator[list[Window]]:
    for at in range(0, len(windows), 100):
        yield windows[at : at + 100]


def _one(answer: bytes) -> RollupWindow | None:
    return rollup_window_decoder.decode(answer) if answer.strip() else None


def cells_apart(right: RollupWindow | None, stored: RollupWindow | None) -> Iterator[CellDifference]:
    """Yield the cells in which two states of a window differ, in usage too."""
    rights, stores = _by_cell(right), _by_cell(stored)
    for cell in sorted(rights.keys() | stores.keys()):
        a, b = rights.get(cell), stores.get(cell)
        if a != b:
            yield CellDifference(cell, _measures(a), _measures(b))


def _by_cell(window: RollupWindow | None) -> dict[str, RollupGroup]:
    return {_name(group): group for group in window.groups} if window else {}


def _name(group: RollupGroup) -> str:
    named = ((name, getattr(group, name)) for name in CELL)
    return " ".join(f"{name}={value}" for name, value in named if value)


def _measures(group: RollupGroup | None) -> tuple[Decimal, int]:
    return (Decimal(group.cost), group.events) if group else (Decimal(0), 0)


def _rollup_totals(grain: Grain) -> str:
    return f"""
SELECT tenant, formatDateTime(window, '%Y-%m') AS month, sum(arraySum(groups.events)) AS events,
    toString(sum(arraySum(groups.cost))) AS cost
FROM {TABLES[grain]} FINAL WHERE {between("window")} GROUP BY tenant, month"""
