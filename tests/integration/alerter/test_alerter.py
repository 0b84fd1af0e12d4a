"""A budget crossing on the real engine is told once, and again only if it was not marked."""

from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest

from outlay_alerter.adapters.store import Store
from outlay_alerter.adapters.sums import Sums
from outlay_alerter.adapters.watchlist import Watchlist
from outlay_alerter.service import Alerter
from outlay_kit.clock import FakeClock
from outlay_kit.fakes import FakeBroker, FakeSink
from outlay_kit.migrator import migrations, statements
from outlay_kit.settings import WarehouseSettings
from outlay_kit.warehouse import Warehouse
from outlay_schemas.alerts import Alert
from outlay_schemas.catalog.watch import Budget, SpendSpike

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)


class _Catalog:
    budgets = (Budget(id="b", name="B", amount=Decimal(10), scope={"team": ("growth",)}),)
    rules = (SpendSpike(id="s", name="S", by=("team",), grain="minute"),)


@pytest.fixture
def warehouse(tmp_path: Path) -> Iterator[Warehouse]:
    house = Warehouse(
        WarehouseSettings.model_construct(url=f"chdb://{tmp_path}/db", database=""), database="default"
    )
    for _, _, sql in migrations():
        for statement in statements(sql):
            house.command(statement)
    yield house
    house.close()


def _spend(house: Warehouse, minute: int, cost: int, version: int = 1) -> None:
    for grain, window in (
        ("minute", NOW.replace(minute=minute)),
        ("hour", NOW),
        ("day", NOW.replace(hour=0)),
    ):
        group = {"team": "growth", "sku": "m", "cost": str(cost), "events": 1}
        row = {"tenant": "acme", "window": window, "version": version, "groups": [group]}
        house.insert_json_lines(f"rollup_{grain}", msgspec.json.encode(row))


def test_a_crossing_is_told_once_and_resolves(warehouse: Warehouse) -> None:
    shown: list[Alert] = []
    store = Store(warehouse)
    alerter = Alerter(
        Sums(warehouse), store, FakeSink(FakeBroker()), FakeClock(NOW),
        watchlist=lambda: Watchlist(_Catalog(), ()),  # type: ignore[arg-type]
        show=shown.append,
    )  # fmt: skip
    _spend(warehouse, 0, 6)
    for _ in range(3):
        alerter.evaluate_all()
    assert [(a.level, a.state, a.actual) for a in shown] == [("50", "firing", "6")]
    assert ("sku", "m", "6") in {(c.dimension, c.value, c.cost) for c in shown[0].contributors}
    _spend(warehouse, 0, 1, version=2)
    alerter.evaluate_all()
    assert [(a.level, a.state) for a in shown] == [("50", "firing"), ("50", "resolved")]
    assert shown[0].id == shown[1].id
    assert store.unsent() == []


def test_a_death_between_send_and_mark_sends_again_under_the_same_id(warehouse: Warehouse) -> None:
    store = Store(warehouse)
    alert = Alert(
        "i", "acme", "b", "budget", {}, NOW, "50", "info", "firing", "t", "s", None, "1", [], NOW, "q"  # type: ignore[arg-type]
    )  # fmt: skip
    store.decide([(alert, 1, "msg_i_1")], ["console"])
    first = store.unsent()
    assert (
        [row["message_id"] for row in first] == [row["message_id"] for row in store.unsent()] == ["msg_i_1"]
    )
    store.mark(first)
    store.decide([(alert, 1, "msg_i_1")], ["console"])
    assert store.unsent() == []
