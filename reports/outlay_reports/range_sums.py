"""SQL that sums costs over ranges of time: the one way in which reports, alerts and pages read what was spent.

    query = sums([Selection(today, {"team": ("growth",), "tags.env": ("prod",)})], by=("sku",))
    rows = clickhouse.rows(query.sql, query.bound | {"tenant": "acme"})     # k0, cost_0, events_0, ...

A range is read from as few rollup rows as add up to exactly it: days, hours at the days that it cuts, minutes at the
hours that it cuts. What rollups do not keep (tags, attributes, source, ...) is read from the ledger. Users are read
from the rollups, which name those that cost most and call the rest `(other)`; with `exact` they come from the ledger.

Pure: it only writes text. Names and numbers of ours are pasted; whatever comes from outside (tenants, values, names of
tags) is bound. The engine raises what `ClickHouseClient.rows` raises.
"""

# ruff: noqa: S608 (what is pasted are names of our dimensions and tables, and numbers)

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
from itertools import pairwise

from outlay_kit.time_ranges import Piece, TimeRange, cover_each
from outlay_reports.conversion import NO_CONVERSION, Conversion
from outlay_reports.time_sql import between, next_minute, place, seconds
from outlay_schemas.currency import USD, Currency
from outlay_schemas.dimensions import CELL, FREE, ROLLED, condition_of, dimension_of
from outlay_schemas.events import Grain

Where = Mapping[str, Sequence[str]]
"""Dimension, `tags.NAME` or `attributes.NAME` to the values that are in; an empty value is a missing one. A name that
ends as in `dimensions.CONDITIONS` leaves values out, or looks for values that contain a text in any case."""

TABLES: dict[Grain, str] = {"minute": "rollup_minute", "hour": "rollup_hour", "day": "rollup_day"}
MEASURES = {
    "cost": "ifNull(cost, toDecimal128(0, 12))",
    "events": "1",
    "unpriced_events": "toUInt64(unpriced)",
    "estimated_events": "toUInt64(estimated)",
    "estimated_cost": "if(estimated, ifNull(cost, toDecimal128(0, 12)), toDecimal128(0, 12))",
    "charged": "ifNull(charged, toDecimal128(0, 12))",
    "free_events": "toUInt64(price_status = 'free')",
}
"""What can be summed, each with what it is of an event in the view `costs`. Money is USD."""
_MONEY = ("cost", "estimated_cost", "charged")
"""The measures that are converted into another currency."""
_CELL_MEASURES = {"charged": "cost + markup"}
"""What is not kept in a rollup cell as such."""
_START: dict[Grain, str] = {
    "minute": "minute",
    "hour": "toStartOfHour(minute)",
    "day": "toStartOfDay(minute, 'UTC')",
}
_MANY = 8
"""Ranges that are compared one by one; more are looked up in a sorted list."""


@dataclass
class Query:
    """A statement and the values bound to it."""

    sql: str
    bound: dict[str, object] = field(default_factory=dict)


@dataclass(frozen=True)
class Selection:
    """What one sum is of: the windows that start in `span` (UTC), and the values of dimensions that are in."""

    span: TimeRange
    where: Where = field(default_factory=dict)


def needs_ledger(names: Iterable[str], exact: bool = False) -> bool:
    """Tell whether only the ledger can answer for some dimensions; the rollups are far quicker."""
    found = map(dimension_of, names)
    return any(name not in ROLLED and (exact or name != "user") for name in found)


def sums(
    parts: Sequence[Selection],
    by: Sequence[str] = (),
    *,
    measures: Sequence[str] = tuple(MEASURES),
    usage: bool = False,
    meters: Sequence[str] = (),
    bounds: Sequence[datetime] = (),
    tenants: Sequence[str] | None = None,
    exact: bool = False,
    keep: Query | None = None,
    currency: Currency = USD,
) -> Query:
    """Ask for the sums of some parts in one go, by combinations of `by`, and by the buckets that `bounds` cut.

    Columns: `bucket` (from 0; only with `bounds`, which must tile the only part), `k0`, `k1`, ... (the values of `by`
    as text), and for part n `cost_n`, `events_n`, ... in the order of `measures`; `usage` adds the map `usage` of all
    meters, `meters` the quantities `used0`, `used1`, ... of some.

    `tenants`: of these, none: all. None: the statement takes `{tenant:String}`, which the caller binds.
    `keep`: only combinations of `by` that this query answers with its columns `k0`, `k1`, ....
    `currency`: of money, converted at the rate of each window's own time, and not rounded. Where money has no rate the
    query fails, and the client raises NoRateError.
    """
    names = {*by, *(dimension_of(name) for part in parts for name in part.where)}
    source = _Source(
        names,
        needs_ledger(names, exact),
        {},
        (*measures, *(("usage",) if usage or meters else ())),
        Conversion.over(currency, _whole(parts)),
    )
    keys = [f"k{n}" for n in range(len(by))]
    inner = [f"toString({source.column(name)}) AS {key}" for key, name in zip(keys, by, strict=True)]
    groups = (["bucket"] if bounds else []) + keys
    if bounds:
        inner.insert(0, f"{_bucket(source.time, bounds)} AS bucket")
    more = ""
    if keep is not None:
        source.bound |= keep.bound
        kept = ", ".join(f"toString({source.column(name)})" for name in by)
        more = f" AND ({kept}) IN (SELECT {', '.join(keys)} FROM ({keep.sql}))"
    selects = []
    edges = [*bounds, *(segment.start for segment in source.conversion.segments)]
    for grain, ranges in _pieces(parts, edges, source.ledger).items():
        columns = list(inner)
        for n, part in enumerate(parts):
            one = f"{source.within(ranges[n])}{conditions(part.where, source.bound)}"
            total, end = ("sum", "") if len(parts) == 1 else ("sumIf", f", {one}")
            columns += [f"{total}({source.measure(name)}{end}) AS {name}_{n}" for name in measures]
        columns += ["sumMap(usage) AS usage"] if usage else []
        columns += [f"sum(usage[{bind(meter, source.bound)}]) AS used{n}" for n, meter in enumerate(meters)]
        times = source.within([span for some in ranges for span in some])
        alone = conditions(parts[0].where, source.bound) if len(parts) == 1 else ""
        selects.append(
            f"SELECT {', '.join(columns)} FROM {source.rows(grain)}"
            f" WHERE {source.whose(tenants)} AND {times}{alone}{more}{_group(groups)}"
        )
    if len(selects) == 1 and not source.conversion.segments:
        return Query(selects[0], source.bound)
    outer = [f"sum({m}_{n}) AS {m}_{n}" for n in range(len(parts)) for m in measures]
    outer += ["sumMap(usage) AS usage"] if usage else []
    outer += [f"sum(used{n}) AS used{n}" for n in range(len(meters))]
    union = " UNION ALL ".join(f"({select})" for select in selects)
    return Query(f"SELECT {', '.join([*groups, *outer])} FROM ({union}){_group(groups)}", source.bound)


def windows(
    grain: Grain,
    span: TimeRange,
    by: Sequence[str] = (),
    where: Where | None = None,
    *,
    measures: Sequence[str] = tuple(MEASURES),
) -> Query:
    """Return a query of unsummed windows: `time`, `k0`, ..., measures. Takes `{tenant:String}`."""
    where = where or {}
    source = _Source({*by, *map(dimension_of, where)}, needs_ledger((*by, *where)), {}, tuple(measures))
    columns = [f"toString({source.column(name)}) AS k{n}" for n, name in enumerate(by)]
    columns += [f"{source.measure(name)} AS {name}" for name in measures]
    time = _START[grain] if source.ledger else "window"
    return Query(
        f"SELECT {', '.join([f'{time} AS time', *columns])} FROM {source.rows(grain)}"
        f" WHERE {source.whose(None)} AND {source.within([span])}{conditions(where, source.bound)}",
        source.bound,
    )


def column(name: str, bound: dict[str, object]) -> str:
    """Return the SQL of a dimension of a ledger row or a rollup cell; the name of a tag is bound."""
    for prefix in FREE:
        if name.startswith(prefix):
            return f"{prefix[:-1]}[{bind(name.removeprefix(prefix), bound)}]"
    return f"`{name}`"


def conditions(where: Where, bound: dict[str, object]) -> str:
    """Return the SQL of conditions on dimensions, beginning with AND where there is one; the values are bound."""
    return "".join(f" AND {_condition(name, values, bound)}" for name, values in where.items() if values)


def _condition(name: str, values: Sequence[str], bound: dict[str, object]) -> str:
    how, where, given = condition_of(name), column(dimension_of(name), bound), bind(list(values), bound)
    if "~" in how:
        contains = f"multiSearchAnyCaseInsensitiveUTF8(toString({where}), {given})"
        return f"{contains} = {int('!' not in how)}"
    return f"{where} {'NOT IN' if how else 'IN'} {given}"


def bind(value: str | list[str], bound: dict[str, object]) -> str:
    """Bind a value, and return how the statement names it: by its content, so that statements can be put together."""
    key = f"b{sha256(repr(value).encode()).hexdigest()[:16]}"
    bound[key] = value
    return f"{{{key}:{'String' if isinstance(value, str) else 'Array(String)'}}}"


@dataclass
class _Source:
    """What is read, the ledger or rollups, and what its columns are called there."""

    names: set[str]
    ledger: bool
    bound: dict[str, object]
    measures: tuple[str, ...]
    conversion: Conversion = NO_CONVERSION

    @property
    def time(self) -> str:
        return "minute" if self.ledger else "window"

    def rows(self, grain: Grain) -> str:
        """What to read: of the groups of a rollup only what is asked for; its view takes half as long again."""
        if self.ledger:
            return "costs"
        cells = [f"groups.{name} AS {self.column(name)}" for name in CELL if name in self.names]
        kept = dict.fromkeys(n for name in self.measures for n in self._plain(name).split(" + "))
        cells += [f"groups.{name} AS {name}" for name in kept]
        return f"{TABLES[grain]} FINAL ARRAY JOIN {', '.join(cells)}"

    def column(self, name: str) -> str:
        return column(name, self.bound)

    def measure(self, name: str) -> str:
        """Return the SQL of a measure of one row."""
        plain = self._plain(name)
        return self.conversion.amount(plain, self.time) if name in _MONEY else plain

    def _plain(self, name: str) -> str:
        return (MEASURES if self.ledger else _CELL_MEASURES).get(name, name)

    def whose(self, tenants: Sequence[str] | None) -> str:
        if tenants is None:
            return "tenant = {tenant:String}"
        return f"tenant IN {bind(list(tenants), self.bound)}" if tenants else "1"

    def within(self, ranges: Iterable[TimeRange]) -> str:
        """Return that a row's window starts in one of some ranges."""
        merged: list[TimeRange] = []
        for one in sorted(ranges, key=lambda span: span.start):
            if merged and one.start <= merged[-1].end:
                merged[-1] = TimeRange(merged[-1].start, max(one.end, merged[-1].end))
            elif one.start < one.end:
                merged.append(one)
        if not merged:
            return "0"
        if len(merged) <= _MANY:
            return f"({' OR '.join(between(self.time, span) for span in merged)})"
        at = place(self.time, [second for span in merged for second in seconds(span)])
        whole = TimeRange(merged[0].start, merged[-1].end)
        return f"({between(self.time, whole)} AND {at} % 2 = 1)"


def _whole(parts: Sequence[Selection]) -> TimeRange:
    return TimeRange(min(part.span.start for part in parts), max(part.span.end for part in parts))


def _pieces(
    parts: Sequence[Selection], bounds: Sequence[datetime], ledger: bool
) -> dict[Grain, list[list[TimeRange]]]:
    found: dict[Grain, list[list[TimeRange]]] = {}
    for n, part in enumerate(parts):
        edges = {part.span.start, part.span.end, *(at for at in bounds if at in part.span)}
        cuts = sorted({next_minute(at) for at in edges})
        for one in [Piece("minute", TimeRange(cuts[0], cuts[-1]))] if ledger else cover_each(cuts):
            found.setdefault(one.grain, [[] for _ in parts])[n].append(one.span)
    return found or {"minute": [[] for _ in parts]}


def _bucket(column: str, bounds: Sequence[datetime]) -> str:
    starts = [int(at.timestamp()) for at in bounds]
    steps = {after - before for before, after in pairwise(starts)}
    if len(steps) <= 1:
        step = steps.pop() if steps else 1 << 31
        return f"intDiv(toUnixTimestamp({column}) - {starts[0]}, {step})"
    return f"toUInt32({place(column, starts)} - 1)"


def _group(names: Sequence[str]) -> str:
    return f" GROUP BY {', '.join(names)}" if names else ""
