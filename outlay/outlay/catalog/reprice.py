"""What `outlay reprice` does: the ledger's events by the catalog in force, and what differs on Kafka again."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from zoneinfo import ZoneInfo

from msgspec import Struct

from outlay_kit.clock import Clock
from outlay_kit.kafka import RecordSink
from outlay_pricer.domain import CompiledCatalog
from outlay_pricer.domain.compare import PriceComparison, difference
from outlay_pricer.domain.repricing import RepricedEvent, reprice
from outlay_pricer.ledger import LedgerReader, Selection
from outlay_pricer.repricing.catalog_archiver import resend
from outlay_schemas.events import AcceptedUsage, CostEvent
from outlay_schemas.money import to_pico, to_usd

PIECE = 10_000
"""Events that wait in memory to be sent."""


class Amended(Struct, frozen=True):
    """A closed month that changes: its statements stay, and the change is shown there as amendments."""

    tenant: str
    month: str
    zone: str
    events: int
    change: str
    """USD."""


@dataclass(frozen=True)
class Repriced:
    """What came of it."""

    plan: PriceComparison
    """Before and after, by group. What is refused counts as it is: it stays."""
    refused: int
    """Events that the catalog's policies would make dead letters; they stay as they are."""
    sent: int
    """Events put on Kafka again; 0 for a dry run."""
    amended: list[Amended]


class Repricing:
    """One run. Every method raises Retryable where the stores are away; to run it again does no harm."""

    def __init__(self, ledger: LedgerReader, catalog: CompiledCatalog, sink: RecordSink | None) -> None:
        """`sink` is where events are sent; None: a dry run."""
        self._ledger = ledger
        self._catalog = catalog
        self._sink = sink
        self._refused = 0
        self._sent = 0
        self._waiting: list[AcceptedUsage] = []
        self._closed = ClosedMonths(ledger.closed_months())

    def run(self, wanted: Selection, by: Sequence[str]) -> Repriced:
        """Price a selection again."""
        events = self._ledger.events(replace(wanted, before_revision=self._catalog.revision))
        plan = difference(self._pairs(reprice(events, self._catalog)), by)
        self._flush()
        return Repriced(plan, self._refused, self._sent, self._closed.amended())

    def _pairs(self, items: Iterator[RepricedEvent]) -> Iterator[tuple[CostEvent, CostEvent]]:
        for item in items:
            if item.new is None:
                self._refused += 1
            elif item.differs:
                self._closed.note(item.old, item.new)
                self._send(item.resent)
            yield item.old, item.new or item.old

    def _send(self, usage: AcceptedUsage) -> None:
        if self._sink is not None:
            self._waiting.append(usage)
            if len(self._waiting) >= PIECE:
                self._flush()

    def _flush(self) -> None:
        if self._sink is not None and self._waiting:
            self._sent += resend(self._sink, self._waiting)
            self._waiting.clear()


class ClosedMonths:
    """Notes what changes in months that were closed."""

    def __init__(self, closed: Iterable[tuple[str, str, str]]) -> None:
        """`closed`: tenant, month as 2026-11, zone."""
        self._closed = set(closed)
        self._zones: dict[str, set[str]] = defaultdict(set)
        for tenant, _, zone in self._closed:
            self._zones[tenant].add(zone)
        self._events: dict[tuple[str, str, str], int] = defaultdict(int)
        self._change: dict[tuple[str, str, str], int] = defaultdict(int)

    def note(self, old: CostEvent, new: CostEvent) -> None:
        """Note an event that has another price."""
        for zone in self._zones.get(old.tenant, ()):
            key = (old.tenant, f"{old.time.astimezone(ZoneInfo(zone)):%Y-%m}", zone)
            if key in self._closed:
                self._events[key] += 1
                self._change[key] += to_pico(new.cost or "0") - to_pico(old.cost or "0")

    def amended(self) -> list[Amended]:
        """Return the closed months in which something changes."""
        return [Amended(*key, self._events[key], to_usd(self._change[key])) for key in sorted(self._events)]


def arrived(
    ledger: LedgerReader, wanted: Selection, *, before: int, sent: int, clock: Clock, patience: float
) -> bool:
    """Wait until the ledger has new revisions of `sent` events; False if it has not within `patience` seconds.

    `before` is how many of the selection had an older revision when the first was sent.
    """
    deadline = clock.monotonic() + patience
    while ledger.count(wanted) > before - sent:
        if clock.monotonic() > deadline:
            return False
        clock.sleep(0.5)
    return True
