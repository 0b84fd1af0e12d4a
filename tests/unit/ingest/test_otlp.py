"""OTLP as OpenTelemetry's own SDK and exporter send it, and as instrumentations of all ages spell it."""

import gzip
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest
import requests
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.trace import Status, StatusCode
from tests.support.ingest_rig import AWAY, Rig
from tests.support.otlp_requests import END, json_request, log_request

from outlay_ingest.domain.decoded_items import Item
from outlay_ingest.domain.otlp import read_traces
from outlay_schemas.events import UsageEvent

PROTO = "application/x-protobuf"
GOLDEN = Path(__file__).parents[2] / "golden"
NEW = {
    "gen_ai.operation.name": "chat",
    "gen_ai.provider.name": "anthropic",
    "gen_ai.request.model": "claude-sonnet-4-5",
    "gen_ai.response.model": "claude-sonnet-4-5-20250929",
    "gen_ai.usage.input_tokens": 4808,
    "gen_ai.usage.cache_read.input_tokens": 4096,
    "gen_ai.usage.cache_write.input_tokens": 300,
    "gen_ai.usage.output_tokens": 110,
    "gen_ai.input.messages": "[…a long prompt…]",
}
COUNTS = {"input_tokens": 4808, "cache_read_tokens": 4096, "cache_write_tokens": 300, "output_tokens": 110}


class Catch(requests.adapters.BaseAdapter):
    """What the exporter would have sent over the wire."""

    def __init__(self) -> None:
        super().__init__()
        self.bodies: list[bytes] = []
        self.headers: Mapping[str, Any] = {}

    def send(self, request: requests.PreparedRequest, *_: Any, **__: Any) -> requests.Response:
        assert isinstance(request.body, bytes)
        self.bodies.append(request.body)
        self.headers = request.headers
        response = requests.Response()
        response.status_code = 200
        return response

    def close(self) -> None:
        pass


@pytest.fixture
def wire() -> Iterator[tuple[TracerProvider, Catch]]:
    """A tracer whose spans leave through the real exporter."""
    catch = Catch()
    session = requests.Session()
    session.mount("http://", catch)
    exporter = OTLPSpanExporter("http://outlay/v1/traces", session=session)
    resource = Resource(
        {"service.name": "checkout", "outlay.team": "growth", "deployment.environment": "prod"}
    )
    provider = TracerProvider(resource=resource)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    yield provider, catch
    provider.shutdown()


def span(provider: TracerProvider, attributes: Mapping[str, Any], failed: bool = False) -> str:
    """Make a span that ended a minute ago; return the event's id that it must have."""
    made = provider.get_tracer("t").start_span("chat", attributes=attributes, start_time=END - 10**9)
    if failed:
        made.set_status(Status(StatusCode.ERROR))
    made.end(END)
    context = made.get_span_context()
    return f"{context.trace_id:032x}-{context.span_id:016x}"


async def post(
    rig: Rig, body: bytes, media: str = PROTO, path: str = "/v1/traces", **headers: str
) -> httpx.Response:
    sent = {"Content-Type": media, "Authorization": f"Bearer {rig.key}"}
    sent |= {name.replace("_", "-"): value for name, value in headers.items()}
    return await rig.client.post(path, content=body, headers=sent)


def read_one(attributes: Mapping[str, Any], **fields: object) -> Item | None:
    (item,) = read_traces(json.dumps(json_request(attributes, **fields)).encode(), as_json=True)
    return item


async def test_a_span_of_the_real_exporter_is_an_event(rig: Rig, wire: tuple[TracerProvider, Catch]) -> None:
    provider, catch = wire
    identity = span(provider, {**NEW, "user.id": "u-17", "outlay.tag.flow": "a/b"})
    answer = await post(rig, catch.bodies[0], catch.headers["Content-Type"])
    assert (answer.status_code, answer.content, answer.headers["content-type"]) == (200, b"", PROTO)
    (event,) = rig.sink.events()
    assert (event.id, event.source, event.tenant) == (identity, "checkout", "acme")
    assert (event.provider, event.sku, event.usage) == ("anthropic", "claude-sonnet-4-5-20250929", COUNTS)
    assert (event.team, event.user, event.tags) == ("growth", "u-17", {"env": "prod", "flow": "a/b"})
    assert event.time.timestamp() == END / 1e9
    assert "prompt" not in rig.sink.records()[0].decode()


async def test_json_and_protobuf_and_gzip_say_the_same(rig: Rig, wire: tuple[TracerProvider, Catch]) -> None:
    provider, catch = wire
    span(provider, NEW)
    assert (await post(rig, gzip.compress(catch.bodies[0]), content_encoding="gzip")).status_code == 200
    answer = await post(rig, json.dumps(json_request(NEW)).encode(), "application/json")
    assert (answer.status_code, answer.json()) == (200, {})
    one, other = rig.sink.events()
    assert (one.usage, one.sku, one.attributes) == (other.usage, other.sku, other.attributes)
    assert other.id == "5b8efff798038103d269b633813fc60c-eee19b7ec3c1b174"


async def test_partial_success_names_what_was_refused(rig: Rig, wire: tuple[TracerProvider, Catch]) -> None:
    provider, catch = wire
    span(provider, {"gen_ai.usage.input_tokens": 5})
    span(provider, {"http.method": "GET"})
    span(provider, NEW)
    bodies = [ExportTraceServiceRequest.FromString(body) for body in catch.bodies]
    for other in bodies[1:]:
        bodies[0].MergeFrom(other)
    answer = await post(rig, bodies[0].SerializeToString())
    answered = ExportTraceServiceResponse.FromString(answer.content).partial_success
    assert (answer.status_code, answered.rejected_spans) == (200, 1)
    assert "it cannot be priced [missing_field]" in answered.error_message
    assert len(rig.sink.events()) == 1
    (dead_letter,) = rig.sink.dead_letters()
    again = await post(rig, dead_letter.body, "application/json")  # a dead letter is a request of its own
    assert again.json()["partialSuccess"]["rejectedSpans"] == "1"


async def test_failures_are_a_status_in_the_encoding_of_the_request(rig: Rig) -> None:
    rig.sink.failure = AWAY
    body = json.dumps(json_request(NEW)).encode()
    answer = await post(rig, body, "application/json")
    assert (answer.status_code, answer.json()["code"], answer.headers["retry-after"]) == (503, 14, "3")
    proto = await post(rig, b"\xff\xff")
    assert (proto.status_code, proto.headers["content-type"]) == (400, PROTO)
    assert proto.content.startswith(b"\x08\x03\x12")
    assert b"protobuf_malformed" in proto.content
    assert (await post(rig, b"{", "application/json")).json()["code"] == 3
    assert (await post(rig, body, "text/plain")).status_code == 415
    rig.key = "nonsense"
    assert (await post(rig, body, "application/json")).json()["code"] == 16


@pytest.mark.parametrize(
    "attributes",
    [
        {"gen_ai.system": "anthropic", "gen_ai.request.model": "m", "gen_ai.usage.prompt_tokens": 4808,
         "gen_ai.usage.completion_tokens": 110, "gen_ai.usage.cache_read_input_tokens": 4096,
         "gen_ai.usage.cache_creation_input_tokens": 300, "llm.request.type": "chat"},
        {"gen_ai.provider.name": "anthropic", "gen_ai.request.model": "m", "gen_ai.usage.input_tokens": 4808,
         "gen_ai.usage.output_tokens": 110, "gen_ai.usage.cache_read.input_tokens": 4096,
         "gen_ai.usage.cache_creation.input_tokens": 300, "gen_ai.operation.name": "chat"},
        {"gen_ai.system": "anthropic", "gen_ai.response.model": "m", "gen_ai.usage.input_tokens": 4808,
         "gen_ai.usage.output_tokens": 110, "gen_ai.usage.input_tokens.cached": 4096,
         "gen_ai.usage.input_tokens.cache_write": 300},
        {"openinference.span.kind": "LLM", "llm.provider": "anthropic", "llm.model_name": "m",
         "llm.token_count.prompt": 4808, "llm.token_count.completion": 110, "llm.token_count.total": 4918,
         "llm.token_count.prompt_details.cache_read": 4096, "llm.token_count.prompt_details.cache_write": 300},
        {"llm.vendor": "anthropic", "llm.request.model": "m", "llm.usage.prompt_tokens": 4808,
         "llm.usage.completion_tokens": 110, "llm.usage.cache_read_input_tokens": 4096,
         "llm.usage.cache_creation_input_tokens": 300},
    ],
    ids=["openllmetry", "semconv-1.41", "sentry", "openinference", "openllmetry-old"],
)  # fmt: skip
def test_every_spelling_counts_the_same(attributes: dict[str, Any]) -> None:
    item = read_one(attributes)
    assert item is not None
    assert isinstance(item.event, UsageEvent)
    assert (item.event.usage, item.event.sku, item.event.provider) == (COUNTS, "m", "anthropic")


@pytest.mark.parametrize(
    ("attributes", "agent"),
    [
        ({"gen_ai.agent.id": "asst_1", "gen_ai.agent.name": "researcher"}, "researcher"),
        ({"gen_ai.agent.id": "asst_1"}, "asst_1"),
    ],
)
def test_a_call_has_its_agent_by_name_or_else_by_id(attributes: dict[str, Any], agent: str) -> None:
    item = read_one({**NEW, **attributes})
    assert item is not None
    assert isinstance(item.event, UsageEvent)
    assert item.event.attributes["agent"] == agent


@pytest.mark.parametrize(
    "around",
    [
        {"gen_ai.operation.name": "invoke_agent"},
        {"gen_ai.operation.name": "execute_tool"},
        {"openinference.span.kind": "CHAIN"},
        {"openinference.span.kind": "AGENT"},
        {"traceloop.span.kind": "workflow"},
    ],
)
def test_spans_around_calls_are_not_counted_a_second_time(around: dict[str, str]) -> None:
    assert read_one({**NEW, **around}) is None


def test_failed_calls_count_what_they_used_and_nothing_if_they_used_nothing() -> None:
    used = read_one(NEW, status={"code": 2})
    assert used is not None
    call = {"gen_ai.operation.name": "chat", "gen_ai.request.model": "m", "error.type": "429"}
    assert read_one(call) is None
    assert read_one({**call, "error.type": ""}, status={"code": "STATUS_CODE_ERROR"}) is None


def test_a_call_that_does_not_say_what_it_used_is_kept_as_a_hole() -> None:
    item = read_one({"gen_ai.operation.name": "chat", "gen_ai.request.model": "m", "gen_ai.system": "openai"})
    assert item is not None
    assert isinstance(item.event, UsageEvent)
    assert item.event.usage == {"requests": 1}


def test_azure_names_its_resource() -> None:
    item = read_one({**NEW, "gen_ai.system": "azure.ai.openai", "server.address": "acme.openai.azure.com"})
    assert item is not None
    assert isinstance(item.event, UsageEvent)
    assert item.event.attributes["azure_resource"] == "acme"


@pytest.mark.parametrize(
    "fields",
    [{"spanId": ""}, {"endTimeUnixNano": "0", "startTimeUnixNano": 0}, {"endTimeUnixNano": "9" * 40}],
)
async def test_spans_without_an_identity_or_a_time_are_refused(rig: Rig, fields: dict[str, Any]) -> None:
    answer = await post(rig, json.dumps(json_request(NEW, **fields)).encode(), "application/json")
    assert answer.json()["partialSuccess"]["rejectedSpans"] == "1"


async def test_a_coding_agents_requests_are_events(rig: Rig) -> None:
    said = {
        "event.name": "api_request", "model": "claude-sonnet-4-5-20250929", "cost_usd": "0.0123", "input_tokens": 3,
        "output_tokens": "105", "cache_read_tokens": 4096, "cache_creation_tokens": 512, "session.id": "s-1",
        "user.id": "u-17",
    }  # fmt: skip
    for _ in range(2):
        answer = await post(rig, log_request(said, "claude_code.api_request"), "application/json", "/v1/logs")
        assert (answer.status_code, answer.json()) == (200, {})
    event, again = rig.sink.events()
    assert event == again
    assert (event.provider, event.team, event.user, event.source) == (
        "anthropic", "platform", "u-17", "claude-code",
    )  # fmt: skip
    assert event.usage == {
        "input_tokens": 3, "output_tokens": 105, "cache_read_tokens": 4096, "cache_write_tokens": 512,
    }  # fmt: skip
    assert event.attributes["usage_convention"] == "input_excludes_cache"
    assert str(event.reported_cost) == "0.012300000000"


async def test_an_event_of_a_call_has_the_identity_of_its_span(rig: Rig) -> None:
    ids = {"traceId": "5b8efff798038103d269b633813fc60c", "spanId": "eee19b7ec3c1b174"}
    name = {"eventName": "gen_ai.client.inference.operation.details"}
    await post(rig, log_request(NEW, **ids, **name), "application/json", "/v1/logs")
    await post(rig, json.dumps(json_request(NEW)).encode(), "application/json")
    log, traced = rig.sink.events()
    assert log.id == traced.id
    other = await post(rig, log_request({"a": "b"}), "application/json", "/v1/logs")
    assert other.json() == {}
    refused = await post(rig, log_request(NEW), "application/json", "/v1/logs")
    assert refused.json()["partialSuccess"]["rejectedLogRecords"] == "1"
    assert (await post(rig, b"", path="/v1/logs")).content == ExportLogsServiceResponse().SerializeToString()


@pytest.mark.parametrize("media", ["application/x-protobuf", "application/json"])
async def test_metrics_are_refused_for_good_with_what_to_send_instead(rig: Rig, media: str) -> None:
    headers = {"Content-Type": media, "Authorization": f"Bearer {rig.key}"}
    answer = await rig.client.post("/v1/metrics", content=b"{}", headers=headers)
    assert (answer.status_code, answer.headers["content-type"]) == (501, media)
    for answered in (b"/v1/traces", b"/v1/logs", b"[metrics_not_taken]"):
        assert answered in answer.content
    assert not rig.sink.sent
