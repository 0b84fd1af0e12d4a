"""Spending in batches, monthly jobs and the end of an outage are ordinary: no rule fires, live or on the past."""

from calendar import monthrange
from datetime import UTC, datetime, timedelta

import pytest
from tests.support.spending import Costs, rule, try_on_past, watch_live

from outlay_alerter.alerts.states import EPOCH
from outlay_alerter.backtest.runner import Fired
from outlay_alerter.evaluator import Progress
from outlay_kit.time_ranges import TimeRange
from outlay_schemas.events import Grain

START = datetime(2026, 11, 2, tzinfo=UTC)
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
KINDS = ("spend_spike", "anomaly")
GRAINS: tuple[Grain, ...] = ("minute", "hour", "day")


def both(kind: str, grain: Grain, scopes: dict[str, Costs], span: TimeRange, every: timedelta) -> list[Fired]:
    """Return the alerts of the live path, after showing that a backtest finds as many."""
    live = watch_live(rule(kind, grain), scopes, span, every)
    past = try_on_past(rule(kind, grain), scopes, span)
    assert {one.at.date() for one in live} == {(one.at - MINUTE).date() for one in past}
    return live


@pytest.mark.parametrize("grain", GRAINS)
@pytest.mark.parametrize("kind", KINDS)
def test_steady_hours_of_opencost_fire_nothing(kind: str, grain: Grain) -> None:
    costs = {START + n * HOUR: 5.0 for n in range(72)}
    assert both(kind, grain, {"m": costs}, TimeRange(START, START + 72 * HOUR), 6 * HOUR) == []


@pytest.mark.parametrize("grain", GRAINS)
@pytest.mark.parametrize("kind", KINDS)
def test_a_meter_every_20_minutes_fires_nothing(kind: str, grain: Grain) -> None:
    costs = {START + n * 20 * MINUTE: 2.0 for n in range(3 * 72)}
    assert both(kind, grain, {"m": costs}, TimeRange(START, START + 3 * DAY), DAY) == []


@pytest.mark.parametrize("kind", KINDS)
def test_a_burst_among_batches_fires(kind: str) -> None:
    costs = {START + n * HOUR: 5.0 for n in range(14 * 24)} | {START + 330 * HOUR: 60.0}
    span = TimeRange(START + 13 * DAY, START + 14 * DAY)
    (alert,) = watch_live(rule(kind, "hour"), {"m": costs}, span, 6 * HOUR)
    assert START + 330 * HOUR <= alert.at <= START + 332 * HOUR + MINUTE


FIRST, MONTHS = (
    datetime(2025, 9, 1, tzinfo=UTC),
    TimeRange(datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 11, 1, tzinfo=UTC)),
)


def monthly(base: float, day: int, *, large: datetime | None = None) -> dict[str, Costs]:
    """Return 14 months of `base` USD a day with a job of 500 USD once a month; of 2,500 on the day `large`."""
    costs: dict[datetime, float] = {}
    for n in range(430):
        at = FIRST + n * DAY
        job = at.day == min(day, monthrange(at.year, at.month)[1])
        usd = base * (1 + n % 7 * 0.03) + job * (2500.0 if at == large else 500.0)
        if usd:
            costs[at + 3 * HOUR] = usd
    return {"m": costs}


@pytest.mark.parametrize(("base", "day"), [(0.0, 1), (10.0, 1), (10.0, 15), (10.0, 31)])
@pytest.mark.parametrize("kind", KINDS)
def test_a_monthly_job_fires_in_none_of_ten_months(kind: str, base: float, day: int) -> None:
    assert both(kind, "day", monthly(base, day), MONTHS, DAY) == []


@pytest.mark.parametrize("base", [0.0, 10.0])
@pytest.mark.parametrize("kind", KINDS)
def test_a_monthly_job_that_costs_five_times_as_much_fires(kind: str, base: float) -> None:
    large = datetime(2026, 9, 15, tzinfo=UTC)
    fired = both(kind, "day", monthly(base, 15, large=large), MONTHS, DAY)
    assert [one.at.date() for one in fired] == [large.date()]


@pytest.mark.parametrize("hours", [6, 30, 60])
@pytest.mark.parametrize("kind", KINDS)
def test_the_return_from_an_outage_is_not_an_anomaly(kind: str, hours: int) -> None:
    down, up = START + 10 * DAY, START + 10 * DAY + hours * HOUR
    steady = {START + n * 30 * MINUTE: 3 + n % 5 * 0.2 for n in range(14 * 48)}
    tens = {at: 10 + n % 3 * 0.2 for n in range(14 * 144) if not down <= (at := START + n * 10 * MINUTE) < up}
    scopes: dict[str, Costs] = {"fails": tens, "steady": steady}
    fired = watch_live(rule(kind, "hour"), scopes, TimeRange(START + 8 * DAY, START + 14 * DAY), HOUR)
    past = try_on_past(rule(kind, "hour"), scopes, TimeRange(START + 8 * DAY, START + 14 * DAY))
    for alerts in (fired, past):
        assert len(alerts) == (kind == "anomaly")
        for one in alerts:  # the outage itself
            assert one.scope == {"project": ("fails",)}
            assert down < one.at < down + 3 * HOUR
            assert one.until is not None
            assert one.until <= max(up + 3 * HOUR, down + 30 * HOUR)


def test_a_loop_in_an_idle_scope_is_one_spike_until_it_ends() -> None:
    begun = START + 3 * HOUR
    scopes = {
        "steady": {START + n * MINUTE: 1.0 for n in range(300)},
        "idle": {START: 0.2} | {begun + n * MINUTE: 16.0 for n in range(12)},
    }
    (alert,) = watch_live(rule("spend_spike", "minute"), scopes, TimeRange(begun, begun + HOUR), MINUTE)
    assert alert.at <= begun + MINUTE
    assert alert.until is not None
    assert begun + 12 * MINUTE <= alert.until <= begun + 14 * MINUTE


def test_a_spike_after_which_nothing_comes_ends_with_the_clock() -> None:
    begun = START + 3 * HOUR
    costs = {START + n * MINUTE: 1.0 for n in range(180)} | {begun + n * MINUTE: 16.0 for n in range(4)}
    (alert,) = watch_live(
        rule("spend_spike", "minute"), {"only": costs}, TimeRange(begun, begun + HOUR), MINUTE
    )
    assert alert.until is not None
    assert begun + 4 * MINUTE < alert.until <= begun + 9 * MINUTE


def test_a_minute_is_complete_when_all_that_was_accepted_before_a_later_one_is_counted() -> None:
    progress, second = Progress(), timedelta(seconds=1)
    first, later = START, START + MINUTE
    now = START + 3 * HOUR  # a trace of three hours ago that is played sixty times as fast
    assert progress.complete(now, first, now - second) == EPOCH, "it is not known yet"
    assert progress.complete(now + second, later, now) == first
    assert progress.complete(now + 2 * second, later, now + 0.5 * second) == first
    assert progress.complete(now + 3 * second, later, now + second) == later
    idle = now + 10 * MINUTE
    assert progress.complete(idle, later, idle) == idle - 2 * MINUTE


def test_a_loop_whose_first_minutes_arrive_late_is_seen_all_the_same() -> None:
    begun, seen = START + 3 * HOUR, START + 3 * HOUR + 8 * MINUTE
    scopes = {
        "steady": {START + n * MINUTE: 1.0 for n in range(300)},
        "idle": {START: 0.2} | {begun + n * MINUTE: 16.0 for n in range(12)},
    }
    (alert,) = watch_live(rule("spend_spike", "minute"), scopes, TimeRange(seen, begun + HOUR), MINUTE)
    assert alert.at <= seen + MINUTE
