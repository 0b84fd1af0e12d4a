"""Ingest on one core, with Kafka behind it (the embedded one, or OUTLAY_KAFKA's); the load comes from another core.

Events/s in batches of 500, requests/s of single events, and their time at half of the target, each beside a bare echo
in the same run: Starlette on the same uvicorn, loop and parser, which reads the body and answers 202. Then OTLP
spans/s, in exports of 512 as OpenTelemetry's exporter sends them.

    python benchmarks/endpoints.py --seconds 8
    python benchmarks/endpoints.py --idle 10000     # the memory that idle connections take
"""

import asyncio
import gzip
import itertools
import json
import multiprocessing
import os
import re
import resource
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import uvloop
from harness import CLOCK, bus, options, percentile, show
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from outlay.embedded.ports import free_port
from outlay_kit.keys import KeyFile
from outlay_kit.settings import KafkaSettings

HALF = 1_500
"""Half of the 3,000 single events/s that are asked for: paced, each request's time from when it was due."""
SPANS = 512
ECHO = """
import sys, uvicorn
from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import Route
async def echo(request):
    body = await request.body()
    return Response(b'{"accepted":%d}' % len(body), 202, media_type="application/json")
app = Starlette(routes=[Route("/{path:path}", echo, methods=["POST"])])
uvicorn.run(app, port=int(sys.argv[1]), loop="uvloop", http="httptools", access_log=False, log_level="warning")
"""


@dataclass
class Server:
    name: str
    pid: int
    port: int
    key: str

    def request(self, path: str, body: bytes, headers: str) -> bytes:
        head = (
            f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1:{self.port}\r\nAuthorization: Bearer {self.key}\r\n"
            f"{headers}\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        return head.encode() + body

    def events(self, count: int) -> bytes:
        lines = (json.dumps(event(n), separators=(",", ":")) for n in range(count))
        return self.request("/v1/events", "\n".join(lines).encode(), "Content-Type: application/x-ndjson")


def event(number: int) -> dict[str, object]:
    return {
        "id": f"{number:032x}", "source": "checkout/api", "time": CLOCK.now().isoformat(), "kind": "llm",
        "activity": "inference", "provider": "anthropic", "sku": "claude-sonnet-4-5",
        "usage": {"input_tokens": 1200 + number, "cache_read_tokens": 800, "output_tokens": 90},
        "project": "assistant", "team": "growth", "use_case": "support-chat", "user": f"user-{number % 100}",
        "tags": {"env": "prod"},
    }  # fmt: skip


def export() -> bytes:
    """Build one export of calls with prompts, and half as many other spans."""
    made = ExportTraceServiceRequest()
    group = made.resource_spans.add()
    group.resource.attributes.add(key="service.name").value.string_value = "checkout"
    spans = group.scope_spans.add().spans
    for number in range(SPANS):
        names = {"trace_id": number.to_bytes(16, "big"), "span_id": (number + 1).to_bytes(8, "big")}
        span = spans.add(name="chat claude", **names)
        span.start_time_unix_nano = span.end_time_unix_nano = int(CLOCK.now().timestamp() * 1e9)
        if number % 3 == 2:
            span.attributes.add(key="http.request.method").value.string_value = "POST"
            continue
        for name, text in (
            ("operation.name", "chat"), ("provider.name", "anthropic"), ("request.model", "claude-sonnet-4-5"),
            ("response.model", "claude-sonnet-4-5-20250929"), ("response.id", f"msg_{number}"),
            ("conversation.id", f"c-{number}"), ("input.messages", "x" * 2000),
        ):  # fmt: skip
            span.attributes.add(key=f"gen_ai.{name}").value.string_value = text
        for name, value in (
            ("input_tokens", 4808),
            ("cache_read.input_tokens", 4096),
            ("output_tokens", 110),
        ):
            span.attributes.add(key=f"gen_ai.usage.{name}").value.int_value = value
    return gzip.compress(made.SerializeToString(), 6)


async def _send(port: int, payload: bytes, connections: int, seconds: float, rate: float) -> list[float]:
    """Send on kept connections; return seconds of each request. With `rate` requests fall due evenly, else at once."""
    took: list[float] = []
    begun = time.perf_counter()
    numbers = itertools.count()

    async def one() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        while (due := begun + next(numbers) / rate if rate else time.perf_counter()) < begun + seconds:
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            writer.write(payload)
            head = await reader.readuntil(b"\r\n\r\n")
            length = re.search(rb"(?i)content-length: *(\d+)", head)
            body = await reader.readexactly(int(length[1]) if length else 0)
            if head[9:10] != b"2":
                raise SystemExit(f"answered {head + body!r}")
            took.append(time.perf_counter() - due)
        writer.close()

    await asyncio.gather(*(one() for _ in range(connections)))
    return took


def _work(answer: "multiprocessing.Queue[list[float]]", *asked: Any) -> None:
    os.sched_setaffinity(0, {(os.cpu_count() or 1) - 1})
    answer.put(uvloop.run(_send(*asked)))


def measure(
    what: str,
    server: Server,
    payload: bytes,
    *,
    things: int,
    connections: int,
    seconds: float,
    rate: float = 0,
) -> None:
    """Send for `seconds`, after a moment to warm up; show what it came to and what it cost the server."""
    process = psutil.Process(server.pid)
    answer: multiprocessing.Queue[list[float]] = multiprocessing.Queue()
    for duration in (1.5, seconds):  # the first warms up
        before, started = process.cpu_times(), time.perf_counter()
        asked = (answer, server.port, payload, connections, duration, rate)
        child = multiprocessing.Process(target=_work, args=asked)
        child.start()
        took = answer.get(timeout=duration + 60)
        elapsed, after = time.perf_counter() - started, process.cpu_times()
        child.join()
    cpu, count = after.user + after.system - before.user - before.system, len(took)
    show(
        what=f"{server.name}, {what}", requests_per_second=count / seconds,
        things_per_second=count * things / seconds, cpu_us_per_thing=cpu / (count * things) * 1e6,
        cores=cpu / elapsed, rss_mib=process.memory_info().rss / 2**20,
        p50_ms=percentile(took, 0.5) * 1000, p99_ms=percentile(took, 0.99) * 1000,
    )  # fmt: skip


def events(server: Server, seconds: float) -> None:
    single = server.events(1)
    measure("500 events a request", server, server.events(500), things=500, connections=4, seconds=seconds)
    measure("single events", server, single, things=1, connections=64, seconds=seconds)
    measure(f"single events, {HALF}/s", server, single, things=1, connections=64, seconds=seconds, rate=HALF)


@contextmanager
def serving(name: str, argv: list[str], key: str = "", port: int = 0, **env: str) -> Iterator[Server]:
    process = subprocess.Popen(["taskset", "-c", "0", sys.executable, *argv], env={**os.environ, **env})
    try:
        for _ in range(600):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.1)
        yield Server(name, process.pid, port, key)
    finally:
        process.terminate()
        process.wait(timeout=30)


@contextmanager
def ingest(kafka: KafkaSettings) -> Iterator[Server]:
    with tempfile.TemporaryDirectory() as folder:
        keys, port = Path(folder) / "keys.json", free_port()
        key = KeyFile(keys).create("bench", ("ingest",), CLOCK.now())
        env = {
            "OUTLAY_KAFKA": kafka.bootstrap, "OUTLAY_INGEST_PORT": str(port),
            "OUTLAY_INGEST_KEYS_FILE": str(keys), "OUTLAY_INGEST_LOG_LEVEL": "WARNING",
        }  # fmt: skip
        with serving("ingest", ["-m", "outlay_ingest.main"], key, port, **env) as server:
            yield server


def idle(server: Server, connections: int) -> None:
    """Open connections that have sent one request and then rest; show the memory before, then, and after."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, max(soft, connections + 1000)), hard))
    process, payload, held = psutil.Process(server.pid), server.events(1), list[socket.socket]()
    before = process.memory_info().rss
    for _ in range(connections):
        held.append(socket.create_connection(("127.0.0.1", server.port)))
        held[-1].sendall(payload)
        if b" 202 " not in held[-1].recv(4096)[:20]:
            raise SystemExit("a request was refused")
    resting = process.memory_info().rss
    for connection in held:
        connection.close()
    time.sleep(2)
    show(
        idle=connections, before_mib=before / 2**20, resting_mib=resting / 2**20,
        kib_a_connection=(resting - before) / 1024 / connections, after_mib=process.memory_info().rss / 2**20,
    )  # fmt: skip


def main() -> None:
    chosen = options(__doc__, seconds=8.0, idle=0)
    with bus() as kafka:
        if not chosen.idle:
            port = free_port()
            with serving("echo", ["-c", ECHO, str(port)], port=port) as server:
                events(server, chosen.seconds)
        with ingest(kafka) as server:
            if chosen.idle:
                idle(server, chosen.idle)
                return
            events(server, chosen.seconds)
            headers = "Content-Type: application/x-protobuf\r\nContent-Encoding: gzip"
            payload = server.request("/v1/traces", export(), headers)
            measure("OTLP spans", server, payload, things=SPANS, connections=4, seconds=chosen.seconds)


if __name__ == "__main__":
    main()
