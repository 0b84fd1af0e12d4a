"""Forecasts are accurate, their intervals hold what they say, and they never look ahead."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.generated_series import KINDS, MONTHLY, UNSEEN, hours, months, unseen

from outlay_reports.forecast import bands, forecast
from outlay_reports.forecast.engine import candidates, usable
from outlay_reports.forecast.smoothing import Array

WEEKS = 672
STEPS = 48


@pytest.mark.parametrize("kind", KINDS)
def test_it_beats_the_seasonal_naive_forecast_and_its_intervals_hold(kind: str) -> None:
    every = hours(kind, 40, WEEKS + STEPS)
    past, actual = every[:, :WEEKS], every[:, WEEKS:].T
    found = bands(forecast(past, (24, 168), STEPS), past)
    scale = np.mean(np.abs(past[:, 24:] - past[:, :-24]), axis=1)
    naive = past[:, -168:].T[:STEPS]
    mase = np.mean(np.abs(actual - found.mean) / scale)
    assert mase < np.mean(np.abs(actual - naive) / scale)
    for level, least, most in ((80, 0.68, 0.92), (95, 0.90, 0.995)):
        held = np.mean((found.lower[level] <= actual) & (actual <= found.upper[level]))
        assert least < held < most, f"{level} % intervals hold {held:.1%}"


@pytest.mark.parametrize(("length", "steps"), [(168, 48), (240, 48), (336, 72), (336, 168)])
def test_intervals_hold_on_two_weeks_of_hours_and_less(length: int, steps: int) -> None:
    """All kinds together, but those whose level moves in the very hours that are asked for."""
    every = np.concatenate([hours(kind, 20, length + steps) for kind in KINDS if kind != "moved"])
    _hold(every, (24, 168), steps)


@pytest.mark.parametrize(("length", "steps"), [(24, 6), (36, 12), (60, 12)])
def test_intervals_hold_on_months(length: int, steps: int) -> None:
    _hold(np.concatenate([months(kind, 40, length + steps) for kind in MONTHLY]), (12,), steps)


@pytest.mark.parametrize("kind", ["growing", "growing months"])
def test_intervals_hold_on_what_grows(kind: str) -> None:
    if kind == "growing":
        _hold(hours(kind, 60, WEEKS + 72), (24, 168), 72)
    else:
        _hold(months(kind, 60, 72), (12,), 12)


def test_intervals_hold_on_kinds_that_nothing_was_tuned_on() -> None:
    inside = []
    for kind in UNSEEN:
        every = unseen(kind, 24, WEEKS + 72)
        past, actual = every[:, :-72], every[:, -72:].T
        found = bands(forecast(past, (24, 168), 72), past)
        inside.append([np.mean((found.lower[n] <= actual) & (actual <= found.upper[n])) for n in (80, 95)])
    near, far = np.mean(inside, axis=0)
    assert 0.77 <= near <= 0.83
    assert 0.93 <= far <= 0.97


def _hold(every: Array, periods: tuple[int, ...], steps: int) -> None:
    past, actual = every[:, :-steps], every[:, -steps:].T
    found = bands(forecast(past, periods, steps), past)
    for level, least, most in ((80, 0.74, 0.91), (95, 0.90, 0.99)):
        held = np.mean((found.lower[level] <= actual) & (actual <= found.upper[level]))
        assert least < held < most, f"{level} % intervals hold {held:.1%}"


def test_what_comes_after_an_origin_changes_nothing_before_it() -> None:
    past = hours("busy", 3, WEEKS)
    other = past.copy()
    other[:, 500:] *= 7
    one, two = (candidates(values, (24, 168), [400, 500], 24)[:2] for values in (past, other))
    for a, b in zip(one, two, strict=True):
        np.testing.assert_array_equal(a, b)


VALUES = st.lists(st.floats(0, 1e9, allow_nan=False), min_size=1, max_size=60)


@settings(deadline=None, max_examples=40)
@given(VALUES, st.integers(1, 30))
def test_any_history_gives_finite_bounds_in_order_and_none_below_zero(
    values: list[float], steps: int
) -> None:
    past = np.array([values])
    found = bands(forecast(past, (7,), steps), past)
    for array in (found.mean, *found.lower.values(), *found.upper.values()):
        assert array.shape == (steps, 1)
        assert np.isfinite(array).all()
        assert (array >= 0).all()
    assert (found.lower[95] <= found.lower[80] + 1e-9).all()
    assert (found.upper[95] >= found.upper[80] - 1e-9).all()


def test_a_short_history_is_wide_and_says_that_nothing_was_tested() -> None:
    past = np.array([[10.0, 12.0, 11.0]])
    found = forecast(past, (24, 168), 24)
    assert not found.tested
    bounds = bands(found, past)
    assert bounds.upper[95][-1, 0] - bounds.lower[95][-1, 0] > 11.0
    assert bounds.upper[80][-1, 0] > bounds.upper[80][0, 0]


def test_a_season_is_used_only_when_the_history_shows_it() -> None:
    assert usable((24, 168), 59) == ()
    assert usable((24, 168), 60) == (24,)
    assert usable((24, 168), WEEKS) == (24, 168)


def test_a_series_is_forecast_alike_alone_and_among_others() -> None:
    past = hours("persistent", 5, WEEKS)
    np.testing.assert_allclose(
        forecast(past, (24, 168), 24).mean[:, 2:3], forecast(past[2:3], (24, 168), 24).mean, rtol=1e-9
    )


def test_a_larger_unit_of_money_gives_the_same_forecast() -> None:
    past = hours("growing", 3, WEEKS)
    small, large = forecast(past, (24, 168), 24).mean, forecast(past * 1e6, (24, 168), 24).mean
    np.testing.assert_allclose(small * 1e6, large, rtol=1e-6)
