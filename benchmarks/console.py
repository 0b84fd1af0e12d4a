"""How long the console's pages take over a large set of rollups, on the embedded engine.

    python benchmarks/console.py [--events 100000000] [--ledger 3000000] [--rounds 20]

The rollups are those of `--events` events in 30 days of one tenant: 100 groups a minute, 250 an hour for 90 days,
400 a day for 400 days. The ledger holds the newest `--ledger` of them, at the same density. What is measured is the
whole page, in process: session, queries, template; not the network.
"""

import tempfile
from datetime import datetime, timedelta
from pathlib import Path

from harness import CLOCK, fill_ledger, fill_rollups, options, show, stores, times
from starlette.testclient import TestClient

from outlay_console.actions import Actions
from outlay_console.adapters.catalog import CatalogHistory
from outlay_console.adapters.forecasts import Forecasts
from outlay_console.adapters.kafka import ConsumerLag, EventTail
from outlay_console.adapters.readers import Readers
from outlay_console.app import Console
from outlay_console.pages.request import Dependencies
from outlay_console.sessions import Sessions
from outlay_console.settings import Settings
from outlay_kit.audit import AuditLog
from outlay_kit.clickhouse import ClickHouseClient
from outlay_kit.keys import KeyFile, KeyRing
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
    map('input_tokens', toDecimal128(4000 * {each}, 9), 'output_tokens', toDecimal128(200 * {each}, 9)),
    toUInt64(0), toDecimal128(0, 12), toDecimal128(0, 12), toUInt64(0))"""


def fill(settings: ClickHouseSettings, now: datetime, events: int, ledger: int) -> None:
    clickhouse = ClickHouseClient(settings)
    for table, seconds, windows, groups in TABLES:
        cell = CELL.format(each=max(1, events * seconds // (30 * 86_400 * groups)))
        fill_rollups(clickhouse, table, cell, now=now, seconds=seconds, windows=windows, groups=groups)
    time = f"toDateTime64({int(now.timestamp())} - number * {30 * 86_400 / events}, 6, 'UTC')"
    fill_ledger(clickhouse, time, range(ledger))
    clickhouse.close()


def main() -> None:
    chosen = options(__doc__, events=100_000_000, ledger=3_000_000, rounds=20)
    with stores() as stack, tempfile.TemporaryDirectory() as place:
        now = CLOCK.now() - timedelta(seconds=1)
        fill(stack.writer, now, chosen.events, chosen.ledger)
        keys = Path(place) / "keys.json"
        key = KeyFile(keys).create("acme", ("read",), now)
        readers = Readers(stack.reader, 4, 60, ping_seconds=10)
        dependencies = Dependencies(
            settings=Settings(),
            sessions=Sessions(KeyRing(keys), b"secret", 1),
            readers=readers,
            catalog=lambda: None,
            tail=EventTail(stack.kafka, CLOCK),
            consumer_lag=ConsumerLag(stack.kafka, CLOCK),
            forecasts=Forecasts(readers),
            history=CatalogHistory(readers, "acme"),
            actions=Actions(None, AuditLog(Path(place) / "audit.ndjson")),
            clock=CLOCK,
        )
        with TestClient(Console(dependencies).app(), headers={"sec-fetch-site": "same-origin"}) as client:
            client.post("/login", data={"key": key})
            for page in PAGES:
                client.get(page).raise_for_status()
                show(page=page, **times(chosen.rounds, client.get, page))
        readers.close()


if __name__ == "__main__":
    main()
