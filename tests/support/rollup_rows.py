"""Rollups as the aggregator writes them."""

from datetime import UTC, datetime, timedelta

import msgspec

from outlay_alerter.adapters.rollup_reader import RollupReader
from outlay_alerter.alerts.store import Store
from outlay_alerter.service import Alerter
from outlay_alerter.watchlist import Watchlist
from outlay_kit.clickhouse import ClickHouseClient
from outlay_kit.clock import FakeClock
from outlay_schemas.alerts import alert_decoder
from outlay_schemas.catalog import Catalog
from outlay_schemas.catalog.watch import Anomaly

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)


def spend(
    house: ClickHouseClient,
    cost: str,
    *,
    at: datetime = NOW,
    version: int = 1,
    tenant: str = "acme",
    team: str = "growth",
) -> None:
    """Write a minute with one group, and its hour and day as if there were nothing else in them."""
    windows = {
        "minute": at.replace(second=0, microsecond=0),
        "hour": at.replace(minute=0, second=0, microsecond=0),
        "day": at.replace(hour=0, minute=0, second=0, microsecond=0),
    }
    for grain, window in windows.items():
        group = {"team": team, "sku": "m", "cost": cost, "events": 1}
        row = {"tenant": tenant, "window": window, "version": version, "groups": [group]}
        house.insert_json_lines(f"rollup_{grain}", msgspec.json.encode(row))


ANOMALIES = Catalog(
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


def anomaly_alerter(clickhouse: ClickHouseClient, clock: FakeClock) -> Alerter:
    return Alerter(
        RollupReader(clickhouse), Store(clickhouse), clock,
        watchlist=lambda: Watchlist(ANOMALIES), channels=["bus"],
    )  # fmt: skip


def sent(clickhouse: ClickHouseClient) -> list[tuple[str, str, str]]:
    rows = clickhouse.rows("SELECT body FROM alert_outbox FINAL ORDER BY created_at, message_id")
    alerts = [alert_decoder.decode(row["body"]) for row in rows]
    return [(a.state, str(a.scope["team"]), a.actual) for a in alerts]
