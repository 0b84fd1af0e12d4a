"""Every maker's client, through the whole system: what it sent stands in the ledger, once, with its cost."""

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import pytest
from cloudevents.core.bindings.http import to_binary_event
from cloudevents.core.v1.event import CloudEvent
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from tests.system import Cli

from outlay_sdk import Outlay

pytestmark = pytest.mark.stack
GOLDEN = Path(__file__).parents[1] / "golden"
LITELLM: list[dict[str, Any]] = json.loads((GOLDEN / "litellm-1.110.2-generic-api.json").read_text())
ANSWERS: dict[str, Any] = json.loads((GOLDEN / "responses.json").read_text())


@dataclass(frozen=True)
class Door:
    """Ingest of the running system, with the key of a tenant of this test's own."""

    cli: Cli
    url: str
    tenant: str
    key: str

    def post(self, path: str, body: object) -> None:
        """Send twice: the second time must change nothing."""
        for _ in range(2):
            answer = httpx.post(f"{self.url}{path}", json=body, headers={"X-API-Key": self.key}, timeout=30)
            assert answer.status_code == 202, answer.text

    def ledger(self) -> dict[str, tuple[int, Decimal]]:
        """Events and cost of each source."""
        sql = f"SELECT source, count() AS n, sum(cost) AS usd FROM costs WHERE tenant = '{self.tenant}' GROUP BY source"  # noqa: S608
        return {row["source"]: (int(row["n"]), Decimal(row["usd"])) for row in self.cli.json("query", sql)}


@pytest.fixture(scope="module")
def door(cli: Cli) -> Iterator[Door]:
    tenant = f"doors-{time.time_ns()}"
    key = cli.json("keys", "create", "--tenant", tenant)["key"]
    door = Door(cli, cli.state().ingest, tenant, key)
    deadline = time.monotonic() + 10
    while httpx.post(f"{door.url}/v1/events", headers={"X-API-Key": key}, content=b"").status_code == 401:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    yield door
    cli("keys", "revoke", key)


def trace(door: Door) -> None:
    exporter = OTLPSpanExporter(f"{door.url}/v1/traces", headers={"Authorization": f"Bearer {door.key}"})
    provider = TracerProvider(resource=Resource({"service.name": "otel"}))
    provider.add_span_processor(BatchSpanProcessor(exporter))
    for _ in range(50):
        with provider.get_tracer("t").start_as_current_span("chat") as span:
            span.set_attributes({
                "gen_ai.operation.name": "chat", "gen_ai.provider.name": "aws.bedrock",
                "gen_ai.request.model": "us.anthropic.claude-sonnet-4-5-20250929-v1:0",
                "gen_ai.usage.input_tokens": 1000, "gen_ai.usage.output_tokens": 10,
            })  # fmt: skip
    provider.shutdown()


def test_every_clients_events_are_in_the_ledger_with_their_cost(door: Door, tmp_path: Path) -> None:
    now = datetime.fromtimestamp(int(time.time()), UTC)  # noqa: TID251 (a sender's own clock)
    trace(door)
    outlay = Outlay(door.url, door.key, source="sdk", flush_at_exit=0)
    for _ in range(100):
        outlay.track(provider="openai", sku="gpt-4o-mini", usage={"input_tokens": 1000, "output_tokens": 100})
    assert outlay.close(20)
    door.post("/v1/litellm", [{**payload, "endTime": now.timestamp()} for payload in LITELLM])
    door.post("/v1/usage/openai?source=openai", {**ANSWERS["openai-chat"], "created": int(now.timestamp())})
    wrapped = {"response": ANSWERS["anthropic-messages"], "time": now.isoformat(), "source": "anthropic"}
    door.post("/v1/usage/anthropic", wrapped)
    usage = {"kind": "llm", "provider": "openai", "sku": "gpt-4o-mini", "usage": {"input_tokens": 1_000_000}}
    attributes = {"specversion": "1.0", "type": "com.outlay.usage", "id": "1", "source": "ce", "time": now,
                  "datacontenttype": "application/json"}  # fmt: skip
    message = to_binary_event(CloudEvent(attributes, usage))
    headers = {**message.headers, "X-API-Key": door.key}
    assert httpx.post(f"{door.url}/v1/events", content=message.body, headers=headers).status_code == 202
    bill = tmp_path / "bill.csv"
    bill.write_text((GOLDEN / "focus-1.2.csv").read_text().replace("2026-11-24", f"{now:%Y-%m-%d}"))
    door.cli(
        "import", "focus", str(bill), "--url", door.url, "--api-key", door.key, status=1
    )  # a credit is refused
    expected = {
        "otel": (50, 50 * Decimal("0.003465")),
        "sdk": (100, 100 * Decimal("0.00021")),
        "litellm": (3, sum((Decimal(str(p["response_cost"])) for p in LITELLM), Decimal(0))),
        "openai": (1, Decimal("0.003532")),
        "anthropic": (1, Decimal("0.0301598")),
        "ce": (1, Decimal("0.15")),
        "focus/AWS": (3, Decimal("122.58")),
    }
    deadline = time.monotonic() + 30
    while (found := door.ledger()) != expected:
        assert time.monotonic() < deadline, found
        time.sleep(0.5)
    unpriced = f"SELECT source, sku, price_ref FROM costs WHERE tenant = '{door.tenant}' AND unpriced"  # noqa: S608
    assert door.cli.json("query", unpriced) == []
