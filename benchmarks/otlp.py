"""How many spans a second one core turns into events: `python benchmarks/otlp.py`."""

import sys
import time
from datetime import UTC, datetime, timedelta

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from outlay_ingest.domain.items import keep
from outlay_ingest.domain.otlp import read_traces
from outlay_ingest.domain.reading import Rules

SPANS = 512
"""The exporter's own batch."""


def request() -> bytes:
    """Build one export of calls with prompts, and half as many other spans."""
    made = ExportTraceServiceRequest()
    group = made.resource_spans.add()
    group.resource.attributes.add(key="service.name").value.string_value = "checkout"
    spans = group.scope_spans.add().spans
    for number in range(SPANS):
        span = spans.add(
            name="chat claude", trace_id=number.to_bytes(16, "big"), span_id=(number + 1).to_bytes(8, "big")
        )
        span.start_time_unix_nano = span.end_time_unix_nano = 1_795_600_000_000_000_000
        if number % 3 == 2:
            span.attributes.add(key="http.request.method").value.string_value = "POST"
            continue
        for name, text in (
            ("gen_ai.operation.name", "chat"), ("gen_ai.provider.name", "anthropic"),
            ("server.address", "api.anthropic.com"),
            ("gen_ai.request.model", "claude-sonnet-4-5"), ("gen_ai.response.model", "claude-sonnet-4-5-20250929"),
            ("gen_ai.response.id", f"msg_{number}"), ("gen_ai.conversation.id", f"c-{number}"),
            ("gen_ai.input.messages", "x" * 2000),
        ):  # fmt: skip
            span.attributes.add(key=name).value.string_value = text
        for name, value in (
            ("input_tokens", 4808),
            ("cache_read.input_tokens", 4096),
            ("output_tokens", 110),
        ):
            span.attributes.add(key=f"gen_ai.usage.{name}").value.int_value = value
    return made.SerializeToString()


def main() -> None:
    body = request()
    rules = Rules("acme", datetime(2026, 11, 26, tzinfo=UTC), timedelta(days=1), timedelta(days=1000))
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 60
    events = 0
    started = time.process_time()
    for _ in range(rounds):
        events += sum(chunk.events for chunk in keep(read_traces(body, as_json=False), rules))
    spent = time.process_time() - started
    total = rounds * SPANS
    print(f"{total / spent:,.0f} spans/s of CPU: {events:,} events, {len(body) / SPANS:,.0f} bytes a span")


if __name__ == "__main__":
    main()
