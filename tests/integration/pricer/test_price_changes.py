"""A price change ahead, from the ledger to the alert, on the real engine: at the usage of the last 30 days."""

import uuid
from datetime import timedelta

import msgspec
import pytest
from tests.support.catalogs import event
from tests.support.dated_catalog import catalog
from tests.support.ledger import write
from tests.support.rollup_rows import NOW
from tests.support.stack import Stack

from outlay_alerter.adapters.rollup_reader import RollupReader
from outlay_alerter.alerts.store import Store
from outlay_alerter.service import Alerter
from outlay_alerter.watchlist import Watchlist
from outlay_kit.clickhouse import ClickHouseClient
from outlay_kit.clock import FakeClock
from outlay_kit.migrator import migrate
from outlay_kit.settings import ClickHouseSettings
from outlay_pricer.domain import CompiledCatalog, price
from outlay_pricer.repricing.price_changes import PriceChangeScanner
from outlay_schemas.alerts import alert_decoder
from outlay_schemas.catalog.watch import PriceChange

pytestmark = pytest.mark.stack


@pytest.fixture
def house(stack: Stack) -> ClickHouseSettings:
    settings = stack.writer.model_copy(update={"database": f"ahead_{uuid.uuid4().hex[:8]}"})
    migrate(settings)
    return settings


def test_a_price_change_ahead_is_reported_once_with_what_it_comes_to(house: ClickHouseSettings) -> None:
    clickhouse, clock = ClickHouseClient(house), FakeClock(NOW)
    whole = catalog(rules=(PriceChange(id="p", name="Price"),))
    ready = CompiledCatalog(whole)
    times = [NOW - timedelta(days=day, hours=3) for day in range(10)]
    used = [
        msgspec.structs.replace(event({"calls": 4}, "geo", kind="custom"), id=f"e{n}", time=at, tenant="acme")
        for n, at in enumerate(times)
    ]
    write(house, [price(one, ready) for one in used])
    PriceChangeScanner(clickhouse, clock).turn(ready)
    (row,) = clickhouse.rows(
        "SELECT sku, toString(before) AS b, toString(after) AS a FROM price_changes FINAL"
    )
    assert (row["sku"], row["b"], row["a"]) == ("geo", "20", "30")
    watch = Alerter(
        RollupReader(clickhouse), Store(clickhouse), clock,
        watchlist=lambda: Watchlist(whole), channels=["bus"],
    )  # fmt: skip
    for _ in range(2):
        watch.evaluate("acme", {NOW})
        clock.advance(3600)
    rows = clickhouse.rows("SELECT body FROM alert_outbox FINAL")
    (alert,) = [alert_decoder.decode(row["body"]) for row in rows]
    assert alert.title == "Price: geo changes on 2026-12-01: +$10.00 at your last 30 days"
    assert [(e.kind, e.cost) for e in alert.effects] == [("price", "10")]
    assert (alert.impact, alert.compared) == ("10", "the prices of the day before")
    clickhouse.close()
