"""The SQL that computes windows: a pure function of the ledger, each identity once.

Each statement returns one row per window in the form of `RollupWindow`: the rollup tables and the messages get the same
bytes. Only constants of ours are pasted; other values are parameters: `tenants` and `windows` (the windows asked for,
side by side), `low` and `high` (bounds of their time) and `cells` (limit of cells with a user).
"""

# ruff: noqa: S608 (what is pasted are the constants of this file)

import msgspec

from outlay_schemas.dimensions import CELL, EXACT, OTHER_USERS
from outlay_schemas.events import Grain

TABLES: dict[Grain, str] = {"minute": "rollup_minute", "hour": "rollup_hour", "day": "rollup_day"}

NAMED_SO = "((other))"
"""Escaped name of a real user called `(other)`, so that it is not merged into the sum of the others."""

SETTINGS = {
    "enable_shared_storage_snapshot_in_query": 1,  # the bound and the sums see the same rows
    "wait_end_of_query": 1,  # an error half way is an error, not a short answer
    "output_format_json_quote_decimals": 1,  # money is a string
    "output_format_json_quote_64bit_integers": 0,
    "output_format_json_named_tuples_as_objects": 1,
    "date_time_output_format": "iso",
}

_DIMS = ", ".join(EXACT)
_COST = "sum(ifNull(ledger.cost, 0))"
_MEASURES = {
    "cost": ("Decimal(38, 12)", _COST),
    "events": ("UInt64", "countIf(NOT retracted)"),
    "unpriced_events": ("UInt64", "countIf(price_status = 'unpriced' OR ledger.cost IS NULL)"),
    "usage": ("Map(String, Decimal(38, 9))", "sumMap(ledger.usage)"),
    "estimated_events": ("UInt64", "countIf(price_status = 'estimated')"),
    "estimated_cost": ("Decimal(38, 12)", "sumIf(ifNull(ledger.cost, 0), price_status = 'estimated')"),
    "markup": ("Decimal(38, 12)", "sum(ifNull(ledger.charged - ledger.cost, 0))"),
    "free_events": ("UInt64", "countIf(price_status = 'free')"),
}
"""The measures of a cell: type, and SQL over the rows of the ledger. A NULL cost adds nothing.

A retracted row counts no event and no cost, only its version: that of the window must not shrink.
"""
_VERSION = "sum(row_version)"
_CELL = f"cityHash64({_DIMS})"
TENANTS = "(empty({tenants:Array(String)}) OR tenant IN {tenants:Array(String)})"
_ASKED = (
    "SELECT w.1, w.2 FROM (SELECT arrayJoin(arrayZip({tenants:Array(String)},"
    " arrayMap(s -> toDateTime(s, 'UTC'), {windows:Array(UInt32)}))) AS w)"
)
_START: dict[Grain, str] = {"hour": "toStartOfHour(window)", "day": "toStartOfDay(window)"}
_PARENT: dict[Grain, Grain] = {"hour": "minute", "day": "hour"}


def _bounds(column: str) -> str:
    return f"{column} >= toDateTime({{low:UInt32}}, 'UTC') AND {column} < toDateTime({{high:UInt32}}, 'UTC')"


def between(column: str) -> str:
    """Return the condition for `low` up to `high` (Unix seconds) of `tenants` (empty: all)."""
    return f"{_bounds(column)} AND {TENANTS}"


def recompute(grain: Grain, span: bool = False, narrow: bool = False) -> str:
    """Return the statement that computes windows of `grain` from the ledger or from the next finer grain.

    `span`: all windows from `low` up to `high` of `tenants` (empty: all) instead of those asked for. `narrow`: no user
    is past the limit, so that none has to be found: half of the time that a small window takes. If one is, the engine
    raises PAST_LIMIT.
    """
    if narrow:
        return _windows(grain, _all_cells(grain, span)) + _NONE_PAST_LIMIT + _ORDER
    cells = _minute_cells(span) if grain == "minute" else _wider_cells(grain, span)
    return _windows(grain, cells) + _ORDER


PAST_LIMIT = 395
"""ClickHouse's code for what `throwIf` throws."""
_CELLS_WITH_USER = f"countIf(kept NOT IN ('', '{OTHER_USERS}')) + countIf(kept = '{NAMED_SO}')"
"""At least as many as there are: two users may share the name NAMED_SO."""
_NONE_PAST_LIMIT = f"""
HAVING NOT throwIf({_CELLS_WITH_USER} > {{cells:UInt32}}, 'users are past the limit of cells')"""
_ORDER = "\nORDER BY tenant, start"


def _windows(grain: Grain, cells: str) -> str:
    order = ", ".join(f"g.{name}" for name in CELL)
    return f"""
SELECT tenant, '{grain}' AS grain, start AS window, sum(versions) AS version,
    arraySort(g -> ({order}), groupArrayIf(
        tuple({_DIMS}, kept, {", ".join(f"cells_{name}" for name in _MEASURES)})
        ::Tuple({_tuple_type()}), cells_events > 0)) AS groups
FROM ({cells})
GROUP BY tenant, start"""


def _tuple_type() -> str:
    text = ", ".join(f"{name} String" for name in CELL)
    return f"{text}, {', '.join(f'{name} {kind}' for name, (kind, _) in _MEASURES.items())}"


def _of_ledger(mark: str) -> str:
    return ", ".join(f"{sql} AS {mark}{name}" for name, (_, sql) in _MEASURES.items())


def _added(mark: str) -> str:
    return ", ".join(
        f"{'sumMap' if kind.startswith('Map') else 'sum'}({mark}{name}) AS cells_{name}"
        for name, (kind, _) in _MEASURES.items()
    )


def _minute_cells(span: bool) -> str:
    """Return the cells of minutes, from the ledger. A NULL cost is counted as unpriced."""
    asked = _asked("minute", "minute", span)
    rows = f"FROM ledger FINAL PREWHERE {asked}"
    kept = _kept(
        f"""SELECT tenant, minute AS start, user, {_COST} AS user_cost,
            uniqExact({_CELL}) AS user_cells
        {rows} AND user != '' GROUP BY tenant, minute, user"""
    )
    return f"""
    SELECT tenant, minute AS start, {_DIMS},
        {_named(f"(tenant, minute, user) IN ({kept})")} AS kept,
        {_of_ledger("cells_")}, {_VERSION} AS versions
    {rows}
    GROUP BY tenant, start, {_DIMS}, kept"""


def _named(within: str) -> str:
    """Return the user of a cell: `(other)` for users that are not `within` the limit."""
    return f"if(user = '' OR {within}, if(user = '{OTHER_USERS}', '{NAMED_SO}', user), '{OTHER_USERS}')"


def _all_cells(grain: Grain, span: bool) -> str:
    """Return the cells of windows where every user keeps the name."""
    if grain == "minute":
        return f"""
    SELECT tenant, minute AS start, {_DIMS}, {_named("1")} AS kept, {_of_ledger("cells_")}, {_VERSION} AS versions
    FROM ledger FINAL PREWHERE {_asked("minute", "minute", span)}
    GROUP BY tenant, start, {_DIMS}, kept"""
    return f"""
    SELECT tenant, start, {_DIMS}, user AS kept, {_added("")}, {_VERSION_OF_PARTS} AS versions
    {_parts(grain, span)}
    GROUP BY tenant, start, {_DIMS}, kept"""


def _wider_cells(grain: Grain, span: bool) -> str:
    """Return the cells of hours from minutes, or of days from hours."""
    rows = _parts(grain, span)
    kept = _kept(
        f"""SELECT tenant, start, user, sum(cost) AS user_cost, uniqExact({_CELL}) AS user_cells
        {rows} WHERE user NOT IN ('', '{OTHER_USERS}') GROUP BY tenant, start, user"""
    )
    return f"""
    SELECT tenant, start, {_DIMS}, kept,
        {_added("")}, {_VERSION_OF_PARTS} AS versions
    FROM (
        SELECT *, if(user IN ('', '{OTHER_USERS}') OR (tenant, start, user) IN ({kept}), user, '{OTHER_USERS}') AS kept
        {rows})
    GROUP BY tenant, start, {_DIMS}, kept"""


_VERSION_OF_PARTS = "sum(if(nth <= 1, version, 0))"
"""A window's version counts at its first cell."""


def _parts(grain: Grain, span: bool) -> str:
    """Return the cells of the windows of the next finer grain. Only the parts that are named are read."""
    start = _START[grain]
    names = (*CELL, *_MEASURES)
    parts = ", ".join(f"groups.{name} AS {name}" for name in names)
    return f"""FROM (
        SELECT tenant, {start} AS start, version, nth, {", ".join(names)}
        FROM {TABLES[_PARENT[grain]]} FINAL
        LEFT ARRAY JOIN {parts}, arrayEnumerate(groups.events) AS nth
        WHERE {_asked(start, "window", span)})"""


def _kept(users: str) -> str:
    """Return the users that keep their name: the most expensive, while their cells together keep the limit."""
    return f"""
        SELECT tenant, start, user FROM (
            SELECT tenant, start, user, sum(user_cells) OVER (
                PARTITION BY tenant, start ORDER BY user_cost DESC, user
                ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS so_far
            FROM ({users}))
        WHERE so_far <= {{cells:UInt32}}"""


def _asked(start: str, column: str, span: bool = False) -> str:
    """Return the condition for the windows asked for; the plain bounds let the engine skip partitions."""
    if span:
        return between(column)
    return f"{_bounds(column)} AND tenant IN {{tenants:Array(String)}} AND (tenant, {start}) IN ({_ASKED})"


MINUTES_OF_LEDGER = (
    f"SELECT DISTINCT tenant, toUnixTimestamp(minute) AS start FROM ledger WHERE {between('minute')}"
)
"""Lists minutes with events."""


def difference(grain: Grain, span: bool = False) -> str:
    """Return the statement that lists windows whose stored state differs from a recomputation."""
    table = TABLES[grain]
    asked = _asked("window", "window", span)
    return f"""
SELECT ifNull(nullIf(a.tenant, ''), b.tenant) AS tenant,
    toUnixTimestamp(if(a.tenant = '', b.window, a.window)) AS start,
    a.version AS right_version, b.version AS stored_version,
    arraySum(a.groups.cost) AS right_cost, arraySum(b.groups.cost) AS stored_cost,
    arraySum(a.groups.events) AS right_events, arraySum(b.groups.events) AS stored_events
FROM ({recompute(grain, span)}) AS a
FULL OUTER JOIN (
    SELECT tenant, window, version, groups FROM {table} FINAL WHERE {asked}
) AS b ON a.tenant = b.tenant AND a.window = b.window
WHERE a.version != b.version OR toString(a.groups) != toString(b.groups)
ORDER BY tenant, start"""


def stored(grain: Grain) -> str:
    """Return the statement that reads windows of `grain` as they are stored, in the shape of `recompute`."""
    return f"""
SELECT tenant, '{grain}' AS grain, window, version, groups FROM {TABLES[grain]} FINAL
WHERE {_asked("window", "window")} ORDER BY tenant, window"""


def stored_windows(grain: Grain) -> str:
    """Return the statement that lists stored windows."""
    return (
        f"SELECT DISTINCT tenant, toUnixTimestamp(window) AS start FROM {TABLES[grain]}"
        f" WHERE {_asked('window', 'window', span=True)}"
    )


def refill(grain: Grain) -> str:
    """Return the statement that recomputes and stores all windows from `low` up to `high`."""
    columns = "tenant, window, version, groups"
    return f"INSERT INTO {TABLES[grain]} ({columns}) SELECT {columns} FROM ({recompute(grain, span=True)})"


def removal(table: str) -> str:
    """Return the statement that removes windows, each of at most a version."""
    return (
        f"ALTER TABLE {table} DELETE WHERE tenant IN {{tenants:Array(String)}}"
        " AND toUnixTimestamp(window) IN {windows:Array(UInt32)}"
        " AND arrayExists((t, w, v) -> t = tenant AND w = toUnixTimestamp(window) AND version <= v,"
        " {tenants:Array(String)}, {windows:Array(UInt32)}, {versions:Array(UInt256)})"
    )


ASKED_MINUTES = _asked("minute", "minute")
"""The condition on the ledger for the minutes asked for."""


def rows_of_minutes(span: bool = False) -> str:
    """Return the statement that counts the rows of minutes, repeats that are not merged yet included."""
    return (
        "SELECT tenant, toUnixTimestamp(minute) AS start, count() AS n FROM ledger"
        f" PREWHERE {_asked('minute', 'minute', span)} WHERE NOT retracted GROUP BY tenant, minute"
    )


_KEY = "tenant, minute, toSecond(time), source, id"
CONFLICTS_OF_MINUTES = f"""
SELECT tenant, source, id, time, fingerprint, argMax(ledger.cost, ledger.revision) AS cost,
    max(ledger.revision) AS revision
FROM ledger PREWHERE {ASKED_MINUTES} WHERE NOT retracted AND ({_KEY}) IN (
    SELECT {_KEY} FROM ledger PREWHERE {ASKED_MINUTES} WHERE NOT retracted
    GROUP BY {_KEY} HAVING min(fingerprint) != max(fingerprint))
GROUP BY tenant, source, id, time, fingerprint"""
"""Lists rows of minutes with one identity and different content, not merged yet."""


class HighCardinalitySource(msgspec.Struct, frozen=True):
    """A producer and its events of a minute; `minute` is Unix seconds."""

    tenant: str
    minute: int
    source: str
    dimension: str
    """The dimension with most different values."""
    distinct: int
    cells: int
    events: int


_COUNTED = ", ".join(f"('{name}', uniq({name}))" for name in CELL)
HIGH_CARDINALITY_SOURCES = f"""
SELECT tenant, toUnixTimestamp(minute) AS minute, source, widest.1 AS dimension, widest.2 AS distinct,
    cells, events
FROM (
    SELECT tenant, minute, source, count() AS events, uniq({", ".join(CELL)}) AS cells,
        arrayReverseSort(d -> d.2, [{_COUNTED}])[1] AS widest
    FROM ledger PREWHERE {ASKED_MINUTES} WHERE NOT retracted GROUP BY tenant, minute, source
    ORDER BY cells DESC, source LIMIT 1 BY tenant, minute)"""
"""Finds the producer with most cells of each minute asked for."""
