"""From a body to events: JSON, NDJSON and CloudEvents; a bad event does not sink the good ones.

The whole body is decoded at once where everything in it is right, which is the common case and several
times faster than event by event; only a body with an error in it is taken apart.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

import msgspec

from outlay_ingest.domain.refusals import Refusal, explain
from outlay_schemas.errors import Invalid
from outlay_schemas.events import UsageEvent
from outlay_schemas.validate import check_usage_event

Format = Literal["json", "ndjson", "cloudevent", "cloudevents"]
FORMATS: dict[str, Format] = {
    "application/json": "json",
    "application/x-ndjson": "ndjson",
    "application/ndjson": "ndjson",
    "application/jsonl": "ndjson",
    "application/cloudevents+json": "cloudevent",
    "application/cloudevents-batch+json": "cloudevents",
}
EVENT_TYPE = "dev.outlay.usage.v1"
"""The CloudEvents type of a usage event."""

_one = msgspec.json.Decoder(UsageEvent)
_many = msgspec.json.Decoder(list[UsageEvent])
_raws = msgspec.json.Decoder(list[msgspec.Raw])
_anything = msgspec.json.Decoder()


@dataclass(frozen=True, slots=True)
class Rules:
    """What a door checks beyond the event itself. `now` is aware, UTC."""

    tenant: str
    now: datetime
    future: timedelta
    age: timedelta


@dataclass(frozen=True, slots=True)
class Reading:
    """What a body held: events to keep, each with its tenant set, and refusals."""

    events: list[UsageEvent]
    refusals: list[Refusal]


class _CloudEvent(msgspec.Struct):
    """The envelope; extensions that we do not know are allowed, as the specification asks."""

    id: str
    source: str
    specversion: str
    type: str
    time: datetime | None = None
    datacontenttype: str | None = None
    data: msgspec.Raw | None = None


def read(body: bytes, form: Format, rules: Rules) -> Reading:
    """Read a body. Raises Invalid if it is not of its format as a whole (broken JSON, no event)."""
    try:
        events = _fast(body, form)
    except msgspec.MsgspecError:
        events = []
    else:
        if not events:
            raise Invalid("empty", "the body holds no event")
        if all(_passes(event, rules) for event in events):
            return Reading(events, [])
    return _apart(split(body, form), form, rules)


def split(body: bytes, form: Format) -> Sequence[bytes]:
    """Cut a body into its events, undecoded. Raises Invalid if it cannot be cut, or holds none."""
    if form == "ndjson":
        parts: Sequence[bytes] = [line for line in body.split(b"\n") if line.strip()]
    elif form == "cloudevent" or body.lstrip()[:1] != b"[":
        parts = [body] if body.strip() else []
    else:
        try:
            parts = [bytes(raw) for raw in _raws.decode(body)]
        except msgspec.MsgspecError as error:
            raise explain(error, body) from None
    if not parts:
        raise Invalid("empty", "the body holds no event")
    return parts


def _fast(body: bytes, form: Format) -> list[UsageEvent]:
    if form == "ndjson":
        return _one.decode_lines(body)
    if form == "json":
        return _many.decode(body) if body.lstrip()[:1] == b"[" else [_one.decode(body)]
    raise msgspec.ValidationError("envelopes are opened one by one")


def _passes(event: UsageEvent, rules: Rules) -> bool:
    try:
        _check(event, rules)
    except Invalid:
        return False
    return True


def _check(event: UsageEvent, rules: Rules) -> None:
    """Check an event and set its tenant. Raises Invalid."""
    check_usage_event(event)
    if event.tenant and event.tenant != rules.tenant:
        raise Invalid(
            "tenant_mismatch",
            f"the key belongs to tenant {rules.tenant}; leave the field out, the key decides",
            "$.tenant",
        )
    if event.time > rules.now + rules.future:
        raise Invalid(
            "time_in_future",
            f"{event.time.isoformat()} is too far in the future; is a clock wrong?",
            "$.time",
        )
    if event.time < rules.now - rules.age:
        raise Invalid(
            "time_too_old", f"{event.time.isoformat()} is older than {rules.age.days} days", "$.time"
        )
    event.tenant = rules.tenant


def _apart(parts: Sequence[bytes], form: Format, rules: Rules) -> Reading:
    events: list[UsageEvent] = []
    refusals: list[Refusal] = []
    for index, raw in enumerate(parts):
        try:
            event = _one.decode(raw) if form in ("json", "ndjson") else _open(raw)
            _check(event, rules)
        except (msgspec.MsgspecError, Invalid) as error:
            why = explain(error, raw)
            refusals.append(Refusal(index, why.code, why.path, why.message, raw, _id_of(raw)))
        else:
            events.append(event)
    return Reading(events, refusals)


def _open(raw: bytes) -> UsageEvent:
    """Open a CloudEvents envelope: its id, source and time are the event's. Raises Invalid or MsgspecError."""
    envelope = msgspec.json.decode(raw, type=_CloudEvent)
    if envelope.specversion != "1.0":
        raise Invalid("specversion", f"CloudEvents {envelope.specversion} is not 1.0", "$.specversion")
    if envelope.type != EVENT_TYPE:
        raise Invalid("event_type", f"the type is {envelope.type}; a usage event's is {EVENT_TYPE}", "$.type")
    if envelope.data is None:
        raise Invalid("missing_field", "the field data is required: it holds the usage", "$.data")
    if envelope.time is None:
        raise Invalid("missing_field", "the field time is required: when the usage happened", "$.time")
    data = msgspec.json.decode(envelope.data)
    if not isinstance(data, dict):
        raise Invalid("wrong_type", "data must be an object", "$.data")
    inner = {**data, "id": envelope.id, "source": envelope.source, "time": envelope.time.isoformat()}
    flat = msgspec.json.encode(inner)
    try:
        return _one.decode(flat)
    except msgspec.MsgspecError as error:
        why = explain(error, flat)
        raise Invalid(why.code, why.message, why.path.replace("$", "$.data", 1)) from None


def _id_of(raw: bytes) -> str | None:
    """The id that an unusable event seems to have, to help its sender find it."""
    try:
        found = _anything.decode(raw)
    except msgspec.MsgspecError:
        return None
    value = found.get("id") if isinstance(found, dict) else None
    return value[:256] if isinstance(value, str) else None
