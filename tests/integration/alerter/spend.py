"""Rollups as the aggregator writes them."""

from datetime import UTC, datetime

import msgspec

from outlay_kit.clickhouse import ClickHouseClient

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
