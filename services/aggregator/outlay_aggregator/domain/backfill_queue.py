"""Old minutes that wait, so that live ones need not (docs/adr/0013). Pure."""

from collections.abc import Iterable
from itertools import islice

from outlay_aggregator.domain.windows import Window


class BackfillQueue:
    """Minutes that were put off, in the order they were, each with the number of the batch that dirtied it first."""

    def __init__(self, each: int, most: int) -> None:
        """`each`: how many are due at a time; `most`: how many may wait, past which so many more are due."""
        self._each, self._most = each, most
        self._waiting: dict[Window, int] = {}

    def __len__(self) -> int:
        return len(self._waiting)

    def put_off(self, minutes: Iterable[Window], batch: int) -> None:
        """Let minutes wait, the newest of them first. One that waits already keeps its place, and its batch."""
        for minute in sorted(minutes, reverse=True):
            self._waiting.setdefault(minute, batch)

    def due(self) -> set[Window]:
        """Return the minutes to recompute now, those that wait longest."""
        return set(islice(self._waiting, max(self._each, len(self._waiting) - self._most)))

    def done(self, minutes: Iterable[Window]) -> None:
        """Forget minutes that were recomputed."""
        for minute in minutes:
            del self._waiting[minute]

    def settled(self, batches: int) -> int:
        """Return how many of so many batches, from the first on, have no minute that waits."""
        return next(iter(self._waiting.values()), batches + 1) - 1
