"""The whole pipeline on this machine: HTTP in → Kafka → priced → ledger → rollups, everything included.

Two phases: as fast as it goes in batches of 500 (sustained events/s, CPU an event of each process, peak
memory), then a steady rate (event → rollup latency). The producer shares the cores, and its CPU is shown.

    python benchmarks/pipeline.py --events 1500000 --rate 5000 --seconds 30
"""

import argparse
import http.client
import json
import os
import statistics
import tempfile
import threading
import time
from collections import deque
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

import msgspec
import psutil

from outlay.local.system import LocalSystem
from outlay_kit.kafka import read_compacted
from outlay_kit.settings import KafkaSettings
from outlay_schemas.topics import ROLLUPS

TENANT = "bench"
BATCH = 500
MODELS = (
    ("anthropic", "claude-sonnet-4-5"),
    ("anthropic", "claude-haiku-4-5"),
    ("anthropic", "claude-opus-4-1"),
    ("openai", "gpt-4.1"),
    ("openai", "gpt-4.1-mini"),
    ("openai", "gpt-5"),
    ("google", "gemini-2.5-flash"),
    ("google", "gemini-2.5-pro"),
)


def body(groups: int) -> bytes:
    """One batch of 500 events of about 330 bytes; @@@@@@@@ and ####### become the batch and the time."""
    lines = []
    for i in range(BATCH):
        provider, sku = MODELS[i % len(MODELS)]
        group = i * 7919 % groups
        event = {
            "id": f"@@@@@@@@-{i:04d}",
            "source": "bench/producer",
            "time": "#TIME#",
            "kind": "llm",
            "activity": "inference",
            "provider": provider,
            "sku": sku,
            "usage": {"input_tokens": 1200 + i, "cache_read_tokens": 800, "output_tokens": 90 + i % 50},
            "project": f"project-{group % 50}",
            "team": f"team-{group % 10}",
            "use_case": "support-chat",
            "user": f"user-{group}",
            "tags": {"env": "prod"},
            "attributes": {"region": "us-east-1"},
        }
        lines.append(json.dumps(event, separators=(",", ":")))
    return "\n".join(lines).encode()


class _Group(msgspec.Struct):
    events: int


class _Window(msgspec.Struct):
    """What counting needs of a rollup; the rest is skipped, so that this process costs little."""

    tenant: str
    grain: str
    window: str
    version: int
    groups: list[_Group]


class Counted:
    """Follows the rollups: how many events are in them, and how long after its 202 each batch was."""

    def __init__(self, tenant: str = TENANT) -> None:
        self._tenant = tenant
        self.lock = threading.Lock()
        self.events = 0
        self.latencies: list[float] = []
        self._windows: dict[str, tuple[int, int]] = {}
        self._waiting: deque[tuple[int, float]] = deque()
        self._decoder = msgspec.json.Decoder(_Window)

    def follow(self, kafka: KafkaSettings) -> None:
        """Read the topic in a daemon thread."""
        threading.Thread(
            target=lambda: read_compacted(kafka, ROLLUPS.name, lambda r: self._take(r.value), lambda: False),
            daemon=True,
        ).start()

    def accepted(self, total: int, at: float) -> None:
        self._waiting.append((total, at))

    def _take(self, value: bytes) -> None:
        window = self._decoder.decode(value)
        if window.tenant != self._tenant or window.grain != "minute":
            return
        events = sum(group.events for group in window.groups)
        with self.lock:
            version, before = self._windows.get(window.window, (-1, 0))
            if window.version <= version:
                return
            self._windows[window.window] = (window.version, events)
            self.events += events - before
            now = time.monotonic()
            while self._waiting and self._waiting[0][0] <= self.events:
                self.latencies.append(now - self._waiting.popleft()[1])


class Producer:
    """Posts batches from a few threads, each on its own connection."""

    def __init__(self, url: str, key: str, template: bytes, counted: Counted) -> None:
        self._address = urlsplit(url).netloc
        self._headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/x-ndjson"}
        self._template = template
        self._counted = counted
        self._next = 0
        self.accepted = 0
        self.refused_requests = 0

    def run(self, batches: int, threads: int, interval: float) -> float:
        """Send, `interval` seconds between batches (0: no pause). Return the seconds it took."""
        started = time.perf_counter()
        turns = iter(range(batches))
        turn_lock = threading.Lock()

        def work() -> None:
            connection = http.client.HTTPConnection(self._address, timeout=120)
            while True:
                with turn_lock:
                    turn = next(turns, None)
                    self._next += 1
                    number = self._next
                if turn is None:
                    return
                ahead = started + turn * interval - time.perf_counter()
                if ahead > 0:
                    time.sleep(ahead)
                self._post(connection, number)

        workers = [threading.Thread(target=work) for _ in range(threads)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        return time.perf_counter() - started

    def _post(self, connection: http.client.HTTPConnection, number: int) -> None:
        stamp = datetime.now(UTC).isoformat().encode()  # noqa: TID251 (a producer's own clock)
        payload = self._template.replace(b"@@@@@@@@", b"%08x" % number).replace(b"#TIME#", stamp)
        while True:
            connection.request("POST", "/v1/events", payload, self._headers)
            response = connection.getresponse()
            answer = response.read()
            if response.status == 202:
                break
            if response.status not in (429, 503):
                print(f"ingest answered {response.status}: {answer[:300]!r}", flush=True)
                os._exit(1)  # SystemExit would end this thread alone
            self.refused_requests += 1
            time.sleep(float(response.headers.get("Retry-After", "0.2")))
        with self._counted.lock:
            self.accepted += BATCH
            self._counted.accepted(self.accepted, time.monotonic())


class Meter(threading.Thread):
    """Samples CPU and memory of every process of the system, and of this one."""

    def __init__(self, pids: dict[str, int]) -> None:
        super().__init__(daemon=True)
        self._processes = {name: psutil.Process(pid) for name, pid in pids.items()}
        self._processes["producer (this)"] = psutil.Process()
        self._start = {name: self._cpu(process) for name, process in self._processes.items()}
        self.peak = dict.fromkeys(self._processes, 0)
        self._done = threading.Event()

    @staticmethod
    def _cpu(process: psutil.Process) -> float:
        times = process.cpu_times()  # of itself: every process of the system is a child of this one
        return times.user + times.system

    def run(self) -> None:
        while not self._done.wait(0.5):
            for name, process in self._processes.items():
                self.peak[name] = max(self.peak[name], process.memory_info().rss)

    def stop(self) -> dict[str, float]:
        self._done.set()
        return {name: self._cpu(process) - self._start[name] for name, process in self._processes.items()}


def percentile(values: list[float], share: float) -> float:
    return sorted(values)[min(len(values) - 1, int(len(values) * share))] if values else float("nan")


def wait_counted(counted: Counted, events: int, patience: float = 300) -> float:
    """Wait until `events` are in the rollups; return when (perf_counter)."""
    deadline = time.perf_counter() + patience
    while time.perf_counter() < deadline:
        if counted.events >= events:
            return time.perf_counter()
        time.sleep(0.02)
    raise SystemExit(
        f"after {patience:.0f} s only {counted.events:,} of {events:,} events are in the rollups"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--events", type=int, default=1_500_000, help="events of the fast phase")
    parser.add_argument("--groups", type=int, default=1000, help="users, so about this many groups a minute")
    parser.add_argument("--rate", type=int, default=5000, help="events/s of the steady phase")
    parser.add_argument("--seconds", type=int, default=30, help="length of the steady phase")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as home, LocalSystem(Path(home)) as system:
        key = system.create_key(TENANT)
        counted = Counted()
        counted.follow(system.kafka)
        producer = Producer(system.ingest_url, key, body(args.groups), counted)
        producer.run(4, 1, 0)
        wait_counted(counted, producer.accepted)
        report = fast_phase(system, producer, counted, args.events)
        report |= steady_phase(producer, counted, args.rate, args.seconds)
    if args.json:
        print(json.dumps(report))


def fast_phase(system: LocalSystem, producer: Producer, counted: Counted, events: int) -> dict[str, object]:
    meter = Meter(system.pids())
    meter.start()
    before = producer.accepted
    started = time.perf_counter()
    seconds = producer.run(events // BATCH, 4, 0)
    done = wait_counted(counted, producer.accepted) - started
    cpu = meter.stop()
    sent = producer.accepted - before
    print(f"\nas fast as it goes: {sent:,} events in batches of {BATCH}")
    print(f"  accepted over HTTP          {sent / seconds:>10,.0f} events/s")
    print(f"  in the rollups, end to end  {sent / done:>10,.0f} events/s ({done:.1f} s)")
    print(f"  {'process':<18}{'CPU µs/event':>14}{'peak MiB':>10}")
    for name, used in cpu.items():
        print(f"  {name:<18}{used / sent * 1e6:>14.1f}{meter.peak[name] / 2**20:>10.0f}")
    print(f"  {'all':<18}{sum(cpu.values()) / sent * 1e6:>14.1f}")
    return {
        "events": sent,
        "events_per_second": round(sent / done),
        "cpu_us_per_event": {name: round(used / sent * 1e6, 2) for name, used in cpu.items()},
        "peak_mib": {name: round(peak / 2**20) for name, peak in meter.peak.items()},
    }


def steady_phase(producer: Producer, counted: Counted, rate: int, seconds: int) -> dict[str, object]:
    with counted.lock:
        counted.latencies.clear()
    size = rate * seconds // BATCH
    producer.run(size, 4, BATCH / rate)
    wait_counted(counted, producer.accepted)
    with counted.lock:
        latencies = list(counted.latencies)
    print(f"\nat {rate:,} events/s for {seconds} s: event → rollup")
    figures = {
        "p50": statistics.median(latencies),
        "p95": percentile(latencies, 0.95),
        "p99": percentile(latencies, 0.99),
        "max": max(latencies),
    }
    print("  " + "  ".join(f"{name} {value:.2f} s" for name, value in figures.items()))
    return {"rate": rate, "latency_s": {name: round(value, 3) for name, value in figures.items()}}


if __name__ == "__main__":
    main()
