"""Trend: cost by hour, day, week or month, with its growth."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from fractions import Fraction
from itertools import pairwise

from outlay_kit.time_ranges import period_of
from outlay_reports.cost_query import Cell, CostQuery, Keys, Sums, total
from outlay_reports.money import share
from outlay_reports.periods import label
from outlay_reports.report_table import (
    AMOUNTS,
    EVENTS,
    GROWTH,
    UNPRICED,
    Column,
    ReportTable,
    Row,
    cost_report,
    dimension_columns,
    names,
    spent,
)
from outlay_reports.showback import leaves
from outlay_schemas.dimensions import name_of


@dataclass(frozen=True)
class Point:
    """A piece of time. `partial`: it is not a whole unit, so its growth would say nothing."""

    start: datetime
    partial: bool
    sums: Sums
    growth: Fraction | None
    """Against the piece before it: 0.1 is ten percent more; None if one of the two is partial or it was 0."""


@dataclass(frozen=True)
class Series:
    """The points of one combination of values; `keys` is empty for all together."""

    keys: Keys
    points: tuple[Point, ...]
    whole: Sums

    @property
    def name(self) -> str:
        """The values, as people read them."""
        return " / ".join(map(name_of, self.keys))


@dataclass(frozen=True)
class Trend:
    """The total, and each combination, the most expensive first."""

    all: Series
    parts: tuple[Series, ...]


def trend(query: CostQuery, cells: Sequence[Cell], now: datetime) -> Trend:
    """Return the series of every combination, without gaps: where nothing was spent a point is 0."""
    spans = list(pairwise(query.bounds))
    partial = [_partial(query, low, high, now) for low, high in spans]

    def series(keys: Keys, some: Sequence[Cell]) -> Series:
        sums = [Sums() for _ in spans]
        for cell in some:
            sums[cell.bucket].add(cell.sums)
        points = []
        for n, (low, _) in enumerate(spans):
            known = n > 0 and not partial[n] and not partial[n - 1]
            growth = share(sums[n].cost - sums[n - 1].cost, sums[n - 1].cost) if known else None
            points.append(Point(low, partial[n], sums[n], growth))
        return Series(keys, tuple(points), total(sums))

    every = leaves(cells) if query.by else []
    parts = (series(keys, [cell for cell in cells if cell.keys == keys]) for keys, _ in every)
    return Trend(series((), cells), tuple(parts))


def _partial(query: CostQuery, low: datetime, high: datetime, now: datetime) -> bool:
    if high > now or query.unit is None:
        return high > now
    unit = period_of(low, query.unit, query.zone)
    return (unit.start, unit.end) != (low, high)


def trend_table(query: CostQuery, found: Trend, cells: Sequence[Cell]) -> ReportTable:
    """Return cost by piece of time: one row for each piece and combination of values."""
    depth, whole = len(query.by), found.all.whole
    rows = []
    for n in range(len(found.all.points)):
        for series in found.parts if depth else (found.all,):
            point = series.points[n]
            sums, keys = point.sums, names(series.keys, depth)
            rows.append(
                Row((*_when(query, point), *keys, spent(sums), point.growth, sums.events, sums.unpriced))
            )
    columns = (
        *_time_columns(query),
        *dimension_columns(query.by),
        AMOUNTS[query.amount],
        GROWTH,
        EVENTS,
        UNPRICED,
    )
    every = Row((*[None] * (depth + 2), spent(whole), None, whole.events, whole.unpriced))
    title = f"Trend by {query.unit}"
    return cost_report(
        "trend", title, query, columns, rows, total=every, whole=whole, cells=cells, unit=query.unit
    )


def trend_columns(query: CostQuery, found: Trend, report: ReportTable, most: int = 5) -> ReportTable:
    """Return the same trend for people: a row for each period, a column for each of the most expensive parts."""
    if not query.by:
        return report
    shown, rest, points = found.parts[:most], found.parts[most:], found.all.points
    parts = [(part.name, [point.sums for point in part.points], part.whole) for part in shown]
    if rest:
        others = [total(part.points[n].sums for part in rest) for n in range(len(points))]
        parts.append((f"{len(rest)} others", others, total(others)))
    rows = []
    for n, point in enumerate(points):
        costs = (spent(sums[n]) for _, sums, _ in parts)
        rows.append(Row((*_when(query, point), *costs, spent(point.sums), point.growth)))
    named = (Column(name, name, "usd") for name, _, _ in parts)
    columns = (*_time_columns(query), *named, AMOUNTS[query.amount], GROWTH)
    every = Row((None, None, *(spent(whole) for _, _, whole in parts), spent(found.all.whole), None))
    return replace(report, columns=columns, rows=tuple(rows), total=every)


def _time_columns(query: CostQuery) -> tuple[Column, Column]:
    return Column("period", query.unit or "period", "time"), Column("partial", "")


def _when(query: CostQuery, point: Point) -> tuple[str, str]:
    return label(point.start, query.unit, query.zone), "part" if point.partial else ""
