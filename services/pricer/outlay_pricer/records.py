"""From one Kafka record to priced lines and dead letters: a pure function of the bytes and the catalog.

The whole record is decoded at once where everything in it is right, which is the common case; only a
record with an error in it is taken apart, line by line.
"""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import msgspec

from outlay_pricer.domain import CompiledCatalog, price
from outlay_schemas.errors import Invalid
from outlay_schemas.events import CostEvent, DeadLetter, UsageEvent, encoder
from outlay_schemas.validate import check_usage_event

RECORD_BYTES = 4 * 2**20
"""Most bytes of cost events in one record; what is more is cut into several."""
_OLDEST = datetime(2000, 1, 1, tzinfo=UTC)
_NEWEST = datetime(2100, 1, 1, tzinfo=UTC)
"""What the ledger can keep."""

_UNREADABLE = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
"""All that a decoder raises for bytes that it cannot read."""

_decoder = msgspec.json.Decoder(UsageEvent)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a record was read."""

    topic: str
    partition: int
    offset: int


@dataclass(frozen=True, slots=True)
class Priced:
    """What became of a record: values of records for `cost.events`, and dead letters."""

    values: list[bytes]
    events: int
    letters: list[DeadLetter]
    unpriced: int = 0
    """How many of `events` are not, or not wholly, priced."""


class _Owner(msgspec.Struct):
    tenant: str = ""


def price_record(
    value: bytes, place: Place, catalog: CompiledCatalog, now: datetime, default_tenant: str = ""
) -> Priced:
    """Price every event of a record. What cannot be priced becomes a dead letter with its own bytes.

    `now` only dates the dead letters; the cost events depend on the bytes and the catalog alone.
    """
    try:
        events = _decoder.decode_lines(value)
        costs = [_price(event, catalog, default_tenant) for event in events]
    except (*_UNREADABLE, Invalid):
        return _apart(value, place, catalog, now, default_tenant)
    return Priced(_values(costs), len(costs), [], _unpriced(costs))


def _unpriced(costs: list[CostEvent]) -> int:
    return sum(cost.price_status == "unpriced" for cost in costs)


def _price(event: UsageEvent, catalog: CompiledCatalog, default_tenant: str) -> CostEvent:
    """Check and price one event. Raises Invalid."""
    admit(event)
    if not event.tenant:
        if not default_tenant:
            raise Invalid(
                "tenant_missing",
                "the event names no tenant; put one in, or give the pricer OUTLAY_PRICER_DEFAULT_TENANT",
                "$.tenant",
            )
        event.tenant = default_tenant
    return price(event, catalog)


def admit(event: UsageEvent) -> None:
    """Check what an event's types cannot say, and give its time in UTC. Raises Invalid."""
    check_usage_event(event)
    if not _OLDEST <= event.time < _NEWEST:
        raise Invalid("time_out_of_range", f"{event.time.isoformat()} is not of 2000 to 2099", "$.time")
    if event.time.tzinfo is not UTC:
        event.time = event.time.astimezone(UTC)


def _apart(
    value: bytes, place: Place, catalog: CompiledCatalog, now: datetime, default_tenant: str
) -> Priced:
    costs: list[CostEvent] = []
    letters: list[DeadLetter] = []
    for number, line in enumerate(value.split(b"\n")):
        if not line.strip():
            continue
        try:
            costs.append(_price(_decoder.decode(line), catalog, default_tenant))
        except (*_UNREADABLE, Invalid) as error:
            letters.append(_letter(line, number, place, _reason(error), now))
    return Priced(_values(costs), len(costs), letters, _unpriced(costs))


def _values(costs: Sequence[CostEvent]) -> list[bytes]:
    """Encode as NDJSON, in as many records as their size asks for."""
    if not costs:
        return []
    lines = encoder.encode_lines(costs)
    return list(_pieces(lines)) if len(lines) > RECORD_BYTES else [lines]


def _pieces(lines: bytes) -> Iterator[bytes]:
    start = 0
    while len(lines) - start > RECORD_BYTES:
        end = lines.rfind(b"\n", start, start + RECORD_BYTES) + 1
        if not end:  # a single line of that size: events are bounded, so that it still fits a record
            end = lines.index(b"\n", start) + 1
        yield lines[start:end]
        start = end
    if start < len(lines):
        yield lines[start:]


def _reason(error: Exception) -> Invalid:
    if isinstance(error, Invalid):
        return error
    if isinstance(error, UnicodeDecodeError):
        return Invalid("not_utf8", "a string in this is not UTF-8")
    if not isinstance(error, msgspec.ValidationError):
        return Invalid("json_malformed", f"this is not JSON: {error}")
    what, _, path = str(error).partition(" - at `")
    return Invalid("event_invalid", what, path.rstrip("`") or "$")


def _letter(line: bytes, number: int, place: Place, why: Invalid, now: datetime) -> DeadLetter:
    return DeadLetter(
        id=_identity(place, number, line),
        tenant=_tenant(line),
        stage="pricer",
        code=why.code,
        message=why.message,
        path=why.path,
        at=now,
        body=line,
        topic=place.topic,
        partition=place.partition,
        offset=place.offset,
        line=number,
    )


def _tenant(line: bytes) -> str:
    try:
        return msgspec.json.decode(line, type=_Owner).tenant[:256]
    except _UNREADABLE:
        return ""


def _identity(place: Place, number: int, line: bytes) -> str:
    """Hash place and bytes, each with its length: reading the record again gives the same letter."""
    digest = hashlib.sha256()
    for part in (place.topic, str(place.partition), str(place.offset), str(number)):
        digest.update(len(part).to_bytes(8, "big") + part.encode())
    digest.update(line)
    return digest.hexdigest()[:32]
