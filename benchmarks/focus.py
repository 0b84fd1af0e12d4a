"""How fast the FOCUS export writes, and how much memory it takes, on the embedded engine.

    .venv/bin/python benchmarks/focus.py [--events 1000000] [--tags 1000000]

Each event has two meters, and so two rows, where its tags are its own (`--tags` as many as events: nothing can be
added up); with fewer tags rows are sums of several events. The ledger spans ten days. Memory is the peak of the
exporting process, which is a process of its own for each format; the engine is another.
"""

import argparse
import multiprocessing
import resource
import tempfile
from datetime import datetime, timedelta
from pathlib import Path
from time import perf_counter

from outlay.embedded.stack import EmbeddedStack
from outlay.focus.write import Wanted, tables, write_csv, write_parquet
from outlay_kit.clickhouse import ClickHouseClient
from outlay_kit.clock import SystemClock
from outlay_kit.migrator import migrate
from outlay_kit.settings import ClickHouseSettings
from outlay_kit.time_ranges import TimeRange

DAYS = 10
AT_ONCE = 250_000
LEDGER = """
INSERT INTO ledger (tenant, source, id, time, kind, activity, provider, sku, usage, cost, price_status, price_ref,
    cost_parts, project, team, use_case, user, business_unit, tags, revision, fingerprint)
SELECT 'acme', 'bench', toString(number), toDateTime64({end} - number * {gap}, 6, 'UTC'), 'llm', 'inference',
    concat('provider-', toString(g % 3)), concat('sku-', toString(g % 25)),
    map('input_tokens', toDecimal128(4000, 9), 'output_tokens', toDecimal128(200, 9)),
    toDecimal128('0.015', 12), 'priced', 'genai-prices@0.2.3#a/b',
    map('input_tokens', toDecimal128('0.012', 12), 'output_tokens', toDecimal128('0.003', 12)),
    concat('project-', toString(g % 40)), concat('team-', toString(g % 12)), '', concat('u-', toString(g)), '',
    map('request', toString(number % {tags})), 1, number % 1000
FROM (SELECT number, cityHash64(number) % 100 AS g FROM numbers({low}, {many}))"""


def fill(settings: ClickHouseSettings, end: datetime, events: int, tags: int) -> None:
    clickhouse = ClickHouseClient(settings)
    gap = DAYS * 86_400 / events
    for low in range(0, events, AT_ONCE):
        many = min(AT_ONCE, events - low)
        clickhouse.command(LEDGER.format(end=int(end.timestamp()), gap=gap, low=low, many=many, tags=tags))
    clickhouse.close()


def _peak() -> int:
    """Return the most memory that this process has had, MiB; ru_maxrss would count the parent's, too."""
    line = next(
        line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM")
    )
    return int(line.split()[1]) // 1024


def export(settings: ClickHouseSettings, span: TimeRange, file: Path) -> None:
    clickhouse = ClickHouseClient(settings)
    before = _peak()
    began = perf_counter()
    if file.suffix == ".parquet":
        rows = write_parquet(tables(clickhouse, Wanted(span, "1.4", text=False)), file, "1.4")
    else:
        with file.open("wb") as out:
            rows = write_csv(tables(clickhouse, Wanted(span, "1.4")), out, "1.4")
    took = perf_counter() - began
    cpu = resource.getrusage(resource.RUSAGE_SELF)
    print(
        f"{file.suffix[1:]:<8} {rows:>10,} rows  {rows / took:>9,.0f} rows/s  {file.stat().st_size >> 20:>6,} MiB"
        f"  peak {_peak()} MiB, {before} of them before  {cpu.ru_utime + cpu.ru_stime:.1f} s of CPU in {took:.1f} s",
        flush=True,
    )
    clickhouse.close()


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--tags", type=int, default=1_000_000)
    options = parser.parse_args()
    clock = SystemClock()
    fresh = multiprocessing.get_context("spawn")
    with tempfile.TemporaryDirectory() as place, EmbeddedStack(Path(place), clock) as stack:
        migrate(stack.writer)
        end = clock.now().replace(minute=0, second=0, microsecond=0)
        began = perf_counter()
        fill(stack.writer, end, options.events, options.tags)
        print(f"filled in {perf_counter() - began:.0f} s", flush=True)
        span = TimeRange(end - timedelta(days=DAYS), end)
        for name in ("focus.csv", "focus.parquet"):
            one = fresh.Process(target=export, args=(stack.reader, span, Path(place) / name))
            one.start()
            one.join()


if __name__ == "__main__":
    main()
