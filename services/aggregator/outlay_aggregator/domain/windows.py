"""Windows of time, and how many of them are worked on at once."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from outlay_schemas.events import Grain

GRAINS: tuple[Grain, ...] = ("minute", "hour", "day")
"""From the finest to the coarsest: each is computed from the one before it."""

_SECONDS = {"minute": 60, "hour": 3600, "day": 86_400}


@dataclass(frozen=True, slots=True, order=True)
class Window:
    """A tenant's window of some grain. `start` is Unix seconds: windows are UTC."""

    start: int
    tenant: str


def window_of(tenant: str, time: datetime, grain: Grain) -> Window:
    """Return the window of `grain` that holds `time`."""
    return widen(Window(int(time.timestamp()), tenant), grain)


def widen(window: Window, grain: Grain) -> Window:
    """Return the window of `grain` that holds the start of `window`."""
    return Window(window.start - window.start % _SECONDS[grain], window.tenant)


def length(grain: Grain) -> int:
    """Return the seconds of a window of `grain`."""
    return _SECONDS[grain]


def end_of(window: Window, grain: Grain) -> int:
    """Return the first second after `window`."""
    return window.start + _SECONDS[grain]


def is_span(windows: Sequence[Window], grain: Grain) -> bool:
    """Tell whether distinct windows are all those of their tenants from the first to the last of them.

    Bounds say then which they are, so that no row need be looked up among them.
    """
    starts = [window.start for window in windows]
    each = (max(starts) - min(starts)) // _SECONDS[grain] + 1
    return len(windows) == each * len({window.tenant for window in windows})


def chunks(windows: Iterable[Window], limit: int, name_bytes: int = 16_384) -> Iterator[list[Window]]:
    """Split `windows` into lists of at most `limit`, the newest first: a backfill waits for the live minute.

    Tenant names travel in the request line, so a chunk holds at most `name_bytes` of them.
    """
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
