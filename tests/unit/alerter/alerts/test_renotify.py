"""What still fires is notified again, unless somebody acknowledged it."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from tests.support.alert_rules import budget
from tests.support.alerts import alert

from outlay_alerter.alerts.states import AlertRecord, Finding, RenotifyPolicy, transitions
from outlay_alerter.alerts.user_actions import action_changes
from outlay_alerter.rules import budget as budgets
from outlay_alerter.rules.budget import Spent
from outlay_reports.budgets import budget_period
from outlay_schemas.alerts import AlertAction

DOLLAR = 10**12
NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)


def test_a_firing_alert_is_sent_again_but_an_acknowledged_one_is_not() -> None:
    plan = budget()
    found = budgets.findings(plan, budget_period(plan, NOW), Spent(100 * DOLLAR))
    key = found[0].key
    day, sent = timedelta(hours=24), NOW - timedelta(hours=25)

    def again(state: str, rule: RenotifyPolicy, sent_at: datetime = sent) -> list[int]:
        known = {key.id(): AlertRecord(key.id(), "b", state, 3, key.window, sent_at)}  # type: ignore[arg-type]
        return [change.seq for change in transitions(found, known, rule)]

    assert again("firing", RenotifyPolicy(NOW, day)) == [4]
    assert again("firing", RenotifyPolicy(NOW, day), NOW - timedelta(hours=23)) == []
    assert again("firing", RenotifyPolicy(NOW)) == []
    assert again("acknowledged", RenotifyPolicy(NOW, day)) == []
    assert again("firing", RenotifyPolicy(NOW, day, {"b": NOW + day})) == []
    assert again("firing", RenotifyPolicy(NOW, None, {"b": NOW - timedelta(hours=1)})) == [4]
    assert again("firing", RenotifyPolicy(NOW, None, {"b": sent - day})) == []


def test_an_alert_that_gets_worse_is_sent_at_once_and_one_that_gets_better_is_not() -> None:
    (first, *_) = budgets.findings(budget(), budget_period(budget(), NOW), Spent(100 * DOLLAR))
    for severity, now, expected in (
        ("warning", "critical", ["firing"]),
        ("critical", "critical", []),
        ("critical", "warning", []),
    ):
        shown = alert(severity=severity)
        known = AlertRecord(first.key.id(), "b", "firing", 1, first.key.window, NOW, alert=shown)
        found = replace(first, severity=now)  # type: ignore[arg-type] # one of the three
        assert [one.state for one in transitions([found], {known.id: known})] == expected


def test_an_acknowledged_alert_resolves_and_fires_again() -> None:
    plan = budget()
    span = budget_period(plan, NOW)
    low = budgets.findings(plan, span, Spent(1))
    known = AlertRecord(low[0].key.id(), "b", "acknowledged", 2, span.start)
    (over,) = transitions(low, {known.id: known})
    assert (over.state, over.seq) == ("resolved", 3)
    assert ZoneInfo("UTC") == plan.zone


def test_an_acknowledgement_from_before_a_reminder_counts_and_one_from_before_it_got_worse_does_not() -> None:
    """The reminder may be decided while the acknowledgement is written: the person was answered "acknowledged"."""
    plan = budget()
    (found, *_) = budgets.findings(plan, budget_period(plan, NOW), Spent(100 * DOLLAR))
    fired, minute = NOW - timedelta(hours=25), timedelta(minutes=1)
    first = alert(severity="critical", at=fired, fired_at=fired)
    known = AlertRecord(found.key.id(), "b", "firing", 1, found.key.window, fired, alert=first)
    ack = AlertAction("acme", known.id, "acknowledged", NOW - minute)

    def covered(then: Finding) -> bool:
        [change] = transitions([then], {known.id: known}, RenotifyPolicy(NOW, timedelta(hours=24)))
        shown = alert(severity=then.severity, at=NOW, fired_at=change.fired_at(NOW))
        after = replace(known, seq=2, decided_at=NOW, alert=shown)
        return bool(action_changes([ack], {after.id: after}, NOW + minute))

    assert covered(replace(found, severity="critical"))
    known = replace(known, alert=alert(severity="warning", at=fired, fired_at=fired))
    assert not covered(replace(found, severity="critical"))
    first_time = transitions([found], {})[0]
    assert first_time.fired_at(NOW) == NOW
