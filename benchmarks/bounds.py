"""Limits and their bounds: bursts, stores away for an hour's events, high cardinality, tenants, old minutes.

    PYTHONPATH=. .venv/bin/python benchmarks/bounds.py [SCENARIO ...] [--json]

Each scenario has stores and services of its own and prints one line: peak memory of each process, and what it was
about. Catching up: after `clickhouse` is away for the events of an hour at 1,000/s, they come to the rollups at
`catch_up_per_s`; the live rate in `share` is 50,000/s, or what this machine reaches of it.
"""

import json
import re
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
from pipeline import BATCH, Counted, Meter, Producer, body, percentile
from tests.chaos.rig import Pipeline
from tests.chaos.stores import Stores
from tests.processes import end_all

from outlay_kit.kafka import KafkaSink, deliver
from outlay_schemas.topics import USAGE_EVENTS

Figures = dict[str, object]
NOW = datetime.now(UTC).replace(second=0, microsecond=0)  # noqa: TID251 (a producer's own clock)


class Bench:
    """A pipeline with a producer over HTTP, and whoever counts what is in the rollups."""

    def __init__(self, stores: Stores, folder: Path) -> None:
        self.stores = stores
        self.pipeline = Pipeline(stores, folder).start()
        self.counted = Counted(self.pipeline.tenant)
        self.counted.follow(stores.kafka)
        url = self.pipeline.ingest.url.removesuffix("/v1/events")
        self.producer = Producer(url, self.pipeline.ingest.key, body(1000), self.counted)
        pids = {
            service.module.split("_")[1].split(".")[0]: service.running.pid
            for service in self.pipeline.services
        }
        self.meter = Meter(pids)
        self.meter.start()

    def feed(self, lines: Iterator[bytes], each: int = 500) -> int:
        """Put events on Kafka without ingest; return how many."""
        sink, part, count = KafkaSink(self.stores.kafka), list[bytes](), 0
        for line in lines:
            part.append(line)
            count += 1
            if len(part) == each:
                sink.send(USAGE_EVENTS.name, b"\n".join(part))
                part = []
        deliver(sink, USAGE_EVENTS.name, [b"\n".join(part)] if part else [])
        sink.close()
        return count

    def settle(self) -> float:
        """Return the seconds until everything that was accepted is in the rollups."""
        started = time.perf_counter()
        self.pipeline.settle(1200)
        return round(time.perf_counter() - started, 1)

    def metric(self, name: str) -> float:
        """A metric of the aggregator."""
        text = httpx.get(f"http://127.0.0.1:{self.pipeline.aggregator.health}/metrics", timeout=10).text
        found = re.search(rf"^{name} (\S+)$", text, re.MULTILINE)
        return float(found[1]) if found else 0.0

    def figures(self, **found: object) -> Figures:
        peak = {
            f"{name}_mib": round(size / 2**20) for name, size in self.meter.peak.items() if "this" not in name
        }
        return {**found, **peak}


def event(tenant: str, number: int, time: datetime, user: str = "u", project: str = "p") -> bytes:
    return (
        f'{{"id":"{number}","source":"bench","time":"{time.isoformat()}","tenant":"{tenant}","kind":"llm",'
        f'"provider":"openai","sku":"gpt-5","usage":{{"input_tokens":{number % 5000 + 1}}},"project":"{project}",'
        f'"user":"{user}"}}'
    ).encode()


def burst(bench: Bench) -> Figures:
    bench.producer.run(30_000 // BATCH, 2, BATCH / 2000)
    usual = dict(bench.meter.peak)
    bench.producer.run(300_000 // BATCH, 4, BATCH / 20_000)
    behind = bench.settle()
    grown = max(bench.meter.peak[name] - usual[name] for name in usual if "this" not in name)
    return bench.figures(
        usual_per_s=2000, burst_per_s=20_000, behind_s=behind, most_grown_mib=round(grown / 2**20)
    )


def clickhouse(bench: Bench) -> Figures:
    """The events of an hour at 1,000/s, while ClickHouse is away."""
    bench.stores.engine.kill()
    seconds = bench.producer.run(3_600_000 // BATCH, 4, 0)
    time.sleep(5)
    away = dict(bench.meter.peak)
    bench.stores.engine.start()
    caught = bench.settle()
    rate = round(bench.producer.accepted / caught)
    return bench.figures(
        events=bench.producer.accepted, accepted_per_s=round(bench.producer.accepted / seconds),
        aggregator_while_away_mib=round(away["aggregator"] / 2**20), catch_up_per_s=rate,
    )  # fmt: skip


def kafka(bench: Bench) -> Figures:
    """Senders go on for a minute without Kafka: all get 503."""
    sending = threading.Thread(target=lambda: bench.producer.run(120_000 // BATCH, 4, BATCH / 2000))
    sending.start()
    time.sleep(5)
    bench.stores.broker.kill()
    time.sleep(60)
    bench.stores.broker.start()
    sending.join()
    return bench.figures(refused_requests=bench.producer.refused_requests, behind_s=bench.settle())


def users(bench: Bench) -> Figures:
    tenant = bench.pipeline.tenant
    count = bench.feed(event(tenant, n, NOW, user=f"user-{n}") for n in range(500_000))
    return bench.figures(events_of_a_minute=count, users=count, **_high_cardinality(bench))


def projects(bench: Bench) -> Figures:
    tenant = bench.pipeline.tenant
    count = bench.feed(event(tenant, n, NOW, project=f"project-{n}") for n in range(100_000))
    return bench.figures(events_of_a_minute=count, projects=count, **_high_cardinality(bench))


def _high_cardinality(bench: Bench) -> Figures:
    seconds = bench.settle()
    named = bench.pipeline.clickhouse.rows(
        "SELECT source, dimension, distinct, cells FROM high_cardinality_sources FINAL WHERE tenant = {t:String}",
        {"t": bench.pipeline.tenant},
    )
    [window] = bench.pipeline.clickhouse.rows(
        "SELECT max(length(groups.cost)) AS cells FROM rollup_minute FINAL WHERE tenant = {t:String}",
        {"t": bench.pipeline.tenant},
    )
    return {"settled_s": seconds, "cells_of_the_minute": window["cells"], "named": named}


def tenants(bench: Bench) -> Figures:
    made = (event(f"tenant-{n % 10_000}", n, NOW) for n in range(200_000))
    return bench.figures(tenants=10_000, events=bench.feed(made), settled_s=bench.settle())


def dirty(bench: Bench) -> Figures:
    start, tenant = NOW - timedelta(minutes=1000), bench.pipeline.tenant
    made = (event(tenant, n, start + timedelta(minutes=n % 1000)) for n in range(100_000))
    return bench.figures(minutes=1000, events=bench.feed(made), settled_s=bench.settle())


def backfill(bench: Bench) -> Figures:
    """Ninety days, an event a minute, while live events come at 1,000/s."""
    bench.producer.run(10_000 // BATCH, 2, BATCH / 1000)
    bench.settle()
    quiet = percentile(bench.counted.latencies, 0.99)
    bench.counted.latencies.clear()
    start = NOW - timedelta(days=90)
    bench.feed(event("backfill", n, start + timedelta(minutes=n)) for n in range(129_600))
    began = time.perf_counter()
    while (
        bench.pipeline.clickhouse.rows(
            "SELECT count() AS n FROM rollup_minute FINAL WHERE tenant = 'backfill'"
        )[0]["n"]
        < 129_600
    ):
        bench.producer.run(5000 // BATCH, 2, BATCH / 1000)
    took = time.perf_counter() - began
    live = bench.counted.latencies
    return bench.figures(
        minutes=129_600, took_s=round(took, 1), live_p99_before_s=round(quiet, 2),
        live_p50_s=round(percentile(live, 0.5), 2), live_p99_s=round(percentile(live, 0.99), 2),
        live_max_s=round(max(live), 2),
    )  # fmt: skip


def huge(bench: Bench) -> Figures:
    """Sixteen incompressible records of 16 MB that are not events."""
    import os

    from outlay_schemas.topics import MAX_RECORD_BYTES

    sink = KafkaSink(bench.stores.kafka, compression_type=None)
    for _ in range(16):
        deliver(sink, USAGE_EVENTS.name, [os.urandom(MAX_RECORD_BYTES - 4096).replace(b"\n", b"_")])
    sink.close()
    seconds = bench.settle()
    [row] = bench.pipeline.clickhouse.rows(
        "SELECT count() AS n FROM dead_letters FINAL WHERE length(body) > 10000000"
    )
    return bench.figures(records=16, dead_letters=row["n"], settled_s=seconds)


def share(bench: Bench) -> Figures:
    """The aggregator's time at 50,000 events/s with 1,000 groups a minute, for 60 s: what of it is recomputing."""
    bench.producer.run(20, 1, 0)
    bench.settle()
    before, started = bench.metric("outlay_rollup_seconds_sum"), time.perf_counter()
    seconds = bench.producer.run(3_000_000 // BATCH, 4, BATCH / 50_000)
    bench.settle()
    wall, spent = time.perf_counter() - started, bench.metric("outlay_rollup_seconds_sum") - before
    return bench.figures(
        sent_per_s=round(3_000_000 / seconds), rollups_per_s=round(3_000_000 / wall),
        recompute_share=round(spent / wall, 3), latency_p99_s=round(percentile(bench.counted.latencies, 0.99), 2),
    )  # fmt: skip


def live(bench: Bench) -> Figures:
    """Catching up while live events go on at 15,000/s, after ClickHouse was away for 60 s."""
    sending = threading.Thread(target=lambda: bench.producer.run(2_400_000 // BATCH, 4, BATCH / 15_000))
    sending.start()
    time.sleep(10)
    bench.stores.engine.kill()
    time.sleep(60)
    counted, started = bench.counted.events, time.perf_counter()
    bench.stores.engine.start()
    while bench.producer.accepted - bench.counted.events > 15_000:
        time.sleep(0.2)
    rate = (bench.counted.events - counted) / (time.perf_counter() - started)
    sending.join()
    return bench.figures(live_per_s=15_000, caught_up_at_per_s=round(rate), times=round(rate / 15_000, 1))


SCENARIOS: tuple[Callable[[Bench], Figures], ...] = (
    burst, clickhouse, kafka, users, projects, tenants, dirty, backfill, huge, share, live,
)  # fmt: skip


def main() -> None:
    chosen = [name for name in sys.argv[1:] if not name.startswith("-")]
    for scenario in SCENARIOS:
        if chosen and scenario.__name__ not in chosen:
            continue
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
            stores = Stores(Path(folder) / "stores")
            try:
                bench = Bench(stores, Path(folder) / "run")
                print(json.dumps({"scenario": scenario.__name__, **scenario(bench)}), flush=True)
                bench.meter.stop()
                bench.meter.join()
            finally:
                end_all()
                stores.stop()


if __name__ == "__main__":
    main()
