"""Thresholds on any measure, new spenders, silences."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction

import pytest
from pydantic import ValidationError
from tests.support.alert_rules import threshold

from outlay_alerter.alerts.states import AlertRecord, Finding, Key, RenotifyPolicy, transitions
from outlay_alerter.rules import new_spender, price_change, silence
from outlay_alerter.rules import threshold as thresholds
from outlay_alerter.rules.base import Measure, Total, Windows
from outlay_alerter.rules.threshold import Threshold
from outlay_alerter.rules.watch import compile_rule
from outlay_schemas.catalog import watch as schema

DOLLAR = 10**12
NOW = datetime(2026, 11, 24, 12, 30, tzinfo=UTC)
HOUR = NOW.replace(minute=0)
SCOPE = {"team": ("growth",)}


def judge(rule: Threshold, *series: Measure, since: dict[str, datetime] | None = None) -> list[Finding]:
    starts = [HOUR - timedelta(hours=n) for n in range(len(series) - 1, -1, -1)]
    windows = Windows(starts, timedelta(hours=1), {})
    opened = {Key("acme", "t", SCOPE, at, level).line(): at for level, at in (since or {}).items()}
    return thresholds.judge(rule, SCOPE, windows, series, over=NOW - timedelta(minutes=2), opened=opened)


def cost(dollars: float) -> Measure:
    return Measure(int(dollars * DOLLAR), 1)


@pytest.mark.parametrize(
    ("terms", "value"),
    [
        ({"metric": "cost"}, Fraction(5, 2)),
        ({"metric": "events"}, Fraction(4)),
        ({"metric": "unpriced_events"}, Fraction(1)),
        ({"metric": "unpriced_share"}, Fraction(25)),
        ({"metric": "estimated_events"}, Fraction(3)),
        ({"metric": "estimated_share"}, Fraction(75)),
        ({"metric": "cost_per_event"}, Fraction(5, 8)),
        ({"metric": "cache_hit_rate"}, Fraction(40)),
        ({"metric": "usage", "meter": "output_tokens"}, Fraction(7)),
        ({"metric": "usage", "meter": "nothing"}, Fraction(0)),
        ({"metric": "cost_per_event", "min_events": 5}, None),
    ],
)
def test_a_metric_is_exact(terms: dict[str, object], value: Fraction | None) -> None:
    meters = {"input_tokens": Decimal(1000), "cache_read_tokens": Decimal(400), "output_tokens": Decimal(7)}
    assert (
        thresholds.value_of(threshold(**terms), Measure(5 * DOLLAR // 2, 4, 1, meters, estimated=3)) == value
    )


def test_a_ratio_of_nothing_says_nothing() -> None:
    for metric in ("unpriced_share", "estimated_share", "cost_per_event", "cache_hit_rate"):
        assert thresholds.value_of(threshold(metric=metric), Measure()) is None
    assert thresholds.value_of(threshold(metric="cache_hit_rate"), Measure(0, 3)) is None
    assert thresholds.meters_of(threshold(metric="cache_hit_rate")) == ("cache_read_tokens", "input_tokens")
    assert thresholds.meters_of(threshold()) == ()


def test_too_much_fires_while_the_window_fills_and_resolves_when_one_is_over() -> None:
    rule = threshold()
    (found,) = judge(rule, cost(1), cost(1), cost(10.5))
    assert (found.breached, found.key.window, found.key.level) == (True, HOUR, "above")
    assert found.title == "T: team growth at $10.50 in one hour, above the limit of $10.00"
    assert judge(rule, cost(1), cost(1), cost(10)) == []
    began = {"above": HOUR - timedelta(hours=1)}
    (lasts,) = judge(rule, cost(1), cost(12), cost(2), since=began)
    assert (lasts.breached, lasts.key.window) == (True, began["above"])  # this hour is not over
    (over,) = judge(rule, cost(12), cost(2), cost(0), since={"above": HOUR - timedelta(hours=2)})
    assert (over.breached, over.actual) == (False, 2 * DOLLAR)


def test_too_little_fires_only_for_a_window_that_is_over() -> None:
    rule = threshold(metric="events", above=None, below=2)
    full = Measure(0, 5)
    assert judge(rule, full, full, Measure()) == []
    (found,) = judge(rule, full, Measure(0, 1), full)
    assert (found.breached, found.key.level, found.unit) == (True, "below", "events")
    assert found.actual == 10**12


def test_a_rule_may_have_both_sides() -> None:
    rule = threshold(metric="cache_hit_rate", above=90, below=30)
    low = Measure(0, 9, 0, {"input_tokens": Decimal(100), "cache_read_tokens": Decimal(10)})
    (found,) = judge(rule, low, low, low)
    assert "at 10% of input tokens from the cache in one hour, below the limit of 30%" in found.title


def test_a_threshold_needs_a_side_and_usage_a_meter() -> None:
    with pytest.raises(ValidationError, match="above or below"):
        threshold(above=None)
    with pytest.raises(ValidationError, match="needs a meter"):
        threshold(metric="usage")
    with pytest.raises(ValidationError, match="needs a meter"):
        threshold(meter="output_tokens")


def test_who_spends_for_the_first_time_is_new_for_two_days() -> None:
    rule = compile_rule(schema.NewSpender(id="n", name="N", group_by=("sku",)), "acme")
    day = NOW.replace(hour=0, minute=0)
    found = new_spender.judge(rule, {"sku": ("gpt-6",)}, first=day, spent=Total(3 * DOLLAR), now=NOW)
    assert found is not None
    assert found.title == "N: sku gpt-6 spends for the first time, $3.00 so far"
    assert found.key.window == day
    assert new_spender.judge(rule, SCOPE, first=day, spent=Total(DOLLAR - 1), now=NOW) is None
    assert new_spender.judge(rule, SCOPE, first=day - timedelta(days=2), spent=Total(DOLLAR), now=NOW) is None


def test_who_falls_silent_is_missed_until_it_is_back() -> None:
    rule = compile_rule(schema.Silence(id="s", name="S", minutes=30), "acme")
    last = NOW - timedelta(minutes=30)
    found = silence.judge(rule, SCOPE, last=last, now=NOW, begun=None)
    assert found is not None
    assert (found.breached, found.key.window) == (True, last)
    assert silence.judge(rule, SCOPE, last=last + timedelta(minutes=1), now=NOW, begun=None) is None
    back = silence.judge(rule, SCOPE, last=NOW, now=NOW, begun=last)
    assert back is not None
    assert (back.breached, back.key.id()) == (False, found.key.id())
    still = silence.judge(rule, SCOPE, last=last, now=NOW + timedelta(hours=1), begun=last)
    assert still is not None
    assert still.key.id() == found.key.id()


def test_a_price_change_fires_once_before_it_comes() -> None:
    rule = compile_rule(schema.PriceChange(id="p", name="Price", days=10, min_usd=Decimal(2)), "acme")
    at = datetime(2026, 12, 1, tzinfo=UTC)

    def found(extra: int, now: datetime, *, whole: bool = True) -> Finding | None:
        one = price_change.Announced("openai", "gpt-6", at, 10 * DOLLAR, (10 + extra) * DOLLAR, whole)
        return price_change.judge(rule, one, now)

    assert found(5, NOW - timedelta(days=4)) is None  # too early
    assert found(5, at) is None  # it is there
    assert found(1, NOW) is None  # too little
    finding = found(5, NOW)
    assert finding is not None
    assert finding.title == "Price: gpt-6 changes on 2026-12-01: +$5.00 at your last 30 days"
    assert (finding.key.window, finding.once, finding.parts) == (at, True, (("price", 5 * DOLLAR),))
    cheaper = found(-5, NOW, whole=False)
    assert cheaper is not None
    assert "about -$5.00" in cheaper.title
    assert cheaper.key.id() == finding.key.id()
    known = {finding.key.id(): AlertRecord(finding.key.id(), "p", "firing", 1, at, NOW - timedelta(days=9))}
    assert transitions([finding], known, RenotifyPolicy(NOW, timedelta(days=1))) == []


def test_a_price_change_out_of_scope_does_not_fire() -> None:
    rule = compile_rule(
        schema.PriceChange.model_validate({"id": "p", "name": "P", "scope": {"sku": "x"}}), "acme"
    )
    one = price_change.Announced("openai", "gpt-6", NOW + timedelta(days=1), DOLLAR, 9 * DOLLAR, whole=True)
    assert price_change.judge(rule, one, NOW) is None


def test_a_monthly_job_is_no_new_spender_by_default() -> None:
    assert schema.NewSpender(id="n", name="N", group_by=("sku",)).days > 31
