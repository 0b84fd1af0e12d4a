"""Budgets on the real engine: forecasts from rollups, burn rates that fall though nothing arrives, standing."""

from datetime import timedelta

import msgspec
import pytest
from tests.integration.alerter.spend import NOW, spend

from outlay_alerter.adapters.measures import Measures
from outlay_alerter.adapters.sums import Sums
from outlay_alerter.adapters.watchlist import Watchlist
from outlay_alerter.alerts.store import Store
from outlay_alerter.service import Alerter
from outlay_kit.clock import FakeClock
from outlay_kit.warehouse import Warehouse
from outlay_schemas.alerts import alert_decoder
from outlay_schemas.catalog import Catalog
from outlay_schemas.catalog.watch import Budget

pytestmark = pytest.mark.stack

BUDGET = {
    "id": "b", "name": "B", "amount": 300, "scope": {"team": ["growth"]}, "thresholds": [100],
    "forecast_thresholds": [100], "burn": [{"hours": 1, "rate": 10}],
}  # fmt: skip


def alerter(warehouse: Warehouse, clock: FakeClock) -> Alerter:
    catalog = Catalog(revision=1, created_at=NOW, budgets=(Budget.model_validate(BUDGET),))
    return Alerter(
        Sums(warehouse),
        Store(warehouse),
        clock,
        measures=Measures(warehouse),
        watchlist=lambda: Watchlist(catalog),
        channels=["bus"],
    )


def states(warehouse: Warehouse) -> dict[str, str]:
    rows = warehouse.rows("SELECT body FROM alerts FINAL")
    return {a.level: a.state for a in (alert_decoder.decode(row["body"]) for row in rows)}


def standing(warehouse: Warehouse) -> dict[str, str]:
    (row,) = warehouse.rows("SELECT body FROM budget_status FINAL WHERE budget = 'b'")
    found: dict[str, str] = msgspec.json.decode(row["body"])
    return found


def test_a_budget_is_forecast_burns_and_cools_down(warehouse: Warehouse) -> None:
    clock = FakeClock(NOW)
    watch = alerter(warehouse, clock)
    for back in range(28, 0, -1):
        spend(warehouse, "11", at=NOW - timedelta(days=back))
    watch.evaluate_all()
    assert states(warehouse) == {"forecast-100": "firing"}  # 23 days of 11 and 6.5 to come
    status = standing(warehouse)
    assert (status["standing"], status["spent"], status["gone_on"][:10]) == ("warning", "253", "2026-11-28")
    spend(warehouse, "14", at=NOW)  # an even hour has 0.42
    clock.advance(50)
    watch.evaluate("acme", {NOW})
    assert states(warehouse)["burn-1h"] == "firing"
    clock.advance(600)
    watch.tick()
    assert states(warehouse)["burn-1h"] == "resolved"
    spend(warehouse, "60", at=NOW, version=2)
    watch.evaluate("acme", {NOW})
    assert states(warehouse)["100"] == "firing"
    assert standing(warehouse)["standing"] == "over"
