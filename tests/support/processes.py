"""Services as processes of their own, and what is on Kafka."""

import copy
import os
import signal
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import httpx
from tests.support.endings import started
from tests.support.waiting import PATIENCE, until

from outlay.catalog import load_default
from outlay.catalog.publish import publish_if_absent
from outlay.embedded.kafka import KafkaBroker
from outlay.embedded.ports import free_port
from outlay.embedded.progress import Silent
from outlay_kit.clock import SystemClock
from outlay_kit.kafka import KafkaSource, Record
from outlay_kit.keys import KeyFile
from outlay_kit.settings import KafkaSettings
from outlay_kit.topics import create_topics
from outlay_schemas import topics


def prepare(kafka: KafkaSettings) -> None:
    """Make the topics and a first catalog, if they are not there."""
    create_topics(kafka, topics.ALL)
    publish_if_absent(kafka, load_default(), SystemClock())


def _kill(process: "subprocess.Popen[bytes]") -> None:
    process.kill()
    process.wait(timeout=10 * PATIENCE)


@dataclass
class Service:
    """A process with a health port."""

    module: str
    log: Path
    env: dict[str, str]
    health: int = field(default_factory=free_port)
    process: "subprocess.Popen[bytes] | None" = None
    folder: Path | None = None
    """The working directory; None: that of the tests."""
    prefix: tuple[str, ...] = ()
    """A command that starts it, such as one that takes rights away."""

    def start(self, seconds: float = 120) -> "Service":
        """Start it and wait until it is ready."""
        self.launch()
        until(lambda: self.ended() or self.ready(), seconds, f"{self.module} ready")
        assert not self.ended(), self.log.read_text()[-3000:]
        return self

    def launch(self) -> None:
        """Start it, whether it lives or not."""
        env = {**os.environ, "OUTLAY_HEALTH_PORT": str(self.health), **self.env}
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [*self.prefix, sys.executable, "-m", self.module],
                env=env,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=self.folder,
            )
        started(partial(_kill, self.process))

    def ready(self) -> bool:
        try:
            return httpx.get(f"http://127.0.0.1:{self.health}/readyz", timeout=1).status_code == 200
        except httpx.TransportError:
            return False

    def metric(self, series: str) -> float:
        """Return the value of a series, such as `outlay_windows_total{grain="minute"}`; 0 if it is not there yet."""
        page = httpx.get(f"http://127.0.0.1:{self.health}/metrics", timeout=10 * PATIENCE).text
        lines = (line.rpartition(" ") for line in page.splitlines())
        return sum(float(value) for name, _, value in lines if name == series)

    @property
    def running(self) -> "subprocess.Popen[bytes]":
        assert self.process is not None
        return self.process

    def ended(self) -> bool:
        return self.running.poll() is not None

    def kill(self) -> None:
        """End it as a power cut does."""
        _kill(self.running)

    def stop(self, seconds: float = 20) -> int:
        """Ask it to end; return its exit status."""
        self.running.send_signal(signal.SIGTERM)
        return self.running.wait(timeout=seconds * PATIENCE)

    def rss(self) -> int:
        """Return its memory in bytes."""
        pages = Path(f"/proc/{self.running.pid}/statm").read_text().split()[1]
        return int(pages) * os.sysconf("SC_PAGE_SIZE")


class Ingest(Service):
    """An ingest of its own tenant."""

    def __init__(self, kafka: KafkaSettings, folder: Path, **settings: object) -> None:
        self.tenant = f"t-{uuid.uuid4().hex[:8]}"
        self.keys = KeyFile(folder / "keys.json")
        self.key = self.keys.create(self.tenant, ("ingest",), SystemClock().now())
        self.port = free_port()
        env = {
            "OUTLAY_KAFKA": kafka.bootstrap,
            "OUTLAY_INGEST_PORT": str(self.port),
            "OUTLAY_INGEST_KEYS_FILE": str(folder / "keys.json"),
            **{f"OUTLAY_INGEST_{name.upper()}": str(value) for name, value in settings.items()},
        }
        super().__init__("outlay_ingest.main", folder / "ingest.log", env)

    def twin(self) -> "Ingest":
        """Return another ingest of the same keys, on ports of its own."""
        other = copy.copy(self)
        other.port, other.health, other.process = free_port(), free_port(), None
        other.env = {**self.env, "OUTLAY_INGEST_PORT": str(other.port)}
        other.log = self.log.with_name(f"ingest-{other.port}.log")
        return other

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1/events"

    def post(self, body: bytes, media: str = "application/x-ndjson", **headers: str) -> httpx.Response:
        sent = {"authorization": f"Bearer {self.key}", "content-type": media}
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        return httpx.post(self.url, content=body, headers=sent, timeout=30)


class Tail:
    """Reads a topic from its start, and keeps what is about a tenant: the topics are everybody's."""

    def __init__(self, kafka: KafkaSettings, topic: str, about: str) -> None:
        self._about = about.encode()
        self._source = KafkaSource(kafka, f"tail-{uuid.uuid4().hex}", [topic])
        self.records: list[Record] = []

    def more(self) -> list[Record]:
        """Read what came since."""
        fresh = [record for record in self._source.poll(0.3).records if self._about in record.value]
        self.records += fresh
        return fresh

    def wait(self, enough: Callable[[list[Record]], bool], seconds: float = 40) -> list[Record]:
        """Read until `enough(all records)`."""
        deadline = time.monotonic() + seconds
        while not enough(self.records):
            assert time.monotonic() < deadline, f"only {len(self.records)} records came in {seconds} s"
            self.more()
        return self.records

    def close(self) -> None:
        self._source.close()


@contextmanager
def tail(kafka: KafkaSettings, topic: str, about: str) -> Iterator[Tail]:
    """Read a topic for a while."""
    reading = Tail(kafka, topic, about)
    yield reading
    reading.close()


class Broker:
    """A Kafka of the test's own, to be stopped and started."""

    def __init__(self, folder: Path, broker: KafkaBroker | None = None) -> None:
        self._broker = broker or KafkaBroker(folder, free_port(), free_port())
        self._argv = self._broker.prepare(Silent())
        self._log = folder / "broker.log"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def settings(self) -> KafkaSettings:
        return KafkaSettings(bootstrap=self._broker.bootstrap)

    def start(self) -> "Broker":
        self.launch()
        until(self._broker.answers, 60, "Kafka")
        return self

    def launch(self) -> None:
        """Start it without waiting: a member of a cluster answers once most of them are there."""
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(self._argv, stdout=log, stderr=log)

    def answers(self) -> bool:
        return self._broker.answers()

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def freeze(self) -> None:
        """Stop it without ending it, as a machine does that swaps."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def kill(self) -> None:
        """End it as a power cut does."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(timeout=10)
        until(self._gone, 10, "the port free")

    def _gone(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self._broker.port)) != 0
