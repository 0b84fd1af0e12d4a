"""Limits and their bounds: bursts, stores away for an hour's events, high cardinality, tenants, old minutes.

    .venv/bin/python benchmarks/bounds.py [--only SCENARIO]

Each scenario has stores and services of its own and prints one line: peak memory of each process, and what it was
about. Catching up: after `clickhouse` is away for the events of an hour at 1,000/s, they come to the rollups at
`catch_up_per_s`; the live rate in `share` is 50,000/s, or what this machine reaches of it.
"""

import os
import re
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path

import httpx
from harness import CLOCK, options, percentile, show
from pipeline import BATCH, Counted, Meter, Producer, body
from tests.support.chaos.rig import Pipeline
from tests.support.chaos.stores import Stores
from tests.support.endings import ending

from outlay_kit.kafka import KafkaSink, deliver
from outlay_schemas.topics import MAX_RECORD_BYTES, USAGE_EVENTS

Figures = dict[str, object]
NOW = CLOCK.now().replace(second=0, microsecond=0)


class Bench:
    def __init__(self, stores: Stores, folder: Path) -> None:
        self.stores = stores
        self.pipeline = Pipeline(stores, folder).start()
        self.counted = Counted(self.pipeline.tenant)
        self.counted.follow(stores.kafka)
        url = self.pipeline.ingest.url.removesuffix("/v1/events")
        self.producer = Producer([url], self.pipeline.ingest.key, body(1000), self.counted)
        names = [service.module.split("_")[1].split(".")[0] for service in self.pipeline.services]
        pids = (service.running.pid for service in self.pipeline.services)
        self.meter = Meter(dict(zip(names, pids, strict=True)))
        self.meter.start()

    def send(self, batches: int, per_second: int) -> float:
        """Send batches over HTTP (0 a second: as fast as it goes); return the seconds it took."""
        return self.producer.run(batches, 4, BATCH / per_second if per_second else 0)

    def feed(self, lines: Iterator[bytes]) -> int:
        """Put events on Kafka without ingest; return how many."""
        sink, made = KafkaSink(self.stores.kafka), list(lines)
        parts = [b"\n".join(made[at : at + BATCH]) for at in range(0, len(made), BATCH)]
        deliver(sink, USAGE_EVENTS.name, parts)
        sink.close()
        return len(made)

    def settle(self) -> float:
        """Return the seconds until everything that was accepted is in the rollups."""
        started = time.perf_counter()
        self.pipeline.settle(1200)
        return time.perf_counter() - started

    def rollup_seconds(self) -> float:
        text = httpx.get(f"http://127.0.0.1:{self.pipeline.aggregator.health}/metrics", timeout=10).text
        found = re.search(r"^outlay_rollup_seconds_sum (\S+)$", text, re.MULTILINE)
        return float(found[1]) if found else 0.0

    def one(self, sql: str) -> dict[str, object]:
        [row] = self.pipeline.clickhouse.rows(sql, {"t": self.pipeline.tenant})
        return row


def event(tenant: str, number: int, time: datetime, user: str = "u") -> bytes:
    return (
        f'{{"id":"{number}","source":"bench","time":"{time.isoformat()}","tenant":"{tenant}","kind":"llm",'
        f'"provider":"openai","sku":"gpt-5","usage":{{"input_tokens":{number % 5000 + 1}}},"project":"p",'
        f'"user":"{user}"}}'
    ).encode()


def burst(bench: Bench) -> Figures:
    bench.send(60, 2000)
    usual = dict(bench.meter.peak)
    bench.send(600, 20_000)
    behind = bench.settle()
    grown = max(bench.meter.peak[name] - usual[name] for name in usual if "this" not in name)
    return {"usual_per_s": 2000, "burst_per_s": 20_000, "behind_s": behind, "most_grown_mib": grown / 2**20}


def clickhouse(bench: Bench) -> Figures:
    """The events of an hour at 1,000/s, while ClickHouse is away."""
    bench.stores.engine.kill()
    seconds = bench.send(7200, 0)
    time.sleep(5)
    away = bench.meter.peak["aggregator"] / 2**20
    bench.stores.engine.start()
    events = bench.producer.accepted
    return {
        "events": events, "accepted_per_s": events / seconds, "aggregator_while_away_mib": away,
        "catch_up_per_s": events / bench.settle(),
    }  # fmt: skip


def users(bench: Bench) -> Figures:
    tenant = bench.pipeline.tenant
    count = bench.feed(event(tenant, n, NOW, user=f"user-{n}") for n in range(500_000))
    return {
        "users": count, "settled_s": bench.settle(),
        **bench.one("SELECT max(length(groups.cost)) AS cells FROM rollup_minute FINAL WHERE tenant = {t:String}"),
        **bench.one(
            "SELECT source, dimension, distinct FROM high_cardinality_sources FINAL WHERE tenant = {t:String}"
        ),
    }  # fmt: skip


def tenants(bench: Bench) -> Figures:
    made = (event(f"tenant-{n % 10_000}", n, NOW) for n in range(200_000))
    return {"tenants": 10_000, "events": bench.feed(made), "settled_s": bench.settle()}


def dirty(bench: Bench) -> Figures:
    start, tenant = NOW - timedelta(minutes=1000), bench.pipeline.tenant
    made = (event(tenant, n, start + timedelta(minutes=n % 1000)) for n in range(100_000))
    return {"minutes": 1000, "events": bench.feed(made), "settled_s": bench.settle()}


def backfill(bench: Bench) -> Figures:
    """Ninety days, an event a minute, while live events come at 1,000/s."""
    bench.send(20, 1000)
    bench.settle()
    quiet = percentile(bench.counted.latencies, 0.99)
    bench.counted.latencies.clear()
    start, began = NOW - timedelta(days=90), time.perf_counter()
    minutes = bench.feed(event("backfill", n, start + timedelta(minutes=n)) for n in range(129_600))
    while bench.one("SELECT count() AS n FROM rollup_minute FINAL WHERE tenant = 'backfill'")["n"] != minutes:
        bench.send(10, 1000)
    took, live = time.perf_counter() - began, bench.counted.latencies
    return {
        "minutes": minutes, "took_s": took, "live_p99_before_s": quiet, "live_p50_s": percentile(live, 0.5),
        "live_p99_s": percentile(live, 0.99), "live_max_s": max(live),
    }  # fmt: skip


def huge(bench: Bench) -> Figures:
    """Sixteen incompressible records of 16 MB that are not events."""
    sink = KafkaSink(bench.stores.kafka, compression_type=None)
    for _ in range(16):
        deliver(sink, USAGE_EVENTS.name, [os.urandom(MAX_RECORD_BYTES - 4096).replace(b"\n", b"_")])
    sink.close()
    settled = bench.settle()
    found = bench.one("SELECT count() AS dead_letters FROM dead_letters FINAL WHERE length(body) > 10000000")
    return {"records": 16, "settled_s": settled, **found}


def share(bench: Bench) -> Figures:
    """The aggregator's time at 50,000 events/s with 1,000 groups a minute, for 60 s: what of it is recomputing."""
    bench.send(20, 0)
    bench.settle()
    before, started = bench.rollup_seconds(), time.perf_counter()
    seconds = bench.send(6000, 50_000)
    bench.settle()
    wall, spent = time.perf_counter() - started, bench.rollup_seconds() - before
    return {
        "sent_per_s": 3_000_000 / seconds, "rollups_per_s": 3_000_000 / wall, "recompute_share": spent / wall,
        "latency_p99_s": percentile(bench.counted.latencies, 0.99),
    }  # fmt: skip


def live(bench: Bench) -> Figures:
    """Catching up while live events go on at 15,000/s, after ClickHouse was away for 60 s."""
    sending = threading.Thread(target=bench.send, args=(4800, 15_000))
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
    return {"live_per_s": 15_000, "caught_up_at_per_s": rate, "times": rate / 15_000}


SCENARIOS: tuple[Callable[[Bench], Figures], ...] = (
    burst, clickhouse, users, tenants, dirty, backfill, huge, share, live,
)  # fmt: skip


def main() -> None:
    only = options(__doc__, only="").only
    for scenario in SCENARIOS:
        if only not in ("", scenario.__name__):
            continue
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
            stores = Stores(Path(folder) / "stores")
            try:
                with ending():
                    bench = Bench(stores, Path(folder) / "run")
                    found = scenario(bench)
                    sizes = {name: size for name, size in bench.meter.peak.items() if "this" not in name}
                    peak = {f"{name}_mib": size / 2**20 for name, size in sizes.items()}
                    show(scenario=scenario.__name__, **found, **peak)
                    bench.meter.stop()
                    bench.meter.join()
            finally:
                stores.stop()


if __name__ == "__main__":
    main()
