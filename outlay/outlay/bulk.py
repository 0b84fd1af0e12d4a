"""Imports: items that decoders made of files, sent in batches like any producer's, and what became of them."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING

from outlay.client import BATCH_EVENTS, IngestClient, Sent
from outlay_ingest.domain.decoded_items import Item
from outlay_schemas.errors import Invalid
from outlay_schemas.events import UsageEvent, encoder
from outlay_schemas.money import to_pico, to_usd

if TYPE_CHECKING:
    from outlay_ingest.domain.decoded_items import Items

_REASONS = 1000


@dataclass
class Imported:
    """What became of a file. `reported` is the sum of the reported costs that were sent, in USD."""

    sent: int = 0
    accepted: int = 0
    refused: int = 0
    ignored: int = 0
    credit_rows: int = 0
    credits: Decimal = Decimal(0)
    reported: Decimal = Decimal(0)
    removed: int = 0
    removed_cost: Decimal = Decimal(0)
    """Lines that a bill no longer has, which are among those sent, and the USD that they cost before."""
    first: datetime | None = None
    last: datetime | None = None
    reasons: list[tuple[str, str, str]] = field(default_factory=list)
    """Place, code and message of the first thousand refusals."""

    def refuse(self, place: str, code: str, message: str) -> None:
        """Count a refusal."""
        self.refused += 1
        if len(self.reasons) < _REASONS:
            self.reasons.append((place, code, message))

    def as_dict(self) -> dict[str, object]:
        """Return it for machines."""
        amounts = {name: plain(getattr(self, name)) for name in ("removed_cost", "credits", "reported")}
        reasons = [{"place": p, "code": c, "message": m} for p, c, m in self.reasons]
        return {**asdict(self), **amounts, "reasons": reasons}


def plain(amount: Decimal) -> str:
    """Write an amount of USD without trailing zeros."""
    return to_usd(to_pico(amount))


def import_items(items: "Items", client: IngestClient | None, into: Imported) -> Iterator[None]:
    """Send items; yield after each batch. Without a client nothing is sent. Raises SendError."""
    lines: list[bytes] = []
    places: list[str] = []
    for item in items:
        event = _take(item, into)
        if event is None or item is None:
            continue
        lines.append(encoder.encode(event))
        places.append(item.place)
        if len(lines) >= BATCH_EVENTS:
            _send(lines, places, client, into)
            lines, places = [], []
            yield
    if lines:
        _send(lines, places, client, into)
    yield


def _take(item: Item | None, into: Imported) -> UsageEvent | None:
    """Return the event of an item, or count why it has none."""
    if item is None:
        into.ignored += 1
        return None
    event = item.event
    if isinstance(event, Invalid):
        into.refuse(item.place, event.code, event.message)
        return None
    if event.reported_cost is not None:
        if event.reported_cost < 0:
            into.credit_rows += 1
            into.credits += event.reported_cost
            into.refuse(item.place, "reported_cost_range", "a credit: a cost cannot be negative")
            return None
        into.reported += event.reported_cost
    into.first = event.time if into.first is None else min(into.first, event.time)
    into.last = event.time if into.last is None else max(into.last, event.time)
    return event


def _send(lines: list[bytes], places: list[str], client: IngestClient | None, into: Imported) -> None:
    sent = Sent()
    if client is None:
        into.sent += len(lines)
        return
    client.send(lines, sent)
    into.sent += sent.sent
    into.accepted += sent.accepted
    for refused in sent.refused:
        into.refuse(places[refused.index], refused.code, f"{refused.path} {refused.message}")
