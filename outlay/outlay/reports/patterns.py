"""Spending patterns as tables: growth, the week, the day, and what changed when, with who moved it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from fractions import Fraction

from outlay_kit.time_ranges import TimeRange, period_of
from outlay_reports.adapters.cost_reader import CostReader
from outlay_reports.compare import THING, Difference, compare
from outlay_reports.cost_query import CostQuery, total
from outlay_reports.forecast.history import History, read_history
from outlay_reports.money import share
from outlay_reports.patterns import DAYS, LevelShift, Profile, level_shifts, profile, strength_label
from outlay_reports.periods import label
from outlay_reports.report_table import Column, ReportTable, Row, Spent, spent
from outlay_reports.svg_chart import pattern_svg
from outlay_schemas.dimensions import name_of

HOURS = tuple(f"{n:02d}:00" for n in range(24))
_BARS = 24
_MOVERS = 10
_AROUND = 7  # days before and after a change that are compared to say who moved it


@dataclass(frozen=True)
class Found:
    """What the past half year shows: its whole days, the shape of the week and of the day, and changes of level."""

    days: History
    week: Profile
    day: Profile
    changes: Sequence[LevelShift]


def find_patterns(costs: CostReader, query: CostQuery, now: datetime) -> Found | None:
    """Read the past and look for patterns; None without a whole day. Raises Retryable."""
    days = read_history(costs, replace(query, by=(), unit="day"), now)
    hours = read_history(costs, replace(query, by=(), unit="hour"), now)
    if not len(days.starts):
        return None
    weekdays = [at.astimezone(query.zone).weekday() for at in days.starts]
    clock = [at.astimezone(query.zone).hour for at in hours.starts]
    week, day = profile(days.values[0], weekdays, 7), profile(hours.values[0], clock, 24)
    return Found(days, week, day, level_shifts(days.values[0]))


def pattern_tables(costs: CostReader, query: CostQuery, found: Found) -> list[ReportTable]:
    """Return patterns as tables: growth, week, day, changes, movers; less where there is less history."""
    tables = [
        _growth(found.days),
        _profile("week", "Day of the week", DAYS, found.week),
        _profile("day", "Hour of the day", HOURS, found.day),
        _changes(costs, query, found),
        _movers(costs, query, found.days),
    ]
    return [table.in_currency(query.currency) for table in tables]


def pattern_picture(title: str, query: CostQuery, found: Found) -> str:
    """Return the same drawn: days with the levels between changes, the week, and the day, as SVG."""
    names = [label(at, "day", query.zone) for at in found.days.starts]
    levels = [(change.place, change.before, change.after) for change in found.changes]
    shapes = [
        (_season("Day of the week", found.week), [day[:3] for day in DAYS], found.week.shares),
        (_season("Hour of the day", found.day), [hour[:2] for hour in HOURS], found.day.shares),
    ]
    days = [(name, round(sums.cost)) for name, sums in zip(names, found.days.sums[0], strict=True)]
    return pattern_svg(title, days, levels, shapes, query.currency.code)


def _growth(days: History) -> ReportTable:
    rows, sums = [], days.sums[0]
    for length in (1, 7, 30, 90):
        if len(sums) >= 2 * length:
            before, after = total(sums[-2 * length : -length]), total(sums[-length:])
            name = "yesterday" if length == 1 else f"the last {length} days"
            grown = share(after.cost - before.cost, before.cost)
            rows.append(Row((name, spent(before), spent(after), grown)))
    columns = (
        Column("period", "whole days"), Column("before_usd", "before", "usd"), Column("usd", "cost", "usd"),
        Column("growth", "growth", "growth"),
    )  # fmt: skip
    title = f"Growth, from {len(days.starts)} whole days"
    return ReportTable("growth", title, columns, tuple(rows), empty="too few days to say")


def _season(name: str, shape: Profile) -> str:
    return f"{name}: season {strength_label(shape.strength)} ({shape.strength:.0%})"


def _usual(value: float) -> Spent:
    return Spent(round(value * 100) * 10**10)  # whole cents: it is an estimate


def _profile(name: str, title: str, names: Sequence[str], found: Profile) -> ReportTable:
    tallest = max(found.shares)
    rows = [
        Row((place, Fraction(part), "█" * round(part / tallest * _BARS)))
        for place, part in zip(names, found.shares, strict=True)
    ]
    columns = (Column(name, ""), Column("share_of_mean", "of the mean", "share"), Column("bar", ""))
    text = _season(title, found)
    shown = rows if found.strength >= 0.15 else []
    facts: dict[str, object] = {"strength": round(found.strength, 4)}
    return ReportTable(name, text, columns, tuple(shown), facts=facts, empty="")


def _changes(costs: CostReader, query: CostQuery, found: Found) -> ReportTable:
    rows, days = [], found.days
    for change in found.changes:
        at = days.starts[change.place]
        who, by = _moved(costs, query, days, change.place)
        grown = Fraction(change.ratio) - 1 if change.before else None
        values = (label(at, "day", query.zone), _usual(change.before), _usual(change.after), grown, who, by)
        rows.append(Row(values))
    columns = (
        Column("day", "from"), Column("before_usd", "a day before", "usd"), Column("after_usd", "a day after", "usd"),
        Column("change", "change", "growth"), Column("moved_by", "moved most by"),
        Column("moved_usd", "a day", "change"),
    )  # fmt: skip
    title = "When the level changed"
    return ReportTable("changes", title, columns, tuple(rows), empty="it did not, for good")


def _movers(costs: CostReader, query: CostQuery, days: History) -> ReportTable:
    """Return who rose and fell most: the last seven whole days against the seven before, or as many as there are."""
    length, count = min(_AROUND, len(days.starts) // 2), len(days.starts)
    rows: list[Row] = []
    for part in _compared(costs, query, days, count - length, length):
        if part.change and len(rows) < _MOVERS:
            both = (spent(part.earlier), spent(part.later))
            grown = share(part.change, part.earlier.cost)
            rows.append(Row((*map(name_of, part.keys), *both, part.change, grown)))
    columns = (
        Column("team", "team"), Column("sku", "of"), Column("before_usd", "before", "usd"),
        Column("usd", "after", "usd"), Column("change_usd", "change", "change"), Column("growth", "growth", "growth"),
    )  # fmt: skip
    title = f"Biggest changes, the last {length} days against the {length} before"
    return ReportTable("movers", title, columns, tuple(rows), empty="no change")


def _moved(costs: CostReader, query: CostQuery, days: History, place: int) -> tuple[str, int]:
    """Return who moved most between the week before a change and the week after it, and by how much a day."""
    around = min(_AROUND, place, len(days.starts) - place)
    parts = _compared(costs, query, days, place, around)
    if not parts:
        return "", 0
    return " / ".join(map(name_of, parts[0].keys)), round(Fraction(parts[0].change, around))


def _compared(
    costs: CostReader, query: CostQuery, days: History, place: int, length: int
) -> Sequence[Difference]:
    """Compare the costs of `length` days from a day on with those of as many days before, by team and sku."""
    if not length:
        return []
    edges = [*days.starts, period_of(days.starts[-1], "day", query.zone).end]
    by = ("team", "sku")
    asked = replace(query, by=(*by, *THING), unit=None)
    before = costs.cells(replace(asked, span=TimeRange(edges[place - length], edges[place])))
    after = costs.cells(replace(asked, span=TimeRange(edges[place], edges[place + length])))
    return compare(before, after, len(by)).parts
