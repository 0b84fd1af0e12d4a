"""The detector on series whose truth is known: each behaviour by its name."""

import math
import random
from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from outlay_alerter.detection.detector import Detector
from outlay_alerter.detection.robust_stats import Ring, Season
from outlay_alerter.detection.tuning import Direction, Tuning, Verdict

MONDAY = datetime(2026, 3, 2, tzinfo=UTC)
HOUR, DAY = 3600, 86_400


def dice(seed: int) -> random.Random:
    return random.Random(seed)  # noqa: S311 (the same series every time)


def run(values: Iterable[float | None], tuning: Tuning | None = None) -> list[Verdict]:
    tuning = tuning or Tuning(HOUR)
    detector = Detector(tuning)
    return [detector.update(MONDAY + timedelta(seconds=n * tuning.step), v) for n, v in enumerate(values)]


def office(weeks: int = 5, seed: int = 1, noise: float = 0.1) -> list[float]:
    r = dice(seed)
    return [
        100
        * (0.1 + math.exp(-((h % 24 - 13) ** 2) / 18) * (0.2 if h // 24 % 7 > 4 else 1))
        * math.exp(r.gauss(0, noise))
        for h in range(weeks * 168)
    ]


def fired(verdicts: list[Verdict]) -> list[int]:
    return [n for n, verdict in enumerate(verdicts) if verdict.fired]


def test_too_little_history_is_a_state_and_not_silence() -> None:
    judged = run(office(2))
    assert {j.status for j in judged[:192]} == {"insufficient_history"}
    assert judged[191].expected is None
    assert judged[192].status == "normal"


def test_a_usual_month_fires_nothing() -> None:
    assert fired(run(office())) == []


def test_what_fires_is_what_is_outside_the_band() -> None:
    values = office()
    values[500] *= 4
    values[600] = 0
    for value, j in zip(values, run(values), strict=True):
        if j.lower is not None and j.upper is not None:
            assert j.fired == (not j.lower <= value <= j.upper)
            assert j.fired == (j.score > 0.5)
            assert 0 <= j.score <= 1


def test_a_spike_is_seen_at_once_and_its_aftermath_is_usual() -> None:
    values = office()
    values[493] *= 3  # a Sunday at 13:00
    assert fired(run(values)) == [493]


def test_noon_on_sunday_is_not_judged_by_noon_on_friday() -> None:
    values = office()
    sunday = 4 * 168 + 6 * 24 + 13
    values[sunday] = values[sunday - 48]  # as much as on Friday
    assert sunday in fired(run(values))


@pytest.mark.parametrize("hours", [1, 3])
@pytest.mark.parametrize("begin", [5, 30, 61, 124, 150, 180])
def test_a_spike_of_the_first_days_is_not_learned(begin: int, hours: int) -> None:
    values = [15 + ((7 * n) % 5) / 10 for n in range(9 * 168)]
    for n in range(begin, begin + hours):
        values[n] = 163
    judged = run(values)
    assert fired(judged) == []
    again = [
        n for week in range(1, 8) for n in range(begin + week * 168, begin + week * 168 + hours) if n >= 192
    ]
    assert all(15 <= (judged[n].expected or 0) < 16.5 for n in again)
    assert all((judged[n].upper or 999) < 30 for n in again)


@pytest.mark.parametrize("begin", [5, 61, 124])
def test_a_real_spike_at_the_hour_of_an_early_one_is_seen(begin: int) -> None:
    values = [15 + ((7 * n) % 5) / 10 for n in range(9 * 168)]
    for week in (0, 3, 6):
        values[begin + week * 168] = 90
    assert fired(run(values)) == [begin + week * 168 for week in (3, 6)]


def test_a_spike_of_the_first_days_is_not_learned_by_a_season_either() -> None:
    values = office(7, noise=0.05)
    usual = run(values)
    values[61] *= 6  # a Wednesday at 13:00
    values[133] *= 9  # a Saturday at 13:00
    judged = run(values)
    assert [n for n in fired(judged) if n > 336 and n not in fired(usual)] == []
    for place in (61, 133):
        for week in range(2, 7):
            n = place + week * 168
            assert (judged[n].expected or 0) == pytest.approx(usual[n].expected or 0, rel=0.25)


def test_a_spike_of_the_first_day_of_minutes_is_not_learned() -> None:
    values = [5 + ((7 * n) % 5) / 10 for n in range(5 * 1440)]
    values[700] = 80
    judged = run(values, Tuning(60))
    assert fired(judged) == []
    assert all((judged[700 + day * 1440].expected or 0) < 6 for day in range(1, 5))


def test_a_shift_during_the_first_days_is_learned() -> None:
    values = [15.0 + ((7 * n) % 5) / 10 + (60 if n > 100 else 0) for n in range(5 * 168)]
    judged = run(values)
    assert [n for n in fired(judged) if n > 300] == []
    assert judged[400].expected == pytest.approx(75, rel=0.1)


def test_an_outage_is_seen() -> None:
    values = office()
    begin = 4 * 168 + 12
    values[begin : begin + 4] = [0.0] * 4
    assert begin in fired(run(values))


def test_a_drift_is_seen_before_it_is_over() -> None:
    values = office()
    for n in range(60):
        values[600 + n] *= 1 + 1.5 * n / 60
    assert any(600 < n < 660 for n in fired(run(values)))


def test_a_shift_is_seen_and_then_learned() -> None:
    values = office()
    values[600:] = [value * 2.5 for value in values[600:]]
    where = fired(run(values))
    assert where
    assert min(where) < 606
    assert max(where) < 650


def test_missing_windows_are_neither_zero_nor_an_error() -> None:
    values: list[float | None] = [None if n % 7 == 0 else value for n, value in enumerate(office())]
    judged = run([*values, math.nan])
    assert fired(judged) == []
    assert judged[-1].status == "missing"


def test_a_scope_that_begins_to_spend_fires_until_it_is_learned() -> None:
    judged = run([0.0] * 400 + [5.0] * 100)
    assert [j.status for j in judged[:400]] == ["insufficient_history"] * 192 + ["normal"] * 208
    assert judged[400].after_nothing
    assert fired(judged)[0] == 400
    assert judged[-1].status == "normal"


@pytest.mark.parametrize("history", [[0.0] * 500, ([0.0] * 99 + [0.01]) * 5, [0.0] * 499 + [0.01]])
def test_a_jump_after_nothing_or_next_to_nothing_fires(history: list[float]) -> None:
    values = [*history, 5000.0, *[0.0] * 400]
    assert fired(run(values, Tuning(HOUR, min_change=5.0))) == [500]


def test_a_jump_after_nothing_is_held_against_the_least_change_the_direction_and_the_history() -> None:
    assert run([0.0] * 500 + [4.0], Tuning(HOUR, min_change=5.0))[-1].status == "below_minimum"
    assert fired(run([0.0] * 500 + [5000.0], Tuning(HOUR, direction="down"))) == []
    assert fired(run([0.0] * 100 + [5000.0], Tuning(HOUR, min_change=5.0))) == []


def test_a_window_that_still_fills_after_nothing_is_judged_too() -> None:
    detector = Detector(Tuning(HOUR, min_change=5.0))
    for n in range(192):
        detector.update(MONDAY + timedelta(hours=n), 0.0)
    assert detector.judge(MONDAY + timedelta(hours=192), 5000.0).fired
    assert detector.judge(MONDAY + timedelta(hours=192), 1.0).status == "below_minimum"


def test_an_incident_beside_a_weekly_job_fires_until_it_is_over() -> None:
    """Its first hours do not make the next ones usual."""
    job = [10.0 if h % 168 == 2 else 0.0 for h in range(24 * 24)]
    incident = [0.0] * 11 + [40.0] * 8 + [0.0] * 5
    assert fired(run(job + incident)) == list(range(len(job) + 11, len(job) + 19))


def test_a_job_that_grows_is_reported_until_it_is_known() -> None:
    job = [10.0 if h % 24 == 2 else 0.0 for h in range(20 * 24)]
    more = [25.0 if h % 24 == 2 else 0.0 for h in range(30 * 24)]
    again = fired(run(job + more))
    assert again[0] == len(job) + 2
    assert again[-1] < len(job) + 25 * 24


def test_a_flat_series_is_not_infinitely_sure_of_itself() -> None:
    judged = run([5.0] * 300 + [5.2, 5.0, 9.0])
    assert fired(judged) == [302]


def test_less_than_the_minimum_is_not_reported() -> None:
    values = office()
    values[500] *= 4
    judged = run(values, Tuning(HOUR, min_change=10_000))
    assert fired(judged) == []
    assert judged[500].status == "below_minimum"
    assert judged[500].score <= 0.5


@pytest.mark.parametrize(("direction", "expected"), [("up", [500]), ("down", [612]), ("both", [500, 612])])
def test_only_the_direction_that_was_asked_for_fires(direction: Direction, expected: list[int]) -> None:
    values = office(noise=0.05)
    values[500] *= 4
    values[612] = 0
    assert fired(run(values, Tuning(HOUR, direction=direction))) == expected


def test_sensitivity_moves_the_limit() -> None:
    values = office()
    values[541] *= 1.6
    assert 541 not in fired(run(values, Tuning(HOUR, sensitivity=0.5)))
    assert 541 in fired(run(values, Tuning(HOUR, sensitivity=2)))


def test_a_holiday_is_like_a_sunday() -> None:
    values = office()
    thursday = 4 * 168 + 3 * 24
    values[thursday : thursday + 24] = values[thursday - 96 : thursday - 72]  # what Sunday was
    holiday = frozenset({date(2026, 4, 2)})
    assert fired(run(values)) != []
    assert fired(run(values, Tuning(HOUR, holidays=holiday))) == []


def test_days_begin_where_the_spending_is_also_when_clocks_change() -> None:
    zone = ZoneInfo("America/New_York")  # the clocks go forward on 2026-03-08
    r = dice(7)
    values = []
    for n in range(5 * 168):
        local = (MONDAY + timedelta(hours=n)).astimezone(zone)
        values.append((100 if 9 <= local.hour < 17 else 5) * math.exp(r.gauss(0, 0.05)))
    assert [n for n in fired(run(values, Tuning(HOUR, zone=zone))) if n > 336] == []


def test_the_clock_change_of_berlin_is_no_anomaly_with_the_zone_set() -> None:
    zone, start = ZoneInfo("Europe/Berlin"), datetime(2026, 9, 7, tzinfo=UTC)
    r, detectors = dice(11), [Detector(Tuning(HOUR, zone=zone)), Detector(Tuning(HOUR))]
    found: list[list[datetime]] = [[], []]
    for n in range(10 * 168):  # the clocks go back on 2026-10-25
        at = start + timedelta(hours=n)
        local = at.astimezone(zone)
        value = (100 if 9 <= local.hour < 17 else 5) * math.exp(r.gauss(0, 0.05))
        for detector, fires in zip(detectors, found, strict=True):
            if detector.update(at, value).fired and at >= datetime(2026, 10, 25, tzinfo=UTC):
                fires.append(at)
    assert found[0] == []
    assert len(found[1]) > 5


def test_days_are_judged_by_the_day_of_the_week() -> None:
    r = dice(3)
    values = [(20 if n % 7 > 4 else 100) * math.exp(r.gauss(0, 0.08)) for n in range(120)]
    values[110] *= 3
    assert [n for n in fired(run(values, Tuning(DAY))) if n > 30] == [110]


@pytest.mark.parametrize("step", [60, 300, 900, 7 * DAY])
def test_other_steps_are_judged_too(step: int) -> None:
    r = dice(5)
    count = min(10 * DAY // step, 3000) if step < DAY else 60
    values = [50 * math.exp(r.gauss(0, 0.1)) for _ in range(count)]
    assert fired(run([*values, 500.0], Tuning(step))) == [count]


def test_the_window_that_is_filling_is_judged_without_being_learned() -> None:
    detector = Detector(Tuning(HOUR))
    values = office()
    assert detector.judge(MONDAY, 5.0).status == "insufficient_history"
    for n, value in enumerate(values):
        detector.update(MONDAY + timedelta(hours=n), value)
    at = MONDAY + timedelta(hours=len(values))
    assert detector.judge(at, None).status == "missing"
    assert detector.judge(at, 1e6).fired
    assert detector.judge(at, 1e6) == detector.judge(at, 1e6)


numbers = st.floats(allow_nan=True, allow_infinity=True) | st.floats(0, 1e4) | st.none()


@settings(max_examples=60)
@given(st.lists(numbers, max_size=200), st.sampled_from([60, HOUR, DAY, 7 * DAY]))
def test_whatever_comes_the_answer_is_a_number_and_always_the_same(
    values: list[float | None], step: int
) -> None:
    first, second = run(values, Tuning(step)), run(values, Tuning(step))
    assert repr(first) == repr(second)
    for verdict in first:
        assert 0 <= verdict.score <= 1
        assert verdict.expected is None or math.isfinite(verdict.expected)


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=60), st.integers(1, 20))
def test_a_ring_keeps_the_newest(values: list[float], size: int) -> None:
    ring = Ring(size)
    for value in values:
        ring.push(value)
    kept = sorted(values[-size:])
    assert len(ring) == len(kept)
    assert ring.quantiles((0.0, 1.0)) == [kept[0], kept[-1]]
    assert kept[0] <= ring.median() <= kept[-1]
    assert Ring(3).median() == 0.0 == Ring(3).quantiles((0.5,))[0]


def test_a_season_knows_a_place_after_it_was_passed() -> None:
    season = Season(3, 3)
    for lap in range(5):
        season.learn(0, 1.0 + lap)
        season.learn(0, 3.0 + lap)
        season.learn(1, 10.0)
    assert season.usual(0) == 5.0
    assert (season.usual(1), season.usual(2)) == (10.0, None)
