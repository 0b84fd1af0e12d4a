"""Spans by OpenTelemetry's SDK over OTLP/HTTP, set by the standard OTEL_… variables; imported only where traces are
wanted. A thread sends from a bounded queue: with a slow receiver spans are lost, and events never wait."""

import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime

import structlog
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from outlay_kit.tracing import HEADER, Header

Attributes = dict[str, str | int]
_CLOSE_SECONDS = 3.0
_w3c = TraceContextTextMapPropagator()


class Span:
    """A span under way."""

    def __init__(self, tracer: trace.Tracer, span: trace.Span) -> None:
        self._tracer = tracer
        self._span = span

    @property
    def header(self) -> Header | None:
        """The header of a record that goes on with this trace; None if it is not sampled."""
        if not self._span.get_span_context().trace_flags.sampled:
            return None
        carrier: dict[str, str] = {}
        _w3c.inject(carrier, trace.set_span_in_context(self._span))
        return HEADER, carrier[HEADER].encode()

    @property
    def trace_id(self) -> str:
        """The trace's id, in hexadecimal, as logs name it."""
        return trace.format_trace_id(self._span.get_span_context().trace_id)

    def child(self, name: str) -> "Span":
        """Begin a span within this one, about a record that is written."""
        context = trace.set_span_in_context(self._span)
        return Span(self._tracer, self._tracer.start_span(name, context, trace.SpanKind.PRODUCER))

    def end(self, attributes: Attributes | None = None, failed: bool = False) -> None:
        """End it."""
        if attributes:
            self._span.set_attributes(attributes)
        if failed:
            self._span.set_status(trace.StatusCode.ERROR)
        self._span.end()


class Tracing:
    """Makes the spans of one service."""

    def __init__(self, service: str) -> None:
        name = os.environ.get("OTEL_SERVICE_NAME") or f"outlay-{service}"
        self._provider = TracerProvider(
            resource=Resource.create({"service.name": name}), shutdown_on_exit=False
        )
        self._provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
        self._tracer = self._provider.get_tracer("outlay")

    def request(self, name: str, traceparent: str | None, attributes: Attributes) -> Span:
        """Begin the span of a request: of the caller's trace, or of a new one."""
        context = _w3c.extract({HEADER: traceparent} if traceparent else {})
        return Span(
            self._tracer, self._tracer.start_span(name, context, trace.SpanKind.SERVER, attributes=attributes)
        )

    @contextmanager
    def spans(self, name: str, parents: Sequence[str], attributes: Attributes) -> Iterator[list[Header]]:
        """Give the work inside a span in each of the traces, and logs their ids; yield the headers that go on."""
        made = [
            Span(
                self._tracer,
                self._tracer.start_span(name, context, trace.SpanKind.CONSUMER, attributes=attributes),
            )
            for context in _contexts(parents)
        ]
        failed = True
        try:
            with structlog.contextvars.bound_contextvars(trace_ids=[span.trace_id for span in made]):
                yield [header for span in made if (header := span.header)]
            failed = False
        finally:
            for span in made:
                span.end(failed=failed)

    def note(
        self, name: str, parents: Sequence[str], start: datetime, end: datetime, attributes: Attributes
    ) -> None:
        """Put work that is done already into each of the traces: of a batch, it is the work of all of them."""
        first, last = (int(at.timestamp() * 1_000_000) * 1000 for at in (start, end))
        for context in _contexts(parents):
            span = self._tracer.start_span(
                name, context, trace.SpanKind.CONSUMER, attributes=attributes, start_time=first
            )
            span.end(end_time=last)

    def close(self) -> None:
        """Send what waits, for three seconds at most: a receiver that is away keeps no process from ending."""
        closing = threading.Thread(target=self._provider.shutdown, daemon=True)
        closing.start()
        closing.join(_CLOSE_SECONDS)


def _contexts(parents: Sequence[str]) -> list[Context]:
    read = [_w3c.extract({HEADER: parent}, Context()) for parent in parents]
    return [context for context in read if trace.get_current_span(context).get_span_context().is_valid]
