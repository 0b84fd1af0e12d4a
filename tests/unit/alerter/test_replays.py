"""When rules would have fired on what was: as the state machine would have told it, and what it would have saved."""

from datetime import UTC, datetime, timedelta

import pytest
from tests.unit.alerter.test_budget_terms import budget
from tests.unit.alerter.test_rules import threshold

from outlay_alerter.adapters.watchlist import anomaly_of, newcomer_of, silence_of, spike_of
from outlay_alerter.domain import replays
from outlay_alerter.domain.backtest import backtest
from outlay_alerter.domain.metrics import Measure
from outlay_alerter.domain.replays import Spending
from outlay_kit.spans import Span
from outlay_schemas.catalog import watch as schema

DOLLAR = 10**12
START = datetime(2026, 11, 1, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
SPAN = Span(START, START + 20 * DAY)


def test_a_budget_fires_once_a_level_and_says_what_stopping_would_have_saved() -> None:
    spending = Spending.of({START + n * HOUR: DOLLAR for n in range(20 * 24)})
    plan = budget(amount=300, thresholds=[50, 100])
    half, whole = replays.budget(plan, spending, SPAN)
    assert [half.level, whole.level] == ["50", "100"]
    assert (half.at, whole.at) == (START + 149 * HOUR + replays.STEP, START + 299 * HOUR + replays.STEP)
    assert whole.saved == (480 - 300) * DOLLAR
    assert whole.until is None


def test_budgets_of_days_burn_roll_over_and_are_forecast() -> None:
    costs = {START - 40 * DAY + n * HOUR: DOLLAR for n in range(60 * 24)}
    costs |= {START + 5 * DAY + n * timedelta(minutes=1): 3 * DOLLAR // 2 for n in range(60)}
    terms = {"amount": 60, "period": "day", "thresholds": [100], "rollover_percent": 10}
    plan = budget(**terms, forecast_thresholds=[100], burn=[{"hours": 1, "rate": 20}])
    found = replays.budget(plan, Spending.of(costs), SPAN)
    assert {one.level for one in found} == {"100", "forecast-100", "burn-1h"}
    over = next(one for one in found if one.level == "100")
    assert (over.at.date(), over.expected) == ((START + 5 * DAY).date(), 66 * DOLLAR)


def test_a_threshold_resolves_with_its_margin_and_waits_for_its_time() -> None:
    line = [Measure(cost * DOLLAR, 1) for cost in (1, 20, 30, 9, 4, 1)]
    newest = START + 5 * HOUR
    (fired,) = replays.threshold_of(threshold(margin=5), {}, line, newest)
    assert (fired.at, fired.until) == (START + 2 * HOUR, START + 5 * HOUR)
    assert fired.saved == 20 * DOLLAR
    assert replays.threshold_of(threshold(for_minutes=240), {}, line, newest) == []
    (later,) = replays.threshold_of(threshold(for_minutes=60), {}, line, newest)
    assert later.at == START + 3 * HOUR


def test_a_spike_and_an_anomaly_fire_and_end() -> None:
    costs = {START + n * HOUR: (50 + 10 * (n % 24 > 8) + n % 3) * DOLLAR for n in range(20 * 24)}
    at = START + 15 * DAY
    costs[at] = 400 * DOLLAR
    spike = spike_of(schema.SpendSpike(id="s", name="S"), "acme")
    line = list(costs.values())
    (one,) = replays.spike(spike, {}, line, range(len(line)), Span(START + 10 * DAY, SPAN.end))
    assert (one.at, one.until) == (at + HOUR, at + 2 * HOUR)
    anomaly = anomaly_of(schema.Anomaly(id="a", name="A"), "acme")
    (two,) = replays.anomaly(anomaly, {}, costs, Span(START + 10 * DAY, SPAN.end))
    assert (two.at, two.until) == (at + HOUR, at + 3 * HOUR)


def test_what_a_tenant_had_before_a_scope_began_is_the_history_of_its_first_window() -> None:
    spike = spike_of(schema.SpendSpike(id="s", name="S"), "acme")
    line, span = [0] * 47 + [400 * DOLLAR], Span(START, START + 48 * HOUR)
    (one,) = replays.spike(spike, {}, line, range(48), span)
    assert (one.at, one.expected) == (span.end, 0)
    assert replays.spike(spike, {}, line, [45, 46, 47], span) == []  # the tenant itself is too young
    lasting = spike_of(schema.SpendSpike(id="s", name="S", calm_minutes=60), "acme")
    later = Span(START, START + 400 * HOUR)
    (one,) = replays.spike(lasting, {}, line + [0] * 352, range(48), later)
    assert one.until is not None  # though the tenant had nothing for longer than an evaluation reads


def test_newcomers_and_silences_are_found_in_the_past() -> None:
    new = newcomer_of(schema.NewSpender(id="n", name="N", by=("sku",), days=5), "acme")
    days = {START + n * DAY: 2 * DOLLAR for n in (1, 2, 12)}
    assert [one.at for one in replays.newcomers(new, {}, days, SPAN)] == [START + 2 * DAY, START + 13 * DAY]
    quiet = silence_of(schema.Silence(id="q", name="Q", minutes=60), "acme")
    minutes = [START + n * timedelta(minutes=30) for n in range(10)] + [START + 10 * HOUR]
    first, last = replays.silences(quiet, {}, minutes, Span(START, START + 12 * HOUR))
    assert (first.at, first.until) == (START + timedelta(hours=5, minutes=30), START + 10 * HOUR)
    assert (last.at, last.until) == (START + 11 * HOUR, None)


def test_thresholds_and_budgets_judge_a_series() -> None:
    rows = [(START + n * HOUR, value) for n, value in enumerate([1.0, 12.0, None, 3.0])]
    points = list(backtest(rows, threshold()))
    assert [(p.fired, p.status) for p in points] == [
        (False, "normal"), (True, "anomaly"), (False, "missing"), (False, "normal"),
    ]  # fmt: skip
    assert points[1].score > 0.5 > points[0].score
    low = list(backtest(rows, threshold(above=None, below=2)))
    assert [p.fired for p in low] == [True, False, False, False]
    spent = list(backtest(rows, budget(amount=10, thresholds=[50, 100])))
    assert [p.fired for p in spent] == [False, True, False, False]
    assert (spent[0].upper, spent[3].upper) == (5.0, None)
    with pytest.raises(ValueError, match="judges no series"):
        list(backtest(rows, silence_of(schema.Silence(id="q", name="Q"), "acme")))
