"""Windows of a tenant, and which of them are recomputed together and when. Pure."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice

from outlay_schemas.events import Grain

GRAINS: tuple[Grain, ...] = ("minute", "hour", "day")
"""From the finest to the coarsest: each is computed from the one before it."""

_SECONDS = {"minute": 60, "hour": 3600, "day": 86_400}


@dataclass(frozen=True, slots=True, order=True)
class Window:
    """A tenant's window of some grain. `start` is Unix seconds: windows are UTC."""

    start: int
    tenant: str


@dataclass(frozen=True, slots=True)
class Range:
    """Windows from `low` up to `high` (Unix seconds), of `tenants` (empty: all)."""

    low: int = 946_684_800
    high: int = 4_102_444_800
    tenants: Sequence[str] = ()

    @property
    def bound(self) -> dict[str, object]:
        """The parameters of the statements."""
        return {"low": self.low, "high": self.high, "tenants": list(self.tenants)}

    def whole(self, grain: Grain) -> "Range":
        """Widen the range to whole windows of `grain`."""
        seconds = _SECONDS[grain]
        return Range(self.low - self.low % seconds, self.high + -self.high % seconds, self.tenants)


def window_of(tenant: str, time: datetime, grain: Grain) -> Window:
    """Return the window of `grain` that holds `time`."""
    return widen(Window(int(time.timestamp()), tenant), grain)


def widen(window: Window, grain: Grain) -> Window:
    """Return the window of `grain` that holds the start of `window`."""
    return Window(window.start - window.start % _SECONDS[grain], window.tenant)


def end_of(window: Window, grain: Grain) -> int:
    """Return the first second after `window`."""
    return window.start + _SECONDS[grain]


def is_span(windows: Sequence[Window], grain: Grain) -> bool:
    """Return whether distinct windows are all those of their tenants from the first to the last of them."""
    starts = [window.start for window in windows]
    each = (max(starts) - min(starts)) // _SECONDS[grain] + 1
    return len(windows) == each * len({window.tenant for window in windows})


def chunks(windows: Iterable[Window], limit: int, name_bytes: int = 16_384) -> Iterator[list[Window]]:
    """Split `windows` into lists of at most `limit` with at most `name_bytes` of tenant names, the newest first."""
    chunk: list[Window] = []
    size = 0
    for window in sorted(windows, reverse=True):
        width = len(window.tenant.encode()) + 1
        if chunk and (len(chunk) >= limit or size + width > name_bytes):
            yield chunk
            chunk, size = [], 0
        chunk.append(window)
        size += width
    if chunk:
        yield chunk


class BackfillQueue:
    """Old minutes that wait so that live ones do not (docs/adr/0013), each with the number of its first batch."""

    def __init__(self, each: int, most: int, least: int = 1) -> None:
        """`each`: how many are due at a time at most, and `least` at least.

        `most`: how many may wait; above it, as many more are due.
        """
        self._most, self._bounds = most, (min(least, each), each)
        self._each = self._bounds[0]
        self._waiting: dict[Window, int] = {}

    def __len__(self) -> int:
        return len(self._waiting)

    def put_off(self, minutes: Iterable[Window], batch: int) -> None:
        """Add minutes, the newest first. One that waits already keeps its place and its batch."""
        for minute in sorted(minutes, reverse=True):
            self._waiting.setdefault(minute, batch)

    def due(self) -> set[Window]:
        """Return the minutes to recompute now: those that have waited longest."""
        return set(islice(self._waiting, max(self._each, len(self._waiting) - self._most)))

    def done(self, minutes: Iterable[Window], in_time: bool = True) -> None:
        """Remove minutes that were recomputed. Next time twice as many are due, or, if not `in_time`, half as many."""
        for minute in minutes:
            del self._waiting[minute]
        least, most = self._bounds
        self._each = min(most, 2 * self._each) if in_time else max(least, self._each // 2)

    def settled(self, batches: int) -> int:
        """Return how many of the first `batches` batches, without a gap, have no minute that waits."""
        return next(iter(self._waiting.values()), batches + 1) - 1
