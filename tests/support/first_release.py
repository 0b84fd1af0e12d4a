"""A ledger and its windows as release 0.1.0 wrote them, by statements of then: no code of today has a part in it."""

from collections.abc import Sequence

from outlay_kit.clickhouse import ClickHouseClient

FIRST_RELEASE = (
    "CREATE VIEW costs AS SELECT tenant, time, cost, given FROM ledger FINAL",
    "CREATE VIEW costs_daily AS SELECT tenant, window AS time, version FROM rollup_day FINAL",
    (
        "INSERT INTO alerts (tenant, id, rule, state, lasts, seq, told_at, heard)"
        " VALUES ('acme', 'a1', 'spike', 'resolved', 'expected', 2, 1793491230, false)"
    ),
    (
        "INSERT INTO alert_words (tenant, target, say, note, by, at)"
        " VALUES ('acme', 'a1', 'expected', 'a launch', 'kim', 1793491230)"
    ),
    (
        "INSERT INTO alert_messages (tenant, message_id, channel, state, attempt, step, bundle)"
        " VALUES ('acme', 'm1', 'webhook', 'dead', 10, 11, ''), ('acme', 'm2', 'webhook', 'waiting', 1, 2, 'm3')"
    ),
    (
        "INSERT INTO alert_deliveries (at, tenant, channel, message_id, outcome)"
        " VALUES (now(), 'acme', 'webhook', 'm1', 'dead'), (now(), 'acme', 'webhook', 'm2', 'later')"
    ),
    (
        "INSERT INTO closings (tenant, period, zone, seq, total, closed_by)"
        " VALUES ('acme', '2026-10', 'UTC', 1, 12.5, 'kim')"
    ),
    (
        "INSERT INTO crowds (tenant, minute, source, dimension, distinct, cells, events)"
        " VALUES ('acme', now(), 'gateway', 'user', 5000, 6000, 7000)"
    ),
)
"""Views and rows of the other tables."""
_STARTS = {"minute": 60, "hour": 3600, "day": 86_400}


def write_as_then(clickhouse: ClickHouseClient, tenant: str, at: int, costs: Sequence[str]) -> None:
    """Write events with these costs (USD), all in the second `at` (Unix seconds), and their minute, hour and day."""
    rows = ", ".join(
        f"('{tenant}', 'release', '{n}', toDateTime64({at}, 6, 'UTC'), 'llm', 'openai', 'gpt-5', {cost}, 'priced', 1)"
        for n, cost in enumerate(costs)
    )
    columns = "tenant, source, id, time, kind, provider, sku, cost, price_status, revision"
    clickhouse.command(f"INSERT INTO ledger ({columns}) VALUES {rows}")  # noqa: S608 (constants of tests)
    for grain, seconds in _STARTS.items():
        clickhouse.command(
            f"""INSERT INTO rollup_{grain} (tenant, window, version, groups)
            SELECT tenant, toDateTime({at // seconds * seconds}, 'UTC'), sum(toUInt128(row_version)),
                [('', '', '', '', 'openai', 'gpt-5', 'llm', '', '', sum(ifNull(ledger.cost, 0)), count(),
                    countIf(price_status = 'unpriced'), map())]
            FROM ledger FINAL WHERE tenant = '{tenant}' GROUP BY tenant"""  # noqa: S608 (constants of tests)
        )
