"""One course, cut in many ways: hours sum to days, days to the month, and no horizon changes a value."""

from datetime import datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from tests.support.generated_series import hours
from tests.support.generated_spending import START, courses, spending

from outlay_kit.time_ranges import PeriodName, period_of
from outlay_reports.forecast.intervals import LEVELS, Bands
from outlay_reports.forecast.pieces import fitted, next_edges, rest_of, with_spent
from outlay_reports.forecast.smoothing import Array
from outlay_reports.forecast.trajectory import STUDENT, Trajectory
from outlay_reports.periods import Unit

ZONES = ("UTC", "Europe/Berlin", "Asia/Kathmandu", "Australia/Lord_Howe")
DAYS = (4, 12, 40, 100)
"""Of history: forecast by hours with less than three weeks, else by days."""


class Made:
    """A course of generated spending, and its next pieces."""

    def __init__(self, days: int, zone: str, kind: str = "noisy", minutes: int = 0) -> None:
        self.zone, self.now = ZoneInfo(zone), START + timedelta(days=days, hours=9, minutes=17 + minutes)
        (costs,) = hours(kind, 1, 24 * (days + 40), seed=days)
        self.course, self.hourly = courses(spending(costs), self.zone, self.now)

    def rest(self, unit: Unit, count: int) -> Bands:
        return rest_of(self.course, self.hourly, self.edges(unit, count), self.now)

    def edges(self, unit: Unit, count: int) -> list[datetime]:
        return next_edges(self.zone, unit, count, self.now)

    def landing(self, period: PeriodName) -> float:
        """What is left of the period that holds now."""
        return self._until(period).at(self.now, 0).expected / 1e12

    def spread(self, period: PeriodName) -> float:
        return float(self._until(period).at(self.now, 0).spread[-1])

    def _until(self, period: PeriodName) -> Trajectory:
        return self.course.until(period_of(self.now, period, self.zone).end)


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("days", DAYS)
def test_hours_sum_to_days_days_to_weeks_and_months_and_these_are_what_budgets_land_at(
    days: int, zone: str
) -> None:
    made = Made(days, zone)
    small: Unit
    large: Unit
    for small, large, count in (("hour", "day", 3), ("day", "week", 4), ("day", "month", 3)):
        edges = made.edges(large, count)
        whole = made.rest(large, count).mean[:, 0]
        size = sum(edge < edges[-1] for edge in made.edges(small, 150))
        starts, parts = made.edges(small, size)[:-1], made.rest(small, size).mean[:, 0]
        sums = [
            sum(
                part for at, part in zip(starts, parts, strict=True) if max(at, edges[0]) >= low and at < high
            )
            for low, high in pairwise(edges)
        ]
        if zone != "Australia/Lord_Howe" or small != "hour":  # its clocks change by half an hour
            np.testing.assert_allclose(sums, whole, rtol=1e-9)
    period: PeriodName
    for period in ("day", "week", "month"):
        assert made.rest(period, 5).mean[0, 0] == pytest.approx(made.landing(period), rel=1e-6)


@pytest.mark.parametrize("days", DAYS)
def test_a_horizon_cuts_and_changes_nothing(days: int) -> None:
    made = Made(days, "Europe/Berlin")
    unit: Unit
    for unit, some, many in (("hour", 5, 400), ("day", 3, 120), ("week", 2, 20), ("month", 1, 9)):
        few, more = made.rest(unit, some), made.rest(unit, many).some(0, some)
        for one, other in zip(_arrays(few), _arrays(more), strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-12, err_msg=unit)


@pytest.mark.parametrize("days", DAYS)
def test_the_piece_that_has_begun_is_what_is_spent_and_the_rest_and_has_the_range_of_a_landing(
    days: int,
) -> None:
    early, late = Made(days, "UTC"), Made(days, "UTC", minutes=40)
    unit: PeriodName
    for unit in ("hour", "day", "week", "month"):
        rest = early.rest(unit, 3)
        whole = with_spent(rest, [1000.0])
        assert all((values[0] >= 1000.0).all() for values in _arrays(whole))
        assert all(
            (one[1:] == other[1:]).all() for one, other in zip(_arrays(whole), _arrays(rest), strict=True)
        )
        assert late.rest(unit, 1).mean[0, 0] < rest.mean[0, 0]
        if unit != "hour":
            assert rest.upper[80][0, 0] == pytest.approx(rest.mean[0, 0] + STUDENT[80] * early.spread(unit))
        for level in LEVELS:
            assert (rest.lower[level] <= rest.mean).all()
            assert (rest.mean <= rest.upper[level]).all()


@pytest.mark.parametrize("kind", ["busy", "growing", "flat", "sparse", "incident"])
def test_ranges_of_days_and_hours_hold_what_is_spent(kind: str) -> None:
    held: dict[int, list[bool]] = {80: [], 95: []}
    unit: Unit
    for seed, costs in enumerate(hours(kind, 6, 24 * 110, 3)):
        zone, now = ZoneInfo("UTC"), START + timedelta(days=70 + seed, hours=5, minutes=11)
        spent = spending(costs)
        course, hourly = courses(spent, zone, now)
        for unit, count in (("hour", 48), ("day", 10), ("week", 3)):
            edges = next_edges(zone, unit, count, now)
            found = rest_of(course, hourly, edges, now)
            truth = np.array([spent(max(at, now), end) for at, end in pairwise(edges)])
            for level, into in held.items():
                into += list((found.lower[level][:, 0] <= truth) & (truth <= found.upper[level][:, 0]))
    assert np.mean(held[80]) >= 0.68
    assert np.mean(held[95]) >= 0.85


def test_parts_are_fitted_to_their_whole_and_share_evenly_what_none_was_expected_to_cost() -> None:
    def some(*rows: list[float]) -> Bands:
        mean = np.array(rows)
        return Bands(mean, dict.fromkeys(LEVELS, mean / 2), dict.fromkeys(LEVELS, mean * 2))

    found = fitted(some([1.0, 3.0], [0.0, 0.0]), some([8.0], [6.0]))
    assert found.mean.tolist() == [[2.0, 6.0], [3.0, 3.0]]
    assert found.upper[80].tolist() == [[4.0, 12.0], [6.0, 6.0]]


def _arrays(some: Bands) -> list[Array]:
    return [some.mean, *(side[level] for side in (some.lower, some.upper) for level in LEVELS)]
