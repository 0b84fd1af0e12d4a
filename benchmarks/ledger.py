"""Recompute and audit as the ledger grows. Run: .venv/bin/python benchmarks/ledger.py [--rows 10000000] [--audit]

Seconds to recompute one live minute (50,000 events, 1,000 groups), its hour and its day; what the engine reads of the
ledger for it; and, with `--audit`, a rebuild and an audit of everything. The other rows are of 3 tenants over 90 days.
The engine runs in this process (chDB).
"""

import tempfile
from collections.abc import Callable
from time import perf_counter

from harness import CLOCK, fill_ledger, options, show, times

from outlay_aggregator.adapters.audit import Audit
from outlay_aggregator.adapters.ledger_store import LedgerStore
from outlay_aggregator.adapters.rebuild import Rebuild
from outlay_aggregator.domain.windows import GRAINS, Range, Window, widen
from outlay_kit.clickhouse import ClickHouseClient
from outlay_kit.migrator import migrate
from outlay_kit.settings import ClickHouseSettings

LIVE = Window(1_795_521_600, "live")
"""2026-11-24T12:00Z"""
LIVE_TIME = "toDateTime64('2026-11-24 12:00:00', 6, 'UTC') + toIntervalMillisecond(number)"
OTHER_TIME = "toDateTime64('2026-08-26 00:00:00', 6, 'UTC') + toIntervalSecond(cityHash64(number) % 7776000)"


def counters(clickhouse: ClickHouseClient) -> dict[str, int]:
    """What the engine has read: a server writes it into system.query_log, which chDB does not have."""
    return {row["event"]: row["value"] for row in clickhouse.rows("SELECT event, value FROM system.events")}


def read_of(clickhouse: ClickHouseClient, ledger: LedgerStore) -> dict[str, object]:
    """What the engine read to recompute one minute. Ledger and users are one statement: each part counts twice."""
    before = counters(clickhouse)
    ledger.compute("minute", [LIVE])
    read = {name: value - before.get(name, 0) for name, value in counters(clickhouse).items()}
    return {
        "parts": f"{read['SelectedParts']}/{read['SelectedPartsTotal']}",
        "granules": f"{read['SelectedMarks']}/{read['SelectedMarksTotal']}",
        "rows": read["SelectedRows"],
    }


def seconds(work: Callable[[], object]) -> float:
    began = perf_counter()
    work()
    return perf_counter() - began


def audited(clickhouse: ClickHouseClient, ledger: LedgerStore) -> dict[str, object]:
    rebuild, audit, asked = Rebuild(ledger), Audit(ledger, clickhouse, CLOCK), Range()
    rebuilt = seconds(lambda: rebuild.run(asked, audit.spans(asked)))
    began = perf_counter()
    differing, _ = audit.differences(asked, patience=0)
    return {
        "rebuild_s": rebuilt, "audit_cells_s": perf_counter() - began, "windows_differing": differing,
        "audit_totals_s": seconds(lambda: audit.periods(asked)),
        "audit_conflicts_s": seconds(lambda: audit.conflicts(asked)),
    }  # fmt: skip


def main() -> None:
    chosen = options(__doc__, rows=10_000_000, audit=False)
    with tempfile.TemporaryDirectory() as folder:
        settings = ClickHouseSettings(url=f"chdb://{folder}", database="bench")
        migrate(settings)
        clickhouse = ClickHouseClient(settings)
        fill_ledger(clickhouse, LIVE_TIME, range(50_000), tenant="'live'", groups=1000)
        fill_ledger(
            clickhouse, OTHER_TIME, range(chosen.rows), tenant="concat('tenant', toString(number % 3))"
        )
        ledger = LedgerStore(clickhouse, 1000)
        for grain in GRAINS:
            show(recompute=grain, **times(3, ledger.recompute, grain, [widen(LIVE, grain)]))
        show(read=read_of(clickhouse, ledger))
        if chosen.audit:
            show(**audited(clickhouse, ledger))
        clickhouse.close()


if __name__ == "__main__":
    main()
