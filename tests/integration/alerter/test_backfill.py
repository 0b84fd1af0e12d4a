"""Imported history makes alerts that are kept and marked, and that wake nobody."""

from datetime import datetime, timedelta
from decimal import Decimal

import msgspec
import pytest
from tests.integration.alerter.spend import NOW

from outlay_alerter.adapters.measures import Measures
from outlay_alerter.adapters.sums import Sums
from outlay_alerter.adapters.watchlist import Watchlist
from outlay_alerter.alerts.store import Store
from outlay_alerter.service import Alerter
from outlay_kit.clock import FakeClock
from outlay_kit.warehouse import Warehouse
from outlay_schemas.alerts import Alert, alert_decoder
from outlay_schemas.catalog import Catalog
from outlay_schemas.catalog.watch import Anomaly, Budget, SpendSpike

pytestmark = pytest.mark.stack

CATALOG = Catalog(
    revision=1,
    created_at=NOW,
    budgets=(Budget(id="growth", name="Growth", amount=Decimal(100), thresholds=(Decimal(100),)),),
    rules=(
        SpendSpike(id="spike", name="Spike", grain="minute"),
        Anomaly(id="odd", name="Odd", settle_minutes=0),
    ),
)


def write(house: Warehouse, begin: datetime, costs: list[float]) -> None:
    """Write minutes from `begin` on, and their hours and days."""
    sums: dict[tuple[str, datetime], float] = {}
    for n, cost in enumerate(costs):
        at = begin + timedelta(minutes=n)
        for grain, window in (
            ("minute", at),
            ("hour", at.replace(minute=0)),
            ("day", at.replace(hour=0, minute=0)),
        ):
            sums[grain, window] = sums.get((grain, window), 0) + cost
    for (grain, window), cost in sums.items():
        group = {"team": "growth", "sku": "m", "cost": f"{cost:.6f}", "events": 1}
        row = {"tenant": "acme", "window": window, "version": 1, "groups": [group]}
        house.insert_json_lines(f"rollup_{grain}", msgspec.json.encode(row))


def alerter(warehouse: Warehouse, clock: FakeClock) -> Alerter:
    return Alerter(
        Sums(warehouse), Store(warehouse), clock, measures=Measures(warehouse),
        watchlist=lambda: Watchlist(CATALOG), channels=["bus", "pager"],
    )  # fmt: skip


def alerts(warehouse: Warehouse) -> dict[str, Alert]:
    found = [alert_decoder.decode(row["body"]) for row in warehouse.rows("SELECT body FROM alerts FINAL")]
    return {a.rule: a for a in found}


def paged(warehouse: Warehouse) -> list[str]:
    rows = warehouse.rows("SELECT body FROM alert_messages FINAL WHERE channel = 'pager' ORDER BY created_at")
    return [alert_decoder.decode(row["body"]).rule for row in rows]


def test_imported_history_is_marked_as_backfill_and_pages_nobody(warehouse: Warehouse) -> None:
    clock = FakeClock(NOW)
    watch = alerter(warehouse, clock)
    long_ago = NOW - timedelta(days=40)
    write(warehouse, long_ago, [1.0] * 60 + [80.0])  # $140 of October, with a spike in its last minute
    watch.evaluate("acme", {long_ago + timedelta(minutes=n) for n in range(61)})
    found = alerts(warehouse)
    assert {rule: (a.state, a.backfill) for rule, a in found.items()} == {
        "growth": ("firing", True), "spike": ("firing", True),
    }  # fmt: skip
    assert found["growth"].window == datetime(2026, 10, 1, tzinfo=NOW.tzinfo)
    clock.advance(25)
    watch.tick()
    assert {a.state for a in alerts(warehouse).values()} == {"resolved"}
    assert paged(warehouse) == []


def test_the_same_spending_today_pages(warehouse: Warehouse) -> None:
    clock = FakeClock(NOW)
    write(warehouse, NOW - timedelta(minutes=61), [1.0] * 60 + [80.0])
    alerter(warehouse, clock).evaluate("acme", {NOW})
    assert sorted(paged(warehouse)) == ["growth", "spike"]
    assert not any(a.backfill for a in alerts(warehouse).values())


def test_a_period_that_ended_an_hour_ago_is_news(warehouse: Warehouse) -> None:
    month = NOW.replace(day=1, hour=0)
    clock = FakeClock(month + timedelta(hours=1))
    write(warehouse, month - timedelta(minutes=61), [1.0] * 60 + [80.0])
    alerter(warehouse, clock).evaluate("acme", {month - timedelta(minutes=1)})
    assert "growth" in paged(warehouse)


@pytest.mark.parametrize("ahead", [timedelta(hours=20), timedelta(days=365 * 72)])
def test_a_clock_ahead_hides_no_spike_of_its_tenant(warehouse: Warehouse, ahead: timedelta) -> None:
    clock = FakeClock(NOW)
    write(warehouse, (NOW + ahead).replace(second=0), [0.5])
    watch = alerter(warehouse, clock)
    write(warehouse, NOW - timedelta(minutes=61), [0.1] * 60 + [80.0])
    watch.evaluate("acme", {NOW, NOW + ahead})
    watch.evaluate_all()
    assert "spike" in paged(warehouse)
    assert not alerts(warehouse)["spike"].backfill
