"""Imported history makes alerts that are kept and marked, and that notify no one."""

from datetime import datetime, timedelta
from decimal import Decimal

import msgspec
import pytest
from tests.support.rollup_rows import NOW

from outlay_alerter.adapters.rollup_reader import RollupReader
from outlay_alerter.alerts.store import Store
from outlay_alerter.digests import DigestScheduler
from outlay_alerter.notify.notification import review_decoder as digest_decoder
from outlay_alerter.service import Alerter
from outlay_alerter.watchlist import Watchlist
from outlay_kit.clickhouse import ClickHouseClient
from outlay_kit.clock import FakeClock
from outlay_schemas.alerts import Alert, alert_decoder
from outlay_schemas.catalog import Catalog
from outlay_schemas.catalog.channels import Review
from outlay_schemas.catalog.watch import Anomaly, Budget, SpendSpike

pytestmark = pytest.mark.stack

CATALOG = Catalog(
    revision=1,
    created_at=NOW,
    budgets=(
        Budget(id="growth", name="Growth", tenant="*", amount=Decimal(100), thresholds=(Decimal(100),)),
    ),
    rules=(
        SpendSpike(id="spike", name="Spike", grain="minute"),
        Anomaly(id="odd", name="Odd", settle_minutes=0),
    ),
)


def write(house: ClickHouseClient, begin: datetime, costs: list[float]) -> None:
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


def alerter(clickhouse: ClickHouseClient, clock: FakeClock) -> Alerter:
    return Alerter(
        RollupReader(clickhouse), Store(clickhouse), clock,
        watchlist=lambda: Watchlist(CATALOG), channels=["bus", "pager"],
    )  # fmt: skip


def alerts(clickhouse: ClickHouseClient) -> dict[str, Alert]:
    found = [alert_decoder.decode(row["body"]) for row in clickhouse.rows("SELECT body FROM alerts FINAL")]
    return {a.rule: a for a in found}


def paged(clickhouse: ClickHouseClient) -> list[str]:
    rows = clickhouse.rows("SELECT body FROM alert_outbox FINAL WHERE channel = 'pager' ORDER BY created_at")
    return [alert_decoder.decode(row["body"]).rule for row in rows]


def test_imported_history_is_marked_as_backfill_and_pages_no_one(clickhouse: ClickHouseClient) -> None:
    clock = FakeClock(NOW)
    watch = alerter(clickhouse, clock)
    long_ago = NOW - timedelta(days=40)
    write(clickhouse, long_ago, [1.0] * 60 + [80.0])  # $140 of October, with a spike in its last minute
    watch.evaluate("acme", {long_ago + timedelta(minutes=n) for n in range(61)})
    found = alerts(clickhouse)
    assert {rule: (a.state, a.backfill) for rule, a in found.items()} == {
        "growth": ("firing", True), "spike": ("firing", True),
    }  # fmt: skip
    assert found["growth"].window == datetime(2026, 10, 1, tzinfo=NOW.tzinfo)
    clock.advance(25)
    watch.tick()
    assert {a.state for a in alerts(clickhouse).values()} == {"resolved"}
    assert paged(clickhouse) == []


def test_the_next_digest_lists_alerts_about_imported_history(clickhouse: ClickHouseClient) -> None:
    clock, long_ago = FakeClock(NOW), NOW - timedelta(days=40)
    write(clickhouse, long_ago, [1.0] * 60 + [80.0])
    alerter(clickhouse, clock).evaluate("acme", {long_ago + timedelta(minutes=n) for n in range(61)})
    review = Review(id="daily", every="day", at="00:00", channels=("mail",))
    catalog = Catalog(revision=1, created_at=NOW, reviews=(review,))
    scheduler = DigestScheduler(clickhouse, clock, lambda: catalog)
    scheduler.turn()
    for day, listed in ((1, True), (2, False)):
        clock.advance(86_400)
        assert scheduler.turn() == 1
        row = clickhouse.rows(
            "SELECT body FROM alert_outbox FINAL WHERE channel = 'mail' ORDER BY created_at"
        )[day]
        (alerts_,) = [
            p.lines for p in digest_decoder.decode(row["body"].encode()).points if p.heading == "Alerts"
        ]
        assert any("backfill: 2026-10-15" in line and "Spike" in line for line in alerts_) is listed


def test_the_same_spending_today_pages(clickhouse: ClickHouseClient) -> None:
    clock = FakeClock(NOW)
    write(clickhouse, NOW - timedelta(minutes=61), [1.0] * 60 + [80.0])
    alerter(clickhouse, clock).evaluate("acme", {NOW})
    assert sorted(paged(clickhouse)) == ["growth", "spike"]
    assert not any(a.backfill for a in alerts(clickhouse).values())


def test_a_period_that_ended_an_hour_ago_is_news(clickhouse: ClickHouseClient) -> None:
    month = NOW.replace(day=1, hour=0)
    clock = FakeClock(month + timedelta(hours=1))
    write(clickhouse, month - timedelta(minutes=61), [1.0] * 60 + [80.0])
    alerter(clickhouse, clock).evaluate("acme", {month - timedelta(minutes=1)})
    assert "growth" in paged(clickhouse)


@pytest.mark.parametrize("ahead", [timedelta(hours=20), timedelta(days=365 * 72)])
def test_a_clock_ahead_hides_no_spike_of_its_tenant(clickhouse: ClickHouseClient, ahead: timedelta) -> None:
    clock = FakeClock(NOW)
    write(clickhouse, (NOW + ahead).replace(second=0), [0.5])
    watch = alerter(clickhouse, clock)
    write(clickhouse, NOW - timedelta(minutes=61), [0.1] * 60 + [80.0])
    watch.evaluate("acme", {NOW, NOW + ahead})
    watch.evaluate_all()
    assert "spike" in paged(clickhouse)
    assert not alerts(clickhouse)["spike"].backfill
