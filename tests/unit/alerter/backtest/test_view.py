"""When rules would have fired on what was: the live evaluators and the live state machine, on the past."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

import pytest
from tests.support.alert_rules import budget, threshold

from outlay_alerter.backtest.runner import Backtest, Fired, NotPossibleError, moments, on_past, on_series
from outlay_alerter.backtest.view import Loaded, Spending, dense
from outlay_alerter.rules import budget as budgets
from outlay_alerter.rules.base import Measure, Total, Values
from outlay_alerter.rules.registry import KINDS
from outlay_alerter.rules.watch import Watch, compile_rule
from outlay_kit.time_ranges import TimeRange, grain_length
from outlay_schemas.catalog import watch as schema

DOLLAR = 10**12
START = datetime(2026, 11, 1, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
SPAN = TimeRange(START, START + 20 * DAY)


def run(rule: Watch, span: TimeRange, loaded: Loaded) -> list[Fired]:
    needs = KINDS[rule.type].evaluator(rule, 100).needs(span.start)
    return on_past(rule, loaded, moments(needs, span))


def spending(rule: Watch, costs: Mapping[datetime, int], days: int = 20) -> list[Fired]:
    span = TimeRange(START, START + days * DAY)
    return run(
        rule,
        span,
        Loaded([], HOUR, {}, spending=Spending.of({at: Total(cost) for at, cost in costs.items()})),
    )


def windows(
    rule: Watch, span: TimeRange, lines: Mapping[Values, Sequence[int]], *, length: timedelta = HOUR,
    alive: Sequence[datetime] | None = None,
) -> list[Fired]:  # fmt: skip
    """Run a rule on lines of dollars that begin at START."""
    count = max(map(len, lines.values()))
    starts = [START + length * n for n in range(count)]
    measures = {
        values: {at: Measure(cost * DOLLAR, 1) for at, cost in zip(starts, line, strict=True) if cost}
        for values, line in lines.items()
    }
    return run(
        rule, span, Loaded(starts, length, dense(measures, starts), starts if alive is None else alive)
    )


def test_a_budget_fires_once_a_level_and_says_what_stopping_would_have_saved() -> None:
    plan = budget(amount=300, thresholds=[50, 100])
    half, whole = spending(plan, {START + n * HOUR: DOLLAR for n in range(20 * 24)})
    assert [half.level, whole.level] == ["50", "100"]
    assert (half.at, whole.at) == (START + 149 * HOUR + budgets.STEP, START + 299 * HOUR + budgets.STEP)
    assert whole.saved == (480 - 300) * DOLLAR
    assert whole.until is None


def test_budgets_of_days_burn_roll_over_and_are_forecast() -> None:
    costs = {START - 40 * DAY + n * HOUR: DOLLAR for n in range(60 * 24)}
    costs |= {START + 5 * DAY + n * timedelta(minutes=1): 3 * DOLLAR // 2 for n in range(60)}
    terms = {"amount": 60, "period": "day", "thresholds": [100], "rollover_percent": 10}
    plan = budget(**terms, forecast_thresholds=[100], burn=[{"hours": 1, "rate": 20}])
    found = spending(plan, costs, days=8)
    assert {one.level for one in found} == {"100", "forecast-100", "burn-1h"}
    over = next(one for one in found if one.level == "100")
    assert (over.at.date(), over.expected) == ((START + 5 * DAY).date(), 66 * DOLLAR)


def test_a_threshold_resolves_with_its_margin_and_waits_for_its_time() -> None:
    line, span = [1, 20, 30, 9, 4, 1], TimeRange(START, START + 6 * HOUR)
    (fired,) = windows(threshold(margin=5), span, {(): line})
    assert (fired.at, fired.until) == (START + 2 * HOUR, START + 5 * HOUR)
    assert fired.saved == 20 * DOLLAR
    assert windows(threshold(margin=5, for_minutes=240), span, {(): line}) == []
    (later,) = windows(threshold(margin=5, for_minutes=120), span, {(): line})
    assert later.at == START + 3 * HOUR


def test_a_spike_and_an_anomaly_fire_and_end() -> None:
    line = [50 + 10 * (n % 24 > 8) + n % 3 for n in range(20 * 24)]
    at, span = START + 15 * DAY, TimeRange(START + 10 * DAY, SPAN.end)
    line[15 * 24] = 400
    spike = compile_rule(schema.SpendSpike(id="s", name="S"), "acme")
    (one,) = windows(spike, span, {(): line})
    assert (one.at, one.until) == (at + HOUR, at + 2 * HOUR)
    odd = compile_rule(schema.Anomaly(id="a", name="A"), "acme")
    (two,) = windows(odd, span, {(): line})
    assert (two.at, two.until) == (at + HOUR, at + 3 * HOUR)


def test_what_a_tenant_had_before_a_scope_began_is_the_history_of_its_first_window() -> None:
    spike = compile_rule(schema.SpendSpike(id="s", name="S"), "acme")
    line, span = [0] * 47 + [400], TimeRange(START, START + 48 * HOUR)
    (one,) = windows(spike, span, {(): line})
    assert (one.at, one.expected) == (span.end, 0)
    young = [START + n * HOUR for n in (45, 46, 47)]
    assert windows(spike, span, {(): line}, alive=young) == []  # the tenant itself is too young


def test_newcomers_and_silences_are_found_in_the_past() -> None:
    new = compile_rule(schema.NewSpender(id="n", name="N", group_by=("sku",), days=5), "acme")
    days: dict[Values, list[int]] = {("old",): [1] * 20, ("x",): [2 * (n in (6, 7, 17)) for n in range(20)]}
    found = windows(new, SPAN, days, length=DAY)
    assert [(one.scope["sku"], one.at) for one in found] == [
        (("x",), START + 7 * DAY), (("x",), START + 18 * DAY),
    ]  # fmt: skip
    quiet = compile_rule(schema.Silence(id="q", name="Q", minutes=60), "acme")
    minutes = [START + n * timedelta(minutes=30) for n in range(10)] + [START + 10 * HOUR]
    loaded = Loaded([], grain_length("minute"), {}, minutes={(): minutes})
    first, last = run(quiet, TimeRange(START, START + 12 * HOUR), loaded)
    assert (first.at, first.until) == (
        START + timedelta(hours=5, minutes=30),
        START + timedelta(hours=10, minutes=1),
    )
    assert (last.at, last.until) == (START + 11 * HOUR, None)


def test_thresholds_and_budgets_judge_a_series() -> None:
    rows = [(START + n * HOUR, value) for n, value in enumerate([1.0, 12.0, None, 3.0])]
    points = list(on_series(threshold(), rows))
    assert [(p.fired, p.judged.status) for p in points] == [
        (False, "normal"), (True, "anomaly"), (False, "missing"), (False, "normal"),
    ]  # fmt: skip
    assert points[1].judged.score > 0.5 > points[0].judged.score
    low = list(on_series(threshold(above=None, below=2), rows))
    assert [p.fired for p in low] == [True, False, False, False]
    spent = list(on_series(budget(amount=10, thresholds=[50, 100]), rows))
    assert [p.fired for p in spent] == [False, True, False, False]
    assert (spent[0].judged.upper, spent[3].judged.upper) == (5.0, None)


@pytest.mark.parametrize(
    "terms",
    [
        {},
        {"for_minutes": 120},
        {"margin": 5},
        {"for_minutes": 120, "margin": 5},
        {"keep_firing_minutes": 120, "margin": 5},
    ],
)
def test_a_threshold_fires_as_often_on_a_series_as_on_the_ledger(terms: dict[str, object]) -> None:
    line = [1, 20, 30, 9, 12, 8, 4, 1, 15, 1, 40, 41, 42, 9, 9, 1, 11, 1, 11, 1, 1]
    rule, end = threshold(**terms), START + len(line) * HOUR
    on_ledger = windows(rule, TimeRange(START, end), {(): line})
    rows = [(START + n * HOUR, float(value)) for n, value in enumerate(line)]
    on_values = [point.judged.at + HOUR for point in on_series(rule, rows) if point.fired]
    assert [one.at for one in on_ledger] == on_values
    expected = {
        (): 6,
        ("for_minutes",): 2,
        ("margin",): 5,
        ("for_minutes", "margin"): 2,
        ("keep_firing_minutes", "margin"): 2,
    }
    assert len(on_values) == expected[tuple(terms)]


def test_a_kind_that_cannot_be_tried_on_the_past_says_so() -> None:
    rule = KINDS["price_change"].compile(schema.PriceChange(id="p", name="P"), "acme")
    with pytest.raises(NotPossibleError, match="p cannot be tried on the past: the past does not say"):
        Backtest(None).run(rule, SPAN)  # type: ignore[arg-type]


MINUTE = timedelta(minutes=1)


@pytest.mark.parametrize("every", [20, 60, 180, 1440])
def test_steady_spending_in_batches_is_no_spike_and_a_real_one_is(every: int) -> None:
    spike = compile_rule(schema.SpendSpike(id="s", name="S", grain="minute"), "acme")
    days = 12 if every == 1440 else 4
    line = [5 if n % every == 0 else 0 for n in range(days * 1440)]
    span = TimeRange(START, START + len(line) * MINUTE)
    first = [START + n * MINUTE for n, cost in enumerate(line) if cost]  # a tenant of its own
    assert windows(spike, span, {(): line}, length=MINUTE, alive=first) == []
    line[(days - 1) * 1440] = 50
    (one,) = windows(spike, span, {(): line}, length=MINUTE, alive=first)
    assert one.at == START + ((days - 1) * 1440 + 1) * MINUTE
