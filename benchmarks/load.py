"""A sender of HTTP requests that costs little: one payload over and over on kept connections, in its own process."""

import asyncio
import multiprocessing
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import psutil
import uvloop

from outlay_kit.clock import SystemClock
from outlay_kit.keys import KeyFile
from outlay_kit.settings import KafkaSettings
from outlay_kit.topics import create_topics
from outlay_schemas import topics


@dataclass
class Figures:
    """What one load came to."""

    name: str
    requests_per_second: float
    things_per_second: float
    """Events, or spans."""
    cpu_us_per_thing: float
    cores: float
    rss_mb: float
    p50_ms: float
    p99_ms: float


class _Connection(asyncio.Protocol):
    def __init__(self, load: "_Load") -> None:
        self._load = load
        self._got = b""
        self.due = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def data_received(self, data: bytes) -> None:
        self._got += data
        head, found, body = self._got.partition(b"\r\n\r\n")
        if not found or len(body) < _length(head):
            return
        if head[9:10] != b"2":
            raise SystemExit(f"answered {self._got[:400]!r}")
        self._got = b""
        self._load.answered(self)

    def send(self, due: float) -> None:
        self.due = due
        self.transport.write(self._load.payload)


def _length(head: bytes) -> int:
    at = head.lower().find(b"content-length:")
    return 0 if at < 0 else int(head[at + 15 : head.find(b"\r", at) if b"\r" in head[at:] else None])


class _Load:
    """With `rate`, requests fall due evenly, and their time counts from then; without, as fast as answers come."""

    def __init__(self, payload: bytes, seconds: float, rate: float) -> None:
        self.payload = payload
        self.took: list[float] = []
        self._until = time.perf_counter() + seconds
        self._rate = rate
        self._idle: deque[_Connection] = deque()
        self._late: deque[float] = deque()

    def answered(self, connection: _Connection) -> None:
        now = time.perf_counter()
        self.took.append(now - connection.due)
        if self._rate:
            if self._late:
                connection.send(self._late.popleft())
            else:
                self._idle.append(connection)
        elif now < self._until:
            connection.send(now)
        else:
            self._idle.append(connection)

    async def run(self, port: int, connections: int) -> None:
        loop = asyncio.get_running_loop()
        made = [
            await loop.create_connection(lambda: _Connection(self), "127.0.0.1", port)
            for _ in range(connections)
        ]
        begun = time.perf_counter()
        if not self._rate:
            for _, connection in made:
                connection.send(begun)
        else:
            self._idle.extend(connection for _, connection in made)
            await self._pace(begun)
        while len(self._idle) < connections:  # noqa: ASYNC110 (it waits for many)
            await asyncio.sleep(0.005)

    async def _pace(self, begun: float) -> None:
        number = 0
        while (now := time.perf_counter()) < self._until:
            while (due := begun + number / self._rate) <= now:
                number += 1
                if self._idle:
                    self._idle.popleft().send(due)
                else:
                    self._late.append(due)
            await asyncio.sleep(max(0.0005, begun + number / self._rate - time.perf_counter()))


def _work(
    port: int,
    *,
    payload: bytes,
    connections: int,
    seconds: float,
    rate: float,
    answer: "multiprocessing.Queue[list[float]]",
) -> None:
    os.sched_setaffinity(0, {(os.cpu_count() or 1) - 1})
    load = _Load(payload, seconds, rate)
    uvloop.run(load.run(port, connections))
    answer.put(load.took)


def measure(
    name: str,
    pid: int,
    port: int,
    *,
    payload: bytes,
    things: int,
    connections: int,
    seconds: float,
    rate: float = 0,
) -> Figures:
    """Send for `seconds`, after a moment to warm up; say what it came to and what it cost the server."""
    process = psutil.Process(pid)
    answer: multiprocessing.Queue[list[float]] = multiprocessing.Queue()
    for duration in (1.5, seconds):  # the first warms up
        before, started = process.cpu_times(), time.perf_counter()
        asked = {
            "payload": payload,
            "connections": connections,
            "seconds": duration,
            "rate": rate,
            "answer": answer,
        }
        child = multiprocessing.Process(target=_work, args=(port,), kwargs=asked)
        child.start()
        took = sorted(answer.get(timeout=duration + 60))
        elapsed = time.perf_counter() - started
        child.join()
        after = process.cpu_times()
    cpu = after.user + after.system - before.user - before.system
    count = len(took)
    return Figures(
        name,
        round(count / duration),
        round(count * things / duration),
        round(cpu / (count * things) * 1e6, 2),
        round(cpu / elapsed, 2),
        round(process.memory_info().rss / 2**20, 1),
        round(took[count // 2] * 1000, 2),
        round(took[int(count * 0.99)] * 1000, 2),
    )


@contextmanager
def serving(argv: list[str], port: int, env: dict[str, str]) -> Iterator[int]:
    """Run a server on the first core."""
    process = subprocess.Popen(["taskset", "-c", "0", *argv], env={**os.environ, **env})
    try:
        for _ in range(200):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.1)
        yield process.pid
    finally:
        process.terminate()
        process.wait(timeout=30)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def bus() -> Iterator[KafkaSettings]:
    """Kafka: that which OUTLAY_KAFKA names, else the embedded one; with its topics."""
    if os.environ.get("OUTLAY_KAFKA"):
        settings = KafkaSettings()
        create_topics(settings, topics.ALL)
        yield settings
        return
    from outlay.embedded.stack import EmbeddedStack

    with (
        tempfile.TemporaryDirectory() as folder,
        EmbeddedStack(Path(folder) / "stack", SystemClock()) as stack,
    ):
        create_topics(stack.kafka, topics.ALL)
        yield stack.kafka


@contextmanager
def ingest(kafka: KafkaSettings) -> Iterator[tuple[int, int, str]]:
    """Run ingest on one core; give its process, its port and a key."""
    with tempfile.TemporaryDirectory() as folder:
        keys, port = Path(folder) / "keys.json", free_port()
        key = KeyFile(keys).create("bench", ("ingest",), SystemClock().now())
        env = {
            "OUTLAY_KAFKA": kafka.bootstrap,
            "OUTLAY_INGEST_PORT": str(port),
            "OUTLAY_INGEST_KEYS_FILE": str(keys),
            "OUTLAY_INGEST_LOG_LEVEL": "WARNING",
        }
        with serving([sys.executable, "-m", "outlay_ingest.main"], port, env) as pid:
            yield pid, port, key
