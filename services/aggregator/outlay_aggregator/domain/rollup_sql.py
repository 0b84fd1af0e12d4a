"""The SQL that says what a window is: a pure function of the ledger, of every row under its identity once.

Each statement answers with one row per window in the shape of `RollupWindow`: what is written to the
rollup tables is, byte for byte, what is published. Names and numbers of ours are pasted; whatever comes
from outside is bound. The parameters are `tenants` and `windows` (the
windows asked for, side by side), `low` and `high` (bounds of their time) and `cells`.
"""

# ruff: noqa: S608 (what is pasted are the constants of this file)

from outlay_schemas.dimensions import CELL, EXACT
from outlay_schemas.events import Grain

TABLES: dict[Grain, str] = {"minute": "rollup_minute", "hour": "rollup_hour", "day": "rollup_day"}

OTHER = "(other)"
"""The user of what lies past the bound."""
NAMED_SO = "((other))"
"""What a user is called in rollups whose name is `(other)`: nobody's tail is added to theirs."""

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
"""The measures of a cell in their order: type, and what each is of the rows of the ledger. NULL costs add nothing.

A retracted row is no event and costs nothing. It only has a version: that of its window must not shrink.
"""
_VERSION = "sum(row_version)"
_CELL = f"cityHash64({_DIMS})"
_TENANTS = "(empty({tenants:Array(String)}) OR tenant IN {tenants:Array(String)})"
_ASKED = (
    "SELECT w.1, w.2 FROM (SELECT arrayJoin(arrayZip({tenants:Array(String)},"
    " arrayMap(s -> toDateTime(s, 'UTC'), {windows:Array(UInt32)}))) AS w)"
)
_START: dict[Grain, str] = {"hour": "toStartOfHour(window)", "day": "toStartOfDay(window)"}
_PARENT: dict[Grain, Grain] = {"hour": "minute", "day": "hour"}


def recompute(grain: Grain, span: bool = False, narrow: bool = False) -> str:
    """Return the statement that computes windows of `grain` from the ledger or from the next finer grain.

    Of the windows asked for; with `span`, of all that begin from `low` up to `high`, of `tenants` (none: all).
    `narrow`, of minutes: the same answer from one reading of the ledger instead of two, in half of
    the time where few users are past the bound, in twice where nearly every event has one of its own.
    """
    if narrow and grain == "minute":
        return _windows(grain, _narrow_minute_cells(span))
    return _windows(grain, _minute_cells(span) if grain == "minute" else _wider_cells(grain, span))


def _windows(grain: Grain, cells: str) -> str:
    """Fold cells into one row per window, its cells in a fixed order."""
    order = ", ".join(f"g.{name}" for name in CELL)
    return f"""
SELECT tenant, '{grain}' AS grain, start AS window, sum(versions) AS version,
    arraySort(g -> ({order}), groupArrayIf(
        tuple({_DIMS}, kept, {", ".join(f"cells_{name}" for name in _MEASURES)})
        ::Tuple({_tuple_type()}), cells_events > 0)) AS groups
FROM ({cells})
GROUP BY tenant, start
ORDER BY tenant, start"""


def _tuple_type() -> str:
    text = ", ".join(f"{name} String" for name in CELL)
    return f"{text}, {', '.join(f'{name} {kind}' for name, (kind, _) in _MEASURES.items())}"


def _of_ledger(mark: str) -> str:
    """Return the measures of ledger rows, named with a mark."""
    return ", ".join(f"{sql} AS {mark}{name}" for name, (_, sql) in _MEASURES.items())


def _added(mark: str) -> str:
    """Return the measures of cells as sums of finer ones, which are named with a mark."""
    return ", ".join(
        f"{'sumMap' if kind.startswith('Map') else 'sum'}({mark}{name}) AS cells_{name}"
        for name, (kind, _) in _MEASURES.items()
    )


def _minute_cells(span: bool) -> str:
    """Cells of minutes, from the ledger. A NULL cost adds nothing and is counted as unpriced."""
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
    """The user that a cell of a minute is under: their own, if there is none or they are `within` the bound."""
    return f"if(user = '' OR {within}, if(user = '{OTHER}', '{NAMED_SO}', user), '{OTHER}')"


def _narrow_minute_cells(span: bool) -> str:
    """The same cells as `_minute_cells`: those of each user first, which are then folded past the bound."""
    return f"""
    SELECT tenant, start, {_DIMS}, kept, {_added("own_")}, sum(version) AS versions
    FROM (
        SELECT *, {_named("so_far <= {cells:UInt32}")} AS kept
        FROM (
            SELECT *, sum(user != '') OVER (
                PARTITION BY tenant, start ORDER BY user_cost DESC, user
                RANGE BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS so_far
            FROM (
                SELECT *, sum(own_cost) OVER (PARTITION BY tenant, start, user) AS user_cost
                FROM (
                    SELECT tenant, minute AS start, {_DIMS}, user,
                        {_of_ledger("own_")}, {_VERSION} AS version
                    FROM ledger FINAL PREWHERE {_asked("minute", "minute", span)}
                    GROUP BY tenant, start, {_DIMS}, user))))
    GROUP BY tenant, start, {_DIMS}, kept"""


def _wider_cells(grain: Grain, span: bool) -> str:
    """Cells of hours from minutes, or of days from hours. A window's version counts once, at its first cell.

    Each part of the cells is joined by its own name: only the parts used are read.
    """
    start = _START[grain]
    names = (*CELL, *_MEASURES)
    parts = ", ".join(f"groups.{name} AS {name}" for name in names)
    rows = f"""FROM (
        SELECT tenant, {start} AS start, version, nth, {", ".join(names)}
        FROM {TABLES[_PARENT[grain]]} FINAL
        LEFT ARRAY JOIN {parts}, arrayEnumerate(groups.events) AS nth
        WHERE {_asked(start, "window", span)})"""
    kept = _kept(
        f"""SELECT tenant, start, user, sum(cost) AS user_cost, uniqExact({_CELL}) AS user_cells
        {rows} WHERE user NOT IN ('', '{OTHER}') GROUP BY tenant, start, user"""
    )
    return f"""
    SELECT tenant, start, {_DIMS}, kept,
        {_added("")}, sum(if(nth <= 1, version, 0)) AS versions
    FROM (
        SELECT *, if(user IN ('', '{OTHER}') OR (tenant, start, user) IN ({kept}), user, '{OTHER}') AS kept
        {rows})
    GROUP BY tenant, start, {_DIMS}, kept"""


def _kept(users: str) -> str:
    """Users that stay named: who cost most, ties by name, while their cells together keep the bound."""
    return f"""
        SELECT tenant, start, user FROM (
            SELECT tenant, start, user, sum(user_cells) OVER (
                PARTITION BY tenant, start ORDER BY user_cost DESC, user
                ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS so_far
            FROM ({users}))
        WHERE so_far <= {{cells:UInt32}}"""


def _asked(start: str, column: str, span: bool = False) -> str:
    """Only the windows asked for; the plain bounds let the engine skip parts and partitions."""
    bounds = (
        f"{column} >= toDateTime({{low:UInt32}}, 'UTC') AND {column} < toDateTime({{high:UInt32}}, 'UTC')"
    )
    if span:
        return f"{bounds} AND {_TENANTS}"
    return f"{bounds} AND tenant IN {{tenants:Array(String)}} AND (tenant, {start}) IN ({_ASKED})"


def windows_of_ledger() -> str:
    """Return the statement that lists minutes with events, `low` to `high`, of `tenants` (none: all)."""
    return (
        "SELECT DISTINCT tenant, toUnixTimestamp(minute) AS start FROM ledger"
        " WHERE minute >= toDateTime({low:UInt32}, 'UTC') AND minute < toDateTime({high:UInt32}, 'UTC')"
        f" AND {_TENANTS}"
    )


def difference(grain: Grain, span: bool = False) -> str:
    """Return the statement that lists the windows whose stored state is not what they recompute to.

    With `span`, `low` and `high` must be starts of windows of `grain`.
    """
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
    """Return the statement that lists stored windows, `low` to `high`, of `tenants` (none: all)."""
    return (
        f"SELECT DISTINCT tenant, toUnixTimestamp(window) AS start FROM {TABLES[grain]}"
        f" WHERE {_asked('window', 'window', span=True)}"
    )


def refill(grain: Grain) -> str:
    """Return the statement that recomputes and stores all windows from `low` up to `high`."""
    columns = "tenant, window, version, groups"
    return f"INSERT INTO {TABLES[grain]} ({columns}) SELECT {columns} FROM ({recompute(grain, span=True)})"


def removal(grain: Grain) -> str:
    """Return the statement that removes a window of at most a version."""
    return (
        f"ALTER TABLE {TABLES[grain]} DELETE WHERE tenant = {{tenant:String}}"
        " AND window = toDateTime({start:UInt32}, 'UTC') AND version <= {version:UInt256}"
    )


def asked_minutes() -> str:
    """Return the condition on the ledger for the minutes asked for."""
    return _asked("minute", "minute")


def rows_of_minutes(span: bool = False) -> str:
    """Return the statement that counts the rows of minutes, repeats that are not merged yet included."""
    return (
        "SELECT tenant, toUnixTimestamp(minute) AS start, count() AS n FROM ledger"
        f" PREWHERE {_asked('minute', 'minute', span)} WHERE NOT retracted GROUP BY tenant, minute"
    )


def conflicts_of_minutes() -> str:
    """Return the statement that lists, of minutes, all rows under one identity that differ in content.

    Only those that the engine has not merged yet: it keeps one row an identity.
    """
    asked = _asked("minute", "minute")
    key = "tenant, minute, toSecond(time), source, id"
    return f"""
SELECT tenant, source, id, time, fingerprint, argMax(ledger.cost, ledger.revision) AS cost,
    max(ledger.revision) AS revision
FROM ledger PREWHERE {asked} WHERE NOT retracted AND ({key}) IN (
    SELECT {key} FROM ledger PREWHERE {asked} WHERE NOT retracted
    GROUP BY {key} HAVING min(fingerprint) != max(fingerprint))
GROUP BY tenant, source, id, time, fingerprint"""
