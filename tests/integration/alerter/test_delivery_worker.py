"""Delivery workers and the outbox on the real engine, each failure by its name."""

from datetime import timedelta

import pytest
from tests.support.alerts import alert
from tests.support.fake_broker import FakeBroker, FakeSink
from tests.support.receiver import receiving
from tests.support.rollup_rows import NOW
from tests.support.scripted_channel import Scripted

from outlay_alerter.alerts.store import AlertUpdate, Store
from outlay_alerter.notify.channels.builtin import KafkaChannel
from outlay_alerter.notify.channels.webhook import Webhook
from outlay_alerter.notify.delivery_worker import DeliveryWorker
from outlay_alerter.notify.http_post import HttpPoster, read_networks
from outlay_alerter.notify.notification import RETRY_DELAYS, DeliveryResult, Notification
from outlay_kit.clickhouse import ClickHouseClient
from outlay_kit.clock import FakeClock
from outlay_schemas.topics import ALERTS

pytestmark = pytest.mark.stack


def decide(store: Store, *names: str, channels: tuple[str, ...] = ("webhook",)) -> None:
    store.decide([AlertUpdate(alert(name), 1, "firing") for name in names], channels)


def states(clickhouse: ClickHouseClient, channel: str = "webhook") -> list[tuple[str, str, int]]:
    rows = clickhouse.rows(
        "SELECT message_id, state, attempt FROM alert_outbox FINAL WHERE channel = {c:String} ORDER BY message_id",
        {"c": channel},
    )
    return [(row["message_id"], row["state"], row["attempt"]) for row in rows]


def test_a_receiver_that_is_away_is_tried_by_the_schedule_under_one_id_and_then_given_up(
    clickhouse: ClickHouseClient,
) -> None:
    store, clock = Store(clickhouse), FakeClock(NOW)
    channel = Scripted([DeliveryResult("retry", "answered 500", status=500)])
    worker = DeliveryWorker(channel, store.outbox, clock)
    decide(store, "a")
    waited = 0.0
    for attempt, seconds in enumerate([0.0, *RETRY_DELAYS], start=1):
        if seconds:
            clock.advance(seconds * 0.99)
            assert worker.turn() == 0, f"try {attempt} came too early"
            clock.advance(seconds * 0.22)
        waited += seconds
        assert worker.turn() == 1
        assert states(clickhouse)[0][2] == attempt
    assert states(clickhouse) == [("msg_a_1", "failed", 10)]
    assert {e.id for e in channel.sent} == {"msg_a_1"}
    clock.advance(10 * 86_400)
    assert worker.turn() == 0
    log = clickhouse.rows("SELECT outcome, status, reason, attempt FROM alert_deliveries ORDER BY attempt")
    assert [row["outcome"] for row in log] == ["retry"] * 9 + ["failed"]
    assert {row["reason"] for row in log} == {"answered 500"}


def test_the_outbox_knows_when_to_look_again(clickhouse: ClickHouseClient) -> None:
    store, clock = Store(clickhouse), FakeClock(NOW)
    worker = DeliveryWorker(Scripted([DeliveryResult("retry", "away", 120.0, 503)]), store.outbox, clock)
    assert store.outbox.next_due(worker.name) is None
    decide(store, "a")
    due = store.outbox.next_due(worker.name)
    assert due is not None
    assert due <= clock.now()
    worker.turn()
    again = store.outbox.next_due(worker.name)
    assert again is not None
    assert again >= NOW + timedelta(seconds=120)
    assert store.outbox.next_due("another") is None


def test_a_receiver_that_asks_for_time_is_left_alone_for_so_long(clickhouse: ClickHouseClient) -> None:
    store, clock = Store(clickhouse), FakeClock(NOW)
    channel = Scripted(
        [DeliveryResult("retry", "answered 429", 120.0, 429), DeliveryResult("sent", status=200)]
    )
    worker = DeliveryWorker(channel, store.outbox, clock)
    decide(store, "a")
    worker.turn()
    clock.advance(119)
    assert worker.turn() == 0
    clock.advance(2)
    assert worker.turn() == 1
    assert states(clickhouse) == [("msg_a_1", "sent", 2)]


def test_an_endpoint_that_is_gone_gets_nothing_more_until_its_address_changes(
    clickhouse: ClickHouseClient,
) -> None:
    store, clock = Store(clickhouse), FakeClock(NOW)
    channel = Scripted([DeliveryResult("disabled", "answered 410", status=410)])
    decide(store, "a", "b")
    DeliveryWorker(channel, store.outbox, clock).turn()
    assert len(channel.sent) == 1
    decide(store, "c")
    DeliveryWorker(channel, store.outbox, clock).turn()
    assert len(channel.sent) == 1
    assert [state for _, state, _ in states(clickhouse)] == ["failed", "failed", "failed"]
    moved = Scripted([DeliveryResult("sent", status=200)], target="https://example.org/new")
    decide(store, "d")
    DeliveryWorker(moved, store.outbox, clock).turn()
    assert states(clickhouse)[-1] == ("msg_d_1", "sent", 1)


def test_one_channel_that_fails_does_not_hold_up_another(clickhouse: ClickHouseClient) -> None:
    store, clock, broker = Store(clickhouse), FakeClock(NOW), FakeBroker()
    decide(store, "a", channels=("bus", "webhook"))
    broker.away = True
    good = Scripted([DeliveryResult("sent", status=200)])
    bus = DeliveryWorker(KafkaChannel(FakeSink(broker)), store.outbox, clock)
    assert (bus.turn(), DeliveryWorker(good, store.outbox, clock).turn()) == (1, 1)
    assert (states(clickhouse), states(clickhouse, "bus")) == (
        [("msg_a_1", "sent", 1)],
        [("msg_a_1", "waiting", 1)],
    )
    broker.away = False
    clock.advance(3)
    bus.turn()
    assert len(broker.records(ALERTS.name)) == 1


def test_a_storm_is_one_message_and_keeps_its_id_through_a_death_after_the_sending(
    clickhouse: ClickHouseClient,
) -> None:
    store, clock = Store(clickhouse), FakeClock(NOW)
    decide(store, *[f"a{n:04d}" for n in range(1000)])
    dies = Scripted([DeliveryResult("sent")])

    class Death(BaseException):
        pass

    def send(notification: Notification) -> DeliveryResult:
        dies.sent.append(notification)
        raise Death

    dies.send = send  # type: ignore[method-assign]
    with pytest.raises(Death):
        DeliveryWorker(dies, store.outbox, clock).turn()
    decide(store, "late")
    lives = Scripted([DeliveryResult("sent", status=200)])
    DeliveryWorker(lives, store.outbox, clock).turn()
    assert [len(e.messages) for e in dies.sent] == [1000]
    assert {e.id for e in lives.sent} == {dies.sent[0].id, "msg_late_1"}
    assert {state for _, state, _ in states(clickhouse)} == {"sent"}


def test_the_pause_of_a_channel_is_kept(clickhouse: ClickHouseClient) -> None:
    store, clock = Store(clickhouse), FakeClock(NOW)
    decide(store, "a", "b", "c")
    DeliveryWorker(Scripted([DeliveryResult("sent")], pause=1.0), store.outbox, clock).turn()
    assert clock.now() - NOW == timedelta(seconds=3)


def test_over_real_http_what_failed_once_arrives_the_second_time(clickhouse: ClickHouseClient) -> None:
    store, clock = Store(clickhouse), FakeClock(NOW)
    decide(store, "a")
    with receiving() as receiver:
        receiver.answer(503, 200)
        poster = HttpPoster(read_networks("127.0.0.0/8"))
        worker = DeliveryWorker(Webhook(receiver.url, [b"x" * 32], poster, clock), store.outbox, clock)
        worker.turn()
        clock.advance(6.1)
        worker.turn()
    first, second = receiver.got
    assert first.headers["webhook-id"] == second.headers["webhook-id"] == "msg_a_1"
    assert first.body == second.body
    assert first.headers["webhook-signature"] != second.headers["webhook-signature"]
    assert states(clickhouse) == [("msg_a_1", "sent", 2)]
