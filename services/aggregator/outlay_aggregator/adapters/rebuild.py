"""Recomputes a range of windows from the ledger while events arrive: the later version wins."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from outlay_aggregator.adapters.audit import Conflict
from outlay_aggregator.adapters.ledger_store import LedgerStore
from outlay_aggregator.domain.identities import Suspect
from outlay_aggregator.domain.windows import GRAINS, Range, Window, chunks, widen
from outlay_aggregator.identities import settle
from outlay_schemas.events import Grain
from outlay_schemas.identity import identity

CHUNK = 200
"""Windows recomputed by one statement, and published."""
MANY = 2000
"""Above so many wrong windows, a whole range is recomputed inside the engine and not published."""


@dataclass
class Rebuilt:
    """How many windows of a grain were wrong and are fixed."""

    grain: Grain
    wrong: int = 0
    removed: int = 0
    """Of those, the ones that were removed first: they had a greater version, or no event."""


class Rebuild:
    """Rebuilds minutes from the ledger, then their hours, then their days."""

    def __init__(self, store: LedgerStore) -> None:
        self._store = store

    def settle(self, twice: Sequence[Conflict], oldest: int) -> None:
        """Let each of `twice` count once; recompute its windows after. `oldest`: Unix seconds."""
        names = ((found.tenant, found.source, found.id) for found in twice)
        settle(self._store, [Suspect(identity(*name), *name) for name in names], oldest)

    def windows(self, asked: Range) -> dict[Grain, int]:
        """Return how many windows have events or are stored."""
        counts: dict[Grain, int] = {}
        minutes = self._store.minutes(asked)
        for grain in GRAINS:
            stored = self._store.stored_windows(grain, asked.whole(grain))
            counts[grain] = len({widen(minute, grain) for minute in minutes} | set(stored))
        return counts

    def run(
        self,
        asked: Range,
        spans: Sequence[tuple[int, int]],
        publish: Callable[[bytes], None] = lambda _: None,
        progress: Callable[[float], None] = lambda _: None,
    ) -> list[Rebuilt]:
        """Recompute `asked` by its `spans` (`Audit.spans`); `publish` each fixed window, call `progress(share)`.

        Only wrong windows are written. If the stored version is not lower, so that the right one would lose, it is
        removed first; the window is computed after that, so nothing that arrives meanwhile is lost.
        """
        result = []
        for at, grain in enumerate(GRAINS):
            rebuilt = Rebuilt(grain)
            for done, (low, high) in enumerate(spans):
                self._fix(grain, Range(low, high, asked.tenants).whole(grain), rebuilt, publish)
                progress((at + (done + 1) / len(spans)) / len(GRAINS))
            result.append(rebuilt)
        return result

    def _fix(self, grain: Grain, span: Range, rebuilt: Rebuilt, publish: Callable[[bytes], None]) -> None:
        wrong = self._store.differences(grain, span)
        rebuilt.wrong += len(wrong)
        too_new = {
            Window(d.start, d.tenant): d.stored_version
            for d in wrong
            if d.stored_version and d.stored_version >= d.right_version
        }
        rebuilt.removed += len(too_new)
        for chunk in chunks(too_new, CHUNK):
            self._store.remove(grain, {window: too_new[window] for window in chunk})
        if len(wrong) > MANY:  # readers find them in the tables
            self._store.refill(grain, span)
            return
        for chunk in chunks([Window(d.start, d.tenant) for d in wrong], CHUNK):
            if answer := self._store.compute(grain, chunk):
                for line in answer.splitlines():  # before it is stored: what is right is not published again
                    publish(line)
                self._store.store(grain, answer)
