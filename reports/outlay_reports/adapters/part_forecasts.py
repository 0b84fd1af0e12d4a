"""Forecasts of every part of a scope, such as each team or each model of each team, side by side."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime

import numpy as np

from outlay_kit.time_ranges import period_of
from outlay_reports.adapters.cost_reader import CostReader
from outlay_reports.cost_query import CostQuery, Keys, Sums
from outlay_reports.forecast.intervals import Bands, side_by_side
from outlay_reports.forecast.pieces import fitted, next_edges, rest_of
from outlay_reports.forecast.smoothing import Array
from outlay_reports.forecast.trajectory import history_range, hourly_input, trajectories, trajectory_input
from outlay_reports.periods import Unit
from outlay_reports.range_sums import needs_ledger
from outlay_schemas.currency import USD


@dataclass(frozen=True)
class PartForecasts:
    """What the next pieces of time of each part are expected to cost, or to use of a meter."""

    keys: tuple[Keys, ...]
    starts: tuple[datetime, ...]
    spent: Array
    """Of each part, in the first piece, which has begun; in the currency of the question."""
    rest: Bands
    """What is still to come: pieces x parts, USD."""

    def within(self, whole: "PartForecasts") -> "PartForecasts":
        """Return parts that add up to those one level above: all are changed by one factor a piece."""
        depth = len(whole.keys[0])
        columns: dict[int, Bands] = {}
        for place, group in enumerate(whole.keys):
            members = [n for n, key in enumerate(self.keys) if key[:depth] == group]
            fit = fitted(self.rest.of(members), whole.rest.of([place]))
            columns |= {member: fit.of([n]) for n, member in enumerate(members)}
        return replace(self, rest=side_by_side([columns[n] for n in range(len(self.keys))]))


def forecast_levels(
    reader: CostReader, asked: CostQuery, now: datetime, count: int, *, meter: str = "", totals: bool = False
) -> Iterator[PartForecasts]:
    """Yield the next `count` pieces (of the question's unit) of each part by its own course, the one its budget has.

    With `totals` yield the total and each level below it, where the parts are changed to add up to the level above.
    Yields nothing with too little history. Raises Retryable, NoRateError, QueryError.
    """
    above: PartForecasts | None = None
    for depth in range(0 if totals else len(asked.by), len(asked.by) + 1):
        found = _parts(reader, replace(asked, by=asked.by[:depth]), now, count, meter)
        if found is None:
            return
        above = found if above is None else found.within(above)
        yield above


def _parts(
    reader: CostReader, asked: CostQuery, now: datetime, count: int, meter: str
) -> PartForecasts | None:
    ledger = needs_ledger([*asked.where, *asked.by], exact=True)
    unit: Unit = asked.unit or "day"
    whole = replace(asked, currency=USD)
    daily, hourly = (
        _costs(
            reader,
            replace(whole, unit=grain, span=history_range(asked.zone, grain, now, ledger=ledger)),
            meter,
        )
        for grain in ("day", "hour")
    )
    begun = _costs(reader, replace(asked, unit=unit, span=period_of(now, unit, asked.zone)), meter)
    keys = tuple(sorted({*daily, *hourly, *begun}))
    inputs = [trajectory_input(daily[key], hourly[key], asked.zone, now) for key in keys]
    courses = trajectories(inputs)
    if not any(course.tested for course in courses):
        return None
    shapes = courses
    if unit == "hour":
        shapes = trajectories([hourly_input(hourly[key], asked.zone, now) for key in keys])
    edges = next_edges(asked.zone, unit, count, now)
    rest = [rest_of(*pair, edges, now) for pair in zip(courses, shapes, strict=True)]
    spent = np.array([begun[key][0] for key in keys])
    return PartForecasts(keys, tuple(edges[:-1]), spent, side_by_side(rest))


def _costs(reader: CostReader, asked: CostQuery, meter: str) -> dict[Keys, Array]:
    """Return the costs (in units of the currency) or quantities of each part, in each piece; 0 without events."""
    pieces = len(asked.bounds) - 1
    found: dict[Keys, Array] = defaultdict(lambda: np.zeros(pieces))
    for cell in reader.cells(asked):
        found[cell.keys][cell.bucket] = _amount(cell.sums, meter)
    return found


def _amount(sums: Sums, meter: str) -> float:
    return float(sums.usage.get(meter, 0)) if meter else float(sums.cost) / 1e12
