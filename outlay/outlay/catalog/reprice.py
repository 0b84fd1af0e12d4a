"""What `outlay reprice` does: the ledger's events by the catalog in force, and what differs on the bus again."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from outlay_kit.clock import Clock
from outlay_kit.kafka import RecordSink
from outlay_pricer.domain import CompiledCatalog
from outlay_pricer.domain.again import Again, again
from outlay_pricer.domain.compare import Plan, difference
from outlay_pricer.ledger import Ledger, Selection
from outlay_pricer.repricing.resend import resend
from outlay_schemas.events import CostEvent, UsageEvent

PIECE = 10_000
"""Events that wait in memory to be sent."""


@dataclass(frozen=True)
class Repriced:
    """What came of it."""

    plan: Plan
    """Before and after, by group. What is refused counts as it is: it stays."""
    refused: int
    """Events that the catalog's policies would make dead letters; they stay as they are."""
    sent: int
    """Events put on the bus again; 0 for a dry run."""


class Repricing:
    """One run. Every method raises Retryable where the stores are away; to run it again does no harm."""

    def __init__(self, ledger: Ledger, catalog: CompiledCatalog, sink: RecordSink | None) -> None:
        """`sink` is where events are sent; None: a dry run."""
        self._ledger = ledger
        self._catalog = catalog
        self._sink = sink
        self._refused = 0
        self._sent = 0
        self._waiting: list[UsageEvent] = []

    def run(self, wanted: Selection, by: Sequence[str]) -> Repriced:
        """Price a selection again."""
        events = self._ledger.events(replace(wanted, before_revision=self._catalog.revision))
        plan = difference(self._pairs(again(events, self._catalog)), by)
        self._flush()
        return Repriced(plan, self._refused, self._sent)

    def _pairs(self, items: Iterator[Again]) -> Iterator[tuple[CostEvent, CostEvent]]:
        for item in items:
            if item.new is None:
                self._refused += 1
            elif item.differs and self._sink is not None:
                self._waiting.append(item.usage)
                if len(self._waiting) >= PIECE:
                    self._flush()
            yield item.old, item.new or item.old

    def _flush(self) -> None:
        if self._sink is not None and self._waiting:
            self._sent += resend(self._sink, self._waiting)
            self._waiting.clear()


def arrived(
    ledger: Ledger, wanted: Selection, *, before: int, sent: int, clock: Clock, patience: float
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
