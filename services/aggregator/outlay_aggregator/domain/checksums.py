"""Checksums of windows: equal sums of ledger and rollup mean equal cells, up to a chance of 1 in 10^19. Pure.

A recomputation of every window costs as much as the first computation. Instead each cell has a weight, the hash of its
dimensions, and a window has the sums over its cells of weight times measure, modulo 2^64, of every measure and meter.
The sums are linear, so they are taken over the rows of the ledger without grouping them to cells. Windows with a user
`(other)` have other sums than their events; they are recomputed, as are all that differ.
"""

# ruff: noqa: S608 (what is pasted are constants of ours)

from outlay_aggregator.domain.rollup_sql import TABLES, between
from outlay_schemas.dimensions import CELL
from outlay_schemas.events import Grain

_CELL = f"cityHash64({', '.join(CELL)})"
_START: dict[Grain, str] = {
    "minute": "minute",
    "hour": "toStartOfHour(minute)",
    "day": "toStartOfDay(minute)",
}


def _units(money: str) -> str:
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
"""The measure of each sum: of a row of the ledger, and of a cell of a rollup."""
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
        " COMMENT 'Scratch table of a running audit; drop it if no audit runs'"
    )


def fill(table: str) -> str:
    """Return the statement that sums the ledger from `low` up to `high`, of `tenants` (none: all)."""
    return f"""
INSERT INTO {table}
SELECT tenant, minute, sum(row_version) AS version,
    {_weighed(0)}, {_QUANTITIES}
FROM (
    SELECT tenant, minute, row_version, retracted, cost, charged, price_status, usage, {_CELL} AS cell
    FROM ledger FINAL WHERE {between("minute")})
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
    FROM {table} WHERE {between("minute")} GROUP BY tenant, start) AS a
FULL OUTER JOIN (
    SELECT toString(tenant) AS tenant, window AS start, any(stored) AS version,
        {_weighed(1)}, {_QUANTITIES}
    FROM (
        SELECT tenant, window, version AS stored, {", ".join(names[len(CELL) :])}, {_CELL} AS cell
        FROM {TABLES[grain]} FINAL LEFT ARRAY JOIN {cells} WHERE {between("window")})
    GROUP BY tenant, start) AS b ON a.tenant = b.tenant AND a.start = b.start
WHERE {apart}
ORDER BY start, tenant"""
