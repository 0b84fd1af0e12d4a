"""Windows of a tenant, and which of them are recomputed together and when. Pure."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
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
    """Minutes that wait so that others do not (docs/adr/0013), each with the number of its first batch."""

    def __init__(self, each: int, most: int, least: int = 1, *, apart: bool = False) -> None:
        """`each`: how many are due at a time at most, and `least` at least; `apart`: only those of one tenant.

        `most`: how many may wait; above it, as many more are due.
        """
        self._most, self._bounds, self._apart = most, (min(least, each), each), apart
        self._each = self._bounds[0]
        self._waiting: dict[Window, int] = {}
        self._taken: dict[Window, int] = {}

    def __len__(self) -> int:
        return len(self._waiting) + len(self._taken)

    def put_off(self, minutes: Iterable[Window], batch: int) -> None:
        """Add minutes, the newest first. One that waits already keeps its place and its batch."""
        for minute in sorted(minutes, reverse=True):
            self._waiting.setdefault(minute, batch)

    def take(self) -> set[Window]:
        """Take the minutes to recompute now: those that have waited longest. What comes for them meanwhile waits."""
        waiting: Iterable[Window] = self._waiting
        if self._apart and self._waiting:
            first = next(iter(self._waiting)).tenant
            waiting = [minute for minute in self._waiting if minute.tenant == first]
        due = list(islice(waiting, max(self._each, len(self._waiting) - self._most)))
        self._taken = {minute: self._waiting.pop(minute) for minute in due}
        return set(due)

    def give_back(self) -> None:
        """Let what was taken wait again, in its place: it was not recomputed."""
        self._waiting = {**self._taken, **{m: n for m, n in self._waiting.items() if m not in self._taken}}
        self._taken = {}

    def done(self, in_time: bool = True) -> None:
        """Forget what was taken. Next time twice as many are due, or, if not `in_time`, half as many."""
        self._taken = {}
        least, most = self._bounds
        self._each = min(most, 2 * self._each) if in_time else max(least, self._each // 2)

    def settled(self, batches: int) -> int:
        """Return how many of the first `batches` batches, without a gap, have no minute that waits."""
        first = (next(iter(each.values()), batches + 1) for each in (self._taken, self._waiting))
        return min(first) - 1


class TenantCosts:
    """Which tenants' minutes are recomputed apart, because that takes long and others would wait for it."""

    SECONDS, SIZE = 0.2, 2**19
    """A tenant is slow if it takes so long, and so large windows."""
    RECENT = 600.0
    """A tenant that no other sent anything beside for so many seconds is alone: none waits for it."""

    def __init__(self) -> None:
        self._slow: set[str] = set()
        self._seen: dict[str, float] = {}

    def apart(self, sizes: Mapping[str, int], now: float) -> set[str]:
        """Return the tenants to recompute apart, of those of a batch with their bytes in it, at a monotonic time."""
        self._seen = {t: at for t, at in self._seen.items() if now - at < self.RECENT} | dict.fromkeys(
            sizes, now
        )
        if self.alone:
            return set()
        return {tenant for tenant, size in sizes.items() if tenant in self._slow or size > self.SIZE}

    @property
    def alone(self) -> bool:
        """Whether no tenant would have to wait for another."""
        return len(self._seen) < 2

    def note(self, sizes: Mapping[str, int], seconds: float) -> None:
        """Note that the windows of some tenants, of these sizes, took `seconds` together."""
        whole = sum(sizes.values())
        for tenant, size in sizes.items():
            slow = size > self.SIZE and seconds * size > self.SECONDS * whole
            (self._slow.add if slow else self._slow.discard)(tenant)
