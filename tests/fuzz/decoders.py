"""A million inputs against every decoder: `make fuzz`. Anything but a refusal is a crash.

python tests/fuzz/decoders.py -runs=1000000 FOLDER_OF_SEEDS
"""

import json
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import atheris
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

with atheris.instrument_imports(include=["outlay_ingest", "outlay_pricer", "outlay_schemas"]):
    from outlay_ingest.domain.decoded_items import Head
    from outlay_ingest.domain.endpoints import ENDPOINTS, Endpoint
    from outlay_ingest.domain.reading import Rules, TooManyEventsError
    from outlay_pricer.domain import CompiledCatalog
    from outlay_pricer.record_pricing import RecordPosition, Tenancy, price_record
    from outlay_schemas.catalog import Catalog
    from outlay_schemas.cloudevents import from_record
    from outlay_schemas.errors import Invalid
    from outlay_schemas.events import cost_event_decoder, usage_event_decoder

TENANT = "acme"
NOW = datetime(2026, 11, 26, tzinfo=UTC)
RULES = Rules(TENANT, NOW, timedelta(days=1), timedelta(days=1100))
GOLDEN = Path(__file__).parents[1] / "golden"
PLACE = RecordPosition("usage.events.acme", 0, 0)
CATALOG = CompiledCatalog(Catalog.model_validate({"revision": 1, "created_at": NOW}))
STRUCTURED = (("content-type", b"application/cloudevents+json"),)
BINARY = (("ce_specversion", b"1.0"), ("ce_type", b"com.outlay.usage"), ("ce_id", b"1"))
PROVIDERS = ("openai", "anthropic", "gemini", "auto", "unknown")


def endpoints() -> Iterator[tuple[Endpoint, str]]:
    for gate in ENDPOINTS:
        for media in gate.media:
            yield gate, media


PAIRS = list(endpoints())


def one(data: bytes) -> None:
    """The first byte selects the endpoint (or Kafka), the second the provider; the rest is the body."""
    if len(data) < 3:
        return
    if data[0] % (len(PAIRS) + 1) == len(PAIRS):
        record(data[1], data[2:])
        return
    gate, media = PAIRS[data[0] % (len(PAIRS) + 1)]
    query = {"interval": "60", "time": "2026-11-24T00:00:00Z"} if data[1] % 2 else {}
    head = Head(media, {"ce-specversion": "1.0"} if data[1] & 8 else {}, query, PROVIDERS[data[1] % 5])
    try:
        for chunk in gate.read(data[2:], head, RULES):
            events = usage_event_decoder.decode_lines(chunk.lines)
            assert len(events) == chunk.events
            assert {event.tenant for event in events} <= {TENANT}
    except (Invalid, TooManyEventsError):
        return


def record(kind: int, value: bytes) -> None:
    """A record on a tenant's own topic: all of it is that tenant's, and nothing vanishes."""
    cut = len(value) // 2 if kind % 4 == 2 else 0
    headers = (
        (), STRUCTURED, (*BINARY, ("ce_source", value[:cut])),
        (*BINARY, ("ce_source", b"s"), ("ce_time", b"2026-11-24T01:02:03Z")),
    )[kind % 4]  # fmt: skip
    body = value[cut:]
    priced = price_record(body, PLACE, CATALOG, NOW, Tenancy(only=TENANT), headers=headers)
    found = priced.events + len(priced.dead_letters)
    alone = from_record(body, headers)
    if alone is not None:
        assert found == bool(alone.strip())
    elif priced.dead_letters:
        assert found == len([line for line in body.split(b"\n") if line.strip()])
    assert {dead.tenant for dead in priced.dead_letters} <= {TENANT}
    for _, costs in priced.values:
        assert {cost.tenant for cost in cost_event_decoder.decode_lines(costs)} == {TENANT}


def payloads() -> Iterator[bytes]:
    """Small whole payloads of each maker."""
    litellm = json.loads((GOLDEN / "litellm-1.110.2-generic-api.json").read_bytes())
    for payload in litellm:
        payload.pop("model_map_information")
        yield json.dumps(payload).encode()
    for answer in json.loads((GOLDEN / "responses.json").read_bytes()).values():
        yield json.dumps(answer).encode()
        yield json.dumps({"response": answer, "time": "2026-11-24T00:00:00Z", "tags": {"a": "b"}}).encode()
    for export in (GOLDEN / "otlp").iterdir():
        yield export.read_bytes()
    yield (GOLDEN / "opencost-allocation.json").read_bytes()
    yield (GOLDEN / "dcgm-exporter.txt").read_bytes()
    event = {
        "id": "1",
        "source": "s",
        "time": "2026-11-24T01:02:03Z",
        "kind": "llm",
        "sku": "m",
        "usage": {"a": 1.5},
    }
    yield json.dumps([event, {**event, "tags": {"a": "b"}}]).encode()
    yield json.dumps({**event, "specversion": "1.0", "type": "com.outlay.usage", "data": {}}).encode()
    inside = {"kind": "llm", "sku": "m", "usage": {"a": 1}, "tenant": "globex"}
    yield json.dumps({"specversion": "1.0", "type": "com.outlay.usage", "id": "1", "source": "s",
                      "time": event["time"], "data": inside}, indent=1).encode()  # fmt: skip
    yield json.dumps(event).encode() + b"\n" + json.dumps({**event, "tenant": "globex"}).encode()
    span = {"traceId": "5" * 32, "spanId": "7" * 16, "endTimeUnixNano": "1795600000000000000"}
    call = [{"key": "gen_ai.request.model", "value": {"stringValue": "m"}},
            {"key": "gen_ai.usage.input_tokens", "value": {"intValue": "5"}}]  # fmt: skip
    yield json.dumps(
        {"resourceSpans": [{"scopeSpans": [{"spans": [{**span, "attributes": call}]}]}]}
    ).encode()
    log = {**span, "eventName": "claude_code.api_request", "timeUnixNano": "1795600000000000000"}
    yield json.dumps(
        {"resourceLogs": [{"scopeLogs": [{"logRecords": [{**log, "attributes": call}]}]}]}
    ).encode()
    made = ExportTraceServiceRequest()
    proto = made.resource_spans.add().scope_spans.add().spans.add(trace_id=b"5" * 16, span_id=b"7" * 8)
    proto.end_time_unix_nano = 1_795_600_000_000_000_000
    proto.attributes.add(key="gen_ai.request.model").value.string_value = "m"
    proto.attributes.add(key="gen_ai.usage.input_tokens").value.int_value = 5
    yield made.SerializeToString()


def seeds(folder: Path) -> None:
    """Write each payload for each endpoint: the wrong endpoint must refuse it."""
    for number_of_endpoint in range(len(PAIRS) + 1):
        for number, payload in enumerate(payloads()):
            (folder / f"{number_of_endpoint}-{number}").write_bytes(
                bytes((number_of_endpoint, number % 16)) + payload
            )


def main() -> None:
    run: Callable[[bytes], None] = one
    folder = Path(sys.argv[-1])
    seeds(folder)
    atheris.Setup(sys.argv, run)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
