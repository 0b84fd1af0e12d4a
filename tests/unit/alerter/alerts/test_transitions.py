"""Periods tile time, a crossing is sent once, spikes need history."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from outlay_alerter.alerts.states import AlertRecord, open_alerts, transitions
from outlay_alerter.rules import budget as budgets
from outlay_alerter.rules import spend_spike
from outlay_alerter.rules.base import Measure, Windows
from outlay_alerter.rules.watch import Budget, compile_rule
from outlay_kit.time_ranges import Anchor, PeriodName, cover, grain_length, period_of
from outlay_reports.budgets import budget_period
from outlay_schemas.catalog import watch as schema

ZONES = ["UTC", "America/New_York", "Europe/Berlin", "Asia/Kolkata", "Australia/Lord_Howe", "Africa/Cairo"]
PERIODS: list[PeriodName] = ["hour", "day", "week", "month", "quarter", "year"]
times = st.datetimes(datetime(2015, 1, 1), datetime(2035, 1, 1)).map(lambda t: t.replace(tzinfo=UTC))  # noqa: DTZ001
DOLLAR = 10**12


@given(times, st.sampled_from(PERIODS), st.sampled_from(ZONES))
def test_periods_tile_time(at: datetime, period: PeriodName, name: str) -> None:
    zone = ZoneInfo(name)
    span = period_of(at, period, zone)
    assert at in span
    assert period_of(span.start, period, zone) == span
    assert period_of(span.end, period, zone).start == span.end
    assert period_of(span.start - timedelta(microseconds=1), period, zone).end == span.start


@given(times, st.sampled_from(PERIODS), st.sampled_from(ZONES))
def test_a_period_is_covered_exactly_and_by_few_pieces(at: datetime, period: PeriodName, name: str) -> None:
    span = period_of(at, period, ZoneInfo(name))
    pieces = cover(span)
    assert len(pieces) <= 5
    assert pieces[0].span.start == span.start
    assert pieces[-1].span.end == span.end
    for left, right in pairwise(pieces):
        assert left.span.end == right.span.start
    for piece in pieces:
        assert (piece.span.end - piece.span.start) % grain_length(piece.grain) == timedelta(0)


def test_a_day_of_the_clock_change_has_23_or_25_hours() -> None:
    zone = ZoneInfo("America/New_York")
    spring = period_of(datetime(2026, 3, 8, 12, tzinfo=UTC), "day", zone)
    autumn = period_of(datetime(2026, 11, 1, 12, tzinfo=UTC), "day", zone)
    assert spring.end - spring.start == timedelta(hours=23)
    assert autumn.end - autumn.start == timedelta(hours=25)


def test_a_month_ends_with_its_last_day() -> None:
    span = period_of(datetime(2028, 2, 29, 23, 59, 59, tzinfo=UTC), "month", ZoneInfo("UTC"))
    assert span.start == datetime(2028, 2, 1, tzinfo=UTC)
    assert span.end == datetime(2028, 3, 1, tzinfo=UTC)


BUDGET = Budget(
    id="b", name="B", tenant="acme", amount=100 * DOLLAR, period="month", zone=ZoneInfo("UTC"),
    thresholds=(Decimal(50), Decimal(80), Decimal(100)),
)  # fmt: skip


@given(st.lists(st.integers(0, 200 * DOLLAR), max_size=20))
def test_each_crossing_is_sent_once_in_any_order(totals: list[int]) -> None:
    span = budget_period(BUDGET, datetime(2026, 11, 24, tzinfo=UTC))
    known: dict[str, AlertRecord] = {}
    sent: list[str] = []
    crossings = 0
    before = 0
    for total in totals:
        for level in (50, 80, 100):
            crossings += (total >= level * DOLLAR) != (before >= level * DOLLAR)
        before = total
        for _ in range(2):
            for change in transitions(budgets.findings(BUDGET, span, budgets.Spent(total)), known):
                sent.append(change.message_id)
                key = change.finding.key
                known[change.id] = AlertRecord(change.id, key.rule, change.state, change.seq, key.window)
    assert len(sent) == len(set(sent)) == crossings


def test_levels_are_named_alike_however_they_are_written() -> None:
    assert {budgets.level_of(Decimal(text)) for text in ("80", "80.0", "8E+1")} == {"80"}


RULE = compile_rule(schema.SpendSpike(id="s", name="S", group_by=("team",), grain="minute"), "acme")


def test_too_little_history_is_said_and_a_spike_is_seen() -> None:
    assert spend_spike.verdict_of(RULE, [DOLLAR] * 3, 99 * DOLLAR).outcome == "insufficient_history"
    assert spend_spike.verdict_of(RULE, [DOLLAR] * 30, 99 * DOLLAR).outcome == "spike"
    assert spend_spike.verdict_of(RULE, [10 * DOLLAR] * 30, 12 * DOLLAR).outcome == "normal"
    assert spend_spike.verdict_of(RULE, [0] * 30, DOLLAR - 1).outcome == "below_minimum"


def test_a_spike_that_lasts_is_one_alert_and_ends_once() -> None:
    known: dict[str, AlertRecord] = {}
    sent: list[tuple[str, str]] = []
    series = [DOLLAR] * 30
    start = datetime(2026, 11, 24, tzinfo=UTC)
    scope = RULE.scope_of(("growth",))
    for minute, cost in enumerate([50, 60, 55, 1, 1, 1]):
        series.append(cost * DOLLAR)
        starts = [start + timedelta(minutes=minute - n) for n in range(len(series) - 1, -1, -1)]
        windows = Windows(starts, timedelta(minutes=1), {})
        found, _ = spend_spike.judge(
            RULE, scope, windows, [Measure(cost) for cost in series],
            first=0, opened=open_alerts("s", known), over=starts[-1], look_back=3,
        )  # fmt: skip
        for change in transitions(found, known):
            sent.append((change.id, change.state))
            key = change.finding.key
            known[change.id] = AlertRecord(
                change.id, key.rule, change.state, change.seq, key.window, line=key.line()
            )
    assert [state for _, state in sent] == ["firing", "resolved"]
    assert len({alert for alert, _ in sent}) == 1


def test_a_month_anchored_at_its_end_begins_on_its_last_day() -> None:
    zone, anchor = ZoneInfo("UTC"), Anchor(31)
    starts = [datetime(2027, 12, 31, tzinfo=UTC)]
    while len(starts) < 6:
        span = period_of(starts[-1], "month", zone, anchor)
        assert span.start == starts[-1]
        starts.append(span.end)
    assert [f"{at:%m-%d}" for at in starts] == ["12-31", "01-31", "02-29", "03-31", "04-30", "05-31"]
    february = period_of(datetime(2027, 2, 28, 12, tzinfo=UTC), "month", zone, anchor)
    assert (february.start.day, february.end.day) == (28, 31)
    quarter = period_of(datetime(2027, 3, 15, tzinfo=UTC), "quarter", zone, Anchor(30, 2))
    assert (f"{quarter.start:%m-%d}", f"{quarter.end:%m-%d}") == ("02-28", "05-30")


@given(times, st.sampled_from(["month", "quarter", "year"]), st.integers(1, 31), st.integers(1, 12))
def test_anchored_periods_tile_time(at: datetime, period: PeriodName, day: int, month: int) -> None:
    zone, anchor = ZoneInfo("Europe/Berlin"), Anchor(day, month)
    span = period_of(at, period, zone, anchor)
    assert at in span
    assert period_of(span.end, period, zone, anchor).start == span.end
    assert period_of(span.start - timedelta(microseconds=1), period, zone, anchor).end == span.start
