"""Recomputes a range of windows from the ledger, while events come in: the later version wins.

Before that, what counts twice in the range is retracted where it was not accepted last.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from outlay_aggregator.adapters.audit import Conflict, Range
from outlay_aggregator.adapters.ledger_store import LedgerStore
from outlay_aggregator.domain.identities import Suspect
from outlay_aggregator.domain.windows import GRAINS, Window, chunks, length, widen
from outlay_aggregator.identities import settle
from outlay_schemas.events import Grain
from outlay_schemas.identity import identity

CHUNK = 200
"""Windows recomputed by one statement, and published."""
MANY = 2000
"""Wrong windows of a span from which on all of it is recomputed inside the engine, and not published."""


@dataclass
class Rebuilt:
    """How many windows of a grain were wrong, and are mended."""

    grain: Grain
    wrong: int = 0
    removed: int = 0
    """Of the wrong ones, those that had to be removed first: a greater version, or no event."""


class Rebuild:
    """Minutes of the ledger, then their hours, then their days."""

    def __init__(self, books: LedgerStore) -> None:
        self._books = books

    def settle(self, twice: Sequence[Conflict], oldest: int) -> None:
        """Let each of `twice` count once; its windows must be recomputed then. `oldest`: Unix seconds."""
        names = ((found.tenant, found.source, found.id) for found in twice)
        settle(self._books, [Suspect(identity(*name), *name) for name in names], oldest)

    def windows(self, asked: Range) -> dict[Grain, int]:
        """Return how many windows there are to look at: with events, or stored."""
        counts: dict[Grain, int] = {}
        minutes = self._books.minutes(asked.low, asked.high, asked.tenants)
        for grain in GRAINS:
            stored = self._books.stored_windows(grain, *_whole(asked, grain), asked.tenants)
            counts[grain] = len({widen(minute, grain) for minute in minutes} | set(stored))
        return counts

    def run(
        self,
        asked: Range,
        spans: Sequence[tuple[int, int]],
        publish: Callable[[bytes], None] = lambda _: None,
        told: Callable[[float], None] = lambda _: None,
    ) -> list[Rebuilt]:
        """Recompute `asked`, by `spans` of it (`Audit.spans`); `publish` windows mended, `told(share)`.

        A right window is left as it is. A wrong one is written anew; where its stored version is not
        lower, so that the right one would lose, it is removed first. What the stream writes meanwhile is
        not lost: the window is computed after the removal, from a ledger that has what the stream had.
        """
        result = []
        for at, grain in enumerate(GRAINS):
            rebuilt = Rebuilt(grain)
            for done, (low, high) in enumerate(spans):
                self._mend(grain, Range(low, high, asked.tenants), rebuilt, publish)
                told((at + (done + 1) / len(spans)) / len(GRAINS))
            result.append(rebuilt)
        return result

    def _mend(self, grain: Grain, span: Range, rebuilt: Rebuilt, publish: Callable[[bytes], None]) -> None:
        low, high = _whole(span, grain)
        wrong = self._books.differences_between(grain, low, high, span.tenants)
        rebuilt.wrong += len(wrong)
        for difference in wrong:
            if difference.stored_version and difference.stored_version >= difference.right_version:
                window = Window(difference.start, difference.tenant)
                self._books.remove(grain, window, difference.stored_version)
                rebuilt.removed += 1
        if len(wrong) > MANY:  # those who watch find them in the tables
            self._books.refill(grain, low, high, span.tenants)
            return
        for chunk in chunks([Window(d.start, d.tenant) for d in wrong], CHUNK):
            if answer := self._books.compute(grain, chunk):
                self._books.store(grain, answer)
                for line in answer.splitlines():
                    publish(line)


def _whole(asked: Range, grain: Grain) -> tuple[int, int]:
    """Widen a range to whole windows."""
    return asked.low - asked.low % length(grain), asked.high + -asked.high % length(grain)
