"""Which endpoint reads what: a table of paths, the media types each takes, and how its body is read."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal
from urllib.parse import unquote

from outlay_ingest.domain import litellm
from outlay_ingest.domain.decoded_items import Head, Reader, keep
from outlay_ingest.domain.gpus import read_gpus
from outlay_ingest.domain.kubernetes import read_opencost
from outlay_ingest.domain.otlp import read_logs, read_traces
from outlay_ingest.domain.reading import FORMATS, read
from outlay_ingest.domain.rejections import explain
from outlay_ingest.domain.responses import read_responses
from outlay_schemas.cloudevents import join
from outlay_schemas.errors import UNREADABLE


def from_headers(headers: Mapping[str, str], body: bytes) -> bytes:
    """Return as one JSON object a CloudEvent of the binary mode.

    The values of headers are percent-encoded, as the specification's HTTP binding asks. Raises Invalid if the
    body is not JSON.
    """
    attributes = {name[3:]: unquote(value) for name, value in headers.items() if name.startswith("ce-")}
    try:
        return join(attributes, body)
    except UNREADABLE as error:
        raise explain(error, body) from None


_LINES = ("application/json", "application/x-ndjson", "application/ndjson", "application/jsonl")


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A path, the media types that it takes, and the reader for a request's head."""

    path: str
    media: tuple[str, ...]
    reader: Callable[[Head], Reader]
    otlp: Literal["spans", "logs"] | None = None
    """Whether it answers as OTLP demands."""


def _events(head: Head) -> Reader:
    if "ce-specversion" in head.headers and head.media == "application/json":
        return lambda body, rules: read(from_headers(head.headers, body), "cloudevent", rules)
    form = FORMATS[head.media]
    return lambda body, rules: read(body, form, rules)


def _litellm(_: Head) -> Reader:
    return lambda body, rules: keep(litellm.read_litellm(body), rules)


def _responses(head: Head) -> Reader:
    return lambda body, rules: keep(read_responses(body, head), rules)


def _traces(head: Head) -> Reader:
    as_json = head.media == "application/json"
    return lambda body, rules: keep(read_traces(body, as_json, rules.spans), rules)


def _logs(head: Head) -> Reader:
    as_json = head.media == "application/json"
    return lambda body, rules: keep(read_logs(body, as_json, rules.spans), rules)


def _opencost(_: Head) -> Reader:
    return lambda body, rules: keep(read_opencost(body), rules)


def _gpus(head: Head) -> Reader:
    return lambda body, rules: keep(read_gpus(body, head), rules)


_OTLP = ("application/x-protobuf", "application/json")
ENDPOINTS = (
    Endpoint("/v1/events", tuple(FORMATS), _events),
    Endpoint("/v1/litellm", _LINES, _litellm),
    Endpoint("/v1/usage/{provider}", _LINES, _responses),
    Endpoint("/v1/opencost", ("application/json",), _opencost),
    Endpoint("/v1/gpus", ("application/json", "text/plain"), _gpus),
    Endpoint("/v1/traces", _OTLP, _traces, otlp="spans"),
    Endpoint("/v1/logs", _OTLP, _logs, otlp="logs"),
)
