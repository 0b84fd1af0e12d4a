"""From a body to lines for Kafka: JSON, NDJSON, CloudEvents. A chunk of a record's size is decoded at once where all
is right, several times faster than event by event; one with an error is taken apart, and good events stay."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Literal

import msgspec

from outlay_ingest.domain.rejections import Rejection, decode, explain
from outlay_schemas.cloudevents import open_envelope, within
from outlay_schemas.errors import UNREADABLE, Invalid
from outlay_schemas.events import UsageEvent, encoder
from outlay_schemas.grammar import FIRST
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

_ARRAY = re.compile(rb"[ \t\r\n]*\[")
_array = msgspec.json.Decoder(list[msgspec.Raw])


def split(body: bytes, form: Format) -> tuple[Sequence[bytes], Sequence[int]]:
    """Cut a body into its events, with the line (from 1) of each for NDJSON. Raises Invalid, also if it holds none."""
    places: Sequence[int] = ()
    if form == "ndjson":
        lines = body.split(b"\n")
        places = [number for number, line in enumerate(lines, 1) if line.strip()]
        parts: Sequence[bytes] = [lines[number - 1] for number in places]
    elif form == "cloudevent" or (form == "json" and not is_array(body)):
        parts = [body] if body.strip() else []
    else:
        parts = [bytes(raw) for raw in decode(_array, body)]
    if not parts:
        raise Invalid("empty", "the body holds no event")
    return parts, places


def is_array(body: bytes) -> bool:
    """Whether a JSON body is an array."""
    return _ARRAY.match(body) is not None


CHUNK_EVENTS = 500
"""Most events of a chunk, and of a record."""
CHUNK_BYTES = 2**20

_one = msgspec.json.Decoder(UsageEvent)
_many = msgspec.json.Decoder(list[UsageEvent])
_anything = msgspec.json.Decoder()


@dataclass
class Rules:
    """What an endpoint checks beyond the event itself. `now` is aware, UTC."""

    tenant: str
    now: datetime
    future: timedelta
    age: timedelta
    max_events: int = 50_000
    skews: dict[str, float] = field(default_factory=dict)
    """By source: `now` minus the time of an event, in seconds. Below 0 the clock of the producer is ahead."""

    def __post_init__(self) -> None:
        self.latest, self.earliest = self.now + self.future, max(FIRST, self.now - self.age)

    def measure(self, event: UsageEvent) -> None:
        """Note how far the clock of an event's source is off."""
        self.skews[event.source] = (self.now - event.time).total_seconds()


@dataclass(frozen=True, slots=True)
class Chunk:
    """A part of a body: NDJSON of the events to keep, each with its tenant set, and what is refused."""

    lines: bytes
    events: int
    rejections: list[Rejection]
    ignored: int = 0
    """Items that carry no usage, such as spans that are not model calls."""


class TooManyEventsError(Exception):
    """A body holds more events than one request may."""


def read(body: bytes, form: Format, rules: Rules) -> Iterator[Chunk]:
    """Read a body in chunks. Raises Invalid, before the first, for a broken or empty one; TooManyEventsError."""
    whole = _decoded(body, form, rules) if len(body) <= CHUNK_BYTES else None
    if whole is not None:
        yield whole
        return
    parts, places = split(body, form)
    if len(parts) > rules.max_events:
        raise TooManyEventsError(f"{len(parts)} events; a request may hold {rules.max_events}")
    many = form == "cloudevents" or (form == "json" and is_array(body))
    plain = form in ("json", "ndjson")
    for first, end in _cuts(parts):
        chunk = parts[first:end]
        quick = _decoded(b"\n".join(chunk), "ndjson", rules) if plain and len(parts) > 1 else None
        if quick is not None and quick.events == len(chunk):
            yield quick
            continue
        events: list[UsageEvent] = []
        rejections: list[Rejection] = []
        for index, raw in enumerate(chunk, first):
            try:
                events.append(_read_one(raw, plain, rules))
            except (*UNREADABLE, Invalid) as error:
                why = explain(error, raw)
                inside = why.path.replace("$", f"$[{index}]", 1) if many else why.path
                where = f"line {places[index]}: {why.path}" if places else inside
                rejections.append(Rejection(index, why.code, why.path, why.message, raw, _id_of(raw), where))
        yield Chunk(encoder.encode_lines(events)[:-1], len(events), rejections)


def _cuts(parts: Sequence[bytes]) -> Iterator[tuple[int, int]]:
    first = size = 0
    for at, part in enumerate(parts):
        size += len(part)
        if at > first and (at - first >= CHUNK_EVENTS or size > CHUNK_BYTES):
            yield first, at
            first, size = at, len(part)
    yield first, len(parts)


def _decoded(body: bytes, form: Format, rules: Rules) -> Chunk | None:
    try:
        if form == "ndjson":
            events = _one.decode_lines(body)
        elif form != "json":
            return None
        else:
            events = _many.decode(body) if is_array(body) else [_one.decode(body)]
        if not events or len(events) > CHUNK_EVENTS:
            return None
        for event in events:
            check(event, rules)
    except (*UNREADABLE, Invalid):
        return None
    rules.measure(events[-1])
    return Chunk(encoder.encode_lines(events)[:-1], len(events), [])


def check(event: UsageEvent, rules: Rules) -> None:
    """Check an event, set its tenant, and say its time in UTC. Raises Invalid."""
    check_usage_event(event)
    tenant, time = rules.tenant, event.time
    if event.tenant and event.tenant != tenant:
        detail = f"the key belongs to tenant {tenant}; leave the field out, the key decides"
        raise Invalid("tenant_mismatch", detail, "$.tenant")
    if time > rules.latest:
        raise Invalid("time_in_future", f"{time.isoformat()} is in the future; is a clock wrong?", "$.time")
    if time < rules.earliest:
        detail = f"{time.isoformat()} is older than this ledger keeps ({rules.earliest:%Y-%m-%d})"
        raise Invalid("time_too_old", detail, "$.time")
    if time.tzinfo is not UTC:
        event.time = time.astimezone(UTC)
    event.tenant = tenant


def _read_one(raw: bytes, plain: bool, rules: Rules) -> UsageEvent:
    event = _one.decode(raw) if plain else open_envelope(raw)
    rules.measure(event)
    try:
        check(event, rules)
    except Invalid as why:
        raise (why if plain else within(why)) from None
    return event


def _id_of(raw: bytes) -> str | None:
    try:
        found = _anything.decode(raw)
    except UNREADABLE:
        return None
    value = found.get("id") if isinstance(found, dict) else None
    return value[:256] if isinstance(value, str) else None
