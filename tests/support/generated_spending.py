"""Generated hourly costs as forecasts read them: what was spent between two instants, and the course that it gives."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import numpy as np

from outlay_reports.forecast.smoothing import Array
from outlay_reports.forecast.trajectory import (
    Trajectory,
    history_range,
    hourly_input,
    trajectories,
    trajectory_input,
)
from outlay_reports.periods import Unit, period_bounds

START = datetime(2026, 5, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
Spending = Callable[[datetime, datetime], float]


def spending(costs: Array) -> Spending:
    """Return what hourly costs from START come to between two instants; within an hour they are even."""
    sums = np.concatenate([[0.0], np.cumsum(costs)])
    places = np.arange(len(sums))
    return lambda low, high: float(
        np.diff(np.interp([(at - START) / HOUR for at in (low, high)], places, sums))[0]
    )


def courses(spent: Spending, zone: ZoneInfo, now: datetime) -> tuple[Trajectory, Trajectory]:
    """Return the course at `now`, and the one by hours."""

    def history(unit: Unit) -> Array:
        edges = [max(at, START) for at in period_bounds(history_range(zone, unit, now), unit, zone)]
        return np.array([spent(low, high) for low, high in pairwise(edges)])

    daily, hourly = history("day"), history("hour")
    course, by_hours = trajectories(
        [trajectory_input(daily, hourly, zone, now), hourly_input(hourly, zone, now)]
    )
    return course, by_hours
