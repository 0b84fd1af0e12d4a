"""Reads of a record only what says which minutes it dirties; the rest goes to the engine undecoded."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

import msgspec

from outlay_aggregator.domain.identities import Seen, Suspect
from outlay_aggregator.domain.windows import Window, window_of
from outlay_schemas.errors import UNREADABLE
from outlay_schemas.events import CostEvent, cost_event_decoder

FIRST_YEAR, LAST_YEAR = 2000, 2099
"""Times outside are refused by the ledger, whose windows are 32 bits of seconds."""
FIRST = datetime(FIRST_YEAR, 1, 1, tzinfo=UTC)


class _Head(msgspec.Struct, gc=False):
    tenant: str
    time: str
    id: str
    source: str


_decoder = msgspec.json.Decoder(_Head)
_UNREADABLE = (*UNREADABLE, ValueError)
"""Also what `_minutes` raises for heads that it cannot place."""


@dataclass(frozen=True, slots=True)
class BadLine:
    """A line that cannot be a cost event, and why."""

    body: bytes
    line: int
    code: str
    message: str
    path: str = "$"


@dataclass(frozen=True, slots=True)
class Reading:
    """What one record holds: its good lines, joined, the minutes that they dirty, and its bad lines."""

    body: bytes
    events: int
    minutes: frozenset[Window]
    bad: Sequence[BadLine] = field(default=())
    suspects: Sequence[Suspect] = field(default=())
    """Its events whose identity may have been known before."""


def read(value: bytes, oldest: datetime = FIRST, seen: Seen | None = None) -> Reading:
    """Read one record. Events before `oldest` are bad lines: what they would be added to may be gone.

    `seen` learns its identities.

    The common record is good as a whole: it is decoded in one call and passed on as it came. Only if
    that fails is it read line by line, to tell the bad lines from the good.
    """
    try:
        heads = _decoder.decode_lines(value)
        minutes = _minutes(heads, oldest)
    except _UNREADABLE:
        return _read_lines(value, oldest, seen)
    return Reading(value, len(heads), minutes, (), seen.suspects(heads) if seen else ())


def id_of(line: bytes) -> str:
    """Return the id of a cost event that `why` finds nothing wrong with."""
    return _decoder.decode(line).id


def _read_lines(value: bytes, oldest: datetime, seen: Seen | None) -> Reading:
    good: list[bytes] = []
    heads: list[_Head] = []
    bad: list[BadLine] = []
    minutes: set[Window] = set()
    for number, line in enumerate(value.split(b"\n")):
        if not line.strip():
            continue
        try:
            head = _decoder.decode(line)
            minutes |= _minutes([head], oldest)
            good.append(line)
            heads.append(head)
        except _UNREADABLE as error:
            bad.append(why(line, number, oldest) or BadLine(line, number, "cost_event_invalid", str(error)))
    suspects = seen.suspects(heads) if seen else ()
    return Reading(b"\n".join(good), len(good), frozenset(minutes), bad, suspects)


def why(line: bytes, number: int, oldest: datetime = FIRST) -> BadLine | None:
    """Decode a line in full and say what is wrong with it; None if the contract takes it."""
    try:
        event = cost_event_decoder.decode(line)
    except _UNREADABLE as error:
        text = str(error)
        _, _, place = text.rpartition(" - at `")
        return BadLine(
            line, number, "cost_event_invalid", text, place.rstrip("`") if " - at `" in text else "$"
        )
    return _why_event(event, line, number, oldest)


def _why_event(event: CostEvent, line: bytes, number: int, oldest: datetime) -> BadLine | None:
    if event.time.tzinfo is None:
        return BadLine(line, number, "time_naive", "time has no zone; give it as UTC", "$.time")
    if not FIRST_YEAR <= event.time.year <= LAST_YEAR:
        message = f"the year {event.time.year} is not from {FIRST_YEAR} to {LAST_YEAR}"
        return BadLine(line, number, "time_out_of_range", message, "$.time")
    if event.time < oldest:
        message = f"the ledger keeps nothing from before {oldest:%Y-%m-%d}"
        return BadLine(line, number, "past_retention", message, "$.time")
    if not event.tenant or not event.id or not event.source:
        return BadLine(line, number, "identity_missing", "tenant, source and id must be given")
    return None


def _minutes(heads: Sequence[_Head], oldest: datetime) -> frozenset[Window]:
    """Return the minutes of the heads. Raises ValueError if one has no identity or no usable time.

    `2026-11-24T01:02:03.4Z` differs inside a second only after its 19th character, so that few of many
    times are parsed. The seconds are parsed too: what the engine would read as another minute (second 60)
    would dirty a minute in which the ledger has nothing, and be waited for without end.
    """
    for head in heads:
        if not (head.id and head.source):
            raise ValueError("source and id must be given")
    places = {(head.tenant, head.time[:19], head.time[-1:]) for head in heads}
    if all(zone == "Z" for _, _, zone in places):
        times = [(tenant, f"{second}Z") for tenant, second, _ in places]
    else:
        times = [(head.tenant, head.time) for head in heads]
    return frozenset(_window(tenant, text, oldest) for tenant, text in times)


def _window(tenant: str, text: str, oldest: datetime) -> Window:
    time = datetime.fromisoformat(text)
    if time.tzinfo is None:
        raise ValueError("time has no zone; give it as UTC")
    if not FIRST_YEAR <= time.year <= LAST_YEAR:
        raise ValueError(f"the year {time.year} is not from {FIRST_YEAR} to {LAST_YEAR}")
    if time < oldest:
        raise ValueError("the ledger keeps nothing that old")
    if not tenant:
        raise ValueError("tenant must be given")
    return window_of(tenant, time, "minute")
