"""Which endpoint reads what: a table of paths, the media types each takes, and how its body is read."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal
from urllib.parse import unquote

from outlay_ingest.domain.clusters import read_gpus, read_opencost
from outlay_ingest.domain.decoded_items import Head, Items, keep
from outlay_ingest.domain.litellm import read_litellm
from outlay_ingest.domain.otlp import read_logs, read_traces
from outlay_ingest.domain.reading import FORMATS, Chunk, Rules, read
from outlay_ingest.domain.rejections import explain
from outlay_ingest.domain.responses import read_responses
from outlay_schemas.cloudevents import join
from outlay_schemas.dimensions import OWNERS
from outlay_schemas.errors import UNREADABLE

JSON = "application/json"
Reader = Callable[[bytes, Head, Rules], Iterator[Chunk]]
_LINES = (JSON, "application/x-ndjson", "application/ndjson", "application/jsonl")
_OTLP = ("application/x-protobuf", JSON)


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A path, the media types that it takes, the reader of its bodies, and what its documentation says."""

    path: str
    media: tuple[str, ...]
    read: Reader
    title: str
    about: str
    parameters: tuple[str, ...] = ()
    otlp: Literal["spans", "logs"] | None = None
    """Whether it answers as OTLP demands."""


def _events(body: bytes, head: Head, rules: Rules) -> Iterator[Chunk]:
    if "ce-specversion" not in head.headers or head.media != JSON:
        return read(body, FORMATS[head.media], rules)
    # CloudEvents' binary mode: values of headers are percent-encoded, as the specification's HTTP binding asks.
    attributes = {name[3:]: unquote(value) for name, value in head.headers.items() if name.startswith("ce-")}
    try:
        return read(join(attributes, body), "cloudevent", rules)
    except UNREADABLE as error:
        raise explain(error, body) from None


def _items(decode: Callable[[bytes, Head], Items]) -> Reader:
    return lambda body, head, rules: keep(decode(body, head), rules)


ENDPOINTS = (
    Endpoint(
        "/v1/events", tuple(FORMATS), _events, "Send usage events",
        "One event, an array, one a line, or CloudEvents (structured, batch, binary).",
    ),
    Endpoint(
        "/v1/litellm", _LINES, _items(lambda body, _: read_litellm(body)), "Send LiteLLM logs",
        "StandardLoggingPayloads of its generic API callback.",
    ),
    Endpoint(
        "/v1/usage/{provider}", _LINES, _items(read_responses), "Send responses of a provider's API",
        "Responses as received, or in an envelope (batch, stream, gateway). `auto` detects the provider.",
        parameters=("time", "id", "source", "sku", "api", *OWNERS),
    ),
    Endpoint(
        "/v1/opencost", (JSON,), _items(lambda body, _: read_opencost(body)), "Send allocations of a cluster",
        "An answer of OpenCost's or Kubecost's /allocation.",
    ),
    Endpoint(
        "/v1/gpus", (JSON, "text/plain"), _items(read_gpus), "Send samples of GPUs",
        "Of NVIDIA's dcgm-exporter: text format, or an answer of Prometheus.",
        parameters=("interval", "time", "sku", "provider"),
    ),
    Endpoint(
        "/v1/traces", _OTLP, _items(lambda body, head: read_traces(body, head.media == JSON, head.spans)),
        "Send OpenTelemetry spans", "OTLP/HTTP. Spans that are not model calls are ignored.", otlp="spans",
    ),
    Endpoint(
        "/v1/logs", _OTLP, _items(lambda body, head: read_logs(body, head.media == JSON, head.spans)),
        "Send OpenTelemetry log records", "OTLP/HTTP. Records that are not model calls are ignored.", otlp="logs",
    ),
)  # fmt: skip
