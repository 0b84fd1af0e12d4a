"""The watch on this machine, the whole system running under a steady load.

Alerts: among the load, `--canaries` times a second, a team that never spent before spends too much at once; what is
measured is from when its event is sent until the alert is at the webhook's receiver. Budgets: meanwhile programs ask
how budgets stand, from memory and strictly; what is measured is the whole request.

    python benchmarks/watch.py --rate 5000 --seconds 60
"""

import base64
import json
import os
import re
import tempfile
import threading
import time
from decimal import Decimal
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Any

from harness import CLOCK, options, percentile, show
from pipeline import BATCH, TENANT, Client, Counted, Producer, body
from tests.support.http_server import Handler, serving

from outlay.catalog import load_default
from outlay.catalog.publish import publish
from outlay.local.system import LocalSystem
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
CAME: dict[str, float] = {}
"""When each team's alert came."""


class _Receiver(Handler):
    def do_POST(self) -> None:  # noqa: N802 (the library calls it so)
        """Take a message of Standard Webhooks: one alert, or several."""
        data = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["data"]
        for alert in data.get("alerts", [data]):
            if team := re.search(r"canary-\d+", alert["title"]):
                CAME.setdefault(team[0], time.monotonic())
        self.reply(204, {}, b"")


def canaries(client: Client, count: int, every: float) -> dict[str, float]:
    """Send the events of `count` teams; return when each was sent."""
    sent, began = {}, time.monotonic()
    for n in range(count):
        time.sleep(max(0.0, began + n * every - time.monotonic()))
        event = {**EVENT, "id": f"canary-{n}", "time": CLOCK.now().isoformat(), "team": f"canary-{n}"}
        sent[f"canary-{n}"] = time.monotonic()
        answer = client.ask("POST", "/v1/events", json.dumps(event).encode())
        if answer[0] != 202:
            raise SystemExit(f"ingest answered {answer}")
    return sent


def ask(client: Client, mode: str, every: float, took: list[float], done: threading.Event) -> None:
    while not done.wait(every):
        began = time.perf_counter()
        answer = client.ask("GET", f"/v1/budgets/team-{len(took) % len(BUDGETS)}/status?mode={mode}")
        if not json.loads(answer[1]).get("known"):
            print(f"not known: {answer}")
        took.append(time.perf_counter() - began)


def measure(system: LocalSystem, chosen: Any) -> None:
    key, counted = system.create_key(TENANT), Counted()
    producer = Producer([system.ingest_url], key, body(1000), counted)
    producer.run(4, 1, 0)
    time.sleep(5)  # the catalog is everywhere, and the first rollups are there
    done, took = threading.Event(), {"cached": list[float](), "strict": list[float]()}
    load = threading.Thread(
        target=producer.run, args=(chosen.rate * chosen.seconds // BATCH, 4, BATCH / chosen.rate)
    )  # fmt: skip
    asking = [
        threading.Thread(target=ask, args=(Client(system.alerter_url, key), mode, every, took[mode], done))
        for mode, every in (("cached", 0.005), ("strict", 0.2))
    ]
    for thread in (load, *asking):
        thread.start()
    client = Client(system.ingest_url, key, "application/json")
    sent = canaries(client, int(chosen.canaries * chosen.seconds), 1 / chosen.canaries)
    load.join()
    done.set()
    deadline = time.monotonic() + 60
    while len(CAME) < len(sent) and time.monotonic() < deadline:
        time.sleep(0.05)
    waits = [CAME[name] - at for name, at in sent.items() if name in CAME]
    show(
        rate=chosen.rate, alerts=len(waits), missing=len(sent) - len(waits), p50_s=percentile(waits, 0.5),
        p99_s=percentile(waits, 0.99), max_s=max(waits, default=0.0),
    )  # fmt: skip
    for mode, asked in took.items():
        p50, p99 = (1000 * percentile(asked, share) for share in (0.5, 0.99))
        show(budget_status=mode, requests=len(asked), p50_ms=p50, p99_ms=p99)


def main() -> None:
    chosen = options(__doc__, rate=5000, seconds=60, canaries=4.0)
    with serving(ThreadingHTTPServer(("127.0.0.1", 0), _Receiver)) as port:
        os.environ["OUTLAY_ALERTER_WEBHOOK_URL"] = f"http://127.0.0.1:{port}/"
        os.environ["OUTLAY_ALERTER_WEBHOOK_SECRET"] = "whsec_" + base64.b64encode(os.urandom(32)).decode()
        os.environ["OUTLAY_ALERTER_ALLOW_NETWORKS"] = "127.0.0.0/8"
        with tempfile.TemporaryDirectory() as home, LocalSystem(Path(home)) as system:
            default = load_default()
            catalog = default.model_copy(update={"rules": (*default.rules, RULE), "budgets": BUDGETS})
            publish(system.kafka, catalog, CLOCK)
            measure(system, chosen)


if __name__ == "__main__":
    main()
