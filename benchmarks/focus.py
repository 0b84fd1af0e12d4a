"""How fast the FOCUS export writes, and how much memory it takes, on the embedded engine.

    .venv/bin/python benchmarks/focus.py [--events 1000000] [--tags 1000000]

Each event has two meters, and so two rows, where its tags are its own (`--tags` as many as events: nothing can be
added up); with fewer tags rows are sums of several events. The ledger spans ten days. Memory is the peak of the
exporting process, which is a process of its own for each format; the engine is another.
"""

import multiprocessing
import resource
import tempfile
from datetime import timedelta
from pathlib import Path
from time import perf_counter

from harness import CLOCK, fill_ledger, options, show, stores

from outlay.focus.write import Wanted, tables, write_csv, write_parquet
from outlay_kit.clickhouse import ClickHouseClient
from outlay_kit.settings import ClickHouseSettings
from outlay_kit.time_ranges import TimeRange

SPAN = timedelta(days=10)


def _peak() -> int:
    """Return the most memory that this process has had, MiB; ru_maxrss would count the parent's, too."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmHWM")).split()[1]) // 1024


def export(settings: ClickHouseSettings, span: TimeRange, file: Path) -> None:
    clickhouse, before, began = ClickHouseClient(settings), _peak(), perf_counter()
    if file.suffix == ".parquet":
        wanted = Wanted(span, "1.4", text=False)
        rows = write_parquet(tables(clickhouse, wanted), file, wanted)
    else:
        wanted = Wanted(span, "1.4")
        with file.open("wb") as out:
            rows = write_csv(tables(clickhouse, wanted), out, wanted)
    took, cpu = perf_counter() - began, resource.getrusage(resource.RUSAGE_SELF)
    show(
        format=file.suffix[1:], rows=rows, rows_per_s=rows / took, mib=file.stat().st_size >> 20, peak_mib=_peak(),
        before_mib=before, cpu_s=cpu.ru_utime + cpu.ru_stime, took_s=took,
    )  # fmt: skip
    clickhouse.close()


def main() -> None:
    chosen = options(__doc__, events=1_000_000, tags=1_000_000)
    fresh = multiprocessing.get_context("spawn")
    with stores() as stack, tempfile.TemporaryDirectory() as place:
        end = CLOCK.now().replace(minute=0, second=0, microsecond=0)
        gap = SPAN.total_seconds() / chosen.events
        time = f"toDateTime64({int(end.timestamp())} - number * {gap}, 6, 'UTC')"
        tags = f"map('request', toString(number % {chosen.tags}))"
        fill_ledger(ClickHouseClient(stack.writer), time, range(chosen.events), tags=tags)
        for name in ("focus.csv", "focus.parquet"):
            asked = (stack.reader, TimeRange(end - SPAN, end), Path(place) / name)
            one = fresh.Process(target=export, args=asked)
            one.start()
            one.join()


if __name__ == "__main__":
    main()
