"""One cause is one message: which alerts are suppressed, why, and when they are sent after all."""

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from tests.support.alert_rules import budget, landing

from outlay_alerter.alerts.states import AlertRecord, Finding, Key, transitions
from outlay_alerter.alerts.suppression import SuppressionContext, muted, suppressed, unnotified
from outlay_alerter.rules import budget as budgets
from outlay_alerter.rules.base import Total
from outlay_alerter.rules.budget import Spent
from outlay_alerter.rules.watch import Budget, compile_rule, within
from outlay_reports.budgets import budget_period
from outlay_schemas.catalog import watch as schema

DOLLAR = 10**12
NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
REASONS = SuppressionContext(NOW)


def crossed(plan: Budget, dollars: int) -> list[Finding]:
    return budgets.findings(plan, budget_period(plan, NOW), Spent(dollars * DOLLAR))


def suppressed_ids(
    found: list[Finding], reasons: SuppressionContext, known: dict[str, AlertRecord] | None = None
) -> list[str]:
    """Return rule and level of the suppressed alerts."""
    why = suppressed(found, transitions(found, known or {}), known or {}, reasons)
    return [f"{f.key.rule} {f.key.level}" for f in found if f.key.id() in why]


def test_of_the_thresholds_that_one_jump_crosses_people_hear_the_highest() -> None:
    plan = budget(thresholds=[50, 80, 100, 200], forecast_thresholds=[80, 100])
    spent = Spent(120 * DOLLAR, landing=landing(120, 10))
    found = budgets.findings(plan, budget_period(plan, NOW), spent)
    assert suppressed_ids(found, REASONS) == ["b 50", "b 80", "b forecast-80"]
    assert len(transitions(found, {})) == 5


def test_a_burn_rate_is_not_suppressed_by_a_threshold() -> None:
    plan = budget(burn=[{"hours": 1, "rate": 2}])
    spent = Spent(120 * DOLLAR, burns=((Total(100 * DOLLAR), Total(10 * DOLLAR)),))
    assert suppressed_ids(budgets.findings(plan, budget_period(plan, NOW), spent), REASONS) == []


def test_a_snoozed_alert_is_decided_and_not_sent() -> None:
    found = crossed(budget(), 100)
    for target in (found[0].key.id(), "b"):
        assert suppressed_ids(found, SuppressionContext(NOW, {target: NOW + timedelta(hours=1)})) == ["b 100"]
        assert suppressed_ids(found, SuppressionContext(NOW, {target: NOW})) == []


def mute(**terms: object) -> SuppressionContext:
    return SuppressionContext(NOW, mutes=[schema.MuteTimeInterval.model_validate({"id": "m", **terms})])


@pytest.mark.parametrize(
    ("terms", "on"),
    [
        ({"days": ["tue"]}, True),
        ({"days": ["wed"]}, False),
        ({"between": ["11:00", "13:00"]}, True),
        ({"between": ["13:00", "14:00"], "timezone": "Europe/Berlin"}, True),
        ({"between": [1320, "12:30"]}, True),  # 22:00 as YAML 1.1 reads it
        ({"between": ["22:00", "12:30"], "days": ["mon"]}, True),  # it began yesterday
        ({"between": ["22:00", "12:30"], "days": ["tue"]}, False),
        ({"to": "2026-11-24T12:00:00Z"}, False),
        ({"from": "2026-11-24", "to": "2026-11-25"}, True),
        ({"days": ["tue"], "rules": "b"}, True),
        ({"days": ["tue"], "rules": ["c"]}, False),
        ({"days": ["tue"], "scope": {"team": "growth"}}, False),  # the alert is of more than that
    ],
)
def test_a_mute_window_is_kept_by_the_clocks_of_its_zone(terms: dict[str, object], *, on: bool) -> None:
    assert suppressed_ids(crossed(budget(), 100), mute(**terms)) == (["b 100"] if on else [])


def test_a_mute_covers_what_lies_within_it() -> None:
    plan = budget(scope={"team": ["growth"], "sku": ["a", "b"]})
    assert suppressed_ids(crossed(plan, 100), mute(days=["tue"], scope={"sku": ["a", "b", "c"]})) == ["b 100"]
    assert suppressed_ids(crossed(plan, 100), mute(days=["tue"], scope={"sku": "a"})) == []


def test_a_mute_over_midnight_follows_the_clocks_through_their_change() -> None:
    named = {"id": "m", "between": ["01:30", "03:30"], "timezone": "Europe/Berlin", "days": ["sun"]}
    night = schema.MuteTimeInterval.model_validate(named)
    on = [
        n for n in range(24) if muted(night, datetime(2026, 10, 25, tzinfo=UTC) + timedelta(minutes=15 * n))
    ]
    assert (on[0], on[-1]) == (0, 9)  # 01:30 CEST, which is before, to 03:30 CET: three hours
    assert night.between == (time(1, 30), time(3, 30))


def test_a_mute_must_end_some_time() -> None:
    with pytest.raises(ValueError, match="would never end"):
        schema.MuteTimeInterval.model_validate({"id": "m", "rules": "b"})


def test_a_muted_alert_that_still_fires_is_sent_when_the_mute_ends() -> None:
    found = crossed(budget(), 100)
    (change,) = transitions(found, {})
    assert not change.notified({change.id})
    known = {change.id: AlertRecord(change.id, "b", "firing", 1, NOW, NOW, notified=False)}
    again = suppressed(found, [], known, mute(days=["tue"]))
    assert unnotified(found, [], known, again) == []
    (sent,) = unnotified(found, [], known, {})
    assert (sent.seq, sent.state, sent.notified({})) == (2, "firing", True)
    over = crossed(budget(), 1)
    (end,) = transitions(over, known)
    assert suppressed(over, [end], known, REASONS) == {end.id: "no one was notified that it fired"}
    heard = {change.id: AlertRecord(change.id, "b", "firing", 2, NOW, NOW)}
    (end,) = transitions(over, heard)
    assert (
        suppressed(over, [end], heard, mute(days=["tue"])) == {}
    )  # people heard of it: they hear of its end


WHOLE = budget(id="whole", amount=1000)
TEAM = budget(id="team", amount=100, scope={"team": "growth"})


def test_a_budget_is_quiet_where_the_one_around_it_crosses_for_the_same_cause() -> None:
    both = crossed(WHOLE, 1050) + crossed(TEAM, 200)  # without the team's 100 too much it would be 950
    assert suppressed_ids(both, REASONS) == ["team 100"]
    two = crossed(WHOLE, 1500) + crossed(TEAM, 200)  # others are too much, too
    assert suppressed_ids(two, REASONS) == []
    asleep = SuppressionContext(NOW, {"whole": NOW + timedelta(hours=1)})
    assert suppressed_ids(both, asleep) == ["whole 100"]  # somebody must hear of it
    assert suppressed_ids(crossed(WHOLE, 900) + crossed(TEAM, 200), REASONS) == []


def test_budgets_of_other_periods_and_lesser_alerts_hush_nothing() -> None:
    daily = budget(id="team", amount=100, scope={"team": "growth"}, period="day")
    both = crossed(WHOLE, 1050) + crossed(daily, 200)
    assert suppressed_ids(both, REASONS) == []
    low = budget(id="whole", amount=1000, thresholds=[80])
    both = crossed(low, 850) + crossed(TEAM, 200)
    assert suppressed_ids(both, REASONS) == []


def test_a_rule_may_name_what_it_depends_on() -> None:
    terms = {
        "id": "t",
        "name": "T",
        "metric": "cost",
        "above": 1,
        "depends_on": "whole",
        "group_by": ["team"],
    }
    rule = compile_rule(schema.Threshold.model_validate(terms), "acme")
    key = Key("acme", "t", {"team": ("growth",)}, NOW, "above")
    found = Finding(rule, key, True, "warning", "", "", 1)
    assert suppressed_ids([*crossed(WHOLE, 1050), found], REASONS) == ["t above"]
    assert suppressed_ids([found], REASONS) == []
    fires = {"w": AlertRecord("w", "whole", "firing", 1, NOW)}
    assert suppressed_ids([found], REASONS, fires) == ["t above"]
    other = {"w": AlertRecord("w", "whole", "firing", 1, NOW, scope={"team": ("data",)})}
    assert suppressed_ids([found], REASONS, other) == []


def test_scopes_lie_within_each_other() -> None:
    assert within({"a": ("1",), "b": ("2",)}, {"a": ("1", "3")})
    assert not within({"a": ("1", "4")}, {"a": ("1", "3")})
    assert not within({}, {"a": ("1",)})
    assert within({"a": ("1",)}, {})
    assert ZoneInfo("UTC") == WHOLE.zone
