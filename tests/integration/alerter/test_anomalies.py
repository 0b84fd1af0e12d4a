"""Anomaly rules on the real engine: taught by history, notified once, the same after a restart."""

from datetime import timedelta

import msgspec
import pytest
from tests.integration.alerter.spend import NOW

from outlay_alerter.adapters.rollup_reader import RollupReader
from outlay_alerter.alerts.store import Store
from outlay_alerter.service import Alerter
from outlay_alerter.watchlist import Watchlist
from outlay_kit.clickhouse import ClickHouseClient
from outlay_kit.clock import FakeClock
from outlay_schemas.alerts import alert_decoder
from outlay_schemas.catalog import Catalog
from outlay_schemas.catalog.watch import Anomaly

pytestmark = pytest.mark.stack

CATALOG = Catalog(
    revision=1, created_at=NOW, rules=(Anomaly(id="a", name="Unusual", group_by=("team",), settle_minutes=0),)
)


def hour(n: int, cost: float, team: str = "growth") -> dict[str, object]:
    group = {"team": team, "sku": "m", "cost": f"{cost:.4f}", "events": 1}
    return {"tenant": "acme", "window": NOW + timedelta(hours=n), "version": n + 1000, "groups": [group]}


def write(house: ClickHouseClient, *rows: dict[str, object], newest: int) -> None:
    """Write hours, and the minute up to which everything was seen."""
    house.insert_json_lines("rollup_hour", b"\n".join(map(msgspec.json.encode, rows)))
    minute = {**rows[-1], "window": NOW + timedelta(hours=newest, minutes=30), "groups": []}
    house.insert_json_lines("rollup_minute", msgspec.json.encode(minute))
    house.insert_json_lines("rollup_day", msgspec.json.encode({**minute, "window": NOW.replace(hour=0)}))


def alerter(clickhouse: ClickHouseClient, clock: FakeClock) -> Alerter:
    return Alerter(
        RollupReader(clickhouse), Store(clickhouse), clock,
        watchlist=lambda: Watchlist(CATALOG), channels=["bus"],
    )  # fmt: skip


def sent(clickhouse: ClickHouseClient) -> list[tuple[str, str, str]]:
    rows = clickhouse.rows("SELECT body FROM alert_outbox FINAL ORDER BY created_at, message_id")
    alerts = [alert_decoder.decode(row["body"]) for row in rows]
    return [(a.state, str(a.scope["team"]), a.actual) for a in alerts]


def test_an_anomaly_is_sent_once_through_restarts_and_resolves(clickhouse: ClickHouseClient) -> None:
    usual = [hour(n, 50 + 20 * ((n % 24) > 8) + (n * 7 % 5)) for n in range(-240, 0)]
    write(clickhouse, *usual, newest=0)
    clock = FakeClock(NOW + timedelta(minutes=40))
    watch = alerter(clickhouse, clock)
    watch.evaluate_all()
    assert sent(clickhouse) == []
    write(clickhouse, hour(0, 400), newest=0)  # the hour is not over, and costs too much already
    watch.evaluate("acme", {NOW})
    assert sent(clickhouse) == [("firing", "growth", "400")]
    write(clickhouse, hour(1, 410), newest=2)
    clock.advance(7200)
    for again in (watch, alerter(clickhouse, clock), watch):
        again.evaluate("acme", {NOW})
    assert len(sent(clickhouse)) == 1
    write(clickhouse, hour(2, 52), hour(3, 52), hour(4, 52), newest=5)
    clock.advance(3 * 3600)
    for again in (alerter(clickhouse, clock), watch, alerter(clickhouse, clock)):
        again.evaluate("acme", {NOW})
    assert [state for state, _, _ in sent(clickhouse)] == ["firing", "resolved"]
