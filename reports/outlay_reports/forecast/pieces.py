"""The next hours, days, weeks or months of a course: cut from it and never forecast apart, so that hours sum to their
days, and days to where the month lands."""

import math
from bisect import bisect_left
from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import numpy as np

from outlay_kit.time_ranges import period_of
from outlay_reports.forecast.engine import Forecast
from outlay_reports.forecast.intervals import LEVELS, Bands, bands, joined
from outlay_reports.forecast.smoothing import Array
from outlay_reports.forecast.trajectory import STUDENT, Trajectory
from outlay_reports.periods import Unit


def next_edges(zone: ZoneInfo, unit: Unit, count: int, now: datetime) -> list[datetime]:
    """Return the bounds of `count` pieces from the one that holds `now`."""
    edges = [period_of(now, unit, zone).start]
    while len(edges) <= count:
        edges.append(period_of(edges[-1], unit, zone).end)
    return edges


def rest_of(course: Trajectory, hourly: Trajectory, edges: Sequence[datetime], now: datetime) -> Bands:
    """Return what is expected from `now` on between `edges`, USD (pieces x 1): of the first, what is left of it.

    `hourly` is the course by hours: how a day falls on its hours. Raises QueryError above 9,000 pieces of a course.
    """
    hours = course.unit == "day" and edges[1] - edges[0] < timedelta(hours=20)
    return _hours(course, hourly, edges, now) if hours else _pieces(course, edges, now)


def fitted(parts: Bands, whole: Bands) -> Bands:
    """Return parts (pieces x parts) so that those of each piece add up to the `whole` (pieces x 1).

    All are changed by one factor; where nothing is expected of any part, each gets as much as the others.
    """
    sums = parts.mean.sum(axis=1, keepdims=True)
    factor = whole.mean / np.where(sums > 0, sums, 1.0)

    def fit(part: Array, of: Array) -> Array:
        return np.where(sums > 0, part * factor, of / part.shape[1])

    lower, upper = (
        {level: fit(side[level], of[level]) for level in LEVELS}
        for side, of in ((parts.lower, whole.lower), (parts.upper, whole.upper))
    )
    return Bands(fit(parts.mean, whole.mean), lower, upper)


def with_spent(rest: Bands, spent: Sequence[float] | Array) -> Bands:
    """Return whole pieces: what each series spent so far (USD) is added to the first, which has begun."""
    first = np.zeros_like(rest.mean)
    first[0] = spent
    return rest.each(lambda values: values + first)


def _hours(course: Trajectory, hourly: Trajectory, edges: Sequence[datetime], now: datetime) -> Bands:
    days = [period_of(now, "day", course.zone).start]
    while days[-1] < edges[-1]:
        days.append(period_of(days[-1], "day", course.zone).end)
    hours = list(edges)
    while hours[-1] < days[-1]:
        hours.append(period_of(hours[-1], "hour", course.zone).end)
    whole, shape = _pieces(course, days, now), _pieces(hourly, hours, now)
    cuts = [bisect_left(hours[:-1], day) for day in days]
    parts = [
        fitted(shape.some(low, high).turned(), whole.some(n, n + 1)).turned()
        for n, (low, high) in enumerate(pairwise(cuts))
    ]
    return joined(parts).some(0, len(edges) - 1)


def _pieces(course: Trajectory, edges: Sequence[datetime], now: datetime) -> Bands:
    whole = course.until(edges[-1])
    landing = whole.at(now, 0)
    places = [at.timestamp() for at in landing.edges]
    sums = np.interp([at.timestamp() for at in edges[1:]], places, np.concatenate([[0.0], landing.rest]))
    mean = np.diff(sums, prepend=0.0)
    if not course.tested:
        return _around(mean, mean)
    cuts = [bisect_left(whole.edges, edge) for edge in edges]
    # The piece that has begun is a period that lands.
    first = float(course.until(edges[1]).at(now, 0).spread[-1])
    spread = [first, *(_spread(whole, low, high) for low, high in pairwise(cuts[1:]))]
    found = _around(mean, np.array(spread))
    if any(high - low > 1 for low, high in pairwise(cuts)):
        return found
    longest = max(whole, course, key=lambda one: len(one.mean))  # so that a horizon changes no range
    alone = bands(Forecast(longest.mean[:, None], longest.errors[:, :, None]), course.mean[None])
    return joined([found.some(0, 1), alone.some(cuts[1], cuts[-1])])


def _around(mean: Array, spread: Array) -> Bands:
    """Return the intervals of a landing: `spread` is a standard deviation."""
    lower, upper = (
        {level: np.maximum(mean + side * STUDENT[level] * spread, 0.0)[:, None] for level in LEVELS}
        for side in (-1, 1)
    )
    return Bands(mean[:, None], lower, upper)


def _spread(whole: Trajectory, low: int, high: int) -> float:
    """Return the standard deviation of the sum of some pieces; past what was tested it grows with the distance."""
    tested: int = whole.errors.shape[1]
    size, last = max(min(high - low, tested), 1), min(high, tested)
    sums: Array = whole.errors[:, last - size : last].sum(axis=1)
    further: float = (high - low) / size * float(max(high, tested) / tested) ** 0.85
    return math.sqrt(float(np.mean(sums**2))) * (1.0 + 0.6 / len(sums)) * further
