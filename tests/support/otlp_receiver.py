"""A receiver of OTLP/HTTP traces, as a collector is one: keeps every span that is sent to it."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from gzip import decompress
from http.server import ThreadingHTTPServer

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from tests.support.http_server import Handler, serving


@dataclass(frozen=True)
class Seen:
    """A span that came."""

    service: str
    name: str
    trace: str
    id: str
    parent: str
    start: int
    end: int
    attributes: dict[str, str]


@dataclass
class Collector:
    """What came, and where to send it."""

    url: str = ""
    spans: list[Seen] = field(default_factory=list)

    def of(self, trace: str) -> list[Seen]:
        return sorted((span for span in self.spans if span.trace == trace), key=lambda span: span.start)

    def take(self, body: bytes) -> None:
        for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
            named = {a.key: a.value.string_value for a in resource.resource.attributes}
            for scope in resource.scope_spans:
                for s in scope.spans:
                    ids = s.trace_id.hex(), s.span_id.hex(), s.parent_span_id.hex()
                    text = {a.key: a.value.string_value or str(a.value.int_value) for a in s.attributes}
                    times = s.start_time_unix_nano, s.end_time_unix_nano
                    self.spans.append(Seen(named["service.name"], s.name, *ids, *times, text))


@contextmanager
def collecting() -> Iterator[Collector]:
    """Run a receiver."""
    collector = Collector()

    class Collecting(Handler):
        def do_POST(self) -> None:  # noqa: N802 (the library calls it so)
            assert self.path == "/v1/traces"
            body = self.rfile.read(int(self.headers["content-length"]))
            collector.take(decompress(body) if self.headers["content-encoding"] == "gzip" else body)
            answer = ExportTraceServiceResponse().SerializeToString()
            self.reply(200, {"content-type": "application/x-protobuf"}, answer)

    with serving(ThreadingHTTPServer(("127.0.0.1", 0), Collecting)) as port:
        collector.url = f"http://127.0.0.1:{port}"
        yield collector
