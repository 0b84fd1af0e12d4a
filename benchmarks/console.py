"""How long the console's pages take over a large set of rollups, on the embedded engine.

    python benchmarks/console.py [--events 100000000] [--ledger 3000000] [--rounds 20]

The rollups are those of `--events` events in 30 days of one tenant: 100 groups a minute, 250 an hour for 90 days,
400 a day for 400 days. The ledger holds the newest `--ledger` of them, at the same density. What is measured is the
whole page, in process: session, queries, template; not the network.
"""

import argparse
import asyncio
import statistics
import tempfile
from datetime import datetime, timedelta
from pathlib import Path
from time import perf_counter

import httpx

from outlay.embedded.stack import EmbeddedStack
from outlay_console.actions import Actions
from outlay_console.adapters.catalog import CatalogHistory
from outlay_console.adapters.consumer_lag import ConsumerLag
from outlay_console.adapters.forecasts import Forecasts
from outlay_console.adapters.readers import Readers
from outlay_console.adapters.tail import EventTail
from outlay_console.app import Console, Dependencies
from outlay_console.sessions import Sessions
from outlay_console.settings import Settings
from outlay_kit.audit import AuditLog
from outlay_kit.clickhouse import ClickHouseClient
from outlay_kit.clock import SystemClock
from outlay_kit.keys import KeyFile, KeyRing
from outlay_kit.migrator import migrate
from outlay_kit.settings import ClickHouseSettings

TABLES = (
    ("rollup_day", 86_400, 400, 400),
    ("rollup_hour", 3600, 90 * 24, 250),
    ("rollup_minute", 60, 30 * 1440, 100),
)
PAGES = (
    "/?range=24h", "/?range=7d", "/?range=30d", "/?range=30d&tz=Europe/Berlin", "/?range=90d&tz=America/New_York",
    "/explore?range=24h&by=sku", "/explore?range=30d&by=user", "/explore?range=7d&by=team&tz=Asia/Kolkata",
    "/explore?range=90d&by=project&team=team-3", "/events?range=24h", "/events?range=30d&sku=sku-3",
    "/budgets", "/alerts", "/prices", "/opportunities", "/quality",
)  # fmt: skip

CELL = """(concat('project-', toString(g % 40)), concat('team-', toString(g % 12)), concat('bu-', toString(g % 4)),
    concat('case-', toString(g % 10)), concat('provider-', toString(g % 3)),
    concat('sku-', toString(g % 25)), 'llm', 'inference',
    concat('u-', toString(g)), toDecimal128(0.001 * {each}, 12) * (g % 9 + 1), toUInt64({each}), toUInt64(g % 50 = 0),
    map('input_tokens', toDecimal128(4000 * {each}, 9), 'output_tokens', toDecimal128(200 * {each}, 9)))"""
LEDGER = """
INSERT INTO ledger (tenant, source, id, time, kind, activity, provider, sku, usage, cost, price_status, price_ref,
    cost_parts, project, team, use_case, user, business_unit, revision, fingerprint)
SELECT 'acme', 'bench', toString(number), toDateTime64({end} - number * {gap}, 6, 'UTC'), 'llm', 'inference',
    concat('provider-', toString(g % 3)), concat('sku-', toString(g % 25)), map('input_tokens', toDecimal128(4000, 9)),
    toDecimal128('0.012', 12), 'priced', 'genai-prices@0.2.3#a/b', map('input_tokens', toDecimal128('0.012', 12)),
    concat('project-', toString(g % 40)), concat('team-', toString(g % 12)), '', concat('u-', toString(g)), '',
    1, number % 1000
FROM (SELECT number, cityHash64(number) % 100 AS g FROM numbers({low}, {many}))"""


def fill(settings: ClickHouseSettings, now: datetime, events: int, ledger: int) -> None:
    clickhouse = ClickHouseClient(settings)
    end = int(now.timestamp())
    for table, seconds, windows, groups in TABLES:
        each = max(1, events * seconds // (30 * 86_400 * groups))
        newest = end - end % seconds
        for low in range(0, windows, 5000):
            many = min(5000, windows - low)
            cell = CELL.format(each=each)
            clickhouse.command(
                f"INSERT INTO {table} (tenant, window, version, groups) SELECT 'acme',"  # noqa: S608 (ours)
                f" toDateTime({newest} - number * {seconds}, 'UTC'), 1, arrayMap(g -> {cell}, range({groups}))"
                f" FROM numbers({low}, {many})"
            )
    gap = 30 * 86_400 / events
    for low in range(0, ledger, 500_000):
        many = min(500_000, ledger - low)
        clickhouse.command(LEDGER.format(end=end, gap=gap, low=low, many=many))
    clickhouse.close()


async def measure(dependencies: Dependencies, key: str, rounds: int) -> None:
    transport = httpx.ASGITransport(app=Console(dependencies).app())
    headers = {"sec-fetch-site": "same-origin"}
    async with httpx.AsyncClient(
        transport=transport, base_url="http://console", headers=headers, timeout=60
    ) as client:
        await client.post("/login", data={"key": key})
        everything: list[float] = []
        for page in PAGES:
            await client.get(page)
            took = []
            for _ in range(rounds):
                started = perf_counter()
                answer = await client.get(page)
                took.append(1000 * (perf_counter() - started))
                answer.raise_for_status()
            everything += took
            print(f"{page:<46} p50 {statistics.median(took):6.0f} ms   p95 {p95(took):6.0f} ms")
        print(f"{'all':<46} p50 {statistics.median(everything):6.0f} ms   p95 {p95(everything):6.0f} ms")


def p95(took: list[float]) -> float:
    return sorted(took)[int(len(took) * 0.95)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=100_000_000)
    parser.add_argument("--ledger", type=int, default=3_000_000)
    parser.add_argument("--rounds", type=int, default=20)
    options = parser.parse_args()
    clock = SystemClock()
    with tempfile.TemporaryDirectory() as place, EmbeddedStack(Path(place), clock) as stack:
        migrate(stack.writer)
        started = perf_counter()
        now = clock.now() - timedelta(seconds=1)
        fill(stack.writer, now, options.events, options.ledger)
        print(f"filled in {perf_counter() - started:.0f} s")
        keys = Path(place) / "keys.json"
        key = KeyFile(keys).create("acme", ("read",), now)
        readers = Readers(stack.reader, 4, 60)
        dependencies = Dependencies(
            settings=Settings(),
            sessions=Sessions(KeyRing(keys), b"secret", 1),
            readers=readers,
            catalog=lambda: None,
            tail=EventTail(stack.kafka, clock),
            consumer_lag=ConsumerLag(stack.kafka, clock),
            forecasts=Forecasts(readers),
            history=CatalogHistory(readers),
            actions=Actions(None, AuditLog(Path(place) / "audit.ndjson")),
            clock=clock,
        )
        asyncio.run(measure(dependencies, key, options.rounds))
        dependencies.readers.close()


if __name__ == "__main__":
    main()
