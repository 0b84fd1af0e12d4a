"""What decoders of other formats yield, and how it becomes lines for Kafka. A decoder is pure, from bytes to events
and reasons why others are invalid; what has no usage (a database's span, a cached answer) is ignored and counted."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import msgspec

from outlay_ingest.domain.nested_spans import RequestSpans
from outlay_ingest.domain.reading import (
    CHUNK_BYTES,
    CHUNK_EVENTS,
    Chunk,
    Rules,
    TooManyEventsError,
    check,
    is_array,
    split,
)
from outlay_ingest.domain.rejections import Rejection, explain
from outlay_schemas.errors import UNREADABLE, Invalid
from outlay_schemas.events import UsageEvent, encoder, usage_event_decoder


@dataclass(slots=True)
class Head:
    """What a request says outside its body. Names of headers are lower-case; nothing here is trusted."""

    media: str
    headers: Mapping[str, str] = field(default_factory=dict)
    query: Mapping[str, str] = field(default_factory=dict)
    provider: str = ""
    """The last part of the path, where the endpoint has one."""
    spans: RequestSpans | None = None
    """The usage spans of the request, at endpoints of OpenTelemetry."""


@dataclass(frozen=True, slots=True)
class Item:
    """One thing in a body. `raw` returns what to keep of it as a dead letter."""

    event: UsageEvent | Invalid
    raw: Callable[[], bytes]
    place: str = ""
    """Where in the body it is."""
    id: str | None = None


def made(
    make: Callable[[], UsageEvent | None],
    raw: Callable[[], bytes],
    place: str = "",
    identity: str | None = None,
) -> Item | None:
    """Return the item of an event that `make` returns, or why it raises Invalid; None if it returns none."""
    try:
        event: UsageEvent | Invalid | None = make()
    except Invalid as why:
        event = why
    return None if event is None else Item(event, raw, place, identity)


_object = msgspec.json.Decoder(dict[str, Any])


def objects(
    body: bytes, lines: bool, read: Callable[[Mapping[str, Any]], Sequence[UsageEvent]]
) -> Iterator[Item | None]:
    """Yield the events that `read` finds in each JSON object of a body, None for one without any. `lines`: one a
    line, else one or an array. Raises Invalid if the body is not JSON as a whole."""
    parts, places = split(body, "ndjson" if lines else "json")
    for index, raw in enumerate(parts):
        place = f"line {places[index]}" if places else f"$[{index}]" if is_array(body) else ""
        try:
            found: Sequence[UsageEvent | Invalid | None] = read(_object.decode(raw)) or (None,)
        except (*UNREADABLE, Invalid) as error:
            found = (explain(error, raw),)
        for event in found:
            yield None if event is None else Item(event, partial(bytes, raw), place)


Items = Iterable[Item | None]
"""None stands for an item without usage."""


def keep(items: Items, rules: Rules) -> Iterator[Chunk]:
    """Check items and yield them as chunks of a record's size. Raises what the decoder raises, and
    TooManyEventsError: chunks yielded before do no harm, for the sender repeats them with the same ids."""
    lines: list[bytes] = []
    rejections: list[Rejection] = []
    size = ignored = 0
    for index, item in enumerate(items):
        if index >= rules.max_events:
            raise TooManyEventsError(
                f"more than {rules.max_events} things in one request; send fewer at once"
            )
        if item is None:
            ignored += 1
            continue
        try:
            if isinstance(item.event, Invalid):
                raise item.event
            line = _line(item.event, rules)
            lines.append(line)
            size += len(line)
        except (*UNREADABLE, Invalid) as error:
            raw = item.raw()
            why = explain(error, raw)
            size += len(raw)
            where = f"{item.place}: {why.path}" if item.place and why.path != "$" else item.place or why.path
            shown = item.id or (item.event.id if isinstance(item.event, UsageEvent) else "")
            rejections.append(
                Rejection(index, why.code, why.path, why.message, raw, shown[:256] or None, where)
            )
        if len(lines) + len(rejections) >= CHUNK_EVENTS or size >= CHUNK_BYTES:
            yield Chunk(b"\n".join(lines), len(lines), rejections, ignored)
            lines, rejections, size, ignored = [], [], 0, 0
    if lines or rejections or ignored:
        yield Chunk(b"\n".join(lines), len(lines), rejections, ignored)


def _line(event: UsageEvent, rules: Rules) -> bytes:
    """Check and encode an event. Raises Invalid, or MsgspecError: a decoder made what the contract does not take."""
    rules.measure(event)
    check(event, rules)
    line = encoder.encode(event)
    usage_event_decoder.decode(line)
    return line
