"""The whole pipeline on this machine: HTTP in → Kafka → priced → ledger → rollups, everything included.

Two phases: as fast as it goes in batches of 500 (sustained events/s, CPU an event of each process, peak
memory, bytes on disk), then a steady rate (event → rollup latency). The producer shares the cores; its CPU is shown.

    python benchmarks/pipeline.py --events 1500000 --rate 5000 --seconds 30
"""

import http.client
import itertools
import json
import tempfile
import threading
import time
from collections import deque
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

import msgspec
import psutil
from harness import CLOCK, cpu_seconds, options, percentile, show

from outlay.local.system import LocalSystem
from outlay_kit.clickhouse import ClickHouseClient
from outlay_kit.kafka import Record, follow
from outlay_kit.settings import KafkaSettings
from outlay_schemas.topics import COST_EVENTS, ROLLUPS, USAGE_EVENTS

TENANT = "bench"
BATCH = 500
MODELS = (
    ("anthropic", "claude-sonnet-4-5"), ("anthropic", "claude-haiku-4-5"), ("anthropic", "claude-opus-4-1"),
    ("openai", "gpt-4.1"), ("openai", "gpt-4.1-mini"), ("openai", "gpt-5"),
    ("google", "gemini-2.5-flash"), ("google", "gemini-2.5-pro"),
)  # fmt: skip


def body(groups: int) -> bytes:
    """One batch of 500 events of about 330 bytes; @@@@@@@@ and #TIME# become the batch and the time."""
    lines = []
    for i in range(BATCH):
        provider, sku = MODELS[i % len(MODELS)]
        group = i * 7919 % groups
        event = {
            "id": f"@@@@@@@@-{i:04d}", "source": "bench/producer", "time": "#TIME#", "kind": "llm",
            "activity": "inference", "provider": provider, "sku": sku,
            "usage": {"input_tokens": 1200 + i, "cache_read_tokens": 800, "output_tokens": 90 + i % 50},
            "project": f"project-{group % 50}", "team": f"team-{group % 10}", "use_case": "support-chat",
            "user": f"user-{group}", "tags": {"env": "prod"}, "attributes": {"region": "us-east-1"},
        }  # fmt: skip
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
        asked = (kafka, [ROLLUPS], self._take_all, lambda: False)
        threading.Thread(target=follow, args=asked, daemon=True).start()

    def accepted(self, total: int, at: float) -> None:
        self._waiting.append((total, at))

    def _take_all(self, records: Sequence[Record]) -> None:
        for record in records:
            self._take(self._decoder.decode(record.value))

    def _take(self, window: _Window) -> None:
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


class Client:
    def __init__(self, url: str, key: str, content_type: str = "application/x-ndjson") -> None:
        self._connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=120)
        self._headers = {"Authorization": f"Bearer {key}", "Content-Type": content_type}

    def ask(self, method: str, path: str, payload: bytes | None = None) -> tuple[int, bytes, float]:
        """Return the status, the body and the seconds after which to ask again."""
        self._connection.request(method, path, payload, self._headers)
        response = self._connection.getresponse()
        return response.status, response.read(), float(response.headers.get("Retry-After", "0.2"))


class Producer:
    """Posts batches from a few threads, each on its own connection."""

    def __init__(self, urls: Sequence[str], key: str, template: bytes, counted: Counted) -> None:
        """`urls`: of every ingest; the connections take turns."""
        self._urls = itertools.cycle(urls)
        self._key, self._template, self._counted = key, template, counted
        self._numbers = itertools.count()
        self.accepted = 0
        self.refused_requests = 0

    def run(self, batches: int, threads: int, interval: float) -> float:
        """Send, `interval` seconds between batches (0: no pause). Return the seconds it took."""
        started = time.perf_counter()
        turns = itertools.count()

        def work() -> None:
            client = Client(next(self._urls), self._key)
            while (turn := next(turns)) < batches:
                time.sleep(max(0.0, started + turn * interval - time.perf_counter()))
                self._post(client, next(self._numbers))

        with ThreadPoolExecutor(threads) as pool:
            for done in [pool.submit(work) for _ in range(threads)]:
                done.result()
        return time.perf_counter() - started

    def _post(self, client: Client, number: int) -> None:
        stamp = CLOCK.now().isoformat().encode()
        payload = self._template.replace(b"@@@@@@@@", b"%08x" % number).replace(b"#TIME#", stamp)
        while (answer := client.ask("POST", "/v1/events", payload))[0] != 202:
            if answer[0] not in (429, 503):
                raise SystemExit(f"ingest answered {answer}")
            self.refused_requests += 1
            time.sleep(answer[2])
        with self._counted.lock:
            self.accepted += BATCH
            self._counted.accepted(self.accepted, time.monotonic())


class Meter(threading.Thread):
    """Samples CPU and memory of every process of the system, and of this one."""

    def __init__(self, pids: dict[str, int]) -> None:
        super().__init__(daemon=True)
        self._processes = {name: psutil.Process(pid) for name, pid in pids.items()}
        self._processes["producer (this)"] = psutil.Process()
        self._start = {name: cpu_seconds(process) for name, process in self._processes.items()}
        self.peak = dict.fromkeys(self._processes, 0)
        self._done = threading.Event()

    def run(self) -> None:
        while not self._done.wait(0.5):
            for name, process in self._processes.items():
                self.peak[name] = max(self.peak[name], process.memory_info().rss)

    def stop(self) -> dict[str, float]:
        self._done.set()
        return {name: cpu_seconds(process) - self._start[name] for name, process in self._processes.items()}


def wait_counted(counted: Counted, events: int, patience: float = 300) -> float:
    """Wait until `events` are in the rollups; return when (perf_counter)."""
    deadline = time.perf_counter() + patience
    while counted.events < events:
        if time.perf_counter() > deadline:
            raise SystemExit(
                f"after {patience:.0f} s {counted.events:,} of {events:,} events are in the rollups"
            )
        time.sleep(0.02)
    return time.perf_counter()


def fast_phase(system: LocalSystem, producer: Producer, counted: Counted, events: int) -> None:
    meter = Meter(system.pids())
    meter.start()
    before, started = producer.accepted, time.perf_counter()
    seconds = producer.run(events // BATCH, 4, 0)
    done = wait_counted(counted, producer.accepted) - started
    cpu, sent = meter.stop(), producer.accepted - before
    show(events=sent, accepted_per_s=sent / seconds, rollups_per_s=sent / done)
    for name, used in cpu.items():
        show(process=name, cpu_us_per_event=used / sent * 1e6, peak_mib=meter.peak[name] / 2**20)
    show(process="all", cpu_us_per_event=sum(cpu.values()) / sent * 1e6)


def stored(home: Path, clickhouse: ClickHouseClient, events: int) -> None:
    """Show the bytes of an event on Kafka's disk, one copy, and those of a row of the ledger and its index."""
    for topic in (USAGE_EVENTS.name, COST_EVENTS.name):
        logs = (file.stat().st_size for file in home.rglob(f"{topic}-*/*.log"))
        show(topic=topic, bytes_per_event=sum(logs) / events)
    for row in clickhouse.rows(
        "SELECT table, sum(bytes_on_disk) / sum(rows) AS bytes FROM system.parts"
        " WHERE active AND table IN ('ledger', 'identities') GROUP BY table ORDER BY table"
    ):
        show(table=row["table"], bytes_per_row=row["bytes"])


def steady_phase(producer: Producer, counted: Counted, rate: int, seconds: int) -> None:
    counted.latencies.clear()
    producer.run(rate * seconds // BATCH, 4, BATCH / rate)
    wait_counted(counted, producer.accepted)
    shares = {"p50_s": 0.5, "p95_s": 0.95, "p99_s": 0.99, "max_s": 1.0}
    show(rate=rate, **{name: percentile(counted.latencies, share) for name, share in shares.items()})


def main() -> None:
    chosen = options(__doc__, events=1_500_000, groups=1000, rate=5000, seconds=30)
    with tempfile.TemporaryDirectory() as home, LocalSystem(Path(home)) as system:
        counted = Counted()
        counted.follow(system.kafka)
        producer = Producer([system.ingest_url], system.create_key(TENANT), body(chosen.groups), counted)
        producer.run(4, 1, 0)
        wait_counted(counted, producer.accepted)
        fast_phase(system, producer, counted, chosen.events)
        stored(Path(home), ClickHouseClient(system.writer), producer.accepted)
        steady_phase(producer, counted, chosen.rate, chosen.seconds)


if __name__ == "__main__":
    main()
