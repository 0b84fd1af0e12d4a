"""Where a period lands: what is spent is spent, only the rest is forecast, and the interval holds the truth."""

from dataclasses import replace
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from tests.support.generated_series import hours
from tests.support.generated_spending import HOUR, START, courses, spending
from tests.support.memory_ledger import Memory

from outlay_kit.time_ranges import Anchor, PeriodName, TimeRange, period_of
from outlay_reports.adapters.forecast_cache import ForecastCache, exhausted_at
from outlay_reports.budgets import plan_of
from outlay_reports.cost_query import CostQuery
from outlay_reports.forecast.smoothing import Array
from outlay_reports.forecast.trajectory import Landing
from outlay_schemas.catalog import Budget, FxRate
from outlay_schemas.currency import Currency, NoRateError

DOLLAR = 10**12
UTC_ZONE = ZoneInfo("UTC")
PERIODS: list[tuple[PeriodName, str, Anchor, int]] = [
    ("month", "UTC", Anchor(), 75),
    ("month", "America/New_York", Anchor(15), 75),
    ("week", "Asia/Kathmandu", Anchor(3), 40),
    ("day", "Europe/Berlin", Anchor(), 40),
    ("month", "Asia/Kolkata", Anchor(), 12),
]


def land(costs: Array, span: TimeRange, zone: ZoneInfo, now: datetime) -> Landing:
    spent = spending(costs)
    return (
        courses(spent, zone, now)[0]
        .until(span.end)
        .at(now, round(spent(max(span.start, START), now) * DOLLAR))
    )


def instant(days: int, seed: int) -> datetime:
    """Return a minute of the ten days after so many days of history."""
    return START + timedelta(days=days, minutes=int(np.random.default_rng(seed).integers(10 * 1440)))


@pytest.mark.parametrize(("period", "name", "anchor", "days"), PERIODS)
def test_an_incident_of_today_is_spent_and_does_not_go_on(
    period: PeriodName, name: str, anchor: Anchor, days: int
) -> None:
    zone = ZoneInfo(name)
    for seed in range(6):
        costs = hours("busy", 1, 24 * (days + 50), seed)[0]
        now = instant(days, seed)
        span = period_of(now, period, zone, anchor)
        place = max(int((now - START) / HOUR) - 1, int((span.start - START) / HOUR) + 1)
        if START + (place + 1) * HOUR > now:
            continue
        usual = land(costs, span, zone, now)
        costs[place] += (incident := 2 * 24 * float(np.mean(costs[: 24 * days])))
        rose = land(costs, span, zone, now).expected - usual.expected
        assert rose / DOLLAR == pytest.approx(incident, rel=0.1)


@pytest.mark.parametrize(("period", "name", "anchor", "days"), PERIODS[:4])
def test_the_interval_holds_the_truth_as_often_as_it_says_at_any_minute(
    period: PeriodName, name: str, anchor: Anchor, days: int
) -> None:
    zone, held, wide, count = ZoneInfo(name), 0, 0, 0
    for kind in ("busy", "noisy", "persistent"):
        for seed, costs in enumerate(hours(kind, 12, 24 * (days + 50), 5)):
            now = instant(days, seed)
            span = period_of(now, period, zone, anchor)
            truth = spending(costs)(max(span.start, START), span.end) * DOLLAR
            found = land(costs, span, zone, now)
            (low, high), (lower, higher) = found.bounds(80), found.bounds(95)
            held, wide, count = held + (low <= truth <= high), wide + (lower <= truth <= higher), count + 1
            assert found.spent <= lower <= low <= found.expected <= high <= higher
    assert 0.68 <= held / count <= 0.95
    assert wide / count >= 0.83


def test_a_course_is_the_same_all_hour_and_its_landing_moves_by_the_minute() -> None:
    costs = np.full(24 * 60, 6.0)
    now = START + timedelta(days=40, hours=9)
    span = period_of(now, "day", UTC_ZONE)
    one = courses(spending(costs), UTC_ZONE, now)[0].until(span.end)
    later = courses(spending(costs), UTC_ZONE, now + timedelta(minutes=59))[0].until(span.end)
    assert np.array_equal(one.mean, later.mean)
    half = one.at(now + timedelta(minutes=30, seconds=59), 57 * DOLLAR)
    assert half.expected == pytest.approx(144 * DOLLAR, rel=1e-3)
    assert half.edges[0] == now + timedelta(minutes=30)
    # A course that is read an hour late leaves out the hour that is over.
    assert one.at(now + HOUR, 60 * DOLLAR).expected == pytest.approx(144 * DOLLAR, rel=1e-3)
    assert one.at(span.end, 144 * DOLLAR).expected == 144 * DOLLAR


def test_the_rest_of_a_day_is_what_usually_comes_after_this_hour() -> None:
    costs = np.tile([10.0 if hour == 2 else 0.0 for hour in range(24)], 60)  # a nightly job at 02:00
    day = START + timedelta(days=40)
    span = period_of(day, "month", UTC_ZONE)
    for hour, more in ((1, 10.0), (2.5, 5.0), (3, 0.0), (23, 0.0)):
        found = land(costs, span, UTC_ZONE, day + hour * HOUR)
        left = (span.end - day).days - 1
        assert (found.expected - found.spent) / DOLLAR == pytest.approx(10 * left + more, rel=0.01)


def test_the_day_on_which_it_is_used_up_has_an_early_and_a_late_end() -> None:
    edges = tuple(START + timedelta(days=n) for n in range(11))
    found = Landing(50 * DOLLAR, edges, np.linspace(10.0, 100.0, 10), np.full(10, 5.0), tested=True)
    assert found.used_up(95 * DOLLAR) == START + timedelta(days=4, hours=12)
    early, late = found.used_up_between(95 * DOLLAR)
    assert early is not None
    assert late is not None
    assert early < START + timedelta(days=4, hours=12) < late
    assert found.used_up(151 * DOLLAR) is None
    assert found.used_up(50 * DOLLAR) is None  # it is used up already
    assert found.over(40 * DOLLAR) == 1.0
    assert found.over(150 * DOLLAR) == pytest.approx(0.5)


def test_with_less_than_two_days_nothing_is_said() -> None:
    now = START + timedelta(hours=47)
    assert not land(np.full(24 * 40, 2.0), period_of(now, "month", UTC_ZONE), UTC_ZONE, now).tested
    later = START + timedelta(hours=49)
    assert land(np.full(24 * 40, 2.0), period_of(later, "month", UTC_ZONE), UTC_ZONE, later).tested


def memory(days: int = 40) -> Memory:
    found = Memory()
    for hour in range(24 * days):
        for team, usd in (("growth", 1.0), ("risk", 3.0)):
            found.spend(START + hour * HOUR, usd, team=team, env="prod" if team == "risk" else "dev")
    return found


def question(now: datetime, **where: tuple[str, ...]) -> CostQuery:
    scope = {name.replace("_", "."): values for name, values in where.items()}
    return CostQuery(period_of(now, "month", UTC_ZONE), UTC_ZONE, (), scope, ("acme",))


def test_two_that_ask_in_one_minute_get_the_same_figures_alone_or_together() -> None:
    spending, now = memory(), START + timedelta(days=40, seconds=5)
    scopes = [question(now), question(now, team=("growth",)), question(now, team=("growth", "risk"))]
    together = ForecastCache().trajectories(spending, scopes, now)
    for one, scope in zip(together, scopes, strict=True):
        (alone,) = ForecastCache().trajectories(spending, [scope], now + timedelta(seconds=50))
        assert alone.at(now, 0).expected == one.at(now, 0).expected
        assert alone.at(now, 0).bounds(80) == one.at(now, 0).bounds(80)
    assert together[0].at(now, 0).expected == together[2].at(now, 0).expected


def test_another_currency_shows_the_same_forecast_at_the_rate_of_today() -> None:
    """A history at the rates of its days would take a new exchange rate for a change of usage."""
    spending, now = memory(), START + timedelta(days=40)
    rates = (
        FxRate.model_validate(
            {"currency": "EUR", "usd": "1.00", "to": f"{now - timedelta(days=6):%Y-%m-%d}"}
        ),
        FxRate.model_validate(
            {"currency": "EUR", "usd": "1.25", "from": f"{now - timedelta(days=6):%Y-%m-%d}"}
        ),
    )
    asked = question(now)
    euro = replace(asked, currency=Currency("EUR", rates))
    cache = ForecastCache()
    (usd,), (eur,) = (cache.trajectories(spending, [one], now) for one in (asked, euro))
    assert usd.at(now, 0).expected > 0
    for one in ("mean", "errors"):
        assert np.allclose(getattr(eur, one), getattr(usd, one) * 0.8)
    with pytest.raises(NoRateError, match="EUR on 2"):
        cache.trajectories(spending, [replace(asked, currency=Currency("EUR", rates[:1]))], now)


def test_history_is_read_once_a_minute() -> None:
    spending, now = memory(), START + timedelta(days=40)
    outlook, asked = ForecastCache(), question(now, tags_env=("prod",))
    (first,) = outlook.trajectories(spending, [asked], now)
    read = spending.asked
    (again,) = outlook.trajectories(spending, [asked], now + timedelta(seconds=59))
    assert spending.asked == read
    assert np.array_equal(again.mean, first.mean)
    spending.spend(now - timedelta(days=3), 500.0, team="risk", env="prod")
    (late,) = outlook.trajectories(spending, [asked], now + timedelta(seconds=61))
    assert not np.array_equal(late.mean, first.mean)


def test_a_budget_that_is_over_names_the_minute_at_which_it_was_used_up() -> None:
    spending, now = memory(20), START + timedelta(days=20)
    asked = question(now, team=("growth",))
    assert exhausted_at(spending, asked, 30 * DOLLAR) == START + 29 * HOUR
    spending.spend(START + timedelta(hours=3, minutes=17), 26.5, team="growth")
    assert exhausted_at(spending, asked, 30 * DOLLAR) == START + timedelta(hours=3, minutes=17)
    assert exhausted_at(spending, asked, 5000 * DOLLAR) is None
    written = Budget.model_validate({"id": "g", "name": "G", "amount": 30, "scope": {"team": ["growth"]}})
    (state,) = ForecastCache().states(spending, [plan_of(written, "acme")], now)
    assert (state.standing, state.runs_out_at) == ("over", START + timedelta(hours=3, minutes=17))
    assert state.runs_out_earliest is None


@pytest.mark.parametrize(
    ("scope", "spent"),
    [
        ({}, "1920"),
        ({"team": "growth"}, "480"),
        ({"tags.env": "prod"}, "1440"),
        ({"tags.env": ["prod", "dev"]}, "1920"),
    ],
)
def test_a_budget_counts_what_its_scope_says(scope: dict[str, object], spent: str) -> None:
    written = Budget.model_validate({"id": "b", "name": "B", "amount": 5000, "scope": scope})
    rolling = Budget.model_validate(
        {"id": "r", "name": "R", "amount": 5000, "scope": scope, "rolling_days": 2}
    )
    plans = [plan_of(written, "acme"), plan_of(rolling, "acme")]
    state, last = ForecastCache().states(memory(20), plans, START + timedelta(days=20))
    assert state.spent == spent
    assert state.forecast is not None
    assert last.forecast is None
    assert last.percent == f"{float(spent) * 47 / 480 / 50:.2f}"  # the hour of two days ago is out
