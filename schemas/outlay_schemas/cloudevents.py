"""CloudEvents 1.0: the envelope holds id, source and time; `data` holds the rest of a usage event. Over HTTP and over
Kafka alike: structured (the envelope is JSON) or binary (its attributes are headers)."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

import msgspec

from outlay_schemas.errors import UNREADABLE, Invalid
from outlay_schemas.events import Key, UsageEvent
from outlay_schemas.topics import MAX_RECORD_BYTES

EVENT_TYPE = "com.outlay.usage"
"""The CloudEvents type of a usage event."""
_OUTSIDE = ("id", "source", "time")
_INSIDE = [field for field in msgspec.structs.fields(UsageEvent) if field.name not in _OUTSIDE]


def _inside(field: msgspec.structs.FieldInfo) -> tuple[str, Any] | tuple[str, Any, Any]:
    if field.required:
        return field.name, field.type
    if field.default_factory is not msgspec.NODEFAULT:
        return field.name, field.type, msgspec.field(default_factory=field.default_factory)
    return field.name, field.type, field.default


_Data: Any = msgspec.defstruct("Data", [_inside(field) for field in _INSIDE], forbid_unknown_fields=True)
_names = [field.name for field in _INSIDE]


class CloudEvent(msgspec.Struct, omit_defaults=True):
    """What the envelope holds. Extensions that we do not know are allowed, as the specification asks."""

    id: Key
    source: Key
    specversion: str
    type: str
    time: datetime | None = None
    datacontenttype: str | None = None
    data: _Data | None = None
    data_base64: str | None = None


Headers = Iterable[tuple[str, bytes]] | Mapping[str, bytes] | None
"""Of a Kafka record."""
_decoder = msgspec.json.Decoder(CloudEvent)
_anything = msgspec.json.Decoder()


def join(attributes: Mapping[str, str], data: bytes) -> bytes:
    """Return as one JSON object a CloudEvent of the binary mode. Raises what msgspec does if `data` is not JSON."""
    _anything.decode(data)
    return msgspec.json.encode({**attributes, "data": msgspec.Raw(data)})


def from_record(value: bytes, headers: Headers) -> bytes | None:
    """Return the CloudEvent that a Kafka record is, as a line of JSON; None if its headers name none. Structured
    mode: `content-type` begins with application/cloudevents. Binary mode: attributes are headers `ce_…`, in UTF-8 and
    not percent-encoded as over HTTP. Data that is not JSON comes back as `data_base64`. What would be too large for a
    record comes back without its headers: it is refused, and a dead letter must hold it."""
    if not headers:
        return None
    pairs = headers.items() if isinstance(headers, Mapping) else headers
    named = {name.lower(): text or b"" for name, text in pairs}
    if named.get("content-type", b"").strip().lower().startswith(b"application/cloudevents"):
        return value.replace(b"\n", b" ")  # a line break of JSON is white space, never part of a string
    if "ce_specversion" not in named:
        return None
    attributes = {
        name[3:]: text.decode("utf-8", "replace") for name, text in named.items() if name.startswith("ce_")
    }
    try:
        joined = join(attributes, value.replace(b"\n", b" "))
    except UNREADABLE:
        joined = msgspec.json.encode({**attributes, "data_base64": value})
    return joined if len(joined) <= MAX_RECORD_BYTES else value.replace(b"\n", b" ")


def open_envelope(raw: bytes) -> UsageEvent:
    """Return the usage event of a CloudEvent. Raises Invalid, or MsgspecError with the place."""
    envelope = _decoder.decode(raw)
    if envelope.specversion != "1.0":
        raise Invalid("specversion", f"CloudEvents {envelope.specversion} is not 1.0", "$.specversion")
    if envelope.type != EVENT_TYPE:
        raise Invalid("event_type", f"the type is {envelope.type}; a usage event's is {EVENT_TYPE}", "$.type")
    if envelope.data_base64 is not None:
        raise Invalid("data_encoding", "the usage must be JSON in data, not bytes", "$.data_base64")
    if envelope.data is None:
        raise Invalid("missing_field", "the field data is required: it holds the usage", "$.data")
    if envelope.time is None:
        raise Invalid("missing_field", "the field time is required: when the usage happened", "$.time")
    if envelope.time.tzinfo is None:
        raise Invalid("time_zone_missing", "a time needs its zone, as in 2026-11-24T01:02:03Z", "$.time")
    inside = {name: getattr(envelope.data, name) for name in _names}
    return UsageEvent(id=envelope.id, source=envelope.source, time=envelope.time, **inside)


def within(why: Invalid) -> Invalid:
    """Say where in its envelope a fault of an event is."""
    if why.path == "$.time":
        return why
    return Invalid(why.code, why.message, why.path.replace("$", "$.data", 1))
