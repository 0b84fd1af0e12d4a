"""Ingest on one core: events/s in batches of 500, and requests/s of single events, beside a bare echo.

The echo is Starlette on the same uvicorn, loop and parser: it reads the body and answers 202. The load
comes from another process, on another core. Kafka and ClickHouse are the embedded ones (or OUTLAY_KAFKA's).

    python benchmarks/ingest.py --seconds 8
"""

import argparse
import json
import multiprocessing
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

import psutil

from outlay_kit.clock import SystemClock
from outlay_kit.kafka import create_topics
from outlay_kit.keys import KeyFile
from outlay_kit.settings import KafkaSettings
from outlay_schemas import topics

ECHO = """
import uvicorn
from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import Route
async def echo(request):
    body = await request.body()
    return Response(b'{"accepted":%d}' % len(body), 202, media_type="application/json")
app = Starlette(routes=[Route("/v1/events", echo, methods=["POST"])])
uvicorn.run(app, port=PORT, loop="uvloop", http="httptools", access_log=False, log_level="warning")
"""


@dataclass
class Figures:
    """What one load came to."""

    name: str
    requests_per_second: float
    events_per_second: float
    cpu_us_per_event: float
    cores: float
    rss_mb: float
    p50_ms: float
    p99_ms: float


def event(number: int) -> dict[str, object]:
    return {
        "id": f"{number:032x}",
        "source": "checkout/api",
        "time": datetime.now(UTC).isoformat(),  # noqa: TID251 (a producer's own clock)
        "kind": "llm",
        "activity": "inference",
        "provider": "anthropic",
        "sku": "claude-sonnet-4-5",
        "usage": {"input_tokens": 1200 + number, "cache_read_tokens": 800, "output_tokens": 90},
        "project": "assistant",
        "team": "growth",
        "use_case": "support-chat",
        "user": f"user-{number % 100}",
        "tags": {"env": "prod"},
    }


def request(events: int, key: str, port: int) -> bytes:
    body = "\n".join(json.dumps(event(n), separators=(",", ":")) for n in range(events)).encode()
    head = (
        f"POST /v1/events HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nAuthorization: Bearer {key}\r\n"
        f"Content-Type: application/x-ndjson\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def load(
    port: int, payload: bytes, connections: int, seconds: float, answer: "multiprocessing.Queue[list[float]]"
) -> None:
    """Send one payload over and over on each connection, the next when the last is answered."""
    os.sched_setaffinity(0, {(os.cpu_count() or 1) - 1})
    took: list[float] = []
    until = time.perf_counter() + seconds

    def work() -> None:
        with socket.create_connection(("127.0.0.1", port)) as connection:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            while (started := time.perf_counter()) < until:
                connection.sendall(payload)
                got = b""
                while b"\r\n\r\n" not in got or not got.endswith(b"}"):
                    got += connection.recv(65536)
                if b" 202 " not in got[:20]:
                    raise SystemExit(f"answered {got[:400]!r}")
                took.append(time.perf_counter() - started)

    threads = [threading.Thread(target=work) for _ in range(connections)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    answer.put(took)


def measure(
    name: str, pid: int, port: int, *, payload: bytes, events: int, connections: int, seconds: float
) -> Figures:
    process = psutil.Process(pid)
    answer: multiprocessing.Queue[list[float]] = multiprocessing.Queue()
    for duration in (1.5, seconds):  # the first warms up
        before, started = process.cpu_times(), time.perf_counter()
        child = multiprocessing.Process(target=load, args=(port, payload, connections, duration, answer))
        child.start()
        took = sorted(answer.get())
        child.join()
        elapsed = time.perf_counter() - started
    after = process.cpu_times()
    cpu = after.user + after.system - before.user - before.system
    count = len(took)
    return Figures(
        name,
        round(count / elapsed),
        round(count * events / elapsed),
        round(cpu / (count * events) * 1e6, 2),
        round(cpu / elapsed, 2),
        round(process.memory_info().rss / 2**20, 1),
        round(took[count // 2] * 1000, 2),
        round(took[int(count * 0.99)] * 1000, 2),
    )


@contextmanager
def serving(argv: list[str], port: int, env: dict[str, str]) -> Iterator[int]:
    process = subprocess.Popen(argv, env={**os.environ, **env})
    os.sched_setaffinity(process.pid, {0})
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


def run(kafka: KafkaSettings, folder: Path, seconds: float) -> list[Figures]:
    create_topics(kafka, topics.ALL)
    keys = folder / "keys.json"
    key = KeyFile(keys).create("bench", ("ingest",), SystemClock().now())
    port = free_port()
    env = {
        "OUTLAY_KAFKA": kafka.bootstrap,
        "OUTLAY_INGEST_PORT": str(port),
        "OUTLAY_INGEST_KEYS_FILE": str(keys),
        "OUTLAY_INGEST_LOG_LEVEL": "WARNING",
    }
    echo_port = free_port()
    servers = [
        ("echo", [sys.executable, "-c", ECHO.replace("PORT", str(echo_port))], echo_port),
        ("ingest", [sys.executable, "-m", "outlay_ingest.main"], port),
    ]
    figures = []
    for name, argv, at in servers:
        with serving(argv, at, env) as pid:
            for events, connections in ((500, 4), (1, 64)):
                payload = request(events, key, at)
                label = f"{name}, {events} a request" if events > 1 else f"{name}, single events"
                figures.append(
                    measure(
                        label,
                        pid,
                        at,
                        payload=payload,
                        events=events,
                        connections=connections,
                        seconds=seconds,
                    )
                )
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=8)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        if os.environ.get("OUTLAY_KAFKA"):
            figures = run(KafkaSettings(), Path(folder), arguments.seconds)
        else:
            from outlay.embedded import EmbeddedStack

            with EmbeddedStack(Path(folder) / "stack", SystemClock()) as stack:
                figures = run(stack.kafka, Path(folder), arguments.seconds)
    for one in figures:
        print(json.dumps(asdict(one)))


if __name__ == "__main__":
    main()
