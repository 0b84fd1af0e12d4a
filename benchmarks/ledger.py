"""Recompute and audit as the ledger grows. Run: .venv/bin/python benchmarks/ledger.py [ROWS ...]

For each size: seconds to recompute one live minute (50,000 events, 1,000 groups), its hour and its day; what the
engine reads of the ledger for it; and an audit of everything. The engine runs in this process (chDB).
"""

import json
import sys
import tempfile
import time
from collections.abc import Callable

from outlay_aggregator.adapters.audit import Audit, Range
from outlay_aggregator.adapters.ledger_store import LedgerStore
from outlay_aggregator.adapters.rebuild import Rebuild
from outlay_aggregator.domain.windows import GRAINS, Window, widen
from outlay_kit.clickhouse import ClickHouseClient
from outlay_kit.clock import SystemClock
from outlay_kit.migrator import migrate
from outlay_kit.settings import ClickHouseSettings

LIVE = Window(1_795_521_600, "live")
"""2026-11-24T12:00Z"""
_ROWS = """
INSERT INTO ledger (tenant, source, id, time, kind, activity, provider, sku, usage, cost, price_status, price_ref,
    cost_parts, project, team, user, revision, fingerprint)
SELECT {tenant}, 'bench', toString(number), {time}, 'llm', 'inference', 'openai', concat('m', toString(number % 10)),
    map('input_tokens', toDecimal64(number % 5000, 9)), toDecimal128(number % 1000, 12) / 1000000, 'priced', 'b/1',
    map('input_tokens', toDecimal128(number % 1000, 12) / 1000000), concat('p', toString(number % 10)),
    concat('t', toString(intDiv(number, 10) % 10)), concat('u', toString(intDiv(number, 100) % {users})), 1,
    number % 1048576
FROM numbers({low}, {count})"""


def timed(action: Callable[[], object], times: int = 3) -> float:
    best = 1e9
    for _ in range(times):
        started = time.perf_counter()
        action()
        best = min(best, time.perf_counter() - started)
    return round(best, 3)


def grow(clickhouse: ClickHouseClient, low: int, high: int) -> None:
    """Rows of 3 tenants over 90 days."""
    for start in range(low, high, 1_000_000):
        when = (
            "toDateTime64('2026-08-26 00:00:00', 6, 'UTC') + toIntervalSecond(cityHash64(number) % 7776000)"
        )
        count = min(1_000_000, high - start)
        tenant = "concat('tenant', toString(number % 3))"
        clickhouse.command(_ROWS.format(tenant=tenant, time=when, users=10, low=start, count=count))


_COUNTERS = ("SelectedParts", "SelectedPartsTotal", "SelectedMarks", "SelectedMarksTotal", "SelectedRows")


def counters(clickhouse: ClickHouseClient) -> dict[str, int]:
    names = {"names": list(_COUNTERS)}
    rows = clickhouse.rows(
        "SELECT event, value FROM system.events WHERE event IN {names:Array(String)}", names
    )
    return {row["event"]: row["value"] for row in rows}


def read_of(clickhouse: ClickHouseClient, ledger: LedgerStore) -> dict[str, object]:
    """What the engine really read to recompute one minute, by its own counters.

    They are those that a server writes into system.query_log; chDB has no query log, so that they are taken
    before and after. Ledger and users are read by the same statement, so each part counts twice.
    """
    before = counters(clickhouse)
    ledger.compute("minute", [LIVE])
    after = counters(clickhouse)
    read = {name: after[name] - before.get(name, 0) for name in _COUNTERS}
    [parts] = clickhouse.rows(
        "SELECT count() AS parts, uniqExact(partition) AS partitions, sum(rows) AS rows,"
        " countIf(partition = '202611') AS in_its_partition FROM system.parts"
        " WHERE database = 'bench' AND table = 'ledger' AND active"
    )
    return {
        "ledger": parts,
        "parts": f"{read['SelectedParts']}/{read['SelectedPartsTotal']}",
        "granules": f"{read['SelectedMarks']}/{read['SelectedMarksTotal']}",
        "rows": read["SelectedRows"],
    }


def measure(clickhouse: ClickHouseClient, rows: int, full: bool) -> dict[str, object]:
    ledger = LedgerStore(clickhouse, 1000)
    figures: dict[str, object] = {"ledger_rows": rows}
    for grain in GRAINS:
        window = widen(LIVE, grain)
        figures[f"recompute_{grain}_s"] = timed(lambda g=grain, w=window: ledger.recompute(g, [w]))  # type: ignore[misc]
    figures["read"] = read_of(clickhouse, ledger)
    if full:
        rebuild, audit, asked = Rebuild(ledger), Audit(ledger, clickhouse, SystemClock()), Range()
        started = time.perf_counter()
        rebuild.run(asked, audit.spans(asked))
        figures["rebuild_s"] = round(time.perf_counter() - started, 1)
        started = time.perf_counter()
        count, _ = audit.differences(asked, patience=0)
        figures["audit_cells_s"] = round(time.perf_counter() - started, 1)
        figures["audit_totals_s"] = timed(lambda: audit.periods(asked), 1)
        figures["audit_conflicts_s"] = timed(lambda: audit.conflicts(asked), 1)
        figures["windows_differing"] = count
    return figures


def main() -> None:
    full = "--audit" in sys.argv
    sizes = [int(text.replace("_", "")) for text in sys.argv[1:] if not text.startswith("-")] or [
        1_000_000,
        10_000_000,
    ]
    with tempfile.TemporaryDirectory() as folder:
        settings = ClickHouseSettings(url=f"chdb://{folder}", database="bench")
        migrate(settings)
        clickhouse = ClickHouseClient(settings)
        live = "toDateTime64('2026-11-24 12:00:00', 6, 'UTC') + toIntervalMillisecond(number)"
        clickhouse.command(_ROWS.format(tenant="'live'", time=live, users=1, low=0, count=50_000))
        done = 0
        for size in sizes:
            grow(clickhouse, done, size)
            done = size
            print(json.dumps(measure(clickhouse, size, full and size == sizes[-1])), flush=True)
        clickhouse.close()


if __name__ == "__main__":
    main()
