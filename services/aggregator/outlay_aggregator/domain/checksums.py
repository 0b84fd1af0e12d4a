"""Sums of the ledger and of the rollups that are equal if, cell by cell, they say the same. Pure.

To recompute every window as it was computed costs as much as it did then. Instead each cell has a weight, the
hash of its dimensions, and a window has the sums over its cells of weight times measure, modulo 2^64: of every
measure, and of each meter. Such a sum is linear, so that it can be taken over the rows of the ledger
as they are, without finding the cells first. Two windows that differ in any cell have the same sums by a
chance of about one in 10^19. Windows whose users are partly `(other)` have other sums than their events, and
are compared by recomputing them, as are all that differ.
"""

# ruff: noqa: S608 (what is pasted are constants of ours)

from outlay_aggregator.domain.rollup_sql import TABLES
from outlay_schemas.dimensions import CELL
from outlay_schemas.events import Grain

_CELL = f"cityHash64({', '.join(CELL)})"
_START: dict[Grain, str] = {
    "minute": "minute",
    "hour": "toStartOfHour(minute)",
    "day": "toStartOfDay(minute)",
}
_TENANTS = "(empty({tenants:Array(String)}) OR tenant IN {tenants:Array(String)})"


def _between(column: str) -> str:
    return (
        f"{column} >= toDateTime({{low:UInt32}}, 'UTC') AND {column} < toDateTime({{high:UInt32}}, 'UTC')"
        f" AND {_TENANTS}"
    )


def _units(money: str) -> str:
    """The smallest units of a decimal, modulo 2^64."""
    return f"toUInt64(reinterpretAsUInt128({money}))"


_MEASURES = {
    "costs": ("ifNull(cost, 0)", "cost"),
    "markups": ("ifNull(charged - cost, 0)", "markup"),
    "estimates": ("if(price_status = 'estimated', ifNull(cost, 0), 0)", "estimated_cost"),
    "counts": ("NOT retracted", "events"),
    "unpriced": ("price_status = 'unpriced' OR cost IS NULL", "unpriced_events"),
    "estimated": ("price_status = 'estimated'", "estimated_events"),
    "free": ("price_status = 'free'", "free_events"),
}
"""What each sum weighs: of a row of the ledger, and of a cell of a rollup."""
_MONEY = ("costs", "markups", "estimates")
_SUMS = (*_MEASURES, "quantities")


def _weighed(side: int) -> str:
    return ", ".join(
        f"sum(cell * {_units(sqls[side]) if name in _MONEY else f'toUInt64({sqls[side]})'}) AS {name}"
        for name, sqls in _MEASURES.items()
    )


_QUANTITIES = (
    f"sum(arraySum((meter, quantity) -> bitXor(cell, cityHash64(meter)) * {_units('quantity')},"
    " mapKeys(usage), mapValues(usage))) AS quantities"
)


def scratch(table: str) -> str:
    """Return the statement that makes the table for the sums of the ledger, a row a minute."""
    sums = ", ".join(f"{name} UInt64" for name in _SUMS)
    return (
        f"CREATE TABLE IF NOT EXISTS {table} (tenant LowCardinality(String), minute DateTime('UTC'),"
        f" version UInt256, {sums}) ENGINE = MergeTree ORDER BY (tenant, minute)"
        " COMMENT 'Scratch of an audit that is under way; drop it if none is'"
    )


def fill(table: str) -> str:
    """Return the statement that sums the ledger from `low` up to `high`, of `tenants` (none: all)."""
    return f"""
INSERT INTO {table}
SELECT tenant, minute, sum(row_version) AS version,
    {_weighed(0)}, {_QUANTITIES}
FROM (
    SELECT tenant, minute, row_version, retracted, cost, charged, price_status, usage, {_CELL} AS cell
    FROM ledger FINAL WHERE {_between("minute")})
GROUP BY tenant, minute"""


def suspects(table: str, grain: Grain) -> str:
    """Return the statement that lists windows of `grain` whose sums are not those of the ledger."""
    names = (*CELL, *(measure for _, measure in _MEASURES.values()), "usage")
    cells = ", ".join(f"groups.{name} AS {name}" for name in names)
    sums = ", ".join(f"sum({name}) AS {name}" for name in _SUMS)
    apart = " OR ".join(f"a.{name} != b.{name}" for name in ("version", *_SUMS))
    return f"""
SELECT if(a.tenant = '', b.tenant, a.tenant) AS tenant,
    toUnixTimestamp(if(a.tenant = '', b.start, a.start)) AS start
FROM (
    SELECT toString(tenant) AS tenant, {_START[grain]} AS start, sum(version) AS version, {sums}
    FROM {table} WHERE {_between("minute")} GROUP BY tenant, start) AS a
FULL OUTER JOIN (
    SELECT toString(tenant) AS tenant, window AS start, any(stored) AS version,
        {_weighed(1)}, {_QUANTITIES}
    FROM (
        SELECT tenant, window, version AS stored, {", ".join(names[len(CELL) :])}, {_CELL} AS cell
        FROM {TABLES[grain]} FINAL LEFT ARRAY JOIN {cells} WHERE {_between("window")})
    GROUP BY tenant, start) AS b ON a.tenant = b.tenant AND a.start = b.start
WHERE {apart}
ORDER BY start, tenant"""
