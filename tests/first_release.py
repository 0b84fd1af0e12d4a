"""A ledger and its windows as release 0.1.0 wrote them, by statements of then: no code of today has a part in it."""

from collections.abc import Sequence

from outlay_kit.clickhouse import ClickHouseClient

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
