"""How long one evaluation of many scopes takes, on one core, through the engine.

    python benchmarks/scopes.py --scopes 10000

Every team is a scope. Each kind of rule is evaluated by itself over all of them, as at the end of a minute; what is
shown is the CPU of this process (one core), and the wall clock with the engine's share in it. `storm`: all of them
fire at once, and are decided and written down.
"""

import argparse
import json
import tempfile
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from outlay.embedded.stack import EmbeddedStack
from outlay_alerter.adapters.rollup_reader import RollupReader
from outlay_alerter.alerts.store import Store
from outlay_alerter.service import Alerter
from outlay_alerter.watchlist import Watchlist
from outlay_kit.clickhouse import ClickHouseClient
from outlay_kit.clock import FakeClock, SystemClock
from outlay_kit.migrator import migrate
from outlay_schemas.catalog import Catalog
from outlay_schemas.catalog.watch import AlertRule, Anomaly, SpendSpike, Threshold

TABLES = (("rollup_day", 86_400, 3), ("rollup_hour", 3600, 240), ("rollup_minute", 60, 130))
CELL = """('', concat('team-', toString(g)), '', '', 'p', 'm', 'llm', 'inference', '',
    toDecimal128('{cost}', 12) * (1 + (g * 7 + number * 13) % 5), toUInt64(10), toUInt64(0),
    CAST(map(), 'Map(String, Decimal(38, 9))'))"""
RULES: dict[str, AlertRule] = {
    "threshold": Threshold.model_validate(
        {"id": "t", "name": "T", "group_by": ["team"], "metric": "cost", "grain": "minute", "above": 1000}
    ),
    "spend_spike": SpendSpike(id="s", name="S", group_by=("team",), grain="minute"),
    "anomaly": Anomaly(id="a", name="A", group_by=("team",), grain="hour", settle_minutes=0),
}


def fill(clickhouse: ClickHouseClient, now: datetime, scopes: int, cost: str, windows: int = 10_000) -> None:
    end = int(now.timestamp())
    for table, seconds, most in TABLES:
        newest, many = end - end % seconds, min(most, windows)
        for low in range(0, many, 20):
            clickhouse.command(
                f"INSERT INTO {table} (tenant, window, version, groups) SELECT 'acme',"  # noqa: S608 (ours)
                f" toDateTime({newest} - number * {seconds}, 'UTC'), {int(float(cost)) + 1}, arrayMap(g ->"
                f" {CELL.format(cost=cost)}, range({scopes})) FROM numbers({low}, {min(20, many - low)})"
            )


def timed(work: Callable[[], None]) -> tuple[float, float]:
    cpu, wall = time.process_time(), time.perf_counter()
    work()
    return time.process_time() - cpu, time.perf_counter() - wall


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--scopes", type=int, default=10_000)
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    now = SystemClock().now().replace(minute=30, second=0, microsecond=0)
    report: dict[str, tuple[float, float]] = {}
    with tempfile.TemporaryDirectory() as place, EmbeddedStack(Path(place), SystemClock()) as stack:
        migrate(stack.writer)
        clickhouse, clock = ClickHouseClient(stack.writer), FakeClock(now)
        fill(clickhouse, now, args.scopes, "0.05")
        watches = {name: _watch(clickhouse, clock, rule) for name, rule in RULES.items()}
        for name, watch in watches.items():
            report[f"{name}, first"] = timed(watch.tick)
            report[name] = timed(watch.tick)
        clock.advance(3600)
        fill(clickhouse, clock.now(), args.scopes, "0.05", windows=1)
        report["anomaly, an hour later"] = timed(watches["anomaly"].tick)
        clock.advance(60)
        fill(clickhouse, clock.now(), args.scopes, "2000", windows=1)
        report["storm"] = timed(watches["threshold"].tick)
        clickhouse.close()
    if args.json:
        print(json.dumps(report))
    for name, (cpu, wall) in report.items():
        print(f"{name:<24} {args.scopes:,} scopes: {cpu:6.2f} s CPU, {wall:6.2f} s in all")


def _watch(clickhouse: ClickHouseClient, clock: FakeClock, rule: AlertRule) -> Alerter:
    catalog = Catalog(revision=1, created_at=clock.now(), rules=(rule,))
    return Alerter(
        RollupReader(clickhouse), Store(clickhouse), clock,
        watchlist=lambda: Watchlist(catalog), channels=["bus"], most_scopes=100_000,
    )  # fmt: skip


if __name__ == "__main__":
    main()
