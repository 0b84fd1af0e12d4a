"""The state machine: what is pending, what is calm, what people said, and what the end of a period brings."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from outlay_alerter.alerts.states import (
    AlertRecord,
    Finding,
    Key,
    RenotifyPolicy,
    Transition,
    open_alerts,
    open_since,
    transitions,
)
from outlay_alerter.alerts.user_actions import action_changes, expectations, snoozes
from outlay_alerter.rules.watch import Watch
from outlay_schemas.alerts import AlertAction

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
KEY = Key("acme", "r", {"team": ("growth",)}, NOW, "above")
MINUTE = timedelta(minutes=1)


def finding(*, breached: bool, hold: int = 0, calm: int = 0, key: Key = KEY) -> Finding:
    rule = Watch(type="threshold", id="r", name="R", tenant="acme", hold=hold * MINUTE, calm=calm * MINUTE)
    return Finding(rule, key, breached, "warning", "t", "s", 1)


@dataclass
class Machine:
    """A store, a clock, and what people said."""

    now: datetime = NOW
    known: dict[str, AlertRecord] = field(default_factory=dict)
    words: list[AlertAction] = field(default_factory=list)
    calm: dict[str, datetime] = field(default_factory=dict)

    def say(self, say: str, until: datetime | None = None) -> None:
        self.words.append(AlertAction("acme", KEY.id(), say, self.now, until, "a launch", "kim"))  # type: ignore[arg-type]

    def turn(self, found: Finding, minutes: int = 0) -> list[str]:
        """Let time pass, evaluate, and return what changed."""
        self.now += minutes * MINUTE
        sent: list[str] = []
        for change in action_changes(self.words, self.known, self.now):
            one = change.record
            sent.append(change.state + ("" if one.notified else " silently"))
            self.known[one.id] = AlertRecord(
                one.id, "r", change.state, one.seq + 1, one.window, self.now, one.notified, one.line
            )
        again = RenotifyPolicy(
            self.now, None, snoozes(self.words, self.known), expectations(self.words, self.known), self.calm
        )  # fmt: skip
        for step in transitions([found], self.known, again):
            sent.append(step.state + (" silently" if step.silent else ""))
            self.known[step.id] = AlertRecord(
                step.id, "r", step.state, step.seq, found.key.window, self.now,
                step.notified(()), found.key.line(),
            )  # fmt: skip
        return sent


def test_what_must_last_is_pending_until_it_did() -> None:
    machine, bad, good = Machine(), finding(breached=True, hold=10), finding(breached=False, hold=10)
    assert machine.turn(bad) == ["pending silently"]
    assert machine.turn(bad, 9) == []
    assert machine.turn(bad, 1) == ["firing"]
    assert machine.turn(good, 1) == ["resolved"]
    assert machine.turn(bad, 1) == ["pending silently"]
    assert machine.turn(good, 1) == ["resolved silently"]


def test_what_goes_and_comes_within_its_calm_time_is_one_alert() -> None:
    machine, bad, good = Machine(), finding(breached=True, calm=30), finding(breached=False, calm=30)
    assert machine.turn(bad) == ["firing"]
    assert machine.turn(good, 5) == []
    assert machine.turn(good, 29) == []
    assert machine.turn(bad, 0) == []
    assert machine.turn(good, 10) == []
    assert machine.turn(good, 29) == []
    assert machine.turn(good, 1) == ["resolved"]


def test_what_somebody_has_in_hand_is_so_until_it_is_over() -> None:
    machine, bad, good = Machine(), finding(breached=True), finding(breached=False)
    machine.turn(bad)
    machine.say("acknowledged")
    assert machine.turn(bad, 1) == ["acknowledged"]
    assert machine.turn(bad, 1) == []
    assert machine.turn(good, 1) == ["resolved"]
    assert machine.turn(bad, 1) == ["firing"]  # another time: no one acknowledged that


def test_what_is_expected_is_over_and_does_not_fire_again_for_the_same() -> None:
    machine, bad, good = Machine(), finding(breached=True), finding(breached=False)
    machine.turn(bad)
    machine.say("expected")
    assert machine.turn(bad, 1) == ["expected"]
    assert machine.turn(bad, 99) == []
    assert open_since(open_alerts("r", machine.known), bad.watch, KEY.scope, "above") == NOW  # it lasts
    assert machine.turn(good, 1) == ["resolved silently"]
    later = finding(breached=True, key=Key("acme", "r", KEY.scope, NOW + timedelta(days=1), "above"))
    assert machine.turn(later, 1440) == ["firing"]


def test_what_is_expected_for_a_time_is_so_in_every_window_until_then() -> None:
    machine, bad, good = Machine(), finding(breached=True), finding(breached=False)
    machine.turn(bad)
    machine.say("expected", NOW + timedelta(hours=30))
    assert machine.turn(bad, 1) == ["expected"]
    assert machine.turn(good, 1) == ["resolved silently"]
    later = finding(breached=True, key=Key("acme", "r", KEY.scope, NOW + timedelta(days=1), "above"))
    assert machine.turn(later, 1440) == []
    assert machine.turn(later, 360) == ["firing"]
    other = finding(breached=True, key=Key("acme", "r", {"team": ("data",)}, NOW, "above"))
    assert machine.turn(other) == ["firing"]


def test_what_was_expected_and_is_taken_back_fires() -> None:
    machine, bad = Machine(), finding(breached=True)
    machine.turn(bad)
    machine.say("expected")
    machine.turn(bad, 1)
    machine.say("expected", machine.now)
    machine.words.pop(0)
    assert machine.turn(bad, 1) == ["firing"]


def test_the_end_of_its_period_ends_an_alert_once() -> None:
    machine, bad = Machine(), finding(breached=True)
    machine.turn(bad)
    (one,) = machine.known.values()
    over = AlertRecord(one.id, "r", "firing", 1, NOW, NOW, until=NOW)
    (change,) = action_changes([], {one.id: over}, NOW)
    assert (change.state, change.fact) == ("ended", ("ended", "its period is over"))
    machine.known[one.id] = AlertRecord(one.id, "r", "ended", 2, NOW, NOW, until=NOW)
    assert machine.turn(bad, 1) == []
    assert machine.turn(finding(breached=False), 1) == ["resolved silently"]


@given(
    st.lists(st.tuples(st.booleans(), st.integers(0, 40), st.sampled_from(["", "acknowledged", "expected"])))
)
def test_messages_have_ids_of_their_own_and_an_end_follows_a_beginning(
    turns: Sequence[tuple[bool, int, str]],
) -> None:
    machine, sent, seq = Machine(), list[str](), 0
    for breached, minutes, say in turns:
        if say:
            machine.say(say)
        sent += machine.turn(finding(breached=breached, hold=10, calm=20), minutes)
        assert all(known.seq >= seq for known in machine.known.values())
        seq = max((known.seq for known in machine.known.values()), default=0)
    assert seq == len(sent)
    loud = [state for state in sent if "silently" not in state]
    ends = ("resolved", "expected")
    for state, following in pairwise(loud):
        assert not (state in ends and following in ends and "firing" not in (state, following))


def test_a_transition_knows_whether_people_heard() -> None:
    found = finding(breached=True)
    assert Transition(KEY.id(), 1, "firing", found).notified(())
    assert not Transition(KEY.id(), 1, "pending", found).notified(())
    known = AlertRecord(KEY.id(), "r", "firing", 1, NOW, notified=False)
    assert not Transition(KEY.id(), 2, "acknowledged", found, known).notified(())
