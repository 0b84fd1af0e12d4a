"""Budgets on the real engine: forecasts from rollups, burn rates that fall though nothing arrives, standing."""

from datetime import timedelta

import msgspec
import pytest
from tests.support.rollup_rows import NOW, spend

from outlay_alerter.adapters.rollup_reader import RollupReader
from outlay_alerter.alerts.store import Store
from outlay_alerter.service import Alerter
from outlay_alerter.watchlist import Watchlist
from outlay_kit.clickhouse import ClickHouseClient
from outlay_kit.clock import FakeClock
from outlay_schemas.alerts import alert_decoder
from outlay_schemas.catalog import Catalog
from outlay_schemas.catalog.watch import Budget

pytestmark = pytest.mark.stack

BUDGET = {
    "id": "b", "name": "B", "tenant": "*", "amount": 300, "scope": {"team": ["growth"]}, "thresholds": [100],
    "forecast_thresholds": [100], "burn": [{"hours": 1, "rate": 10}],
}  # fmt: skip


def alerter(clickhouse: ClickHouseClient, clock: FakeClock) -> Alerter:
    catalog = Catalog(revision=1, created_at=NOW, budgets=(Budget.model_validate(BUDGET),))
    return Alerter(
        RollupReader(clickhouse),
        Store(clickhouse),
        clock,
        watchlist=lambda: Watchlist(catalog),
        channels=["bus"],
    )


def states(clickhouse: ClickHouseClient) -> dict[str, str]:
    rows = clickhouse.rows("SELECT body FROM alerts FINAL")
    return {a.level: a.state for a in (alert_decoder.decode(row["body"]) for row in rows)}


def standing(clickhouse: ClickHouseClient) -> dict[str, str]:
    (row,) = clickhouse.rows("SELECT body FROM budget_status FINAL WHERE budget = 'b'")
    found: dict[str, str] = msgspec.json.decode(row["body"])
    return found


def test_a_budget_is_forecast_burns_and_cools_down(clickhouse: ClickHouseClient) -> None:
    clock = FakeClock(NOW)
    watch = alerter(clickhouse, clock)
    for back in range(28, 0, -1):
        spend(clickhouse, "11", at=NOW - timedelta(days=back))
    watch.evaluate_all()
    assert states(clickhouse) == {"forecast-100": "firing"}  # 23 days of 11 and 6.5 to come
    status = standing(clickhouse)
    assert (status["standing"], status["spent"], status["runs_out_at"][:10]) == (
        "warning",
        "253",
        "2026-11-28",
    )
    spend(clickhouse, "14", at=NOW)  # an even hour has 0.42
    clock.advance(50)
    watch.evaluate("acme", {NOW})
    assert states(clickhouse)["burn-1h"] == "firing"
    clock.advance(600)
    watch.tick()
    assert states(clickhouse)["burn-1h"] == "resolved"
    spend(clickhouse, "60", at=NOW, version=2)
    watch.evaluate("acme", {NOW})
    assert states(clickhouse)["100"] == "firing"
    assert standing(clickhouse)["standing"] == "over"
