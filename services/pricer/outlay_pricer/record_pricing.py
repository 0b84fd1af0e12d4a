"""From one Kafka record to priced lines and dead letters: a pure function of the bytes and the catalog.

The whole record is decoded at once where everything in it is right, which is the common case; only a
record with an error in it is taken apart, line by line.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import msgspec

from outlay_pricer.domain import CompiledCatalog, price_line
from outlay_schemas.acceptance import Stamp, stamp_of
from outlay_schemas.cloudevents import Headers, from_record, open_envelope, within
from outlay_schemas.dead_letters import MOST_BAD, dead_letter
from outlay_schemas.errors import UNREADABLE, Invalid
from outlay_schemas.events import AcceptedUsage, DeadLetter, PriceStatus, UsageEvent
from outlay_schemas.grammar import check_time
from outlay_schemas.identity import partition_of
from outlay_schemas.validate import check_usage_event

RECORD_BYTES = 4 * 2**20
"""Most bytes of cost events in one record; what is more is cut into several."""
_OLDEST = datetime(2000, 1, 1, tzinfo=UTC)
"""What the ledger can keep."""
AHEAD = timedelta(days=1)
"""How far an event's time may be ahead of when it was accepted, as at ingest: a clock that is off hides nothing."""

_decoder = msgspec.json.Decoder(AcceptedUsage)
Place = tuple[int, int]
"""A stamp, or what is one but for its class: making it takes a third of a microsecond."""
Cost = tuple[str, bytes, PriceStatus]
"""An event's id, its cost event as JSON, and its status."""


@dataclass(frozen=True, slots=True)
class RecordPosition:
    """Where a record was read."""

    topic: str
    partition: int
    offset: int
    timestamp_ms: int = 0
    """The record's own timestamp, milliseconds since 1970."""


@dataclass(frozen=True, slots=True)
class PricedRecord:
    """What became of a record: records for `cost.events`, each with its partition, and dead letters."""

    values: list[tuple[int, bytes]]
    events: int
    dead_letters: list[DeadLetter]
    unpriced: int = 0
    """How many of `events` are not, or not wholly, priced."""
    estimated: int = 0
    """How many have a price that rests on a guess."""


@dataclass(frozen=True, slots=True)
class Tenancy:
    """Assigns the events of a topic to a tenant."""

    default: str = ""
    """Tenant of events that name none; empty: such events become dead letters."""
    only: str = ""
    """Tenant of every event: the only one that may write to the topic."""


def price_record(
    value: bytes,
    place: RecordPosition,
    catalog: CompiledCatalog,
    now: datetime,
    tenancy: Tenancy = Tenancy(),
    *,
    headers: Headers = None,
    partitions: int = 1,
) -> PricedRecord:
    """Price every event of a record. What cannot be priced becomes a dead letter with its own bytes.

    `partitions`: those of `cost.events`. All events of an identity go to one, so that one reader has them all.

    `now` only dates the dead letters, and refuses times of a record that is itself ahead of it; otherwise the cost
    events depend on the record and the catalog alone.
    """
    alone = from_record(value, headers)
    stamp = stamp_of(headers, place.timestamp_ms, place.offset)
    latest, refused = _latest(stamp, now), list[DeadLetter]()

    def cost_of(event: UsageEvent, stamp: Place) -> Cost:
        return _price(event, catalog, tenancy, stamp, latest)

    def refuse(body: bytes, number: int, why: Invalid) -> None:
        where = (place.topic, place.partition, place.offset)
        refused.append(dead_letter("pricer", body, why, now, line=number, tenant=tenancy.only, place=where))

    if alone is not None:
        costs = _apart([alone], stamp, cost_of, refuse)
    else:
        try:
            events = _decoder.decode_lines(value)
            ms, first = stamp
            costs = [cost_of(event, (ms, number)) for number, event in enumerate(events, first)]
        except (*UNREADABLE, Invalid):
            costs = _apart(value.split(b"\n"), stamp, cost_of, refuse)
    statuses = [status for _, _, status in costs]
    unsure = (statuses.count("unpriced"), statuses.count("estimated"))
    return PricedRecord(_values(costs, partitions), len(costs), refused, *unsure)


def _latest(stamp: Stamp, now: datetime) -> datetime:
    """Return the latest time that an event may have. It is the same when the record is read again."""
    accepted = stamp.ms / 1000  # not a time where a release gave none
    known = _OLDEST.timestamp() < accepted < now.timestamp()
    return (datetime.fromtimestamp(accepted, UTC) if known else now) + AHEAD


def _price(
    event: UsageEvent, catalog: CompiledCatalog, tenancy: Tenancy, stamp: Place, latest: datetime
) -> Cost:
    """Check and price one event. One that is priced again brings the stamp of its acceptance. Raises Invalid."""
    admit(event)
    if event.time > latest and not (isinstance(event, AcceptedUsage) and event.accepted_ms):
        raise Invalid(
            "time_in_future", f"{event.time.isoformat()} is in the future; is a clock wrong?", "$.time"
        )
    if tenancy.only:
        if event.tenant and event.tenant != tenancy.only:
            why = f"this topic is of tenant {tenancy.only} alone; leave the field out"
            raise Invalid("tenant_mismatch", why, "$.tenant")
        event.tenant = tenancy.only
    elif not event.tenant:
        if not tenancy.default:
            raise Invalid(
                "tenant_missing",
                "the event names no tenant; put one in, or give the pricer OUTLAY_PRICER_DEFAULT_TENANT",
                "$.tenant",
            )
        event.tenant = tenancy.default
    if isinstance(event, AcceptedUsage) and event.accepted_ms:
        stamp = event.accepted_ms, event.accepted_seq
        event.accepted_ms = event.accepted_seq = 0  # no part of its content
    line, status = price_line(event, catalog, stamp)
    return event.id, line, status


def admit(event: UsageEvent) -> None:
    """Check what an event's types cannot say, and give its time in UTC. Raises Invalid."""
    check_usage_event(event)
    check_time(event.time)
    if event.time.tzinfo is not UTC:
        event.time = event.time.astimezone(UTC)


_TOO_BAD = (
    f"the rest of a record with {MOST_BAD} bad lines is not read; correct its producer, then replay this"
)


def _apart(
    lines: Sequence[bytes],
    stamp: Stamp,
    cost_of: Callable[[UsageEvent, Place], Cost],
    refuse: Callable[[bytes, int, Invalid], None],
) -> list[Cost]:
    """Price line by line; refuse those that cannot be priced."""
    costs: list[Cost] = []
    bad = 0
    for number, line in enumerate(lines):
        if not line.strip():
            continue
        if bad == MOST_BAD:
            refuse(b"\n".join(lines[number:]), number, Invalid("record_unreadable", _TOO_BAD))
            break
        try:
            costs.append(_price_line(line, stamp, cost_of))
        except (*UNREADABLE, Invalid) as error:
            bad += 1
            refuse(line, number, _reason(error))
        stamp = stamp.after(1)  # as where the whole record is right
    return costs


def _price_line(line: bytes, stamp: Place, cost_of: Callable[[UsageEvent, Place], Cost]) -> Cost:
    """Price a usage event, or one in the envelope of CloudEvents. Raises Invalid, or what a decoder raises."""
    try:
        known = _decoder.decode(line)
    except msgspec.ValidationError:
        if b'"specversion"' not in line:
            raise
        event = open_envelope(line)
    else:
        return cost_of(known, stamp)
    try:
        return cost_of(event, stamp)
    except Invalid as why:
        raise within(why) from None


def _values(costs: Sequence[Cost], partitions: int) -> list[tuple[int, bytes]]:
    """Join to NDJSON, by partition, in as many records as their size asks for."""
    shares: dict[int, list[bytes]] = {}
    for event_id, line, _ in costs:
        shares.setdefault(partition_of(event_id, partitions), []).append(line)
    found = []
    for partition, share in shares.items():
        lines = b"\n".join([*share, b""])
        pieces = _pieces(lines) if len(lines) > RECORD_BYTES else (lines,)
        found += [(partition, piece) for piece in pieces]
    return found


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
