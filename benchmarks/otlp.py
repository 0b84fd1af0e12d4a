"""Spans per second on one core: decoding alone, and through the whole endpoint.

python benchmarks/otlp.py --seconds 8
"""

import argparse
import gzip
import json
import time
from dataclasses import asdict
from datetime import UTC, datetime, timedelta

from load import bus, ingest, measure
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from outlay_ingest.domain.decoded_items import keep
from outlay_ingest.domain.otlp import read_traces
from outlay_ingest.domain.reading import Rules

SPANS = 512
"""The exporter's own batch."""
END = time.time_ns()


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
        span.start_time_unix_nano = span.end_time_unix_nano = END
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


def decoding(body: bytes, rounds: int) -> None:
    """Measure what the decoder alone takes."""
    rules = Rules("acme", datetime.fromtimestamp(END / 1e9, UTC), timedelta(days=1), timedelta(days=1000))
    events = 0
    started = time.process_time()
    for _ in range(rounds):
        events += sum(chunk.events for chunk in keep(read_traces(body, as_json=False), rules))
    spent = time.process_time() - started
    total = rounds * SPANS
    print(
        f"decoding alone: {total / spent:,.0f} spans/s of CPU: {events:,} events, {len(body) / SPANS:,.0f} bytes a span"
    )


def endpoint(body: bytes, seconds: float) -> None:
    """Measure the endpoint: HTTP request, decompressed, decoded, durable in Kafka, answered."""
    packed = gzip.compress(body, 6)
    with bus() as kafka, ingest(kafka) as (pid, port, key):
        head = (
            f"POST /v1/traces HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nAuthorization: Bearer {key}\r\n"
            f"Content-Type: application/x-protobuf\r\nContent-Encoding: gzip\r\nContent-Length: {len(packed)}\r\n\r\n"
        )
        figures = measure(
            "OTLP traces, protobuf, gzip, 512 spans a request",
            pid, port, payload=head.encode() + packed, things=SPANS, connections=4, seconds=seconds,
        )  # fmt: skip
    print(json.dumps(asdict(figures)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=60)
    parser.add_argument("--seconds", type=float, default=8)
    arguments = parser.parse_args()
    body = request()
    decoding(body, arguments.rounds)
    endpoint(body, arguments.seconds)


if __name__ == "__main__":
    main()
