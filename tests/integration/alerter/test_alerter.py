"""A crossing on the real engine is sent once, and again only if it was not marked as sent."""

from decimal import Decimal

import msgspec
import pytest
from tests.support.fake_broker import FakeBroker, FakeSink
from tests.support.rollup_rows import NOW, spend

from outlay_alerter.adapters.rollup_reader import RollupReader
from outlay_alerter.alerts.store import Store
from outlay_alerter.notify.channels.builtin import KafkaChannel, LogChannel
from outlay_alerter.notify.delivery_worker import DeliveryWorker
from outlay_alerter.notify.outbox import Outbox
from outlay_alerter.service import Alerter
from outlay_alerter.watchlist import Watchlist
from outlay_kit.clickhouse import ClickHouseClient
from outlay_kit.clock import FakeClock
from outlay_schemas.alerts import Alert
from outlay_schemas.catalog import Catalog
from outlay_schemas.catalog.watch import Budget, SpendSpike
from outlay_schemas.topics import ALERTS

pytestmark = pytest.mark.stack

CATALOG = Catalog(
    revision=1,
    created_at=NOW,
    budgets=(Budget(id="b", name="B", tenant="*", amount=Decimal(10), scope={"team": ("growth",)}),),
    rules=(SpendSpike(id="s", name="S", group_by=("team",), grain="minute"),),
)


def alerter(clickhouse: ClickHouseClient) -> Alerter:
    return Alerter(
        RollupReader(clickhouse),
        Store(clickhouse),
        FakeClock(NOW),
        watchlist=lambda: Watchlist(CATALOG),
        channels=["bus", "console"],
    )


def on_bus(broker: FakeBroker) -> list[Alert]:
    return [msgspec.json.decode(record.value, type=Alert) for record in broker.records(ALERTS.name)]


def test_a_crossing_is_sent_once_and_resolves(clickhouse: ClickHouseClient) -> None:
    broker, watch = FakeBroker(), alerter(clickhouse)
    store = Store(clickhouse)
    workers = [
        DeliveryWorker(channel, store.outbox, FakeClock(NOW))
        for channel in (KafkaChannel(FakeSink(broker)), LogChannel())
    ]
    spend(clickhouse, "6")
    for _ in range(3):
        watch.evaluate_all()
        assert sum(worker.turn() for worker in workers) in (0, 2)
    shown = on_bus(broker)
    assert [(a.level, a.state, a.actual) for a in shown] == [("50", "firing", "6")]
    assert ("sku", "m", "6") in {(c.dimension, c.value, c.cost) for c in shown[0].contributors}
    spend(clickhouse, "1", version=2)
    watch.evaluate_all()
    for worker in workers:
        worker.turn()
    shown = on_bus(broker)
    assert [(a.level, a.state) for a in shown] == [("50", "firing"), ("50", "resolved")]
    assert shown[0].id == shown[1].id
    assert store.outbox.due("bus", NOW) == []


def test_deciding_again_after_a_death_asks_for_nothing_twice(clickhouse: ClickHouseClient) -> None:
    spend(clickhouse, "6")
    alerter(clickhouse).evaluate_all()
    first = Store(clickhouse).outbox.due("bus", NOW)
    clickhouse.command("TRUNCATE TABLE alerts")  # the states were not written: the death was before them
    alerter(clickhouse).evaluate_all()
    assert Store(clickhouse).outbox.due("bus", NOW) == first
    broker = FakeBroker()
    DeliveryWorker(KafkaChannel(FakeSink(broker)), Outbox(clickhouse), FakeClock(NOW)).turn()
    clickhouse.command("TRUNCATE TABLE alerts")
    alerter(clickhouse).evaluate_all()
    assert Store(clickhouse).outbox.due("bus", NOW) == []
    assert len(on_bus(broker)) == 1
