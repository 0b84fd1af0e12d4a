"""Recomputes a range of windows from the ledger, while events come in: the later version wins."""

from collections.abc import Callable
from dataclasses import dataclass

from outlay_aggregator.adapters.audit import Range
from outlay_aggregator.adapters.books import Books
from outlay_aggregator.domain.windows import GRAINS, Window, chunks, length, widen
from outlay_schemas.events import Grain

CHUNK = 200
"""Windows recomputed by one statement."""


@dataclass
class Rebuilt:
    """How many windows of a grain were recomputed, and how many of them were wrong before."""

    grain: Grain
    windows: int = 0
    wrong: int = 0
    removed: int = 0
    """Of the wrong ones, those that had to be removed first: a greater version, or no event."""


class Rebuild:
    """Minutes of the ledger, then their hours, then their days."""

    def __init__(self, books: Books) -> None:
        self._books = books

    def windows(self, asked: Range) -> dict[Grain, list[Window]]:
        """Return what there is to recompute: windows that have events, and stored ones that have none."""
        minutes = self._books.minutes(asked.low, asked.high, asked.tenants)
        found: dict[Grain, list[Window]] = {}
        for grain in GRAINS:
            low, high = asked.low - asked.low % length(grain), asked.high + -asked.high % length(grain)
            stored = self._books.stored_windows(grain, low, high, asked.tenants)
            found[grain] = sorted({widen(minute, grain) for minute in minutes} | set(stored))
        return found

    def run(
        self, found: dict[Grain, list[Window]], publish: Callable[[bytes], None], told: Callable[[int], None]
    ) -> list[Rebuilt]:
        """Recompute `windows()`; `publish` each that was wrong, `told(windows)` as it goes on.

        A right window is left as it is. A wrong one is written anew; where its stored version is not
        lower, so that the right one would lose, it is removed first. What the stream writes meanwhile is
        not lost: the window is computed after the removal, from a ledger that has what the stream had.
        """
        result, done = [], 0
        for grain in GRAINS:
            rebuilt = Rebuilt(grain)
            for chunk in chunks(found[grain], CHUNK):
                self._mend(grain, chunk, rebuilt, publish)
                done += len(chunk)
                told(done)
            result.append(rebuilt)
        return result

    def _mend(
        self, grain: Grain, chunk: list[Window], rebuilt: Rebuilt, publish: Callable[[bytes], None]
    ) -> None:
        rebuilt.windows += len(chunk)
        wrong = self._books.differences(grain, chunk)
        rebuilt.wrong += len(wrong)
        for difference in wrong:
            window = Window(difference.start, difference.tenant)
            if difference.stored_version >= difference.right_version:
                self._books.remove(grain, window, difference.stored_version)
                rebuilt.removed += 1
        windows = [Window(d.start, d.tenant) for d in wrong]
        if windows and (answer := self._books.compute(grain, windows)):
            self._books.store(grain, answer)
            for line in answer.splitlines():
                publish(line)
