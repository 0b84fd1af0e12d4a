"""Trend: cost by hour, day, week or month, with its growth."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction

from outlay_kit.time_ranges import period_of
from outlay_reports.cost_query import Cell, CostQuery, Sums
from outlay_reports.money import share
from outlay_reports.showback import walk_leaves


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

    keys: tuple[str, ...]
    points: tuple[Point, ...]
    whole: Sums


@dataclass(frozen=True)
class Trend:
    """The total, and each combination, the most expensive first."""

    all: Series
    parts: tuple[Series, ...]


def trend(question: CostQuery, cells: Sequence[Cell], now: datetime) -> Trend:
    """Return the series of every combination, without gaps: where nothing was spent a point is 0."""
    edges = question.bounds
    spans = list(itertools.pairwise(edges))
    partial = [_partial(question, low, high, now) for low, high in spans]
    whole = _series((), cells, spans, partial)
    parts = []
    if question.by:
        for keys, _ in walk_leaves(cells):
            parts.append(_series(keys, [cell for cell in cells if cell.keys == keys], spans, partial))
    return Trend(whole, tuple(parts))


def _partial(question: CostQuery, low: datetime, high: datetime, now: datetime) -> bool:
    if high > now:
        return True
    if question.unit is None:
        return False
    unit = period_of(low, question.unit, question.zone)
    return (unit.start, unit.end) != (low, high)


def _series(
    keys: tuple[str, ...],
    cells: Sequence[Cell],
    spans: Sequence[tuple[datetime, datetime]],
    partial: Sequence[bool],
) -> Series:
    sums = [Sums() for _ in spans]
    whole = Sums()
    for cell in cells:
        sums[cell.bucket].add(cell.sums)
        whole.add(cell.sums)
    points = []
    for n, (low, _) in enumerate(spans):
        known = n > 0 and not partial[n] and not partial[n - 1]
        growth = share(sums[n].cost - sums[n - 1].cost, sums[n - 1].cost) if known else None
        points.append(Point(low, partial[n], sums[n], growth))
    return Series(keys, tuple(points), whole)
