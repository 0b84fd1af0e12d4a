"""OTLP's two encodings, brought to one: protobuf, and JSON with its own rules (hex ids, counts as strings)."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec
from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from outlay_ingest.domain.otlp.semconv import wanted as _wanted
from outlay_ingest.domain.rejections import decode
from outlay_schemas.errors import Invalid

Attributes = dict[str, Any]
Wanted = Callable[[str], bool]
_KEYS = {bool: "boolValue", int: "intValue", float: "doubleValue"}


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
    failed: bool = False
    parent: str = ""
    is_log: bool = False

    def alone(self) -> bytes:
        """Return it alone as an OTLP request, with what was read of it: without prompts and answers."""
        own = {"traceId": self.trace, "spanId": self.span, "attributes": _otlp(self.attributes)}
        if self.is_log:
            own |= {"eventName": self.name, "timeUnixNano": str(self.end)}
        else:
            own |= {
                "parentSpanId": self.parent,
                "name": self.name,
                "startTimeUnixNano": str(self.start),
                "endTimeUnixNano": str(self.end),
                "status": {"code": 2 if self.failed else 0},
            }
        kind, field = ("Logs", "logRecords") if self.is_log else ("Spans", "spans")
        group = {"resource": {"attributes": _otlp(self.resource)}, f"scope{kind}": [{field: [own]}]}
        return msgspec.json.encode({f"resource{kind}": [group]})


def _otlp(attributes: Mapping[str, Any]) -> Any:
    return [
        {
            "key": name,
            "value": {_KEYS.get(type(value), "stringValue"): str(value) if type(value) is int else value},
        }
        for name, value in attributes.items()
    ]


def spans(body: bytes, as_json: bool) -> Iterator[Record]:
    """Yield the spans of an ExportTraceServiceRequest. Raises Invalid if the body is none."""
    plain, hexed = (_json_values, str.lower) if as_json else (_proto_values, bytes.hex)
    for resource, span in _entries(body, ExportTraceServiceRequest, as_json, "spans", "spans"):
        yield Record(
            resource, plain(span.attributes, _wanted), span.name, hexed(span.trace_id), hexed(span.span_id),
            _number(span.start_time_unix_nano), _number(span.end_time_unix_nano),
            span.status.code in (2, "STATUS_CODE_ERROR"), hexed(span.parent_span_id),
        )  # fmt: skip


def logs(body: bytes, as_json: bool, wanted: Wanted) -> Iterator[Record]:
    """Yield the records of an ExportLogsServiceRequest. Raises Invalid if the body is none."""
    plain, hexed = (_json_values, str.lower) if as_json else (_proto_values, bytes.hex)
    for resource, log in _entries(body, ExportLogsServiceRequest, as_json, "logs", "log_records"):
        at = _number(log.time_unix_nano) or _number(log.observed_time_unix_nano)
        yield Record(
            resource, plain(log.attributes, wanted), log.event_name or log.body.string_value or "",
            hexed(log.trace_id), hexed(log.span_id), at, at, is_log=True,
        )  # fmt: skip


def _entries(
    body: bytes, kind: Any, as_json: bool, groups: str, entries: str
) -> Iterator[tuple[Attributes, Any]]:
    if as_json:
        request: Any = decode(_decoder, body)
    else:
        try:
            request = kind.FromString(body)
        except DecodeError as error:
            raise Invalid(
                "protobuf_malformed", f"this is not a valid {kind.DESCRIPTOR.name}: {error}"
            ) from None
    plain = _json_values if as_json else _proto_values
    for group in getattr(request, f"resource_{groups}"):
        resource = plain(group.resource.attributes, _wanted)
        for scope in getattr(group, f"scope_{groups}"):
            for entry in getattr(scope, entries):
                yield resource, entry


def _proto_values(pairs: Iterable[Any], wanted: Wanted) -> Attributes:
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


def _json_values(pairs: Iterable[Any], wanted: Wanted) -> Attributes:
    found: Attributes = {}
    for pair in pairs:
        if wanted(pair.key):
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


class _Entry(msgspec.Struct, rename="camel"):
    trace_id: str = ""
    span_id: str = ""
    parent_span_id: str = ""
    name: str = ""
    event_name: str = ""
    start_time_unix_nano: str | int = 0
    end_time_unix_nano: str | int = 0
    time_unix_nano: str | int = 0
    observed_time_unix_nano: str | int = 0
    attributes: list[_Pair] = []
    status: _Status = msgspec.field(default_factory=_Status)
    body: _Value = msgspec.field(default_factory=_Value)


class _Scope(msgspec.Struct, rename="camel"):
    spans: list[_Entry] = []
    log_records: list[_Entry] = []


class _Group(msgspec.Struct, rename="camel"):
    resource: _Resource = msgspec.field(default_factory=_Resource)
    scope_spans: list[_Scope] = []
    scope_logs: list[_Scope] = []


class _Request(msgspec.Struct, rename="camel"):
    resource_spans: list[_Group] = []
    resource_logs: list[_Group] = []


_decoder = msgspec.json.Decoder(_Request)
