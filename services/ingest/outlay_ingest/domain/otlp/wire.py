"""OTLP's two encodings, brought to one: protobuf, and JSON with its own rules (hex ids, counts as strings)."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec
from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from outlay_ingest.domain.otlp.semconv import wanted as _wanted
from outlay_ingest.domain.rejections import explain
from outlay_schemas.errors import UNREADABLE, Invalid

Attributes = dict[str, Any]
Wanted = Callable[[str], bool]


@dataclass(frozen=True, slots=True)
class Record:
    """A span or a log record. Times are nanoseconds since 1970; ids are hex, or empty."""

    resource: Mapping[str, Any]
    attributes: Mapping[str, Any]
    name: str
    trace: str
    span: str
    start: int
    end: int
    failed: bool
    parent: str = ""

    def as_span(self) -> bytes:
        """Return the span alone as an OTLP request, with what was read of it: without prompts and answers."""
        span = {
            "traceId": self.trace,
            "spanId": self.span,
            "parentSpanId": self.parent,
            "name": self.name,
            "startTimeUnixNano": str(self.start),
            "endTimeUnixNano": str(self.end),
            "attributes": _otlp(self.attributes),
            "status": {"code": 2 if self.failed else 0},
        }
        resource = {"attributes": _otlp(self.resource)}
        return msgspec.json.encode(
            {"resourceSpans": [{"resource": resource, "scopeSpans": [{"spans": [span]}]}]}
        )

    def as_log(self) -> bytes:
        """Return the log record alone, in the same way."""
        log = {
            "traceId": self.trace,
            "spanId": self.span,
            "eventName": self.name,
            "timeUnixNano": str(self.end),
            "attributes": _otlp(self.attributes),
        }
        resource = {"attributes": _otlp(self.resource)}
        return msgspec.json.encode(
            {"resourceLogs": [{"resource": resource, "scopeLogs": [{"logRecords": [log]}]}]}
        )


def _otlp(attributes: Mapping[str, Any]) -> list[dict[str, object]]:
    return [{"key": name, "value": _typed(value)} for name, value in attributes.items()]


def _typed(value: object) -> dict[str, object]:
    if isinstance(value, bool):
        return {"boolValue": value}
    if isinstance(value, int):
        return {"intValue": str(value)}
    return {"doubleValue": value} if isinstance(value, float) else {"stringValue": value}


def spans(body: bytes, as_json: bool) -> Iterator[Record]:
    """Yield the spans of an ExportTraceServiceRequest. Raises Invalid if the body is none."""
    return _json_spans(body) if as_json else _proto_spans(body)


def logs(body: bytes, as_json: bool, wanted: Wanted) -> Iterator[Record]:
    """Yield the records of an ExportLogsServiceRequest. Raises Invalid if the body is none."""
    return _json_logs(body, wanted) if as_json else _proto_logs(body, wanted)


def _parse(kind: Any, body: bytes) -> Any:
    try:
        return kind.FromString(body)
    except DecodeError as error:
        raise Invalid("protobuf_malformed", f"this is not a valid {kind.DESCRIPTOR.name}: {error}") from None


def _proto_spans(body: bytes) -> Iterator[Record]:
    for group in _parse(ExportTraceServiceRequest, body).resource_spans:
        resource = _plain(group.resource.attributes, _wanted)
        for scope in group.scope_spans:
            for span in scope.spans:
                yield Record(
                    resource, _plain(span.attributes, _wanted), span.name, span.trace_id.hex(), span.span_id.hex(),
                    span.start_time_unix_nano, span.end_time_unix_nano, span.status.code == 2,
                    span.parent_span_id.hex(),
                )  # fmt: skip


def _proto_logs(body: bytes, wanted: Wanted) -> Iterator[Record]:
    for group in _parse(ExportLogsServiceRequest, body).resource_logs:
        resource = _plain(group.resource.attributes, _wanted)
        for scope in group.scope_logs:
            for log in scope.log_records:
                at = log.time_unix_nano or log.observed_time_unix_nano
                yield Record(
                    resource, _plain(log.attributes, wanted), log.event_name or log.body.string_value,
                    log.trace_id.hex(), log.span_id.hex(), at, at, failed=False,
                )  # fmt: skip


def _plain(pairs: Iterable[Any], wanted: Wanted) -> Attributes:
    """Return the wanted attributes that are plain values."""
    found: Attributes = {}
    for pair in pairs:
        name = pair.key
        if wanted(name):
            value = pair.value
            which = value.WhichOneof("value")
            if which in _PLAIN:
                found[name] = getattr(value, which)
    return found


_PLAIN = ("int_value", "string_value", "double_value", "bool_value")


class _Value(msgspec.Struct, rename="camel"):
    string_value: str | None = None
    int_value: str | int | None = None
    double_value: float | str | None = None
    bool_value: bool | None = None


class _Pair(msgspec.Struct):
    key: str
    value: _Value = msgspec.field(default_factory=_Value)


class _Resource(msgspec.Struct):
    attributes: list[_Pair] = []


class _Status(msgspec.Struct):
    code: int | str = 0


class _Span(msgspec.Struct, rename="camel"):
    trace_id: str = ""
    span_id: str = ""
    parent_span_id: str = ""
    name: str = ""
    start_time_unix_nano: str | int = 0
    end_time_unix_nano: str | int = 0
    attributes: list[_Pair] = []
    status: _Status = msgspec.field(default_factory=_Status)


class _Log(msgspec.Struct, rename="camel"):
    time_unix_nano: str | int = 0
    observed_time_unix_nano: str | int = 0
    event_name: str = ""
    trace_id: str = ""
    span_id: str = ""
    attributes: list[_Pair] = []
    body: _Value = msgspec.field(default_factory=_Value)


class _ScopeSpans(msgspec.Struct):
    spans: list[_Span] = []


class _ScopeLogs(msgspec.Struct, rename="camel"):
    log_records: list[_Log] = []


class _ResourceSpans(msgspec.Struct, rename="camel"):
    resource: _Resource = msgspec.field(default_factory=_Resource)
    scope_spans: list[_ScopeSpans] = []


class _ResourceLogs(msgspec.Struct, rename="camel"):
    resource: _Resource = msgspec.field(default_factory=_Resource)
    scope_logs: list[_ScopeLogs] = []


class _Traces(msgspec.Struct, rename="camel"):
    resource_spans: list[_ResourceSpans] = []


class _Logs(msgspec.Struct, rename="camel"):
    resource_logs: list[_ResourceLogs] = []


_traces_decoder = msgspec.json.Decoder(_Traces)
_logs_decoder = msgspec.json.Decoder(_Logs)


def _json_spans(body: bytes) -> Iterator[Record]:
    try:
        groups = _traces_decoder.decode(body).resource_spans
    except UNREADABLE as error:
        raise explain(error, body) from None
    for group in groups:
        resource = _pairs(group.resource.attributes, _wanted)
        for scope in group.scope_spans:
            for span in scope.spans:
                yield Record(
                    resource, _pairs(span.attributes, _wanted), span.name, span.trace_id.lower(), span.span_id.lower(),
                    _number(span.start_time_unix_nano), _number(span.end_time_unix_nano),
                    span.status.code in (2, "STATUS_CODE_ERROR"), span.parent_span_id.lower(),
                )  # fmt: skip


def _json_logs(body: bytes, wanted: Wanted) -> Iterator[Record]:
    try:
        groups = _logs_decoder.decode(body).resource_logs
    except UNREADABLE as error:
        raise explain(error, body) from None
    for group in groups:
        resource = _pairs(group.resource.attributes, _wanted)
        for scope in group.scope_logs:
            for log in scope.log_records:
                at = _number(log.time_unix_nano) or _number(log.observed_time_unix_nano)
                yield Record(
                    resource, _pairs(log.attributes, wanted), log.event_name or log.body.string_value or "",
                    log.trace_id.lower(), log.span_id.lower(), at, at, failed=False,
                )  # fmt: skip


def _pairs(pairs: Iterable[_Pair], wanted: Wanted) -> Attributes:
    found: Attributes = {}
    for pair in pairs:
        if not wanted(pair.key):
            continue
        value = pair.value
        for plain in (value.string_value, value.int_value, value.double_value, value.bool_value):
            if plain is not None:
                found[pair.key] = plain
                break
    return found


def _number(value: str | int) -> int:
    try:
        return int(value)
    except ValueError:
        return 0
