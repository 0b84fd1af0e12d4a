"""Anchors, rolling periods, increases, rollover, burn rates, forecasts, standing."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from tests.support.alert_rules import budget, landing

from outlay_alerter.rules import budget as budgets
from outlay_alerter.rules.base import Total
from outlay_alerter.rules.budget import Spent
from outlay_kit.time_ranges import Anchor, PeriodName, TimeRange, period_of
from outlay_reports.budgets import budget_period, period_amount, previous_period

DOLLAR = 10**12
NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
UTC_ZONE = ZoneInfo("UTC")


times = st.datetimes(datetime(2015, 1, 1), datetime(2035, 1, 1)).map(lambda t: t.replace(tzinfo=UTC))  # noqa: DTZ001


@given(
    times,
    st.sampled_from(["week", "month", "quarter", "year"]),
    st.sampled_from(["UTC", "America/New_York", "Africa/Cairo", "Asia/Kolkata"]),
    st.integers(1, 28),
    st.integers(1, 12),
)
def test_anchored_periods_tile_time_and_begin_at_their_day(
    at: datetime, period: PeriodName, name: str, day: int, month: int
) -> None:
    zone = ZoneInfo(name)
    anchor = Anchor((day - 1) % 7 + 1 if period == "week" else day, month)
    span = period_of(at, period, zone, anchor)
    assert at in span
    assert period_of(span.end, period, zone, anchor).start == span.end
    assert period_of(span.start - timedelta(microseconds=1), period, zone, anchor).end == span.start
    begin = (span.start + timedelta(hours=2)).astimezone(zone)
    assert (begin.isoweekday() if period == "week" else begin.day) == anchor.day
    if period == "year":
        assert begin.month == month
    if period == "quarter":
        assert (begin.month - month) % 3 == 0


def test_a_fiscal_year_begins_in_its_month() -> None:
    span = period_of(NOW, "year", UTC_ZONE, Anchor(6, 4))
    assert (span.start.date(), span.end.date()) == (date(2026, 4, 6), date(2027, 4, 6))


def test_a_rolling_budget_is_of_the_last_days_and_one_alert() -> None:
    rolling = budget(rolling_days=7)
    span = budget_period(rolling, NOW + timedelta(seconds=30))
    assert span == TimeRange(NOW + timedelta(minutes=1) - timedelta(days=7), NOW + timedelta(minutes=1))
    later = budget_period(rolling, NOW + timedelta(days=1))
    (first,) = budgets.findings(rolling, span, Spent(100 * DOLLAR))
    (second,) = budgets.findings(rolling, later, Spent(50 * DOLLAR))
    assert first.key.id() == second.key.id()
    assert (first.breached, second.breached) == (True, False)
    assert "in the last 7 days" in first.summary


def test_a_temporary_increase_holds_for_the_periods_that_it_overlaps() -> None:
    plan = budget(increases=[{"amount": 50, "from": "2026-11-30", "to": "2026-12-05"}])
    months = [datetime(2026, month, 3, tzinfo=UTC) for month in (10, 11, 12)]
    amounts = [period_amount(plan, budget_period(plan, at)) // DOLLAR for at in months]
    assert amounts == [100, 150, 150]
    always = budget(increases=[{"amount": 5}])
    assert period_amount(always, budget_period(always, NOW)) == 105 * DOLLAR
    ended = budget(increases=[{"amount": 5, "to": "2026-11-01"}])
    assert period_amount(ended, budget_period(ended, NOW)) == 100 * DOLLAR


@pytest.mark.parametrize(("before", "amount"), [(100, 100), (70, 120), (90, 110), (0, 120), (130, 100)])
def test_what_was_not_spent_comes_over_up_to_its_share(before: int, amount: int) -> None:
    plan = budget(rollover_percent=20)
    span = budget_period(plan, NOW)
    assert previous_period(plan, span).end == span.start
    assert period_amount(plan, span, before * DOLLAR) == amount * DOLLAR
    assert period_amount(budget(), span, before * DOLLAR) == 100 * DOLLAR


def test_a_burn_fires_while_the_whole_window_and_its_last_part_burn() -> None:
    plan = budget(amount=720, burn=[{"hours": 6, "rate": 3}])  # November: a dollar an hour
    span = budget_period(plan, NOW)

    def breached(whole: float, last: float) -> bool:
        pair = Total(int(whole * DOLLAR)), Total(int(last * DOLLAR))
        return budgets.findings(plan, span, Spent(0, burns=(pair,)))[-1].breached

    assert breached(18, 1.5)
    assert not breached(17.99, 1.5)
    assert not breached(18, 1.49)
    found = budgets.findings(plan, span, Spent(0, burns=((Total(24 * DOLLAR), Total(2 * DOLLAR)),)))[-1]
    assert found.key.level == "burn-6h"
    assert found.facts["burn_rate"] == "4.00"
    assert found.title == "B budget: spending more than 3 times as fast as it allows ($24.00 in 6 h)"


def test_every_alert_of_a_budget_marks_a_total_that_lacks_unpriced_events() -> None:
    plan = budget(burn=[{"hours": 6, "rate": 3}], forecast_thresholds=[100])
    span = budget_period(plan, NOW)
    burns = ((Total(24 * DOLLAR, 1), Total(2 * DOLLAR)),)
    for unpriced, mark in ((0, ""), (4, "≥ ")):
        spent = Spent(120 * DOLLAR, unpriced=unpriced, landing=landing(120, 40), burns=burns)
        actual, ahead, burn = budgets.findings(plan, span, spent)
        assert actual.title == f"B budget: 120% used ({mark}$120.00 of $100.00)"
        assert f"({mark}$160 of $100.00)" in ahead.title
        assert all(f"{mark}$120.00 of $100.00 spent" in one.summary for one in (actual, ahead))
        assert [one.unpriced for one in (actual, ahead, burn)] == [unpriced, unpriced, 1]
        assert "(≥ $24.00 in 6 h)" in burn.title, "its window has an event without a price"


def test_fast_and_slow_burns_have_levels_of_their_own() -> None:
    plan = budget(burn=[{"hours": 1, "rate": 14.4}, {"hours": 0.5, "rate": 20, "severity": "critical"}])
    nothing = (Total(0), Total(0))
    found = budgets.findings(plan, budget_period(plan, NOW), Spent(0, burns=(nothing, nothing)))
    assert [f.key.level for f in found] == ["100", "burn-1h", "burn-0.5h"]
    assert not any(f.breached for f in found)


def test_a_forecast_threshold_says_when_the_money_is_gone() -> None:
    plan = budget(forecast_thresholds=[80, 100])
    span = budget_period(plan, NOW)
    found = budgets.findings(plan, span, Spent(60 * DOLLAR, landing=landing(60, 35, 10)))
    assert [(f.key.level, f.breached) for f in found] == [
        ("100", False),
        ("forecast-80", True),
        ("forecast-100", False),
    ]
    assert "gone_on" not in found[1].facts  # it lasts until the end of the period
    assert "between $81.44 and $109" in found[1].summary
    soon = budgets.findings(plan, span, Spent(60 * DOLLAR, landing=landing(60, 65, 10)))
    assert soon[1].facts["gone_on"] == "2026-11-28, between 2026-11-27 and 2026-11-29 UTC"
    over = budgets.findings(plan, span, Spent(160 * DOLLAR, landing=landing(160, 65), reached=NOW))
    assert over[0].facts["gone_on"] == "2026-11-24 12:00 UTC"
    assert "B budget: forecast to reach 80%" in found[1].title
    assert found[1].actual == 95 * DOLLAR


def test_how_a_budget_stands() -> None:
    plan = budget(burn=[{"hours": 1, "rate": 10}])
    span = budget_period(plan, NOW)

    def standing(spent: int, likely: int | None = None) -> str:
        made = landing(spent, likely - spent) if likely is not None else None
        return budgets.status(plan, span, Spent(spent * DOLLAR, landing=made), NOW).standing

    assert [standing(79), standing(80), standing(100)] == ["ok", "warning", "over"]
    assert [standing(10, 99), standing(10, 100)] == ["ok", "warning"]
    whole = budgets.status(plan, span, Spent(120 * DOLLAR, burns=((Total(DOLLAR), Total(0)),)), NOW)
    assert (whole.spent, whole.remaining, whole.percent, whole.burn_rate) == ("120", "-20", "120.00", "7.20")
    assert whole.forecast is None


def test_terms_that_contradict_each_other_are_refused() -> None:
    with pytest.raises(ValidationError, match="1 \\(Monday\\) to 7"):
        budget(period="week", anchor_day=8)
    with pytest.raises(ValidationError, match="nothing rolls over"):
        budget(rolling_days=7, rollover_percent=10)
    with pytest.raises(ValidationError, match="distinct and grow"):
        budget(forecast_thresholds=[100, 80])
    with pytest.raises(ValidationError, match="not a timezone"):
        budget(timezone="Mars/Olympus")


def calendar(at: datetime, period: str, zone: ZoneInfo, day: int, month: int) -> tuple[int, ...]:
    """Name the period of a moment by the clocks of its zone alone: an oracle that knows no instants."""
    local = at.astimezone(zone).date()
    if period == "day":
        return local.year, local.month, local.day
    if period == "week":
        begun = local - timedelta(days=(local.isoweekday() - day) % 7)
        return begun.year, begun.month, begun.day
    months = local.year * 12 + local.month - 1 - (local.day < day) - (month - 1)
    return (months // {"month": 1, "quarter": 3, "year": 12}[period],)


@given(
    times,
    st.timedeltas(timedelta(days=-400), timedelta(days=400)),
    st.sampled_from(["day", "week", "month", "quarter", "year"]),
    st.sampled_from(["UTC", "America/New_York", "Europe/Berlin", "Australia/Lord_Howe", "Asia/Kolkata"]),
    st.integers(1, 28),
    st.integers(1, 12),
)
def test_two_events_are_of_one_period_where_the_calendar_of_the_zone_says_so(
    at: datetime, apart: timedelta, period: str, name: str, day: int, month: int
) -> None:
    day = (day - 1) % 7 + 1 if period == "week" else day
    plan = budget(period=period, timezone=name, anchor_day=day, anchor_month=month)
    zone, other = ZoneInfo(name), at + apart
    same = budget_period(plan, at) == budget_period(plan, other)
    assert same == (calendar(at, period, zone, day, month) == calendar(other, period, zone, day, month))


@given(times, st.sampled_from(["month", "quarter", "year"]), st.integers(0, 3))
def test_the_last_moment_of_a_month_is_of_its_period_and_the_next_of_the_next(
    at: datetime, period: str, skipped: int
) -> None:
    plan = budget(period=period, timezone="America/New_York")
    span = budget_period(plan, at)
    for _ in range(skipped):
        span = budget_period(plan, span.end)
    last = span.end - timedelta(microseconds=1)
    assert budget_period(plan, last) == span
    assert budget_period(plan, span.end).start == span.end
    local = span.end.astimezone(plan.zone)
    assert (local.day, local.hour, local.minute) == (1, 0, 0)
