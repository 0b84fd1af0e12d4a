"""Every vendor's client, through the whole system: its events are in the ledger once, with their cost.

`pytest tests/e2e/test_endpoints.py -s` prints the table of docs/formats.md.
"""

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from importlib.metadata import version
from pathlib import Path
from typing import Any

import httpx
import pytest
from cloudevents.core.bindings import http, kafka
from cloudevents.core.v1.event import CloudEvent
from kafka import KafkaProducer
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from tests.support.system import Cli

from outlay_sdk import Outlay

pytestmark = pytest.mark.stack
GOLDEN = Path(__file__).parents[1] / "golden"
LITELLM: list[dict[str, Any]] = json.loads((GOLDEN / "litellm-1.110.2-generic-api.json").read_text())
RECORDED: dict[str, dict[str, Any]] = json.loads((GOLDEN / "recorded.json").read_text())
PAGE = Path(__file__).parents[2] / "docs" / "formats.md"
USAGE = {"kind": "llm", "provider": "openai", "sku": "gpt-4o-mini", "usage": {"input_tokens": 1_000_000}}


@dataclass(frozen=True)
class Row:
    """What one client sent."""

    format: str
    client: str
    events: int
    usd: Decimal


ROWS = {
    "otel": Row("OTLP traces, protobuf, gzip", f"opentelemetry-sdk and exporter {version('opentelemetry-sdk')}", 50,
                50 * Decimal("0.003465")),
    "litellm": Row("LiteLLM payloads", "LiteLLM 1.110.2, `GenericAPILogger`: what it posted, kept", 3,
                   sum((Decimal(str(p["response_cost"])) for p in LITELLM), Decimal(0))),
    "ce": Row("CloudEvents over HTTP: binary, structured", f"cloudevents {version('cloudevents')}", 2, Decimal("0.3")),
    "ce-kafka": Row("CloudEvents over Kafka: binary, structured, a fixed dead letter, on a topic of the tenant's own",
                    f"cloudevents {version('cloudevents')}, kafka-python {version('kafka-python')}", 4,
                    Decimal("0.6")),
    "openai": Row("OpenAI's answers: chat, Responses", "recorded from its API", 2, Decimal("0.000181")),
    "anthropic": Row("Anthropic's answer: Messages", "recorded from its API", 1, Decimal("0.0024048")),
    "gemini": Row("Google's answer: generateContent", "recorded from its API", 1, Decimal("0.0056699")),
    "bedrock": Row("AWS' answer: Converse", "recorded from its API", 1, Decimal("0.000010675")),
    "focus/AWS": Row("FOCUS 1.2, CSV", "rows as AWS fills them", 3, Decimal("122.58")),
    "sdk": Row("our SDK", f"outlay-sdk {version('outlay-sdk')}", 100, 100 * Decimal("0.00021")),
}  # fmt: skip
"""By the source of the events; each cost is worked out by hand, or is the client's own."""


@dataclass(frozen=True)
class Sender:
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
def sender(cli: Cli) -> Iterator[Sender]:
    tenant = f"endpoints-{time.time_ns()}"
    key = cli.json("keys", "create", "--tenant", tenant)["key"]
    sender = Sender(cli, cli.state().ingest, tenant, key)
    deadline = time.monotonic() + 10
    while httpx.post(f"{sender.url}/v1/events", headers={"X-API-Key": key}, content=b"").status_code == 401:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    yield sender
    cli("keys", "revoke", key)


def trace(sender: Sender) -> None:
    exporter = OTLPSpanExporter(
        f"{sender.url}/v1/traces",
        headers={"Authorization": f"Bearer {sender.key}"},
        compression=Compression.Gzip,
    )
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


def cloud(event_id: str, source: str, now: datetime, **data: object) -> CloudEvent:
    attributes = {"specversion": "1.0", "type": "com.outlay.usage", "id": event_id, "source": source, "time": now,
                  "datacontenttype": "application/json"}  # fmt: skip
    return CloudEvent(attributes, {**USAGE, **data})


def clouds(sender: Sender, now: datetime) -> None:
    for event_id, bind in (("b", http.to_binary_event), ("s", http.to_structured_event)):
        message = bind(cloud(event_id, "ce", now))
        headers = {**message.headers, "X-API-Key": sender.key}
        assert httpx.post(f"{sender.url}/v1/events", content=message.body, headers=headers).status_code == 202
    producer = KafkaProducer(bootstrap_servers=sender.cli.state().kafka)
    for event_id, record in (
        ("b", kafka.to_binary_event), ("s", kafka.to_structured_event), ("late", kafka.to_binary_event),
    ):  # fmt: skip
        wrong = {"usage": {"input_tokens": -1}} if event_id == "late" else {}
        sent = record(cloud(event_id, "ce-kafka", now, tenant=sender.tenant, **wrong))
        for _ in range(2):
            producer.send("usage.events", sent.value, headers=list(sent.headers.items())).get(20)
    own = kafka.to_binary_event(cloud("own", "ce-kafka", now))
    producer.send(f"usage.events.{sender.tenant}", own.value, headers=list(own.headers.items())).get(20)
    producer.close()


def fix(sender: Sender) -> None:
    """Fix the dead letter of a CloudEvent once it is there, and send it again."""
    chosen = ("--tenant", sender.tenant, "--stage", "pricer")
    deadline = time.monotonic() + 30
    while not sender.cli.json("dead-letters", "list", *chosen):
        assert time.monotonic() < deadline
        time.sleep(0.3)
    done = sender.cli.json("dead-letters", "replay", *chosen, "--set", "data.usage.input_tokens=1000000")
    assert done["sent"] == done["found"] >= 1


def answers(sender: Sender, now: datetime) -> None:
    for recorded in RECORDED.values():
        provider = recorded["provider"]
        known = {"sku": recorded["sku"]} if "sku" in recorded else {}
        wrapped = {"response": recorded["answer"], "time": now.isoformat(), "source": provider, **known}
        sender.post(f"/v1/usage/{provider}", wrapped)


def table() -> list[str]:
    head = ["| Format | Client | Events | USD |", "|---|---|---:|---:|"]
    return head + [f"| {r.format} | {r.client} | {r.events} | {r.usd.normalize():f} |" for r in ROWS.values()]


def test_every_clients_events_are_in_the_ledger_with_their_cost(sender: Sender, tmp_path: Path) -> None:
    now = datetime.fromtimestamp(int(time.time()), UTC)  # noqa: TID251 (a sender's own clock)
    sender.cli("setup", "--direct-tenant", sender.tenant)
    trace(sender)
    outlay = Outlay(sender.url, sender.key, source="sdk", flush_at_exit=0)
    for _ in range(100):
        outlay.track(provider="openai", sku="gpt-4o-mini", usage={"input_tokens": 1000, "output_tokens": 100})
    assert outlay.close(20)
    sender.post("/v1/litellm", [{**payload, "endTime": now.timestamp()} for payload in LITELLM])
    answers(sender, now)
    clouds(sender, now)
    bill = tmp_path / "bill.csv"
    bill.write_text((GOLDEN / "focus-1.2.csv").read_text().replace("2026-11-24", f"{now:%Y-%m-%d}"))
    sender.cli(
        "import", "focus", str(bill), "--url", sender.url, "--api-key", sender.key, status=1
    )  # a credit is refused
    fix(sender)
    expected = {source: (row.events, row.usd) for source, row in ROWS.items()}
    deadline = time.monotonic() + 30
    while (found := sender.ledger()) != expected:
        assert time.monotonic() < deadline, found
        time.sleep(0.5)
    unpriced = f"SELECT source, sku, price_ref FROM costs WHERE tenant = '{sender.tenant}' AND unpriced"  # noqa: S608
    assert sender.cli.json("query", unpriced) == []
    print("\n" + "\n".join(table()))  # noqa: T201 (for the page)
    assert "\n".join(table()) in PAGE.read_text(), "put the table that this printed into docs/formats.md"
