"""Ingest on one core: events/s in batches of 500, requests/s of single events, and their time at half of the target.

Beside a bare echo in the same run: Starlette on the same uvicorn, loop and parser, which reads the body and
answers 202. The load comes from another process, on another core. Kafka is the embedded one (or OUTLAY_KAFKA's).

    python benchmarks/ingest.py --seconds 8
    python benchmarks/ingest.py --idle 10000     # the memory that idle connections take
"""

import argparse
import json
import resource
import socket
import sys
import time
from dataclasses import asdict
from datetime import UTC, datetime

import psutil
from load import Figures, bus, free_port, ingest, measure, serving

from outlay_kit.settings import KafkaSettings

HALF = 1_500
"""Half of the 3,000 single events/s that are asked for: paced, each request's time from when it was due."""
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


def loads(name: str, pid: int, port: int, key: str, seconds: float) -> list[Figures]:
    single, batch = request(1, key, port), request(500, key, port)
    return [
        measure(f"{name}, 500 a request", pid, port, payload=batch, things=500, connections=4, seconds=seconds),
        measure(f"{name}, single events", pid, port, payload=single, things=1, connections=64, seconds=seconds),
        measure(
            f"{name}, single events, {HALF}/s", pid, port,
            payload=single, things=1, connections=64, seconds=seconds, rate=HALF,
        ),
    ]  # fmt: skip


def run(kafka: KafkaSettings, seconds: float) -> list[Figures]:
    port = free_port()
    argv = [sys.executable, "-c", ECHO.replace("PORT", str(port))]
    with serving(argv, port, {}) as pid:
        figures = loads("echo", pid, port, "no key", seconds)
    with ingest(kafka) as (pid, port, key):
        return figures + loads("ingest", pid, port, key, seconds)


def idle(kafka: KafkaSettings, connections: int) -> None:
    """Open connections that have sent one request and then rest; print the memory before, then, and after."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, max(soft, connections + 1000)), hard))
    with ingest(kafka) as (pid, port, key):
        process, payload = psutil.Process(pid), request(1, key, port)

        def mib() -> float:
            return round(process.memory_info().rss / 2**20, 1)

        before, held = mib(), list[socket.socket]()
        while len(held) < connections:
            fresh = [
                socket.create_connection(("127.0.0.1", port))
                for _ in range(min(200, connections - len(held)))
            ]
            for connection in fresh:
                connection.sendall(payload)
            if not all(b" 202 " in connection.recv(4096)[:20] for connection in fresh):
                raise SystemExit("a request was refused")
            held += fresh
        resting = mib()
        for connection in held:
            connection.close()
        time.sleep(2)
        per = (resting - before) * 1024 / connections
        print(json.dumps({"idle": connections, "before_mib": before, "resting_mib": resting,
                          "kib_a_connection": round(per, 2), "after_mib": mib()}))  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=8)
    parser.add_argument("--idle", type=int, default=0)
    arguments = parser.parse_args()
    with bus() as kafka:
        if arguments.idle:
            idle(kafka, arguments.idle)
        else:
            for one in run(kafka, arguments.seconds):
                print(json.dumps(asdict(one)))


if __name__ == "__main__":
    main()
