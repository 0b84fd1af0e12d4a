"""One, two and four replicas of each service on a cluster of three brokers: what an event costs, and who recomputes.

    python benchmarks/scaling.py [--rate 1500] [--seconds 40] [--replicas "1,2,4"]

The load grows with the replicas: `rate` events a second for each. A machine of two cores cannot show more throughput
with more replicas, but it shows whether an event costs more CPU, and how often windows are computed. Each record has
three copies. The figures of a service are those of all its replicas together.
"""

import tempfile
import time
from collections import Counter
from pathlib import Path

import psutil
from harness import cpu_seconds, options, percentile, show
from pipeline import BATCH, Counted, Producer, body, wait_counted

from tests.support.chaos.stores import Cluster, Engine  # isort: skip (harness makes it importable)
from tests.support.processes import Ingest, Service, prepare  # isort: skip

from outlay_kit.migrator import migrate


def main() -> None:
    chosen = options(__doc__, rate=1500, seconds=40, replicas="1,2,4")
    with tempfile.TemporaryDirectory() as folder:
        cluster, engine = Cluster(Path(folder) / "kafka"), Engine(Path(folder) / "engine")
        try:
            cluster.start()
            engine.start()
            prepare(cluster.settings)
            migrate(engine.settings)
            for number in map(int, chosen.replicas.split(",")):
                measure(
                    Path(folder) / str(number),
                    cluster,
                    engine,
                    number,
                    rate=chosen.rate * number,
                    seconds=chosen.seconds,
                )
        finally:
            cluster.kill()
            engine.kill()


def measure(folder: Path, cluster: Cluster, engine: Engine, number: int, *, rate: int, seconds: int) -> None:
    folder.mkdir()
    ingests = [Ingest(cluster.settings, folder)]
    ingests += [ingests[0].twin() for _ in range(number - 1)]
    stores = {
        "OUTLAY_KAFKA": cluster.settings.bootstrap,
        "OUTLAY_CLICKHOUSE": engine.settings.url,
        "OUTLAY_CLICKHOUSE_USER": engine.settings.user,
        "OUTLAY_CLICKHOUSE_PASSWORD": engine.settings.password.get_secret_value(),
    }
    services: dict[str, list[Service]] = {"ingest": list(ingests)}
    for name in ("pricer", "aggregator"):
        logs = (folder / f"{name}-{n}.log" for n in range(number))
        services[name] = [Service(f"outlay_{name}.main", log, stores) for log in logs]
    started = [service.start() for some in reversed(services.values()) for service in some]
    try:
        counted = Counted(ingests[0].tenant)
        counted.follow(cluster.settings)
        producer = Producer([one.url for one in ingests], ingests[0].key, body(1000), counted)
        producer.run(4 * number, number, 0.5)  # every replica has worked once
        wait_counted(counted, producer.accepted)
        counted.latencies.clear()
        before, began = producer.accepted, spent(services, cluster, engine)
        windows = recomputed(services["aggregator"])
        producer.run(rate * seconds // BATCH, 4, BATCH / rate)
        wait_counted(counted, producer.accepted)
        events = producer.accepted - before
        used = {name: cpu - began[name] for name, cpu in spent(services, cluster, engine).items()}
        show(
            replicas=number,
            events=events,
            p99_s=percentile(counted.latencies, 0.99),
            minutes_computed=recomputed(services["aggregator"]) - windows,
            minutes_asked=int(
                sum(one.metric("outlay_minutes_asked_total") for one in services["aggregator"])
            ),
            **{f"{name}_us": cpu / events * 1e6 for name, cpu in used.items()},
            all_us=sum(used.values()) / events * 1e6,
        )
    finally:
        for service in started:
            service.stop()
    time.sleep(1)


def spent(services: dict[str, list[Service]], cluster: Cluster, engine: Engine) -> Counter[str]:
    """Return the CPU seconds of each service and store so far."""
    pids = {name: [service.running.pid for service in some] for name, some in services.items()}
    pids |= {"kafka": [member.pid for member in cluster.members.values()], "clickhouse": [engine.pid]}
    return Counter(
        {name: sum(cpu_seconds(psutil.Process(pid)) for pid in some) for name, some in pids.items()}
    )


def recomputed(aggregators: list[Service]) -> int:
    """Return how often a minute was computed, by all aggregators."""
    return int(sum(one.metric('outlay_windows_total{grain="minute"}') for one in aggregators))


if __name__ == "__main__":
    main()
