"""The questions as SQL on the views. Names of ours are pasted; whatever comes from outside is bound.

Every statement takes the tenant as `{tenant:String}`, which only the session gives: see adapters/books.py.
"""

# ruff: noqa: S608 (what is pasted are names of our dimensions and views)

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from outlay_console.domain.spans import Bucket, source_of
from outlay_console.domain.view import DIMENSIONS, View
from outlay_kit.spans import Span, cover
from outlay_schemas.events import Grain

TABLES: dict[Grain, str] = {"minute": "rollup_minute", "hour": "rollup_hour", "day": "rollup_day"}
VIEWS: dict[Grain, str] = {"minute": "costs_minutely", "hour": "costs_hourly", "day": "costs_daily"}
REST = "\x00rest"
"""Stands for the values past the greatest, in a series; no dimension can hold it."""
_BUCKETS: dict[Bucket, str] = {
    "minute": "{l0:UInt32} + intDiv(toUnixTimestamp(window) - {l0:UInt32}, 60) * 60",
    "hour": "{l0:UInt32} + intDiv(toUnixTimestamp(window) - {l0:UInt32}, 3600) * 3600",
    "day": "toUnixTimestamp(toStartOfDay(window, {tz:String}))",
    "month": "toUnixTimestamp(toDateTime(toStartOfMonth(window, {tz:String}), {tz:String}))",
}
"""The start of the bucket of a window, Unix seconds; hours and minutes are counted from the start of the view."""


@dataclass
class Question:
    """A statement and the values bound to it."""

    sql: str
    bound: dict[str, object] = field(default_factory=dict)


@dataclass(frozen=True)
class Part:
    """What one sum is of: a span, and the values of dimensions that are in it."""

    span: Span
    filters: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


def totals(wanted: Sequence[Part]) -> Question:
    """Ask for some sums in one go: one row with cost, events and unpriced of each part, by its number."""
    question = Question("")
    inner = _scan(question, wanted)
    sums = ", ".join(
        f"sum(c{n}) AS cost_{n}, sum(e{n}) AS events_{n}, sum(u{n}) AS unpriced_{n}"
        for n in range(len(wanted))
    )
    return Question(f"SELECT {sums} FROM ({inner})", question.bound)


def breakdown(view: View, span: Span, limit: int, more: Sequence[str] = ()) -> Question:
    """Ask for the values of the view's dimension and of `more`, the dearest first, beside the span before.

    `all_...` are the sums of a dimension, of those past its `limit` too.
    """
    names = list(dict.fromkeys((view.by, *more)))
    question = Question("")
    inner = _scan(question, [Part(span, view.filters), Part(span.before, view.filters)], names)
    pairs = ", ".join(f"('{name}', toString({name}))" for name in names)
    return Question(
        "SELECT d.1 AS dimension, d.2 AS value, sum(c0) AS now, sum(c1) AS before, sum(e0) AS events,"
        " sum(u0) AS unpriced, sum(now) OVER (PARTITION BY dimension) AS all_now,"
        " sum(before) OVER (PARTITION BY dimension) AS all_before,"
        " sum(events) OVER (PARTITION BY dimension) AS all_events,"
        " sum(unpriced) OVER (PARTITION BY dimension) AS all_unpriced"
        f" FROM ({inner}) ARRAY JOIN [{pairs}] AS d GROUP BY dimension, value HAVING sum(e0) > 0 OR sum(c1) > 0"
        f" ORDER BY greatest(now, before) DESC, value LIMIT {int(limit)} BY dimension",
        question.bound,
    )


def series(view: View, span: Span, bucket: Bucket, top: Sequence[str]) -> Question:
    """Ask for cost by bucket and value; values that are not in `top` are one, REST."""
    parts = Question("", {"top": list(top), "rest": REST, "tz": view.zone.key, **_bounds(span, 0)})
    where = _where(parts, view.filters, 0)
    source = _source(source_of(bucket, span, view.zone), {view.by, *view.filters})
    where = where.replace("time >=", "window >=").replace("time <", "window <")
    return Question(
        f"SELECT {_BUCKETS[bucket]} AS at,"
        f" if(has({{top:Array(String)}}, {view.by}), toString({view.by}), {{rest:String}}) AS value,"
        f" sum(cost) AS cost, sum(events) AS events {source} WHERE {where} GROUP BY at, value ORDER BY at, value",
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
SELECT id, if(lasts = '', state, lasts) AS stands, body FROM alerts FINAL
WHERE tenant = {tenant:String} ORDER BY state = 'resolved', written_at DESC LIMIT 200"""

ALERT = """
SELECT id, if(lasts = '', state, lasts) AS stands, body FROM alerts FINAL
WHERE tenant = {tenant:String} AND id = {id:String}"""

WORDS = """
SELECT target, say, toUnixTimestamp(ifNull(until, toDateTime64(0, 3, 'UTC'))) AS ends, note, by,
    toUnixTimestamp(at) AS said FROM alert_words FINAL
WHERE tenant = {tenant:String} AND (until IS NULL OR until > toDateTime({now:UInt32}, 'UTC'))"""

OPPORTUNITIES = """
SELECT id, kind, team, project, provider, sku, what, check, saving, cost, events, toUnixTimestamp(since) AS low,
    toUnixTimestamp(until) AS high, toUnixTimestamp(looked_at) AS looked, example_source, example_id,
    d.dismissed AS dismissed, d.reason AS reason, d.who AS who
FROM opportunities AS o
LEFT JOIN (SELECT id, dismissed, reason, by AS who FROM dismissals FINAL) AS d ON d.id = o.id
WHERE tenant = {tenant:String}
    AND looked_at = (SELECT max(looked_at) FROM opportunities WHERE tenant = {tenant:String})
ORDER BY saving DESC, id"""

CATALOGS = """
SELECT revision, toUnixTimestamp(created_at) AS at, note,
    concat(JSONExtractString(body, 'rates', 'source'), ' ', JSONExtractString(body, 'rates', 'version')) AS rates,
    arrayMap(b -> (JSONExtractString(b, 'name'), JSONExtractString(b, 'version')),
        JSONExtractArrayRaw(body, 'price_books')) AS books
FROM catalogs WHERE revision > {after:UInt64} ORDER BY revision DESC LIMIT 1 BY revision LIMIT 30"""

SHARED = frozenset({CATALOGS})
"""Questions about the installation, not about a tenant's costs: where prices come from is no secret of one."""

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


def _scan(question: Question, wanted: Sequence[Part], names: Sequence[str] = ()) -> str:
    """Return a statement with columns `c0, e0, u0, c1, ...` of the parts, by `names`.

    Each rollup is read once, however many parts need it: what an engine spends on a short query is its planning.
    """
    times: dict[Grain, list[str]] = {}
    sums: dict[Grain, list[str]] = {}
    for n, part in enumerate(wanted):
        within = [
            text for name in DIMENSIONS if name in part.filters for text in [_in(question, name, n, part)]
        ]
        pieces: dict[Grain, list[str]] = {}
        for m, piece in enumerate(cover(part.span)):
            question.bound |= _bounds(piece.span, f"{n}_{m}")
            low, high = (f"toDateTime({{{end}{n}_{m}:UInt32}}, 'UTC')" for end in "lh")
            pieces.setdefault(piece.grain, []).append(f"(window >= {low} AND window < {high})")
        for grain, ranges in pieces.items():
            times.setdefault(grain, []).extend(ranges)
            sums.setdefault(grain, [""] * len(wanted))[n] = " AND ".join(
                [f"({' OR '.join(ranges)})", *within]
            )
    columns = "".join(f"{name}, " for name in names)
    group = f" GROUP BY {', '.join(names)}" if names else ""
    return " UNION ALL ".join(
        f"SELECT {columns}{', '.join(_sums(n, condition) for n, condition in enumerate(sums[grain]))}"
        f" {_source(grain, {*names, *(name for part in wanted for name in part.filters)})}"
        f" WHERE tenant = {{tenant:String}} AND ({' OR '.join(times[grain])}){group}"
        for grain in times
    )


def _source(grain: Grain, names: Collection[str]) -> str:
    """Return what to read: of the groups of a rollup only what is asked for; its view takes half as long again."""
    columns = [name for name in DIMENSIONS if name in names]
    fields = ", ".join(f"groups.{name} AS {name}" for name in (*columns, "cost", "events", "unpriced_events"))
    return f"FROM {TABLES[grain]} FINAL ARRAY JOIN {fields}"


def _sums(n: int, condition: str) -> str:
    condition = condition or "false"
    return (
        f"sumIf(cost, {condition}) AS c{n}, sumIf(events, {condition}) AS e{n},"
        f" sumIf(unpriced_events, {condition}) AS u{n}"
    )


def _in(question: Question, name: str, n: int, part: Part) -> str:
    question.bound[f"f{n}_{name}"] = list(part.filters[name])
    return f"{name} IN {{f{n}_{name}:Array(String)}}"
