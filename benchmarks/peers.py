"""Outlay beside what one would build instead, on the same stores: events in Kafka → priced → minutes in ClickHouse.

    python benchmarks/peers.py [--events 200000] [--rounds 3]

Each peer is a script of `peers/` with its own dependencies, which uv installs; one is a Go module, which needs Go 1.24.
It reads the events from Kafka, one a record, finds their price in a library's list, and inserts rows; a materialized
view of the engine adds them up. The
peers do less than Outlay: they take no HTTP, know no duplicates, corrections, owners or price books, and explain no
figure. Outlay's time begins at its HTTP endpoint. Rounds alternate; of each a rate from the first rows to the last,
and the CPU time of all processes (with Kafka and ClickHouse, without the producer).
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import genai_prices
import psutil
from harness import CLOCK, cpu_seconds, options, show, stores
from pipeline import BATCH, MODELS, TENANT, Counted, Producer, body, wait_counted

from outlay.embedded.stack import EmbeddedStack
from outlay.local.system import LocalSystem
from outlay_kit.clickhouse import ClickHouseClient
from outlay_kit.kafka import KafkaSink, deliver
from outlay_kit.topics import create_topics
from outlay_schemas.topics import Topic

PEERS = Path(__file__).parent / "peers"
NAMES = ("quix", "bytewax_flow", "script", "benthos")
TABLES = """
CREATE TABLE {table} (id String, time DateTime64(6, 'UTC'), team String, project String, user String, provider String,
    sku String, cost Decimal(38, 12)) ENGINE = MergeTree ORDER BY (time, id);
CREATE TABLE {table}_minute (minute DateTime('UTC'), team String, project String, user String, provider String,
    sku String, cost Decimal(38, 12), events UInt64) ENGINE = SummingMergeTree
    ORDER BY (minute, team, project, user, provider, sku);
CREATE MATERIALIZED VIEW {table}_sums TO {table}_minute AS SELECT toStartOfMinute(time) AS minute, team, project, user,
    provider, sku, sum(cost) AS cost, count() AS events FROM {table} GROUP BY ALL"""


class Cpu:
    """The CPU seconds of processes since it was made."""

    def __init__(self, pids: Mapping[str, int]) -> None:
        self._processes = [psutil.Process(pid) for pid in pids.values()]
        self._start = self._used()

    def _used(self) -> float:
        return sum(cpu_seconds(process) for process in self._processes)

    def seconds(self) -> float:
        return self._used() - self._start


def fill(stack: EmbeddedStack, events: int) -> None:
    """Write events to the topic that peers read, one a record."""
    create_topics(stack.kafka, [Topic("peers.usage", partitions=4)])
    template, sink = body(1000), KafkaSink(stack.kafka)
    for number in range(events // BATCH):
        stamp = CLOCK.now().isoformat().encode()
        batch = template.replace(b"@@@@@@@@", b"%08x" % number).replace(b"#TIME#", stamp)
        deliver(sink, "peers.usage", batch.splitlines())
    sink.close()


def prices() -> dict[str, dict[str, float]]:
    """Return USD per million tokens by provider/model, for a peer that knows no library."""
    meters = ("input_tokens", "cache_read_tokens", "output_tokens")
    return {
        f"{provider}/{sku}": {meter.removesuffix("_tokens"): _rate(provider, sku, meter) for meter in meters}
        for provider, sku in MODELS
    }


def _rate(provider: str, sku: str, meter: str) -> float:
    """Return what a million tokens cost, in calls so small that no tier matters."""
    counts = {"input_tokens": 1000, meter: 1000}
    with_them = genai_prices.calc_price(genai_prices.Usage(**counts), sku, provider_id=provider).total_price
    if meter != "output_tokens":  # cached tokens are among the input tokens
        return float(with_them * 1000)
    without = genai_prices.calc_price(genai_prices.Usage(input_tokens=1000), sku, provider_id=provider)
    return float((with_them - without.total_price) * 1000)


def _install(name: str) -> list[str | Path]:
    script = PEERS / f"{name}.py"
    uv = Path(sys.executable).with_name("uv")
    subprocess.run([uv, "sync", "--quiet", "--script", script], check=True)
    return [subprocess.check_output([uv, "python", "find", "--script", script], text=True).strip(), script]


def _build(name: str, folder: Path) -> list[str | Path]:
    subprocess.run(["go", "build", "-o", folder / name, "."], cwd=PEERS / name, check=True)
    return [folder / name]


@contextmanager
def running(stack: EmbeddedStack, name: str, table: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run a peer for a while, in an environment that uv makes of its dependencies; give its process."""
    writer = stack.writer
    url = urlsplit(writer.url)
    clickhouse = {
        "host": url.hostname, "port": url.port, "username": writer.user, "database": writer.database,
        "password": writer.password.get_secret_value(),
    }  # fmt: skip
    said = json.dumps(
        {"kafka": stack.kafka.bootstrap, "clickhouse": clickhouse, "table": table, "prices": prices()}
    )
    with tempfile.TemporaryDirectory() as folder:
        command = _build(name, Path(folder)) if (PEERS / name).is_dir() else _install(name)
        process = subprocess.Popen(command, env={**os.environ, "PEER": said}, cwd=folder)
        try:
            yield process
        finally:
            process.kill()
            process.wait()


def peer(stack: EmbeddedStack, name: str, number: int, events: int) -> dict[str, float]:
    """Let a peer read all events; return its rate and its CPU per event."""
    table = f"peer_{name}_{number}"
    clickhouse = ClickHouseClient(stack.writer)
    for statement in TABLES.format(table=table).split(";"):
        clickhouse.command(statement)
    counting = f"SELECT sum(events) AS n FROM {table}_minute"  # noqa: S608 (a name of this file)
    with running(stack, name, table) as process:

        def wait_for(least: int) -> int:
            while True:
                [row] = clickhouse.rows(counting)
                if (seen := int(row["n"])) >= least:
                    return seen
                if process.poll() is not None:
                    raise SystemExit(f"{name} ended after {seen:,} of {events:,} events")
                time.sleep(0.05)

        first = wait_for(1)
        cpu, began = Cpu({**stack.supervisor.pids(), name: process.pid}), time.perf_counter()
        wait_for(events)
        seconds, used = time.perf_counter() - began, cpu.seconds()
    [row] = clickhouse.rows(f"SELECT toFloat64(sum(cost)) AS usd FROM {table}_minute")  # noqa: S608 (as above)
    clickhouse.close()
    return _figures(events - first, seconds, used, float(row["usd"]) / events)


def _figures(events: int, seconds: float, cpu_seconds: float, usd: float) -> dict[str, float]:
    """Name the figures of a round. `usd`: of an event, which shows whether all did the same work."""
    return {
        "events_per_s": events / seconds,
        "cpu_us_per_event": cpu_seconds / events * 1e6,
        "usd_per_event": usd,
    }


def outlay(events: int) -> dict[str, float]:
    """Send the same events to Outlay over HTTP; return its rate and its CPU per event."""
    with tempfile.TemporaryDirectory() as home, LocalSystem(Path(home)) as system:
        counted = Counted()
        counted.follow(system.kafka)
        producer = Producer([system.ingest_url], system.create_key(TENANT), body(1000), counted)
        producer.run(4, 1, 0)
        wait_counted(counted, producer.accepted)
        before, cpu, began = counted.events, Cpu(system.pids()), time.perf_counter()
        producer.run(events // BATCH, 4, 0)
        seconds = wait_counted(counted, producer.accepted) - began
        sent, used = counted.events - before, cpu.seconds()
        clickhouse = ClickHouseClient(system.state().clickhouse_settings())
        [row] = clickhouse.rows("SELECT toFloat64(sum(cost) / count()) AS usd FROM costs")
        clickhouse.close()
        return _figures(sent, seconds, used, float(row["usd"]))


def main() -> None:
    chosen = options(__doc__, events=200_000, rounds=3)
    found: dict[str, list[dict[str, float]]] = defaultdict(list)
    for number in range(chosen.rounds):
        found["outlay"].append(outlay(chosen.events))
        with stores() as stack:
            fill(stack, chosen.events)
            for name in NAMES:
                found[name].append(peer(stack, name, number, chosen.events))
        for name, rounds in found.items():
            show(round=number, peer=name, **rounds[-1])
    ours = found["outlay"]
    for name, rounds in found.items():
        figures = {figure: statistics.median(one[figure] for one in rounds) for figure in ours[0]}
        ratio = statistics.median(
            a["events_per_s"] / b["events_per_s"] for a, b in zip(ours, rounds, strict=True)
        )
        show(median_of=chosen.rounds, peer=name, **figures, outlay_times=ratio)


if __name__ == "__main__":
    main()
