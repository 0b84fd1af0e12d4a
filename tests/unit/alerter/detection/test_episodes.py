"""What a series often does beyond its limit becomes usual, and a return to the level before is usual at once."""

import math
import random
from datetime import UTC, date, datetime, timedelta

import pytest

from outlay_alerter.detection.detector import Detector
from outlay_alerter.detection.recurrence import Episodes, monthly_peak
from outlay_alerter.detection.tuning import Tuning

START = datetime(2026, 11, 2, tzinfo=UTC)


def test_the_fourth_episode_makes_its_height_usual_and_one_that_goes_on_counts_once() -> None:
    episodes = Episodes(3600, often=4, days=14)
    for peak in (3.0, 2.0, 5.0):
        for excess in (peak, peak / 2, 0.0, 0.0, 0.0, 0.0):
            episodes.push(excess)
    assert episodes.usual[0] == 1.0
    for excess in (4.0, 0.0, 0.0, 0.0):
        episodes.push(excess)
    assert episodes.usual[0] == 2.5  # a quarter more than the fourth highest
    assert episodes.usual[1] == 1.0
    for _ in range(14 * 24):
        episodes.push(0.0)
    assert episodes.usual[0] == 1.0


def fired(values: list[float], step: int) -> list[int]:
    detector = Detector(Tuning(step))
    verdicts = [detector.update(START + timedelta(seconds=step * n), value) for n, value in enumerate(values)]
    return [n for n, verdict in enumerate(verdicts) if verdict.fired]


def test_a_bursty_series_fires_ever_less_and_a_larger_burst_still_does() -> None:
    burst = 97
    dice = random.Random(5)  # noqa: S311
    values = [10 * math.exp(dice.gauss(0, 0.1)) * (8 if n % burst == 0 else 1) for n in range(10 * 288)]
    values[2800] *= 100
    days = [n // 288 for n in fired(values, 300)]
    assert days.count(9) == 1
    assert sum(day in {5, 6, 7, 8} for day in days) <= 2
    assert fired(values, 300)[-1] == 2800


@pytest.mark.parametrize("factor", [0.0, 4.0])
def test_the_return_from_a_shift_that_was_learned_is_usual_at_once(factor: float) -> None:
    dice = random.Random(3)  # noqa: S311
    values = [50 * math.exp(dice.gauss(0, 0.05)) * (factor if 400 <= n < 440 else 1) for n in range(600)]
    found = [n for n in fired(values, 3600) if n >= 300]
    assert found[0] == 400
    assert sum(n >= 440 for n in found) <= 1  # not the day that the level takes to be learned again


def test_a_month_is_compared_around_its_day_and_from_its_end() -> None:
    days = {date(2026, 1, 1) + timedelta(days=n): 0 for n in range(120)}
    days |= {date(2026, 1, 31): 500, date(2026, 2, 28): 510, date(2026, 3, 30): 490}
    assert monthly_peak(days, date(2026, 4, 30)) == 500
    assert monthly_peak(days, date(2026, 4, 15)) == 0
    assert monthly_peak({at: days[at] for at in days if at.month == 3}, date(2026, 4, 30)) == 490
    assert monthly_peak({}, date(2026, 4, 30)) is None
