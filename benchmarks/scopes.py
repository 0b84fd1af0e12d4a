"""How long one evaluation of many scopes takes, on one core, through the engine.

    python benchmarks/scopes.py --scopes 10000

Every team is a scope. Each kind of rule is evaluated by itself over all of them, as at the end of a minute; what is
shown is the CPU of this process (one core), and the wall clock with the engine's share in it. `storm`: all of them
fire at once, and are decided and written down.
"""

import time
from datetime import datetime

from harness import CLOCK, fill_rollups, options, show, stores

from outlay_alerter.adapters.rollup_reader import RollupReader
from outlay_alerter.alerts.store import Store
from outlay_alerter.service import Alerter
from outlay_alerter.watchlist import Watchlist
from outlay_kit.clickhouse import ClickHouseClient
from outlay_kit.clock import FakeClock
from outlay_schemas.catalog import Catalog
from outlay_schemas.catalog.watch import AlertRule, Anomaly, SpendSpike, Threshold

TABLES = (("rollup_day", 86_400, 3), ("rollup_hour", 3600, 240), ("rollup_minute", 60, 130))
CELL = """('', concat('team-', toString(g)), '', '', 'p', 'm', 'llm', 'inference', '',
    toDecimal128('{cost}', 12) * (1 + (g * 7 + number * 13) % 5), toUInt64(10), toUInt64(0),
    CAST(map(), 'Map(String, Decimal(38, 9))'), toUInt64(0), toDecimal128(0, 12), toDecimal128(0, 12), toUInt64(0))"""
RULES: dict[str, AlertRule] = {
    "threshold": Threshold.model_validate(
        {"id": "t", "name": "T", "group_by": ["team"], "metric": "cost", "grain": "minute", "above": 1000}
    ),
    "spend_spike": SpendSpike(id="s", name="S", group_by=("team",), grain="minute"),
    "anomaly": Anomaly(id="a", name="A", group_by=("team",), grain="hour", settle_minutes=0),
}


def fill(
    clickhouse: ClickHouseClient, now: datetime, scopes: int, cost: float, windows: int = 10_000
) -> None:
    for table, length, most in TABLES:
        fill_rollups(
            clickhouse, table, CELL.format(cost=cost), now=now, seconds=length, windows=min(most, windows),
            groups=scopes, version=int(cost) + 1,
        )  # fmt: skip


def tick(what: str, alerter: Alerter) -> None:
    cpu, wall = time.process_time(), time.perf_counter()
    alerter.tick()
    show(what=what, cpu_s=time.process_time() - cpu, wall_s=time.perf_counter() - wall)


def main() -> None:
    scopes = options(__doc__, scopes=10_000).scopes
    clock = FakeClock(CLOCK.now().replace(minute=30, second=0, microsecond=0))
    with stores() as stack:
        clickhouse = ClickHouseClient(stack.writer)
        fill(clickhouse, clock.now(), scopes, 0.05)
        watches = {name: _watch(clickhouse, clock, rule) for name, rule in RULES.items()}
        for name, watch in watches.items():
            tick(f"{name}, first", watch)
            tick(name, watch)
        clock.advance(3600)
        fill(clickhouse, clock.now(), scopes, 0.05, windows=1)
        tick("anomaly, an hour later", watches["anomaly"])
        clock.advance(60)
        fill(clickhouse, clock.now(), scopes, 2000, windows=1)
        tick("storm", watches["threshold"])
        clickhouse.close()


def _watch(clickhouse: ClickHouseClient, clock: FakeClock, rule: AlertRule) -> Alerter:
    catalog = Catalog(revision=1, created_at=clock.now(), rules=(rule,))
    return Alerter(
        RollupReader(clickhouse), Store(clickhouse), clock,
        watchlist=lambda: Watchlist(catalog), channels=["bus"], most_scopes=100_000,
    )  # fmt: skip


if __name__ == "__main__":
    main()
