"""What the benchmarks share: options, figures, stores with rollups and a ledger in them.

Each benchmark prints its figures as JSON, one object a line.
"""

import argparse
import json
import os
import statistics
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from time import perf_counter
from typing import Any

import psutil

from outlay.embedded.stack import EmbeddedStack
from outlay_kit.clickhouse import ClickHouseClient
from outlay_kit.clock import SystemClock
from outlay_kit.migrator import migrate
from outlay_kit.settings import KafkaSettings
from outlay_kit.topics import create_topics
from outlay_schemas import topics

sys.path.insert(0, str(Path(__file__).parents[1]))  # some use what the tests are made of

CLOCK = SystemClock()
_AT_ONCE = 500_000
_LEDGER = """
INSERT INTO ledger (tenant, source, id, time, kind, activity, provider, sku, usage, cost, price_status, price_ref,
    cost_parts, project, team, use_case, user, business_unit, tags, revision, fingerprint)
SELECT {tenant}, 'bench', toString(number), {time}, 'llm', 'inference',
    concat('provider-', toString(g % 3)), concat('sku-', toString(g % 25)),
    map('input_tokens', toDecimal128(4000, 9), 'output_tokens', toDecimal128(200, 9)),
    toDecimal128('0.015', 12), 'priced', 'genai-prices@0.2.3#a/b',
    map('input_tokens', toDecimal128('0.012', 12), 'output_tokens', toDecimal128('0.003', 12)),
    concat('project-', toString(g % 40)), concat('team-', toString(g % 12)), '', concat('u-', toString(g)), '',
    {tags}, 1, number % 1000
FROM (SELECT number, cityHash64(number) % {groups} AS g FROM numbers({low}, {many}))"""


def options(doc: str | None, **defaults: Any) -> Any:
    """Read options from the command line: of each its name and its default, which says its type."""
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in defaults.items():
        more = {"action": "store_true"} if default is False else {"type": type(default), "default": default}
        parser.add_argument(f"--{name}", **more)
    return parser.parse_args()


def show(**figures: object) -> None:
    """Print figures; floats with four digits that count."""
    print(
        json.dumps({n: float(f"{v:.4g}") if isinstance(v, float) else v for n, v in figures.items()}),
        flush=True,
    )


def times(rounds: int, work: Callable[..., object], *arguments: object) -> dict[str, float]:
    """Return p50, p95 and the worst of some runs, in ms."""
    took = []
    for _ in range(rounds):
        began = perf_counter()
        work(*arguments)
        took.append(1000 * (perf_counter() - began))
    return {"p50_ms": statistics.median(took), "p95_ms": percentile(took, 0.95), "worst_ms": max(took)}


def cpu_seconds(process: psutil.Process) -> float:
    """Return the CPU time of a process so far, without that of its children: those are measured by themselves."""
    times = process.cpu_times()
    return float(times.user + times.system)


def percentile(values: Sequence[float], share: float) -> float:
    return sorted(values)[min(len(values) - 1, int(len(values) * share))] if values else float("nan")


@contextmanager
def stores() -> Iterator[EmbeddedStack]:
    """Run the embedded stores in a folder that is deleted afterwards; tables and topics are there."""
    with tempfile.TemporaryDirectory() as place, EmbeddedStack(Path(place) / "stack", CLOCK) as stack:
        migrate(stack.writer)
        create_topics(stack.kafka, topics.ALL)
        yield stack


@contextmanager
def bus() -> Iterator[KafkaSettings]:
    """Kafka: that which OUTLAY_KAFKA names, else the embedded one; with its topics."""
    if os.environ.get("OUTLAY_KAFKA"):
        create_topics(KafkaSettings(), topics.ALL)
        yield KafkaSettings()
    else:
        with stores() as stack:
            yield stack.kafka


def fill_ledger(
    clickhouse: ClickHouseClient, time: str, rows: range, *,
    tenant: str = "'acme'", tags: str = "map()", groups: int = 100,
) -> None:  # fmt: skip
    """Write events with the numbers `rows`; `time`, `tenant` and `tags` are SQL of `number`."""
    for low in range(rows.start, rows.stop, _AT_ONCE):
        many = min(_AT_ONCE, rows.stop - low)
        sql = _LEDGER.format(time=time, tenant=tenant, tags=tags, groups=groups, low=low, many=many)
        clickhouse.command(sql)


def fill_rollups(
    clickhouse: ClickHouseClient, table: str, cell: str, *,
    now: datetime, seconds: int, windows: int, groups: int, version: int = 1,
) -> None:  # fmt: skip
    """Write the newest `windows` of a table, of `groups` cells each; `cell` is SQL of `g` and `number`."""
    end, at_once = int(now.timestamp()), 500_000 // groups
    for low in range(0, windows, at_once):
        clickhouse.command(
            f"INSERT INTO {table} (tenant, window, version, groups) SELECT 'acme',"  # noqa: S608 (ours)
            f" toDateTime({end - end % seconds} - number * {seconds}, 'UTC'), {version},"
            f" arrayMap(g -> {cell}, range({groups})) FROM numbers({low}, {min(at_once, windows - low)})"
        )
