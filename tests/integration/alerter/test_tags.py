"""Scopes with tags are summed from the ledger, exactly, and no more often than it can bear."""

from datetime import datetime, timedelta
from decimal import Decimal

import msgspec
import pytest
from tests.support.rollup_rows import NOW, spend

from outlay_alerter.adapters.rollup_reader import RollupReader
from outlay_alerter.alerts.store import Store
from outlay_alerter.service import Alerter
from outlay_alerter.watchlist import Watchlist
from outlay_kit.clickhouse import ClickHouseClient
from outlay_kit.clock import FakeClock
from outlay_schemas.alerts import Alert, alert_decoder
from outlay_schemas.catalog import Catalog
from outlay_schemas.catalog.watch import Anomaly, Budget, NewSpender, Silence, SpendSpike, Threshold

pytestmark = pytest.mark.stack

PROD = {"tags.env": "prod", "team": "growth"}
BUDGET = {
    "id": "prod", "name": "Prod", "tenant": "*", "scope": PROD, "amount": 10, "thresholds": [100],
    "forecast_thresholds": [100], "rollover_percent": 10, "burn": [{"hours": 1, "rate": 1000}],
}  # fmt: skip
CATALOG = Catalog(
    revision=1,
    created_at=NOW,
    budgets=(Budget.model_validate(BUDGET),),
    rules=(
        Threshold.model_validate(
            {"id": "t", "name": "T", "metric": "cost", "above": 5, "group_by": ["tags.env"], "grain": "day"}
        ),
        Anomaly.model_validate({"id": "a", "name": "A", "group_by": ["tags.env"]}),
        SpendSpike.model_validate({"id": "s", "name": "S", "group_by": ["tags.env"]}),
        Silence.model_validate({"id": "q", "name": "Q", "group_by": ["tags.env"], "minutes": 5}),
        NewSpender.model_validate({"id": "n", "name": "N", "group_by": ["tags.env"]}),
    ),
)


def event(
    house: ClickHouseClient, name: str, cost: str, *, env: str = "prod", at: datetime = NOW, revision: int = 1
) -> None:
    row = {
        "tenant": "acme", "source": "s", "id": name, "time": at, "kind": "llm", "activity": "inference",
        "provider": "p", "sku": "m", "usage": {"input_tokens": "1"}, "cost": cost, "price_status": "priced",
        "price_ref": "r", "team": "growth", "tags": {"env": env}, "revision": revision, "fingerprint": 1,
    }  # fmt: skip
    house.insert_json_lines("ledger", msgspec.json.encode(row))


def alerts(house: ClickHouseClient) -> dict[str, Alert]:
    rows = house.rows("SELECT body FROM alerts FINAL WHERE state = 'firing'")
    found = [alert_decoder.decode(row["body"]) for row in rows]
    return {f"{a.rule} {a.level}": a for a in found}


def test_a_budget_of_a_tag_counts_what_bears_it_and_re_priced_events_once(
    clickhouse: ClickHouseClient,
) -> None:
    clock = FakeClock(NOW)
    watch = Alerter(
        RollupReader(clickhouse), Store(clickhouse), clock,
        watchlist=lambda: Watchlist(CATALOG), channels=["bus"],
    )  # fmt: skip
    spend(clickhouse, "1")  # the rollups know no tags
    event(clickhouse, "before", "0.5", at=NOW - timedelta(days=40))
    event(clickhouse, "a", "4")
    event(clickhouse, "b", "40", env="test")
    watch.evaluate_all()
    assert set(alerts(clickhouse)) == {"t above"}
    assert alerts(clickhouse)["t above"].scope == {"tags.env": "test"}
    event(clickhouse, "a", "12.5", revision=2)
    watch.evaluate("acme", {NOW})
    assert set(alerts(clickhouse)) == {"t above"}  # not so soon
    clock.advance(20)
    watch.evaluate("acme", {NOW})
    over = alerts(clickhouse)["prod 100"]
    assert (over.actual, over.expected) == ("12.5", "11")  # a tenth came over from October
    assert sum(Decimal(effect.cost) for effect in over.effects) == 12  # there were 0.5 in as long before
    assert {(c.dimension, c.value, c.cost) for c in over.contributors} >= {("sku", "m", "12.5")}
    assert clickhouse.rows(f"SELECT toString(sum(cost)) AS c FROM ({over.query})") == [{"c": "12.5"}]  # noqa: S608


def test_late_events_move_the_period_in_which_they_happened(clickhouse: ClickHouseClient) -> None:
    clock = FakeClock(NOW)
    watch = Alerter(
        RollupReader(clickhouse), Store(clickhouse), clock,
        watchlist=lambda: Watchlist(CATALOG), channels=["bus"],
    )  # fmt: skip
    spend(clickhouse, "1")
    late = NOW - timedelta(days=30)
    event(clickhouse, "late", "12", at=late)
    watch.evaluate_all()
    watch.evaluate("acme", {late})  # not due yet, and not forgotten
    clock.advance(20)
    watch.evaluate("acme", {NOW})
    assert alerts(clickhouse)["prod 100"].window == datetime(2026, 10, 1, tzinfo=NOW.tzinfo)
