"""CloudEvents 1.0: the envelope holds id, source and time; `data` holds the rest of a usage event."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from urllib.parse import unquote

import msgspec

from outlay_ingest.domain.refusals import UNREADABLE, explain
from outlay_schemas.errors import Invalid
from outlay_schemas.events import Key, UsageEvent

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


class _Envelope(msgspec.Struct):
    """What the envelope holds. Extensions that we do not know are allowed, as the specification asks."""

    id: Key
    source: Key
    specversion: str
    type: str
    time: datetime | None = None
    datacontenttype: str | None = None
    data: _Data | None = None
    data_base64: str | None = None


_decoder = msgspec.json.Decoder(_Envelope)
_anything = msgspec.json.Decoder()


def from_headers(headers: Mapping[str, str], body: bytes) -> bytes:
    """Return as one JSON object a CloudEvent of the binary mode: attributes in `ce-` headers, data in the body.

    The values of headers are percent-encoded, as the specification's HTTP binding asks. Raises Invalid if the
    body is no JSON.
    """
    envelope: dict[str, object] = {
        name[3:]: unquote(value) for name, value in headers.items() if name.startswith("ce-")
    }
    try:
        _anything.decode(body)
    except UNREADABLE as error:
        raise explain(error, body) from None
    return msgspec.json.encode({**envelope, "data": msgspec.Raw(body)})


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
