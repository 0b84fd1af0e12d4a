"""Shapes that were put into a series are found in it, and none elsewhere."""

import numpy as np
import pytest

from outlay_reports.forecast.smoothing import Array
from outlay_reports.patterns import level_shifts, profile, strength_label


def noise(count: int, sigma: float = 0.1, seed: int = 4) -> Array:
    found: Array = np.exp(np.random.default_rng(seed).normal(0, sigma, count))
    return found


WEEK = np.array([1.2, 1.2, 1.2, 1.2, 1.2, 0.5, 0.5])


def test_a_week_is_found_with_its_shape_and_strength() -> None:
    days = 100 * WEEK[np.arange(84) % 7] * noise(84)
    found = profile(days, [n % 7 for n in range(84)], 7)
    np.testing.assert_allclose(found.shares, WEEK, rtol=0.12)
    assert found.strength > 0.8
    assert strength_label(found.strength) == "very strong"


def test_noise_has_no_season() -> None:
    found = profile(100 * noise(168), [n % 7 for n in range(168)], 7)
    assert found.strength < 0.2


def test_growth_is_no_season_and_a_short_history_has_none() -> None:
    days = np.linspace(10, 400, 84) * noise(84, 0.02)
    assert profile(days, [n % 7 for n in range(84)], 7).strength < 0.35
    assert profile(days[:10], [n % 7 for n in range(10)], 7).strength == 0.0


@pytest.mark.parametrize("factor", [0.5, 1.4, 3.0])
def test_a_change_of_level_is_found_on_its_day(factor: float) -> None:
    days = 100 * WEEK[np.arange(90) % 7] * noise(90)
    days[55:] *= factor
    (found,) = level_shifts(days)
    assert abs(found.place - 55) <= 2
    assert found.ratio == pytest.approx(factor, rel=0.15)


@pytest.mark.parametrize("seed", range(12))
def test_noise_and_working_weeks_and_one_incident_are_no_change(seed: int) -> None:
    days = 100 * WEEK[np.arange(90) % 7] * noise(90, seed=seed)
    days[30] *= 12
    assert level_shifts(days) == []


def test_two_changes_are_found_in_their_order() -> None:
    days = 100 * noise(120)
    days[40:] *= 2
    days[80:] /= 3
    assert [round(found.ratio, 1) for found in level_shifts(days)] == [
        pytest.approx(2, abs=0.3),
        pytest.approx(0.3, abs=0.1),
    ]


def test_spend_on_one_day_alone_is_no_season() -> None:
    values = np.zeros(31)
    values[23] = 1e13
    found = profile(values, [n % 7 for n in range(31)], 7)
    assert found.strength == 0
    assert max(found.shares) > 0, "bars are drawn by the tallest"
