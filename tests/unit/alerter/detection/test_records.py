"""What is well above all of the last weeks, and what a predictor that is about as good explains."""

import random
from datetime import UTC, datetime, timedelta
from math import exp, inf

import pytest

from outlay_alerter.detection.detector import Detector
from outlay_alerter.detection.records import Records
from outlay_alerter.detection.tuning import Tuning

START = datetime(2026, 3, 2, tzinfo=UTC)
"""A Monday."""


def test_a_record_needs_a_first_history_and_is_forgotten_after_four_weeks() -> None:
    tuning = Tuning(3600)
    records = Records(tuning)
    for _ in range(50):
        records.push(0.0)  # before the first cost: no history of anything
    for n in range(tuning.min_history):
        assert records.limit == inf
        records.push(30.0 if n == 100 else 10.0)
    for _ in range(24):
        records.push(10.0)
    assert records.limit == 2 * 30
    records.push(40.0)
    assert records.limit == 2 * 40
    for _ in range(29 * 24):
        records.push(10.0)
    assert records.limit == 2 * 10
    for _ in range(29 * 24):
        records.push(0.0)
    assert records.limit == inf


def test_days_are_too_few_for_records() -> None:
    records = Records(Tuning(86_400))
    for _ in range(60):
        records.push(10.0)
    assert records.limit == inf


@pytest.mark.parametrize(("times", "fires"), [(1.1, False), (1.3, True)])
def test_a_record_fires_in_a_bursty_series(times: float, fires: bool) -> None:
    r, step = random.Random(7), 300  # noqa: S311
    detector, highest = Detector(Tuning(step)), 0.0
    for n in range(288 * 14):
        value = exp(r.gauss(0, 0.9)) * 10
        detector.update(START + timedelta(seconds=step * n), value)
        highest = max(highest, value)
    verdict = detector.update(START + timedelta(days=14), highest * times)
    assert verdict.fired == fires
    assert verdict.upper is not None
    assert verdict.upper == pytest.approx(highest * 1.2)


def test_a_weekly_job_is_ordinary_soon_after_a_shift() -> None:
    """The predictor of the week is not the best one yet, but it explains the job."""
    r, step, shift = random.Random(1), 3600, 380  # noqa: S311
    detector, fired = Detector(Tuning(step)), set[int]()
    for hour in range(8 * 168):
        value = (200.0 if 50 <= hour % 168 < 60 else 10.0) * exp(r.gauss(0, 0.1))
        value *= 3 if hour >= shift else 1
        if detector.update(START + timedelta(seconds=step * hour), value).fired:
            fired.add(hour)
    assert {shift, shift + 1, shift + 2} <= fired
    assert not {hour for hour in fired if hour > shift + 60}
