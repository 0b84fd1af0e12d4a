"""Builds the report tables: columns, rows and notes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from fractions import Fraction
from zoneinfo import ZoneInfo

from outlay_kit.time_ranges import TimeRange
from outlay_reports.compare import EFFECTS, Comparison, Difference
from outlay_reports.cost_query import Amount, Cell, CostQuery, Sums
from outlay_reports.money import completeness, counted, dollars, percent, share
from outlay_reports.periods import label
from outlay_reports.report_table import Column, ReportTable, Row, Spent, Value
from outlay_reports.showback import top as top_of
from outlay_reports.showback import tree, walk
from outlay_reports.trend import Point, Series, Trend
from outlay_reports.unit_economics import cached_share, per_event, per_thousand_tokens, per_user
from outlay_schemas.dimensions import name_of

Users = Mapping[tuple[str, ...], int]


@dataclass(frozen=True)
class UnitEconomics:
    """What unit economics are made of: users of each depth, from all together (0) on; what caching saved by values."""

    users: Sequence[Users]
    saved: Mapping[tuple[str, ...], int]

    def saved_by(self, keys: tuple[str, ...]) -> int:
        """Return pico-USD that prompt caching saved in all that begins with some values."""
        return sum(saved for place, saved in self.saved.items() if place[: len(keys)] == keys)


_SHARE = Column("share", "share", "share")
AMOUNTS: dict[Amount, Column] = {
    "cost": Column("cost_usd", "cost", "usd"),
    "charged": Column("charged_usd", "charged", "usd"),
}
_EVENTS = Column("events", "events", "count")
_UNPRICED = Column("unpriced_events", "unpriced", "count")
_ESTIMATED = Column("estimated_usd", "estimated", "usd")
_FREE = Column("free_events", "free", "count")
_UNITS = (
    Column("usd_per_event", "$/event", "rate"),
    Column("usd_per_1k_tokens", "$/1k tokens", "rate"),
    Column("cached_input_share", "cached", "share"),
    Column("users", "users", "count"),
    Column("usd_per_user", "$/user", "rate"),
    Column("cache_saved_usd", "cache saved", "usd"),
)


def spent(sums: Sums) -> Spent:
    """Return the cost of some events as a cell of a sheet."""
    return Spent(sums.cost, sums.unpriced)


def beside(amount: Amount, sums: Sums) -> Column:
    """Return the column of the other amount; people see it only where the two differ."""
    other = AMOUNTS["charged" if amount == "cost" else "cost"]
    return replace(other, wide=sums.beside == sums.cost)


def _statuses(sums: Sums) -> tuple[Column, ...]:
    """Return the columns of what is not plainly priced; people see those that have a number."""
    estimated, free = replace(_ESTIMATED, wide=not sums.estimated), replace(_FREE, wide=not sums.free)
    return _UNPRICED, estimated, free


def _keys(by: Sequence[str]) -> tuple[Column, ...]:
    return tuple(Column(name, name.replace("_", " ")) for name in by)


def facts(question: CostQuery, **more: object) -> dict[str, object]:
    """Return what every JSON report says of itself."""
    return {
        "from": question.span.start.isoformat(),
        "to": question.span.end.isoformat(),
        "tz": question.zone.key,
        "by": list(question.by),
        "where": {name: list(values) for name, values in question.where.items()},
        "tenants": list(question.tenants),
        "amount": question.amount,
        **more,
    }


def heading(what: str, span: TimeRange, question: CostQuery) -> str:
    """Return the title of a report: what, when, in which zone, of what."""
    zone = question.zone
    where = "".join(
        f", {name} {' or '.join(map(name_of, values))}" for name, values in question.where.items()
    )
    what += "" if question.amount == "cost" else " of charged amounts"
    return f"{what}, {_moment(span.start, zone)} to {_moment(span.end, zone)} {zone.key}{where}"


def _moment(at: datetime, zone: ZoneInfo) -> str:
    local = at.astimezone(zone)
    return f"{local:%Y-%m-%d}" if not (local.hour or local.minute) else f"{local:%Y-%m-%d %H:%M}"


def gaps(sums: Sums, cells: Sequence[Cell], by: Sequence[str]) -> list[str]:
    """Return notes on unpriced, estimated and unassigned costs."""
    found = []
    doubts = completeness(sums.unpriced, sums.estimated, sums.guessed)
    if doubts:
        status = "unpriced" if sums.unpriced else "estimated"
        bound = ": the totals are lower bounds" if sums.unpriced else ""
        found.append(
            f"{dollars(sums.cost, lower_bound=bool(sums.unpriced))}, {doubts}{bound};"
            f" see which: --where price_status={status}"
        )
    for n, name in enumerate(by):
        unassigned = sum(cell.sums.cost for cell in cells if not cell.keys[n])
        events = sum(cell.sums.events for cell in cells if not cell.keys[n])
        if events:
            part = percent(share(unassigned, sums.cost)) or "0%"
            found.append(
                f"{dollars(unassigned)} ({part}), {counted(events, 'event')}, have no {name.replace('_', ' ')}"
            )
    return found


def _units(sums: Sums, users: int, saved: int) -> tuple[Value, ...]:
    each = per_event(sums), per_thousand_tokens(sums), cached_share(sums)
    return (*each, users, per_user(sums, users), Spent(saved))


def showback_table(
    question: CostQuery, cells: Sequence[Cell], units: UnitEconomics | None = None
) -> ReportTable:
    """Return who spent what, and with `units` what an event, a user and 1,000 tokens cost."""
    root = tree(cells, len(question.by))
    depth = len(question.by)

    def row(keys: tuple[str, ...], sums: Sums) -> Row:
        names = (*map(name_of, keys), *[None] * (depth - len(keys)))
        part = share(sums.cost, root.sums.cost)
        more: tuple[Value, ...] = ()
        if units is not None:
            more = _units(sums, units.users[len(keys)].get(keys, 0), units.saved_by(keys))
        values: tuple[Value, ...] = (
            *names, spent(sums), Spent(sums.beside, sums.unpriced), part, sums.events, sums.unpriced,
            Spent(sums.guessed), sums.free, *more,
        )  # fmt: skip
        return Row(values, len(keys) - 1, len(keys) == depth)

    amount = question.amount
    columns = (
        *_keys(question.by), AMOUNTS[amount], beside(amount, root.sums), _SHARE, _EVENTS,
        *_statuses(root.sums),
    )  # fmt: skip
    return ReportTable(
        "showback",
        heading("Showback", question.span, question),
        columns + (() if units is None else _UNITS),
        tuple(row(node.keys, node.sums) for node in walk(root)),
        row((), root.sums),
        tuple(gaps(root.sums, cells, question.by)),
        facts(question),
        tree=depth,
    )


def top_table(question: CostQuery, cells: Sequence[Cell], limit: int) -> ReportTable:
    """Return the most expensive combinations, and the rest."""
    found = top_of(cells, limit)
    depth = len(question.by)

    def row(names: tuple[Value, ...], sums: Sums, running: Fraction | None) -> Row:
        part = share(sums.cost, found.whole.cost)
        other = Spent(sums.beside, sums.unpriced)
        statuses = (sums.unpriced, Spent(sums.guessed), sums.free)
        return Row((*names, spent(sums), other, part, running, sums.events, *statuses))

    rows = [row(tuple(map(name_of, rank.keys)), rank.sums, rank.running) for rank in found.ranks]
    if found.others:
        rows.append(row((f"({found.others:,} others)", *[""] * (depth - 1)), found.rest, None))
    columns = (
        *_keys(question.by), AMOUNTS[question.amount], beside(question.amount, found.whole), _SHARE,
        Column("running_share", "running", "share"), _EVENTS, *_statuses(found.whole),
    )  # fmt: skip
    notes = tuple(gaps(found.whole, cells, question.by))
    title = heading(f"Top {len(found.ranks)}", question.span, question)
    total = row((None,) * depth, found.whole, None)
    return ReportTable("top", title, columns, tuple(rows), total, notes, facts(question))


def trend_table(question: CostQuery, found: Trend, cells: Sequence[Cell]) -> ReportTable:
    """Return cost by piece of time: one row for each piece and combination of values."""
    depth = len(question.by)

    def row(series: Series, point: Point) -> Row:
        names = tuple(map(name_of, series.keys))
        sums = point.sums
        when = label(point.start, question.unit, question.zone)
        partial = "part" if point.partial else ""
        return Row((when, partial, *names, spent(sums), point.growth, sums.events, sums.unpriced))

    columns = (
        Column("period", question.unit or "period", "time"), Column("partial", ""), *_keys(question.by),
        AMOUNTS[question.amount], Column("growth", "growth", "growth"), _EVENTS, _UNPRICED,
    )  # fmt: skip
    shown = found.parts if depth else (found.all,)
    rows = [row(series, series.points[n]) for n in range(len(found.all.points)) for series in shown]
    whole = found.all.whole
    total = Row((None, None, *[None] * depth, spent(whole), None, whole.events, whole.unpriced))
    notes = tuple(gaps(whole, cells, question.by))
    title = heading(f"Trend by {question.unit}", question.span, question)
    return ReportTable(
        "trend", title, columns, tuple(rows), total, notes, facts(question, unit=question.unit)
    )


def trend_columns(question: CostQuery, found: Trend, sheet: ReportTable, most: int = 5) -> ReportTable:
    """Return the same trend for people: a row for each period, a column for each of the most expensive parts."""
    if not question.by:
        return sheet
    shown, rest = found.parts[:most], found.parts[most:]
    names = [" / ".join(map(name_of, part.keys)) for part in shown] + (
        [f"{len(rest)} others"] if rest else []
    )
    columns = [
        Column("period", question.unit or "period", "time"), Column("partial", ""),
        *(Column(name, name, "usd") for name in names), AMOUNTS[question.amount], Column("growth", "growth", "growth"),
    ]  # fmt: skip
    rows = []
    for n, point in enumerate(found.all.points):
        others = Sums()
        for part in rest:
            others.add(part.points[n].sums)
        costs = [spent(part.points[n].sums) for part in shown] + ([spent(others)] if rest else [])
        when = label(point.start, question.unit, question.zone)
        rows.append(Row((when, "part" if point.partial else "", *costs, spent(point.sums), point.growth)))
    others = Sums()
    for part in rest:
        others.add(part.whole)
    wholes = [spent(part.whole) for part in shown] + ([spent(others)] if rest else [])
    total = Row((None, None, *wholes, spent(found.all.whole), None))
    return replace(sheet, columns=tuple(columns), rows=tuple(rows), total=total)


def compare_table(
    earlier: CostQuery, later: CostQuery, found: Comparison, cells: Sequence[Cell]
) -> ReportTable:
    """Return two periods side by side with the effects between them."""
    depth = len(later.by)

    def row(part: Difference) -> Row:
        names: tuple[Value, ...] = tuple(map(name_of, part.keys)) if part.keys else (None,) * depth
        growth = share(part.change, part.earlier.cost)
        effects = tuple(part.effects[name] for name in EFFECTS)
        values: tuple[Value, ...] = (
            *names,
            spent(part.earlier),
            spent(part.later),
            part.change,
            growth,
            *effects,
        )
        return Row(values)

    columns = (
        *_keys(later.by), Column("earlier_usd", "earlier", "usd"), Column("later_usd", "later", "usd"),
        Column("change_usd", "change", "change"), Column("growth", "growth", "growth"),
        *(Column(f"{name}_usd", name, "change") for name in EFFECTS),
    )  # fmt: skip
    span = earlier.span
    against = f"{_moment(span.start, earlier.zone)} to {_moment(span.end, earlier.zone)}"
    title = f"{heading('Compare', later.span, later)}, with {against}"
    rows = tuple(row(part) for part in found.parts)
    notes = gaps(found.all.later, cells, later.by)
    more = {"earlier_from": span.start.isoformat(), "earlier_to": span.end.isoformat()}
    return ReportTable("compare", title, columns, rows, row(found.all), tuple(notes), facts(later, **more))
