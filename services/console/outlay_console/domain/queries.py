"""The questions as SQL on the views. Names of ours are pasted; whatever comes from outside is bound.

Every statement takes the tenant as `{tenant:String}`, which only the session gives: see adapters/books.py.
"""

# ruff: noqa: S608 (what is pasted are names of our dimensions and views)

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from outlay_console.domain.spans import Bucket, source_of
from outlay_console.domain.view import DIMENSIONS, View
from outlay_kit.spans import Span, cover
from outlay_schemas.events import Grain

VIEWS: dict[Grain, str] = {"minute": "costs_minutely", "hour": "costs_hourly", "day": "costs_daily"}
REST = "\x00rest"
"""Stands for the values past the greatest, in a series; no dimension can hold it."""
_SUMS = "sum(cost) AS cost, sum(events) AS events, sum(unpriced_events) AS unpriced"
_BUCKETS: dict[Bucket, str] = {
    "minute": "{l0:UInt32} + intDiv(toUnixTimestamp(time) - {l0:UInt32}, 60) * 60",
    "hour": "{l0:UInt32} + intDiv(toUnixTimestamp(time) - {l0:UInt32}, 3600) * 3600",
    "day": "toUnixTimestamp(toStartOfDay(time, {tz:String}))",
    "month": "toUnixTimestamp(toDateTime(toStartOfMonth(time, {tz:String}), {tz:String}))",
}
"""The start of the bucket of a window, Unix seconds; hours and minutes are counted from the start of the view."""


@dataclass
class Question:
    """A statement and the values bound to it."""

    sql: str
    bound: dict[str, object] = field(default_factory=dict)


def totals(spans: Mapping[str, Span], filters: Mapping[str, tuple[str, ...]]) -> Question:
    """Ask what was spent in each of some spans, in one go: a row with `label` for each that has any."""
    parts = Question("")
    inner = " UNION ALL ".join(
        _pieces(parts, span, f"'{label}' AS label, ", [], filters=filters, n=n)
        for n, (label, span) in enumerate(spans.items())
    )
    return Question(f"SELECT label, {_SUMS} FROM ({inner}) GROUP BY label", parts.bound)


def breakdown(view: View, span: Span, limit: int) -> Question:
    """Ask for the values of the view's dimension, the dearest first, beside the span before."""
    parts = Question("")
    now = _pieces(parts, span, "1 AS current, ", [view.by], filters=view.filters, n=0)
    then = _pieces(parts, span.before, "0 AS current, ", [view.by], filters=view.filters, n=1)
    return Question(
        f"SELECT {view.by} AS value, sumIf(cost, current = 1) AS now, sumIf(cost, current = 0) AS before,"
        " sumIf(events, current = 1) AS events, sumIf(unpriced_events, current = 1) AS unpriced"
        f" FROM ({now} UNION ALL {then}) GROUP BY value HAVING events > 0 OR before > 0"
        f" ORDER BY now DESC, value LIMIT {int(limit)}",
        parts.bound,
    )


def movers(span: Span, dimensions: Sequence[str], limit: int) -> Question:
    """Ask which values of some dimensions changed most against the span before."""
    parts = Question("")
    now = _pieces(parts, span, "1 AS current, ", dimensions, filters={}, n=0)
    then = _pieces(parts, span.before, "0 AS current, ", dimensions, filters={}, n=1)
    names = ", ".join(dimensions)
    pairs = ", ".join(f"('{name}', toString({name}))" for name in dimensions)
    cells = (
        f"SELECT current, {names}, sum(cost) AS usd FROM ({now} UNION ALL {then}) GROUP BY current, {names}"
    )
    return Question(
        "SELECT d.1 AS dimension, d.2 AS value, sumIf(usd, current = 1) AS now,"
        f" sumIf(usd, current = 0) AS before FROM ({cells}) ARRAY JOIN [{pairs}] AS d"
        f" GROUP BY dimension, value HAVING now != before ORDER BY abs(now - before) DESC, value LIMIT {int(limit)}",
        parts.bound,
    )


def series(view: View, span: Span, bucket: Bucket, top: Sequence[str]) -> Question:
    """Ask for cost by bucket and value; values that are not in `top` are one, REST."""
    parts = Question("", {"top": list(top), "rest": REST, "tz": view.zone.key, **_bounds(span, 0)})
    where = _where(parts, view.filters, 0)
    source = VIEWS[source_of(bucket, span, view.zone)]
    return Question(
        f"SELECT {_BUCKETS[bucket]} AS at,"
        f" if(has({{top:Array(String)}}, {view.by}), toString({view.by}), {{rest:String}}) AS value,"
        f" sum(cost) AS cost, sum(events) AS events FROM {source} WHERE {where} GROUP BY at, value ORDER BY at, value",
        parts.bound,
    )


def busy(view: View, span: Span, grain: Grain, limit: int) -> Question:
    """Ask for the newest windows of a view that have any event: `limit` of them hold at least `limit` events."""
    parts = Question("", _bounds(span, 0))
    where = _where(parts, view.filters, 0)
    return Question(
        f"SELECT toUnixTimestamp(time) AS at, sum(events) AS many FROM {VIEWS[grain]} WHERE {where}"
        f" GROUP BY at HAVING many > 0 ORDER BY at DESC LIMIT {int(limit)}",
        parts.bound,
    )


def events(view: View, span: Span, limit: int, minutes: Sequence[int] | None) -> Question:
    """Ask for the newest events of a view; `minutes` (Unix seconds) are all that have to be looked at, if given."""
    parts = Question("", _bounds(span, 0))
    where = _where(parts, view.filters, 0).replace("time >=", "minute >=").replace("time <", "minute <")
    if minutes is not None:
        parts.bound["minutes"] = list(minutes)
        where += " AND minute IN (SELECT toDateTime(arrayJoin({minutes:Array(UInt32)}), 'UTC'))"
    return Question(
        "SELECT time, source, id, kind, provider, sku, team, project, user, cost, unpriced, price_status,"
        f" price_ref FROM costs WHERE {where} ORDER BY time DESC, source, id LIMIT {int(limit)}",
        parts.bound,
    )


EVENT = """
SELECT * FROM costs
WHERE tenant = {tenant:String} AND minute = toStartOfMinute(toDateTime({at:UInt32}, 'UTC'))
    AND source = {source:String} AND id = {id:String}
LIMIT 1"""

UNPRICED = """
SELECT provider, sku, kind, sum(d.unpriced_events) AS unpriced, sum(d.events) AS events,
    toUnixTimestamp(max(time)) AS newest
FROM costs_daily AS d WHERE tenant = {tenant:String} AND time >= toDateTime({low:UInt32}, 'UTC')
GROUP BY provider, sku, kind HAVING unpriced > 0 ORDER BY unpriced DESC, provider, sku LIMIT 100"""

ALERTS = """
SELECT id, state, body, toUnixTimestamp(written_at) AS at FROM alerts FINAL
WHERE tenant = {tenant:String} ORDER BY state = 'resolved', written_at DESC LIMIT 200"""

ALERT = """
SELECT id, state, body FROM alerts FINAL WHERE tenant = {tenant:String} AND id = {id:String}"""

SNOOZES = """
SELECT target, toUnixTimestamp(assumeNotNull(until)) AS until, note FROM alert_words FINAL
WHERE tenant = {tenant:String} AND say = 'snoozed' AND until > toDateTime({now:UInt32}, 'UTC')"""

STATUSES = """
SELECT body FROM budget_status FINAL WHERE tenant = {tenant:String}"""

CONFLICTS = """
SELECT source, id, count() AS bodies, toUnixTimestamp(max(found_at)) AS newest
FROM conflicts FINAL WHERE tenant = {tenant:String}
GROUP BY source, id ORDER BY newest DESC, source, id LIMIT 50"""

CROWDS = """
SELECT source, argMax(dimension, cells) AS dimension, argMax(distinct, cells) AS distinct, count() AS minutes,
    toUnixTimestamp(max(found_at)) AS newest
FROM crowds FINAL WHERE tenant = {tenant:String}
GROUP BY source ORDER BY newest DESC, source LIMIT 20"""

LETTERS = """
SELECT stage, code, count() AS letters, toUnixTimestamp(max(at)) AS newest, argMax(message, at) AS message,
    argMax(path, at) AS path
FROM dead_letters FINAL WHERE tenant = {tenant:String}
GROUP BY stage, code ORDER BY letters DESC, stage, code LIMIT 100"""

HEALTH = """
SELECT sum(d.events) AS events, sum(d.unpriced_events) AS unpriced, sum(d.cost) AS cost,
    sumIf(d.cost, team = '') AS no_team, sumIf(d.cost, project = '') AS no_project
FROM costs_daily AS d WHERE tenant = {tenant:String} AND time >= toDateTime({low:UInt32}, 'UTC')"""

WRITTEN = """
SELECT toUnixTimestamp64Milli(max(written_at)) AS written FROM rollup_day WHERE tenant = {tenant:String}"""

NEWEST = """
SELECT count() AS windows, toUnixTimestamp(max(window)) AS newest, toUnixTimestamp(min(window)) AS oldest,
    toUnixTimestamp64Milli(max(written_at)) AS written
FROM rollup_hour WHERE tenant = {tenant:String}"""


def _bounds(span: Span, n: int | str) -> dict[str, object]:
    return {f"l{n}": int(span.start.timestamp()), f"h{n}": int(span.end.timestamp())}


def _where(parts: Question, filters: Mapping[str, tuple[str, ...]], n: int | str) -> str:
    """Return the condition of one piece: tenant, time, filters, all bound."""
    timed = (
        f"tenant = {{tenant:String}} AND time >= toDateTime({{l{n}:UInt32}}, 'UTC')"
        f" AND time < toDateTime({{h{n}:UInt32}}, 'UTC')"
    )
    wheres = [timed]
    for name in DIMENSIONS:
        if name in filters:
            wheres.append(f"{name} IN {{f_{name}:Array(String)}}")
            parts.bound[f"f_{name}"] = list(filters[name])
    return " AND ".join(wheres)


def _pieces(
    parts: Question,
    span: Span,
    label: str,
    names: Sequence[str],
    *,
    filters: Mapping[str, tuple[str, ...]],
    n: int,
) -> str:
    selects = []
    wanted = "".join(f", {name}" for name in names)
    for m, piece in enumerate(cover(span)):
        where = _where(parts, filters, f"{n}_{m}")
        parts.bound |= _bounds(piece.span, f"{n}_{m}")
        selects.append(
            f"SELECT {label}cost, events, unpriced_events{wanted} FROM {VIEWS[piece.grain]} WHERE {where}"
        )
    return " UNION ALL ".join(selects)
