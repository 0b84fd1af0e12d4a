"""The makers' own clients against a real ingest on a real bus: what they send arrives, and has its price."""

import json
import time
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import httpx
import pytest
from cloudevents.core.bindings.http import HTTPMessage, to_binary_event, to_structured_event
from cloudevents.core.v1.event import CloudEvent
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from tests.support.processes import Ingest, tail

from outlay.catalog import load_default
from outlay_kit.settings import KafkaSettings
from outlay_pricer.domain import CompiledCatalog, price
from outlay_schemas.events import UsageEvent, usage_event_decoder

pytestmark = pytest.mark.stack
LITELLM = Path(__file__).parents[2] / "golden" / "litellm-1.110.2-generic-api.json"


def arrived(kafka: KafkaSettings, tenant: str, count: int) -> list[UsageEvent]:
    """The events of a tenant, once there are as many on Kafka."""
    found: list[UsageEvent] = []
    with tail(kafka, "usage.events", tenant) as reading:

        def enough(_: object) -> bool:
            lines = [event for r in reading.records for event in usage_event_decoder.decode_lines(r.value)]
            found[:] = [event for event in lines if event.tenant == tenant]
            return len(found) >= count

        reading.wait(enough)
    return found


def dollars(events: list[UsageEvent]) -> Decimal:
    catalog = CompiledCatalog(load_default())
    costs = [price(event, catalog) for event in events]
    assert {cost.price_status for cost in costs} == {"priced"}
    return sum((Decimal(cost.cost or 0) for cost in costs), Decimal(0))


def test_opentelemetrys_sdk_and_exporter(kafka: KafkaSettings, tmp_path: Path) -> None:
    ingest = Ingest(kafka, tmp_path)
    ingest.start()
    url = ingest.url.replace("/v1/events", "/v1/traces")
    headers = {"Authorization": f"Bearer {ingest.key}"}
    provider = TracerProvider(resource=Resource({"service.name": "checkout", "outlay.team": "growth"}))
    exporter = OTLPSpanExporter(url, headers=headers, compression=Compression.Gzip)
    provider.add_span_processor(BatchSpanProcessor(exporter))
    tracer = provider.get_tracer("instrumentation")
    with tracer.start_as_current_span("invoke_agent") as agent:
        agent.set_attributes({"gen_ai.operation.name": "invoke_agent", "gen_ai.usage.input_tokens": 100_000})
        for _ in range(100):
            with tracer.start_as_current_span("chat claude-sonnet-4-5") as span:
                span.set_attributes({
                    "gen_ai.operation.name": "chat", "gen_ai.provider.name": "anthropic",
                    "gen_ai.request.model": "claude-sonnet-4-5", "gen_ai.usage.input_tokens": 1000,
                    "gen_ai.usage.cache_read.input_tokens": 400, "gen_ai.usage.output_tokens": 10,
                })  # fmt: skip
    assert provider.force_flush()
    provider.shutdown()
    events = arrived(kafka, ingest.tenant, 100)
    assert len({event.id for event in events}) == len(events) == 100
    # a million: 600 of input at $3, 400 from the cache at $0.30, 10 of output at $15
    assert dollars(events) == 100 * Decimal("0.00207")
    assert ingest.stop() == 0


def test_the_cloudevents_sdk(kafka: KafkaSettings, tmp_path: Path) -> None:
    ingest = Ingest(kafka, tmp_path)
    ingest.start()

    def event(name: str) -> CloudEvent:
        attributes = {
            "specversion": "1.0", "type": "com.outlay.usage", "id": name, "source": "checkout/é",
            "time": datetime.fromtimestamp(int(time.time()), UTC), "datacontenttype": "application/json",  # noqa: TID251
        }  # fmt: skip
        usage = {"input_tokens": 1_000_000}
        return CloudEvent(
            attributes, {"kind": "llm", "provider": "openai", "sku": "gpt-4o-mini", "usage": usage}
        )

    def send(message: HTTPMessage) -> int:
        headers = {**message.headers, "Authorization": f"Bearer {ingest.key}"}
        return httpx.post(ingest.url, content=message.body, headers=headers).status_code

    assert send(to_structured_event(event("s"))) == 202
    assert send(to_binary_event(event("b"))) == 202
    events = arrived(kafka, ingest.tenant, 2)
    assert {(e.id, e.source) for e in events} == {("s", "checkout/é"), ("b", "checkout/é")}
    assert dollars(events) == Decimal("0.3")
    assert ingest.stop() == 0


def test_litellms_callback_as_it_posted(kafka: KafkaSettings, tmp_path: Path) -> None:
    ingest = Ingest(kafka, tmp_path, future_hours=87_600, age_days=36_500)
    ingest.start()
    url = ingest.url.replace("/v1/events", "/v1/litellm")
    headers = {"Authorization": f"Bearer {ingest.key}", "Content-Type": "application/json"}
    for _ in range(2):
        assert httpx.post(url, content=LITELLM.read_bytes(), headers=headers).json()["accepted"] == 3
    events = {event.id: event for event in arrived(kafka, ingest.tenant, 6)}
    paid = sum(Decimal(str(payload["response_cost"])) for payload in json.loads(LITELLM.read_bytes()))
    assert dollars(list(events.values())) == paid
    assert ingest.stop() == 0
