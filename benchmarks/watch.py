"""The watch on this machine, the whole system running under a steady load.

Alerts: among the load, `--canaries` times a second, a team that never spent before spends too much at once; what is
measured is from when its event is sent until the alert is at the webhook's receiver. Budgets: meanwhile programs ask
how budgets stand, from memory and strictly; what is measured is the whole request.

    python benchmarks/watch.py --rate 5000 --seconds 60
"""

import argparse
import base64
import http.client
import json
import os
import re
import tempfile
import threading
import time
from datetime import UTC, datetime
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

from pipeline import BATCH, TENANT, Counted, Producer, body, percentile

from outlay.catalog import load_default
from outlay.catalog.publish import publish
from outlay.local.system import LocalSystem
from outlay_kit.clock import SystemClock
from outlay_schemas.catalog.watch import Budget, Threshold

RULE = Threshold(
    id="canary", name="Canary", group_by=("team",), metric="cost", grain="hour", above=Decimal(5000)
)
BUDGETS = tuple(
    Budget(id=f"team-{n}", name=f"Team {n}", amount=Decimal(1_000_000), scope={"team": (f"team-{n}",)})
    for n in range(10)
)
EVENT = {
    "source": "bench/canary", "kind": "llm", "activity": "inference", "provider": "anthropic",
    "sku": "claude-opus-4-1", "usage": {"output_tokens": 100_000_000}, "project": "canary",
}  # fmt: skip


class Receiver(ThreadingHTTPServer):
    """Notes when each team's alert came."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.came: dict[str, float] = {}
        self.messages = 0


class _Handler(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        """Take a message of Standard Webhooks: one alert, or several."""
        now = time.monotonic()
        data = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["data"]
        self.server.messages += 1
        for alert in data.get("alerts", [data]):
            if team := re.search(r"canary-\d+", alert["title"]):
                self.server.came.setdefault(team[0], now)
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def canaries(url: str, key: str, count: int, every: float, sent: dict[str, float]) -> None:
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=60)
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    began = time.monotonic()
    for n in range(count):
        time.sleep(max(0.0, began + n * every - time.monotonic()))
        at = datetime.now(UTC).isoformat()  # noqa: TID251 (a producer's own clock)
        event = {**EVENT, "id": f"canary-{n}", "time": at, "team": f"canary-{n}"}
        sent[f"canary-{n}"] = time.monotonic()
        connection.request("POST", "/v1/events", json.dumps(event), headers)
        answer = connection.getresponse()
        if answer.status != 202:
            raise SystemExit(f"ingest answered {answer.status}: {answer.read()!r}")
        answer.read()


def ask(url: str, key: str, how: tuple[str, float], took: list[float], done: threading.Event) -> None:
    mode, every = how
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=60)
    n = 0
    while not done.wait(every):
        n += 1
        began = time.perf_counter()
        path = f"/v1/budgets/team-{n % len(BUDGETS)}/status?mode={mode}"
        connection.request("GET", path, headers={"Authorization": f"Bearer {key}"})
        answer = connection.getresponse()
        body_ = json.loads(answer.read())
        if not body_.get("known"):
            print(f"not known: {answer.status} {body_}")
        took.append(time.perf_counter() - began)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rate", type=int, default=5000, help="events/s")
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--canaries", type=float, default=4.0, help="alerts/s")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    receiver = Receiver()
    threading.Thread(target=receiver.serve_forever, daemon=True).start()
    os.environ["OUTLAY_ALERTER_WEBHOOK_URL"] = f"http://127.0.0.1:{receiver.server_address[1]}/"
    os.environ["OUTLAY_ALERTER_WEBHOOK_SECRET"] = "whsec_" + base64.b64encode(os.urandom(32)).decode()
    os.environ["OUTLAY_ALERTER_ALLOW_NETWORKS"] = "127.0.0.0/8"
    with tempfile.TemporaryDirectory() as home, LocalSystem(Path(home)) as system:
        default = load_default()
        catalog = default.model_copy(update={"rules": (*default.rules, RULE), "budgets": BUDGETS})
        publish(system.kafka, catalog, SystemClock())
        report = measure(system, receiver, args)
    print(json.dumps(report)) if args.json else show(report)


def measure(system: LocalSystem, receiver: Receiver, args: argparse.Namespace) -> dict[str, float]:
    key, counted = system.create_key(TENANT), Counted()
    producer = Producer(system.ingest_url, key, body(1000), counted)
    producer.run(4, 1, 0)
    time.sleep(5)  # the catalog is everywhere, and the first rollups are there
    sent: dict[str, float] = {}
    done, cached, strict = threading.Event(), list[float](), list[float]()
    load = threading.Thread(
        target=producer.run, args=(args.rate * args.seconds // BATCH, 4, BATCH / args.rate)
    )  # fmt: skip
    asking = [
        threading.Thread(target=ask, args=(system.alerter_url, key, (mode, every), took, done))
        for mode, every, took in (("cached", 0.005, cached), ("strict", 0.2, strict))
    ]
    for thread in (load, *asking):
        thread.start()
    count = int(args.canaries * args.seconds)
    canaries(system.ingest_url, key, count, 1 / args.canaries, sent)
    load.join()
    done.set()
    deadline = time.monotonic() + 60
    while len(receiver.came) < count and time.monotonic() < deadline:
        time.sleep(0.05)
    took = [receiver.came[name] - at for name, at in sent.items() if name in receiver.came]
    return {
        "rate": args.rate, "alerts": len(took), "missing": count - len(took), "messages": receiver.messages,
        "alert_p50_s": percentile(took, 0.5), "alert_p99_s": percentile(took, 0.99),
        "alert_max_s": max(took, default=0.0),
        "cached": len(cached), "cached_p50_ms": percentile(cached, 0.5) * 1e3,
        "cached_p99_ms": percentile(cached, 0.99) * 1e3,
        "strict": len(strict), "strict_p50_ms": percentile(strict, 0.5) * 1e3,
        "strict_p99_ms": percentile(strict, 0.99) * 1e3,
    }  # fmt: skip


def show(report: dict[str, float]) -> None:
    print("under {rate:,} events/s:".format(**report))
    print(
        "  event → alert at the webhook  p50 {alert_p50_s:.2f} s  p99 {alert_p99_s:.2f} s  max {alert_max_s:.2f} s"
        "  ({alerts} alerts in {messages} messages, {missing} missing)".format(**report)
    )
    for mode in ("cached", "strict"):
        p50, p99 = report[f"{mode}_p50_ms"], report[f"{mode}_p99_ms"]
        print(f"  budget status, {mode}  p50 {p50:.1f} ms  p99 {p99:.1f} ms  ({report[mode]:,} requests)")


if __name__ == "__main__":
    main()
