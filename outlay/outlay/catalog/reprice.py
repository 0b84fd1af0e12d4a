"""The ledger's events by another catalog: why one costs what it costs, and what differs on Kafka again."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from zoneinfo import ZoneInfo

from msgspec import Struct

from outlay.catalog.publish import newest
from outlay_kit.clock import Clock
from outlay_kit.kafka import RecordSink
from outlay_kit.settings import KafkaSettings
from outlay_pricer.domain import CompiledCatalog
from outlay_pricer.domain.compare import PriceComparison, difference
from outlay_pricer.domain.explain import Explanation, explain
from outlay_pricer.domain.repricing import differs, reprice, usage_of
from outlay_pricer.ledger import LedgerReader, Selection
from outlay_pricer.repricing.catalog_archiver import resend
from outlay_schemas.catalog import Catalog, decode_catalog
from outlay_schemas.errors import Invalid
from outlay_schemas.events import AcceptedUsage, CostEvent
from outlay_schemas.money import to_pico, to_usd

PIECE = 10_000  # events that wait in memory to be sent
STILL = 20.0
"""Seconds in which nothing reached the ledger, after which what is missing is sent again."""


class Why(Struct, frozen=True):
    """An event as the ledger has it, and its explanation."""

    event: CostEvent
    revision: int  # the catalog that it is explained by: its own, unless that is not kept any more
    own: bool  # whether that is the catalog that priced it
    same: bool  # whether the explanation comes to what the ledger says
    explanation: Explanation | None = None
    refused: str = ""  # why the explanation is empty: another catalog than its own refuses the event


def why(cost: CostEvent, ledger: LedgerReader, kafka: KafkaSettings) -> Why:
    """Explain an event of the ledger. Raises Retryable where the stores are away."""
    content = _catalog(cost.revision, ledger, kafka)
    own = content.revision == cost.revision
    try:
        explanation = explain(usage_of(cost), CompiledCatalog(content))
    except Invalid as error:
        return Why(cost, content.revision, own, same=False, refused=str(error))
    return Why(cost, content.revision, own, not differs(cost, explanation.event), explanation)


def _catalog(revision: int, ledger: LedgerReader, kafka: KafkaSettings) -> Catalog:
    body = ledger.catalog(revision)
    if body is not None:
        return decode_catalog(body)
    return newest(kafka) or Catalog.model_validate({"revision": 0, "created_at": 0})


class Amended(Struct, frozen=True):
    """A closed month that changes: its statements stay, and the change is shown there as amendments."""

    tenant: str
    month: str
    zone: str
    events: int
    change: str  # USD


@dataclass(frozen=True)
class Repriced:
    """What came of it."""

    plan: PriceComparison  # Before and after, by group. What is refused counts as it is: it stays.
    refused: int  # events that the catalog's policies would make dead letters; they stay as they are
    sent: int  # events put on Kafka again; 0 for a dry run
    amended: list[Amended]


def price_again(
    ledger: LedgerReader,
    catalog: CompiledCatalog,
    sink: RecordSink | None,
    wanted: Selection,
    by: Sequence[str],
    *,
    progress: Callable[[int], None] = lambda _: None,
) -> Repriced:
    """Price a selection again, and send what differs to `sink` (None: a dry run); repeatable. `progress` gets the
    number of events sent so far. Raises Retryable."""
    closed, waiting = ClosedMonths(ledger.closed_months()), list[AcceptedUsage]()
    refused = sent = 0

    def pairs() -> Iterator[tuple[CostEvent, CostEvent]]:
        nonlocal refused, sent
        events = ledger.events(replace(wanted, before_revision=catalog.revision))
        for item in reprice(events, catalog):
            refused += item.new is None
            if item.new is not None and item.differs:
                closed.note(item.old, item.new)
                waiting.append(item.resent)
                if len(waiting) >= PIECE or sink is None:
                    sent += resend(sink, waiting) if sink else 0
                    progress(sent)
                    waiting.clear()
            yield item.old, item.new or item.old

    plan = difference(pairs(), by)
    sent += resend(sink, waiting) if sink else 0
    return Repriced(plan, refused, sent, closed.amended())


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
    ledger: LedgerReader,
    wanted: Selection,
    *,
    before: int,
    sent: int,
    clock: Clock,
    patience: float,
    again: Callable[[], object],
) -> bool:
    """Wait up to `patience` seconds until the ledger has `sent` new revisions; False if it has not.

    `before`: how many of the selection had an older revision when the first was sent. `again` sends what is missing,
    after `STILL` seconds in which nothing came: a pricer that did not have the catalog yet has priced it by an older.
    """
    least, moved = before, clock.monotonic()
    deadline = moved + patience
    while (left := ledger.count(wanted)) > before - sent:
        now = clock.monotonic()
        if now > deadline:
            return False
        if left < least:
            least, moved = left, now
        elif now - moved > STILL:
            again()
            moved = clock.monotonic()
        clock.sleep(0.5)
    return True
