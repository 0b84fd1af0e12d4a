"""Retries by the schedule of the specification; a storm is sent together, under an id that stays."""

from itertools import pairwise

from tests.support.alerts import waiting

from outlay_alerter.notify.notification import (
    MAX_BATCH,
    MAX_SEPARATE,
    RETRY_DELAYS,
    group_messages,
    next_delay,
)


def test_the_schedule_is_that_of_standard_webhooks_and_ends() -> None:
    waits = [next_delay(attempt, None, 0.0) for attempt in range(1, 11)]
    assert waits == [5, 300, 1800, 7200, 18_000, 36_000, 50_400, 72_000, 86_400, None]


def test_waits_are_spread() -> None:
    assert next_delay(1, None, 0.0) == 5
    assert next_delay(1, None, 1.0) == 6


def test_a_receiver_that_asks_for_time_gets_it_but_not_for_ever() -> None:
    assert next_delay(1, 90.0, 0.5) == 90
    assert next_delay(2, 90.0, 0.0) == 300
    assert next_delay(1, 1e12, 0.0) == 86_400
    assert next_delay(len(RETRY_DELAYS) + 1, 90.0, 0.0) is None


def test_few_messages_are_sent_one_by_one() -> None:
    found, fresh = group_messages([waiting(f"a{n}") for n in range(MAX_SEPARATE)])
    names = [f"msg_a{n}_1" for n in range(MAX_SEPARATE)]
    assert [e.id for e in found] == names
    assert [message.batch_id for message in fresh] == names


def test_a_message_that_was_tried_keeps_its_id_though_more_of_its_incident_waits() -> None:
    (first,), (tried,) = group_messages([waiting("a1", incident="a1")])
    again, fresh = group_messages([tried, waiting("a2", incident="a1"), waiting("a3", incident="a1")])
    assert {len(e.messages): e.id == first.id for e in again} == {1: True, 2: False}
    assert [message.message_id for message in fresh] == ["msg_a2_1", "msg_a3_1"]


def test_many_messages_are_sent_as_one_for_each_tenant() -> None:
    storm = [waiting(f"a{n}") for n in range(1000)] + [
        waiting("b1", "beta"),
        waiting("c1", "c"),
        waiting("c2", "c"),
    ]
    found, fresh = group_messages(storm)
    assert sorted((len(e.messages), e.alerts[0].tenant) for e in found) == [
        (1, "beta"), (2, "c"), (1000, "acme"),
    ]  # fmt: skip
    assert len(fresh) == 1003
    assert {m.version for m in fresh} == {1}


def test_a_bundle_keeps_its_id_whatever_else_is_waiting_at_the_next_try() -> None:
    storm = [waiting(f"a{n}") for n in range(10)]
    (first,), fresh = group_messages(storm)
    again, more = group_messages([*reversed(fresh), waiting("late")])
    assert {e.id for e in again} == {first.id, "msg_late_1"}
    assert [message.batch_id for message in more] == ["msg_late_1"]
    assert first.attempt == 0


def test_one_message_holds_no_more_than_its_most() -> None:
    found, _ = group_messages([waiting(f"a{n}") for n in range(2 * MAX_BATCH + 1)])
    assert [len(e.messages) for e in found] == [MAX_BATCH, MAX_BATCH, 1]
    for left, right in pairwise(found):
        assert left.id != right.id
