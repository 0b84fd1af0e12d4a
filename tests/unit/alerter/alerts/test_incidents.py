"""One cause is one incident: which alerts belong together, and what is news to a channel that knows it already."""

from collections.abc import Mapping
from datetime import datetime, timedelta

import msgspec
from hypothesis import given
from hypothesis import strategies as st
from tests.support.alerts import AT, alert

from outlay_alerter.alerts.incidents import SETTLE, groups, overlap, with_incidents
from outlay_alerter.alerts.states import AlertRecord, RenotifyPolicy, StoredState
from outlay_alerter.alerts.suppression import SuppressionContext
from outlay_alerter.alerts.user_actions import action_changes, expectations, snoozes
from outlay_alerter.notify.notification import SentAlert, UpdateKind, update_kind
from outlay_reports.incidents import incidents
from outlay_schemas.alerts import Alert, AlertAction, Incident


def spike(name: str, *, at: datetime = AT, severity: str = "warning", **scope: str) -> Alert:
    return alert(
        name, rule=f"rule-{name}", rule_type="spend_spike", level="spike", scope=scope, at=at, started_at=at,
        severity=severity, title=f"Title of {name}",
    )  # fmt: skip


def known_of(*alerts: Alert, **states: StoredState) -> dict[str, AlertRecord]:
    """Return alerts as the store has them."""
    return {
        a.id: AlertRecord(a.id, a.rule, states.get(a.id, a.state), 1, a.window, a.at, alert=a) for a in alerts
    }  # fmt: skip


def grouped(*alerts: Alert, known: Mapping[str, AlertRecord] | None = None) -> list[Alert]:
    return with_incidents(alerts, known or {}, {})


def incident(one: Alert) -> Incident:
    assert one.incident is not None
    return one.incident


def test_alerts_of_one_burst_are_one_incident_with_its_parts() -> None:
    found = grouped(
        spike("a", severity="critical", user="u-loop"), spike("b", team="growth"),
        alert("c", rule_type="budget_burn", scope={}), alert("d", rule_type="threshold", level="above", scope={}),
    )  # fmt: skip
    assert {incident(one).id for one in found} == {"a"}
    assert [part.id for part in incident(found[3]).parts] == ["a", "b", "c", "d"]
    assert {incident(one).severity for one in found} == {"critical"}


def test_scopes_that_have_nothing_in_common_are_incidents_of_their_own() -> None:
    found = grouped(
        spike("a", team="growth"), spike("b", team="data"), alert("c", rule_type="budget", scope={})
    )
    assert [incident(one).id for one in found] == ["a", "b", "a"]
    assert overlap(spike("a", team="growth"), spike("b", user="u-1"))
    assert not overlap(spike("a", team="growth", user="u-1"), spike("b", team="growth", user="u-2"))


def test_what_starts_after_the_settling_time_or_has_another_cause_is_by_itself() -> None:
    (first,) = grouped(spike("a"))
    late, soon = spike("b", at=AT + SETTLE + timedelta(seconds=1)), spike("c", at=AT + SETTLE)
    found = grouped(late, soon, known=known_of(first))
    assert [incident(one).id for one in found] == ["b", "a"]
    silent = alert("s", rule_type="silence", scope={}, unit="minutes")
    assert [incident(one).id for one in grouped(spike("a"), silent)] == ["a", "s"]
    assert not groups(alert(rule_type="threshold", level="above", unit="unpriced events"))
    assert not groups(alert(rule_type="threshold", level="below"))
    assert not groups(alert(rule_type="anomaly", facts={"direction": "down"}))


def test_an_incident_keeps_its_id_and_severity_until_all_of_its_parts_are_resolved() -> None:
    first, second = grouped(spike("a", severity="critical"), spike("b"))
    minute = timedelta(minutes=1)
    (over,) = grouped(
        msgspec.structs.replace(first, state="resolved", incident=None, at=AT + minute), known=known_of(first, second)
    )  # fmt: skip
    assert (incident(over).id, incident(over).state, incident(over).severity) == ("a", "firing", "critical")
    (end,) = grouped(
        msgspec.structs.replace(second, state="resolved", incident=None, at=AT + 2 * minute),
        known=known_of(over, second),
    )  # fmt: skip
    assert (incident(end).state, incident(end).severity) == ("resolved", "critical")
    assert [(part.id, part.state) for part in incident(end).parts] == [("a", "resolved"), ("b", "resolved")]
    (again,) = grouped(spike("a", at=AT + 3 * minute), known=known_of(over, end))
    assert incident(again).opened_at == AT + 3 * minute
    assert [part.id for part in incident(again).parts] == ["a"]


def test_a_death_between_message_and_state_does_not_change_the_incident() -> None:
    (first,) = grouped(spike("a"))
    found = with_incidents([spike("b", severity="critical"), spike("a")], {}, {"a": incident(first)})
    assert [incident(one).id for one in found] == ["b", "a"]


TIMES = st.lists(st.integers(0, 40), min_size=1, max_size=8)


@given(TIMES, st.permutations(["growth", "data", ""]))
def test_each_alert_is_in_one_incident_whose_id_is_that_of_its_opener(
    minutes: list[int], teams: list[str]
) -> None:
    known: dict[str, AlertRecord] = {}
    for n, minute in enumerate(sorted(minutes)):
        team = teams[n % 3]
        one = spike(f"a{n}", at=AT + timedelta(minutes=minute), **({"team": team} if team else {}))
        (found,) = with_incidents([one], known, {})
        assert one.id in [part.id for part in incident(found).parts]
        opener = known.get(incident(found).id)
        assert incident(found).id == one.id or (opener is not None and opener.incident == opener.id)
        known |= known_of(found)


def shown(*alerts: Alert) -> list[SentAlert]:
    return [SentAlert(one, incident(one), one.at) for one in alerts]


def test_what_joins_updates_and_what_is_worse_notifies() -> None:
    (first,) = grouped(spike("a"))
    assert update_kind([first], []) == "opened"
    minute = timedelta(minutes=1)
    cases: list[tuple[Alert, UpdateKind]] = [
        (spike("b", at=AT + minute), "updated"),
        (spike("c", at=AT + minute, severity="critical"), "escalated"),
        (spike("a", at=AT + minute), "updated"),
        (spike("a", at=AT + timedelta(hours=24)), "reminder"),
    ]
    for one, expected in cases:
        (found,) = grouped(one, known=known_of(first))
        assert update_kind([found], shown(first)) == expected


def test_the_last_part_that_resolves_resolves_and_the_others_update() -> None:
    first, second = grouped(spike("a"), spike("b"))
    (one,) = grouped(
        msgspec.structs.replace(first, state="resolved", at=AT + timedelta(minutes=1)), known=known_of(first, second)
    )  # fmt: skip
    assert update_kind([one], shown(first, second)) == "updated"
    (two,) = grouped(
        msgspec.structs.replace(second, state="resolved", at=AT + timedelta(minutes=2)), known=known_of(one, second)
    )  # fmt: skip
    assert update_kind([two], shown(first, second, one)) == "resolved"


def test_acknowledging_an_incident_covers_its_parts_and_what_joins_unless_it_is_worse() -> None:
    first, second = grouped(spike("a"), spike("b"))
    ack = AlertAction("acme", "a", "acknowledged", AT + timedelta(minutes=1))
    assert [h.record.id for h in action_changes([ack], known_of(first, second), AT)] == ["a", "b"]
    acked = known_of(first, second, a="acknowledged", b="acknowledged")
    later = AT + timedelta(minutes=2)
    (same,) = grouped(spike("c", at=later), known=acked)
    (worse,) = grouped(spike("d", at=later, severity="critical"), known=acked)
    assert [h.record.id for h in action_changes([ack], acked | known_of(same), later)] == ["c"]
    assert action_changes([ack], acked | known_of(worse), later) == []


def test_what_is_said_of_an_incident_does_not_hold_for_the_next_one_with_the_same_id() -> None:
    old = AlertAction("acme", "a", "expected", AT - timedelta(days=1))
    first, second = grouped(spike("a"), spike("b"))
    assert set(expectations([old], known_of(first, second))) == {"a"}
    new = AlertAction("acme", "a", "expected", AT + timedelta(minutes=1))
    assert set(expectations([new], known_of(first, second))) == {"a", "b"}


def test_an_action_on_a_later_part_is_an_action_on_its_incident() -> None:
    known, minute = known_of(*grouped(spike("a"), spike("b"))), timedelta(minutes=1)
    ack = AlertAction("acme", "b", "acknowledged", AT + minute)
    assert [change.record.id for change in action_changes([ack], known, AT)] == ["a", "b"]
    expected = AlertAction("acme", "b", "expected", AT + minute)
    assert [change.state for change in action_changes([expected], known, AT)] == ["expected", "expected"]
    assert set(expectations([expected], known)) == {"a", "b"}
    snooze = AlertAction("acme", "b", "snoozed", AT + minute, until=AT + timedelta(hours=4))
    assert snoozes([snooze], known) == dict.fromkeys("ab", AT + timedelta(hours=4))
    policy = RenotifyPolicy(AT + timedelta(days=2), timedelta(days=1), snoozes([snooze], known))
    assert policy.due(known["a"])
    policy = RenotifyPolicy(AT + 3 * minute, None, snoozes([snooze], known))
    assert not any(policy.due(one) for one in known.values())
    reasons = SuppressionContext(AT + 3 * minute, snoozes([snooze], known), incidents={"c": "a"})
    assert reasons.alone("c", "rule-c", {}) == "snoozed", "what joins the incident is snoozed, too"


def test_an_action_on_a_part_of_an_earlier_incident_says_nothing_about_this_one() -> None:
    known = known_of(*grouped(spike("a"), spike("b")))
    old = AlertAction("acme", "b", "acknowledged", AT - timedelta(days=1))
    assert action_changes([old], known, AT) == []
    assert list(snoozes([AlertAction("acme", "b", "snoozed", old.at, until=AT)], known)) == ["b"]


def test_of_two_actions_on_one_incident_the_newest_counts() -> None:
    known, later = known_of(*grouped(spike("a"), spike("b"))), AT + timedelta(hours=1)
    first = AlertAction("acme", "a", "snoozed", AT + timedelta(minutes=1), until=later)
    woken = AlertAction("acme", "b", "snoozed", AT + timedelta(minutes=2), until=AT)
    assert snoozes([woken, first], known)["a"] == AT


def test_a_list_shows_one_entry_for_each_incident_with_its_state() -> None:
    first, second, other = grouped(spike("a"), spike("b", severity="critical"), spike("c", team="x", at=AT))
    (third,) = grouped(spike("d", at=AT + timedelta(days=1)))
    found = incidents([(first, "acknowledged"), (second, "firing"), (other, "resolved"), (third, "expected")])
    assert [(one.id, one.state, one.open) for one in found] == [
        ("a", "firing", True), ("d", "expected", False),
    ]  # fmt: skip
    assert found[0].main.title == "Title of b"
    assert [title for _, title in found[0].text.parts] == [
        "critical: Title of b", "warning: Title of a (acknowledged)", "warning: Title of c (resolved)",
    ]  # fmt: skip
    again = msgspec.structs.replace(incident(first), opened_at=AT + timedelta(days=9))
    assert (
        len(incidents([(first, "resolved"), (msgspec.structs.replace(second, incident=again), "firing")]))
        == 2
    )
    assert min(found, key=lambda one: one.order).id == "a"


def test_lists_show_open_incidents_first_then_the_most_severe_then_the_newest() -> None:
    warning, newer = (spike(name, at=AT + timedelta(minutes=n)) for n, name in enumerate("ab"))
    worst, over = spike("c", severity="critical"), spike("d", severity="critical")
    stored = [(warning, "firing"), (over, "resolved"), (worst, "firing"), (newer, "firing")]
    assert [one.id for one in incidents(stored)] == ["c", "b", "a", "d"]


def test_as_many_alerts_are_counted_as_are_listed() -> None:
    """No one was notified of the levels of a budget that were passed at once: texts do not list them."""
    quiet = [
        msgspec.structs.replace(spike(name), facts={"quiet": "a higher level was passed"}) for name in "cd"
    ]
    found = grouped(spike("a"), spike("b"), *quiet)
    [one] = incidents([(each, "firing") for each in found])
    assert (one.count, len(one.text.parts), len(one.alerts)) == (2, 2, 4)
    [alone] = incidents([(each, "firing") for each in grouped(spike("a"), *quiet)])
    assert (alone.count, len(alone.text.parts)) == (1, 0)


def test_of_a_budgets_levels_the_last_is_listed_and_counted() -> None:
    """53% and 101% of one budget in one message are a contradiction to whoever reads it."""
    minute = timedelta(minutes=1)
    half, full = (
        alert(name, rule="b", rule_type="budget", level=level, scope={}, at=at, title=f"{level}% used")
        for name, level, at in (("l", "50", AT), ("m", "100", AT + minute))
    )
    found = grouped(spike("a"), half, full)
    [one] = incidents([(each, "firing") for each in found])
    assert [line for _, line in one.text.parts] == ["warning: Title of a", "warning: 100% used"]
    assert (one.count, len(one.alerts)) == (2, 3)
