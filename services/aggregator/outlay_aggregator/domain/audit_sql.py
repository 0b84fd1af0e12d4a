"""The SQL of the audit, and the comparison of two states of a window. Pure."""

# ruff: noqa: S608 (what is pasted are constants of this file)

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

from outlay_aggregator.domain.rollup_sql import TABLES, TENANTS, between
from outlay_schemas.dimensions import CELL
from outlay_schemas.events import Grain, RollupGroup, RollupWindow


@dataclass(frozen=True, slots=True)
class CellDifference:
    """A cell in which a rollup differs from the ledger: (USD, events)."""

    cell: str
    right: tuple[Decimal, int]
    stored: tuple[Decimal, int]


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


def hours() -> str:
    """Return the statement that counts the rows of each hour, of the ledger and of the rollups."""
    stored = " UNION ALL ".join(
        f"SELECT toStartOfHour(window) AS start, count() AS rows FROM {table} WHERE {between('window')} GROUP BY start"
        for table in TABLES.values()
    )
    return f"""
SELECT toUnixTimestamp(start) AS hour, sum(rows) AS n FROM (
    SELECT toStartOfHour(minute) AS start, count() AS rows FROM ledger WHERE {between("minute")} GROUP BY start
    UNION ALL {stored})
GROUP BY start ORDER BY start"""


def ledger_totals() -> str:
    """Return the statement that sums the ledger by tenant and month."""
    return f"""
SELECT tenant, formatDateTime(minute, '%Y-%m') AS month, countIf(NOT retracted) AS events,
    toString(sum(ifNull(ledger.cost, 0))) AS cost, countIf(price_status = 'unpriced' OR ledger.cost IS NULL) AS unpriced
FROM ledger FINAL WHERE {between("minute")} GROUP BY tenant, month ORDER BY tenant, month"""


def rollup_totals(grain: Grain) -> str:
    """Return the statement that sums a rollup by tenant and month."""
    return f"""
SELECT tenant, formatDateTime(window, '%Y-%m') AS month, sum(arraySum(groups.events)) AS events,
    toString(sum(arraySum(groups.cost))) AS cost
FROM {TABLES[grain]} FINAL WHERE {between("window")} GROUP BY tenant, month"""


def known_conflicts() -> str:
    """Return the statement that lists identities of different events: one of them counts."""
    return f"""
SELECT tenant, source, id,
    if(min(toStartOfSecond(time)) != max(toStartOfSecond(time)), 'another time', 'another body') AS kind,
    count() AS bodies, toString(min(time)) AS first_time, toString(max(time)) AS last_time
FROM conflicts FINAL WHERE {between("time")} GROUP BY tenant, source, id LIMIT {{most:UInt32}}"""


def twice_hashes() -> str:
    """Return the statement that finds hashes of identities that count in several seconds, of part `part` of `parts`."""
    return f"""
SELECT cityHash64(tenant, source, id) AS h FROM ledger FINAL
WHERE {between("minute")} AND NOT retracted AND h % {{parts:UInt32}} = {{part:UInt32}}
GROUP BY h HAVING count() > 1 ORDER BY h LIMIT {{most:UInt32}}"""


def twice() -> str:
    """Return the statement that names the identities behind `hashes`."""
    return f"""
SELECT tenant, source, id, 'counted twice' AS kind, count() AS bodies,
    toString(min(time)) AS first_time, toString(max(time)) AS last_time
FROM ledger FINAL
WHERE {between("minute")} AND NOT retracted AND cityHash64(tenant, source, id) IN {{hashes:Array(UInt64)}}
GROUP BY tenant, source, id HAVING bodies > 1"""


_IDENTITY = "cityHash64(tenant, source, id, minute)"
_TENANT = "coalesce(nullIf(JSONExtractString({0}, 'tenant'), ''), JSONExtractString({0}, 'data', 'tenant'))"
"""Tenant of a usage event, plain or in a CloudEvents envelope."""


def scratch(table: str, tenant: str = "") -> str:
    """Return the statement that creates a scratch table for the lines of a topic; `tenant`: its only tenant, if any."""
    owner = f"'{tenant}'" if tenant else _TENANT.format("line")
    return f"""
CREATE TABLE IF NOT EXISTS {table}
(
    line String CODEC(ZSTD(1)),
    tenant String MATERIALIZED {owner},
    source String MATERIALIZED JSONExtractString(line, 'source'),
    id String MATERIALIZED JSONExtractString(line, 'id'),
    time DateTime64(6, 'UTC') MATERIALIZED parseDateTime64BestEffortOrZero(
        JSONExtractString(line, 'time'), 6, 'UTC'),
    minute DateTime('UTC') MATERIALIZED toStartOfMinute(time),
    identity UInt64 MATERIALIZED {_IDENTITY},
    body UInt64 MATERIALIZED cityHash64(line)
)
ENGINE = MergeTree ORDER BY identity COMMENT 'Scratch table of a running audit; drop it if no audit runs'"""


def balance(accepted: str, in_flight: str) -> str:
    """Return the statement that counts where accepted lines are, by tenant, of part `part` of `parts`."""
    part = "{parts:UInt32} = {part:UInt32}"
    return f"""
SELECT tenant, where_is, count() AS lines, uniqExact(identity) AS events,
    groupArray(3)(concat(source, ' ', id)) AS first
FROM (
    SELECT tenant, source, id, identity, multiIf(
        identity IN (SELECT {_IDENTITY} AS h FROM ledger WHERE h % {part} AND minute IN (
            SELECT DISTINCT minute FROM {accepted})), 'ledger',
        body IN (SELECT cityHash64(original) FROM dead_letters FINAL WHERE stage = 'pricer'), 'dead',
        identity IN (
            SELECT cityHash64(JSONExtractString(original, 'tenant'), JSONExtractString(original, 'source'),
                JSONExtractString(original, 'id'), toStartOfMinute(parseDateTime64BestEffortOrZero(
                JSONExtractString(original, 'time'), 6, 'UTC')))
            FROM dead_letters FINAL WHERE stage = 'aggregator'), 'dead',
        identity IN (SELECT identity FROM {in_flight}), 'in_flight', 'missing') AS where_is
    FROM {accepted} WHERE identity % {part} AND {TENANTS})
GROUP BY tenant, where_is"""


def differing_lines(accepted: str) -> str:
    """Return the statement that lists lines with one identity and different bytes."""
    return f"""
SELECT line FROM {accepted} WHERE (tenant, source, id) IN (
    SELECT tenant, source, id FROM {accepted} WHERE id != '' AND {TENANTS}
    GROUP BY tenant, source, id HAVING min(body) != max(body) LIMIT {{most:UInt32}})"""
