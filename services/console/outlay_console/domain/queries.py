"""SQL of the pages. Own names are interpolated; outside values are bound.

Every statement takes the tenant as `{tenant:String}`, which only the session gives: see adapters/readers.py.
"""

# ruff: noqa: S608 (what is pasted are names of our dimensions and views)

from collections.abc import Sequence
from datetime import datetime

from outlay_console.domain.view import JOINT, View
from outlay_kit.time_ranges import TimeRange
from outlay_reports.alert_list import alert_statement
from outlay_reports.conversion import Conversion
from outlay_reports.range_sums import Query, Selection, conditions, needs_ledger, sums, windows
from outlay_reports.savings import NEWEST_ANALYSIS
from outlay_reports.time_sql import between
from outlay_schemas.events import Grain

REST = "\x00rest"
"""Stands for the values past the greatest, in a series; no dimension can hold it."""

TOTAL = ("cost", "events", "unpriced_events", "estimated_events", "estimated_cost", "charged", "free_events")
"""The measures of a total, in the order of `Total`."""


SHOWN = ("now", "before", "events", "unpriced", "unpriced_before")
"""The columns of a row that pages of rows sum, in the order of `BreakdownRow.of`."""


def breakdown(
    view: View, spans: tuple[TimeRange, TimeRange], limit: int, more: Sequence[str] = (), after: int = 0
) -> Query:
    """Query the rows of the view (dimension '') and values of `more`, in two ranges; `all_...`: the totals.

    Rows of the view come by what they cost; values of `more` by the greater of both ranges, as what changed is looked
    for among them. `after`: rows of each that come before these; `so_far_...`: the sums down to a row, with it.
    """
    names = list(dict.fromkeys((*view.groups, *more)))
    inner = sums(
        [Selection(span, view.filters) for span in spans],
        names,
        measures=TOTAL,
        exact=_exact(view),
        currency=view.currency,
    )
    rates = Conversion.over(view.currency, spans[0])
    whole = ", ".join(f"sum(sum({name}_0)) OVER (PARTITION BY dimension) AS all_{name}" for name in TOTAL)
    pairs = ", ".join([f"('', {_joint(view)})", *(f"('{name}', k{names.index(name)})" for name in more)])
    order = "if(dimension = '', now, greatest(now, before)) DESC, before DESC, value"
    above = f"OVER (PARTITION BY dimension ORDER BY {order} ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW)"
    so_far = "".join(f", sum({name}) {above} AS so_far_{name}" for name in SHOWN) if after else ""
    return Query(
        f"SELECT d.1 AS dimension, d.2 AS value, {rates.total(f'sum({view.amount}_0)')} AS now,"
        f" {rates.total(f'sum({view.amount}_1)')} AS before, sum(events_0) AS events,"
        f" sum(unpriced_events_0) AS unpriced, sum(unpriced_events_1) AS unpriced_before, {whole},"
        f" sum(sum({view.amount}_1)) OVER (PARTITION BY dimension) AS all_before,"
        " sum(unpriced_before) OVER (PARTITION BY dimension) AS all_unpriced_before,"
        f" count() OVER (PARTITION BY dimension) AS all_rows{so_far}"
        f" FROM ({inner.sql}) ARRAY JOIN [{pairs}] AS d GROUP BY dimension, value"
        f" HAVING sum(events_0) > 0 OR sum({view.amount}_1) > 0"
        f" ORDER BY {order} LIMIT {int(limit)} OFFSET {int(after)} BY dimension",
        inner.bound,
    )


def _exact(view: View) -> bool:
    """Tell whether a view needs the ledger: one of a user does, as rollups fold users past a limit into one."""
    return needs_ledger(view.filters, exact=True)


def _joint(view: View) -> str:
    """Return the SQL of the values of a row, as one text."""
    if not view.then:
        return "k0"
    return f"arrayStringConcat([{', '.join(f'k{n}' for n in range(len(view.groups)))}], '{JOINT}')"


def series(view: View, span: TimeRange, starts: Sequence[datetime], top: Sequence[str]) -> Query:
    """Ask for the view's amount and unpriced events by bucket (from 0) and value; values not in `top` are one, REST."""
    inner = sums(
        [Selection(span, view.filters)],
        view.groups,
        measures=(view.amount, "unpriced_events"),
        bounds=starts,
        exact=_exact(view),
        currency=view.currency,
    )
    row = _joint(view)
    return Query(
        f"SELECT bucket, if(has({{top:Array(String)}}, {row}), {row}, {{rest:String}}) AS value,"
        f" sum({view.amount}_0) AS cost, sum(unpriced_events_0) AS unpriced FROM ({inner.sql})"
        " GROUP BY bucket, value ORDER BY bucket, value",
        {**inner.bound, "top": list(top), "rest": REST},
    )


def busy(view: View, span: TimeRange, grain: Grain, limit: int) -> Query:
    """Ask for the newest windows of a view that have any event: `limit` of them hold at least `limit` events."""
    inner = windows(grain, span, where=view.filters, measures=("events",))
    return Query(
        f"SELECT toUnixTimestamp(time) AS at, sum(events) AS many FROM ({inner.sql})"
        f" GROUP BY at HAVING many > 0 ORDER BY at DESC LIMIT {int(limit)}",
        inner.bound,
    )


def events(view: View, span: TimeRange, limit: int, minutes: Sequence[int] | None) -> Query:
    """Ask for the newest events of a view; `minutes` (Unix seconds) are all that have to be looked at, if given."""
    bound: dict[str, object] = {}
    where = f"tenant = {{tenant:String}} AND {between('minute', span)}{conditions(view.filters, bound)}"
    if minutes is not None:
        bound["minutes"] = list(minutes)
        where += " AND minute IN (SELECT toDateTime(arrayJoin({minutes:Array(UInt32)}), 'UTC'))"
    return Query(
        "SELECT time, source, id, kind, provider, sku, team, project, user, cost, unpriced, price_status,"
        f" price_ref FROM costs WHERE {where} ORDER BY time DESC, source, id LIMIT {int(limit)}",
        bound,
    )


EVENT = """
SELECT * FROM costs
WHERE tenant = {tenant:String} AND minute = toStartOfMinute(toDateTime({at:UInt32}, 'UTC'))
    AND source = {source:String} AND id = {id:String}
LIMIT 1"""

FREE_NAMES = """
SELECT DISTINCT arrayJoin(arrayConcat(
    arrayMap(k -> concat('tags.', k), mapKeys(tags)), arrayMap(k -> concat('attributes.', k), mapKeys(attributes))
)) AS name
FROM (SELECT tags, attributes FROM costs
    WHERE tenant = {tenant:String} AND minute >= toDateTime({low:UInt32}, 'UTC') LIMIT 20000)
ORDER BY name LIMIT 60"""

UNPRICED = """
SELECT provider, sku, kind, sum(d.unpriced_events) AS unpriced, sum(d.events) AS events,
    toUnixTimestamp(max(time)) AS newest, count() OVER () AS stored
FROM costs_daily AS d WHERE tenant = {tenant:String} AND time >= toDateTime({low:UInt32}, 'UTC')
GROUP BY provider, sku, kind HAVING unpriced > 0 ORDER BY unpriced DESC, provider, sku LIMIT 100"""

ALERTS = alert_statement("true", "tenant = {tenant:String}")

INCIDENT = """
SELECT id, if(ended_reason = '', state, ended_reason) AS stands, body FROM alerts FINAL
WHERE tenant = {tenant:String} AND state != 'pending' AND incident IN (
    SELECT incident FROM alerts FINAL WHERE tenant = {tenant:String} AND id = {id:String})"""

ALERT_MESSAGES = """
SELECT channel, state, toUnixTimestamp(created_at) AS newest FROM alert_outbox FINAL
WHERE tenant = {tenant:String} AND created_at >= toDateTime({low:UInt32}, 'UTC') - INTERVAL 1 DAY
    AND channel NOT IN ('bus', 'console') AND incident = {incident:String}
ORDER BY created_at, channel LIMIT 50"""

ALERT_VERSIONS = """
SELECT body FROM alert_outbox FINAL
WHERE tenant = {tenant:String} AND created_at >= toDateTime({low:UInt32}, 'UTC') - INTERVAL 1 DAY
    AND incident = {incident:String}
ORDER BY created_at, message_id LIMIT 1 BY message_id LIMIT 500"""

ALERT_ACTIONS = """
SELECT tenant, target, action, at, until, comment, actor FROM alert_actions FINAL
WHERE tenant = {tenant:String} AND (until IS NULL OR until > toDateTime({now:UInt32}, 'UTC'))"""

OPPORTUNITIES = NEWEST_ANALYSIS

CATALOGS = """
SELECT revision, toUnixTimestamp(created_at) AS at, note,
    concat(JSONExtractString(body, 'rates', 'source'), ' ', JSONExtractString(body, 'rates', 'version')) AS rates,
    arrayMap(b -> (JSONExtractString(b, 'name'), JSONExtractString(b, 'version'),
        if(position(b, '"tenant"') = 0, ['*'], arrayDistinct(arrayFlatten(arrayMap(
            t -> if(empty(t), ['*'], t),
            arrayMap(r -> JSONExtract(r, 'where', 'tenant', 'Array(String)'), JSONExtractArrayRaw(b, 'rules'))))))),
        JSONExtractArrayRaw(body, 'price_books')) AS price_books
FROM catalogs WHERE revision IN {revisions:Array(UInt64)} ORDER BY revision DESC LIMIT 1 BY revision"""

REVISIONS = """
SELECT revision, count() OVER () AS stored FROM (SELECT DISTINCT revision FROM catalogs)
ORDER BY revision DESC LIMIT {most:UInt32} OFFSET {after:UInt64}"""

SHARED = frozenset({CATALOGS, REVISIONS})
"""Queries about the installation rather than a tenant: every tenant may see the sources of prices that are
for it."""

CONFLICTS = """
SELECT source, id, count() AS bodies, toUnixTimestamp(max(found_at)) AS newest,
    count() OVER () AS stored
FROM conflicts FINAL WHERE tenant = {tenant:String}
GROUP BY source, id ORDER BY newest DESC, source, id LIMIT 50"""

HIGH_CARDINALITY = """
SELECT source, argMax(dimension, cells) AS dimension, argMax(distinct, cells) AS distinct, count() AS minutes,
    toUnixTimestamp(max(found_at)) AS newest, count() OVER () AS stored
FROM high_cardinality_sources FINAL WHERE tenant = {tenant:String}
GROUP BY source ORDER BY newest DESC, source LIMIT 20"""

CLOCK_SKEW = """
SELECT source, count() AS events, median(skew) AS typical, min(skew) AS least, count() OVER () AS stored
FROM (SELECT source, (toInt64(accepted_ms) - toUnixTimestamp64Milli(time)) / 1000 AS skew
    FROM ledger WHERE tenant = {tenant:String} AND accepted_ms >= 1000 * {low:UInt64}
        AND minute >= toDateTime({low:UInt64}, 'UTC') - INTERVAL 23 HOUR)
GROUP BY source ORDER BY abs(typical) DESC, source LIMIT 20"""

DEAD_LETTERS = """
SELECT stage, code, count() AS count, toUnixTimestamp(max(at)) AS newest, argMax(message, at) AS message,
    argMax(path, at) AS path, count() OVER () AS stored
FROM dead_letters FINAL WHERE tenant = {tenant:String}
    AND id NOT IN (SELECT id FROM dead_letter_replays WHERE tenant = {tenant:String})
GROUP BY stage, code ORDER BY count DESC, stage, code LIMIT 100"""

WRITTEN = """
SELECT toUnixTimestamp64Milli(max(written_at)) AS written FROM rollup_day WHERE tenant = {tenant:String}"""

NEWEST = """
SELECT count() AS windows, toUnixTimestamp(max(window)) AS newest, toUnixTimestamp(min(window)) AS oldest,
    toUnixTimestamp64Milli(max(written_at)) AS written
FROM rollup_hour WHERE tenant = {tenant:String}"""

FOR_TEAMS = frozenset({NEWEST, WRITTEN, ALERTS, INCIDENT, ALERT_ACTIONS, ALERT_MESSAGES, ALERT_VERSIONS})
"""Statements that a viewer of a team may ask as they are: the time of the newest data, and alerts, of which those of
other teams are left out when they are read."""
