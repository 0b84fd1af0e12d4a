"""Reads of each cost event only what names its minute and its identity; the engine reads the rest.

`_Head` is the grammar of what the fast path accepts: times and amounts that the engine would read in another way, or
refuse, are bad lines before any insert.
"""

import json
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from operator import attrgetter
from typing import Annotated

import msgspec
from msgspec import Meta

from outlay_aggregator.domain.identities import Seen, Suspect
from outlay_aggregator.domain.windows import Window, window_of
from outlay_schemas.dead_letters import MOST_BAD
from outlay_schemas.errors import UNREADABLE, Invalid
from outlay_schemas.events import CostEvent, cost_event_decoder
from outlay_schemas.grammar import AMOUNT, FIRST, FIRST_YEAR, LAST_YEAR, TIME

_Name = Annotated[str, Meta(min_length=1)]
_Number = Annotated[int, Meta(ge=0, le=2**63 - 1)]
_NUMBERS = ("revision", "fingerprint", "accepted_ms", "accepted_seq")
_INTEGER = re.compile(r"[0-9]+")
_DECIMAL = re.compile(r"-?[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
_TIMES = re.compile(rf"(?:{TIME}\n)*+")
_AMOUNTS = re.compile(rf"(?:{AMOUNT}\n)*+")
_AMOUNTS_OF: dict[str, Callable[["_Head"], str | None]] = {
    name: attrgetter(name) for name in ("cost", "charged", "list_cost")
}


class _Head(msgspec.Struct, gc=False):
    tenant: _Name
    time: str
    id: _Name
    source: _Name
    revision: _Number
    cost: str | None
    charged: str | None = None
    list_cost: str | None = None
    accepted_ms: _Number = 0
    accepted_seq: _Number = 0


_decoder = msgspec.json.Decoder(_Head)
_UNREADABLE = (*UNREADABLE, ValueError, Invalid)


@dataclass(frozen=True, slots=True)
class BadLine:
    """A line that is not a valid cost event, and why."""

    body: bytes
    line: int
    code: str
    message: str
    path: str = "$"


@dataclass(frozen=True, slots=True)
class Reading:
    """The content of one record: good lines, joined, their minutes, and the bad lines."""

    body: bytes
    events: int
    minutes: frozenset[Window]
    bad: Sequence[BadLine] = ()
    suspects: Sequence[Suspect] = ()
    """Events whose identity may be in the ledger already."""


def read(value: bytes, oldest: datetime = FIRST, seen: Seen | None = None) -> Reading:
    """Read one record. Events before `oldest` are bad lines. `seen` learns the identities.

    A record is usually good as a whole: it is decoded in one call and passed on unchanged. Only if that fails is it
    read line by line.
    """
    try:
        heads = _decode(value)
        minutes = _minutes(heads, oldest)
        body, bad = value, list[BadLine]()
    except _UNREADABLE:
        good, bad = check(value, oldest)
        body = b"\n".join(line for _, _, line in good)
        heads = _decode(body)
        minutes = _minutes(heads, oldest)
    return Reading(body, len(heads), minutes, bad, seen.suspects(heads) if seen else ())


def _decode(value: bytes) -> list[_Head]:
    """Decode lines. Raises one of `_UNREADABLE`; Invalid for a time or an amount in another form."""
    heads = _decoder.decode_lines(value)
    if not _TIMES.fullmatch("\n".join([*[head.time for head in heads], ""])):
        raise Invalid("cost_event_invalid", "write the time as 2026-11-24T01:02:03.123456Z", "$.time")
    for name, amount_of in _AMOUNTS_OF.items():
        amounts = [amount for amount in map(amount_of, heads) if amount is not None]
        if amounts and not _AMOUNTS.fullmatch("\n".join([*amounts, ""])):
            message = "write USD as 12.345, with at most 12 decimal places"
            raise Invalid("cost_event_invalid", message, f"$.{name}")
    return heads


def id_of(line: bytes) -> str:
    """Return the id of a cost event that `why` accepts."""
    return _decoder.decode(line).id


def check(value: bytes, oldest: datetime = FIRST) -> tuple[list[tuple[str, int, bytes]], list[BadLine]]:
    """Decode each line in full; return the good ones (tenant, number, bytes) and the bad ones.

    The work is bounded: after `MOST_BAD` bad lines the rest of the record is one bad line.
    """
    good: list[tuple[str, int, bytes]] = []
    bad: list[BadLine] = []
    lines = enumerate(value.split(b"\n"))
    for number, line in lines:
        if not line.strip():
            continue
        found = why(line, number, oldest)
        if found is None:
            good.append((_decoder.decode(line).tenant, number, line))
            continue
        bad.append(found)
        if len(bad) == MOST_BAD and (rest := b"\n".join(left for _, left in lines).strip()):
            message = f"the rest of a record with {MOST_BAD} bad lines is not read"
            bad.append(BadLine(rest, number + 1, "record_unreadable", message))
    return good, bad


def why(line: bytes, number: int, oldest: datetime = FIRST) -> BadLine | None:
    """Decode a line in full; return what is wrong with it, or None if the contract and the engine accept it."""
    try:
        event = cost_event_decoder.decode(line)
        fault = next(_faults(event, oldest), None)
        if fault is None:
            _minutes(_decode(line), oldest)
            _check_fields(line)
    except Invalid as error:
        fault = (error.code, error.message, error.path)
    except _UNREADABLE as error:
        text, _, place = str(error).partition(" - at `")
        fault = ("cost_event_invalid", text, place.rstrip("`").replace("$[0]", "$") or "$")
    return None if fault is None else BadLine(line, number, *fault)


def _check_fields(line: bytes) -> None:
    """Raise Invalid for a field that is given twice, or for a number in a form that the engine does not read."""
    seen = set[str]()
    for name, value in json.loads(line, object_pairs_hook=list, parse_int=str, parse_float=str):
        if name in seen:
            raise Invalid("cost_event_invalid", f"the field {name} is given twice", f"$.{name}")
        seen.add(name)
        if name in _NUMBERS and not _INTEGER.fullmatch(value):
            raise Invalid("cost_event_invalid", f"write {value} with digits alone", f"$.{name}")
        for meter, quantity in value if name == "usage" else ():
            if not _DECIMAL.fullmatch(quantity):
                raise Invalid("cost_event_invalid", f"{quantity!r} is not a number", f"$.usage.{meter}")


def _faults(event: CostEvent, oldest: datetime) -> Iterator[tuple[str, str, str]]:
    """Yield what is wrong: code, message, path. Only the first counts: the others take it as right."""
    if event.time.tzinfo is None:
        yield "time_naive", "time has no zone; write it as UTC", "$.time"
    if not FIRST_YEAR <= event.time.year <= LAST_YEAR:
        message = f"the year {event.time.year} is not from {FIRST_YEAR} to {LAST_YEAR}"
        yield "time_out_of_range", message, "$.time"
    if event.time < oldest:
        yield "past_retention", f"the ledger keeps nothing from before {oldest:%Y-%m-%d}", "$.time"
    if not event.tenant or not event.id or not event.source:
        yield "identity_missing", "tenant, source and id are required", "$"
    for path, amount, places in _amounts(event):
        if not _fits(amount, places):
            message = f"the ledger holds numbers of {38 - places} digits and {places} decimal places"
            yield "number_out_of_range", message, path


def _amounts(event: CostEvent) -> Iterator[tuple[str, object, int]]:
    """Yield the numbers that `_Head` leaves out: path, value, decimal places of the ledger."""
    yield "$.reported_cost", event.reported_cost or 0, 12
    for meter, quantity in event.usage.items():
        yield f"$.usage.{meter}", quantity, 9
    for name in ("cost_parts", "list_parts"):
        for meter, amount in getattr(event, name).items():
            yield f"$.{name}.{meter}", amount, 12


def _fits(amount: object, places: int) -> bool:
    if not _DECIMAL.fullmatch(str(amount)):
        return False
    number = Decimal(str(amount))
    exponent = number.as_tuple().exponent
    return isinstance(exponent, int) and -places <= exponent <= 15 and number.adjusted() < 38 - places


def _minutes(heads: Sequence[_Head], oldest: datetime) -> frozenset[Window]:
    """Return the minutes of the heads. Raises ValueError if a time is not usable.

    Times in UTC differ within a second only after the 19th character, so few of many are parsed. Seconds are parsed
    too: the engine would read second 60 as the next minute, and the recomputation of this one would find no event.
    """
    places = {(head.tenant, head.time[:19], head.time[-1]) for head in heads}
    if all(zone == "Z" for _, _, zone in places):
        times = [(tenant, f"{second}Z") for tenant, second, _ in places]
    else:
        times = [(head.tenant, head.time) for head in heads]
    found = [(tenant, datetime.fromisoformat(text)) for tenant, text in times]
    if any(not max(oldest, FIRST) <= time or time.year > LAST_YEAR for _, time in found):
        raise ValueError("time is out of range")
    return frozenset(window_of(tenant, time, "minute") for tenant, time in found)
