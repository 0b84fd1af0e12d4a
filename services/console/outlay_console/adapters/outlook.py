"""What comes next, by the forecast that the command line shows too: where the month lands, and the next bars.

A forecast takes longer than a page may: pages show the newest that is there, and the next one is made meanwhile.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Generic, TypeVar

from outlay_console.adapters.books import Books, Fresh, Total
from outlay_console.domain.spans import Bucket, starts_of
from outlay_console.domain.view import View
from outlay_kit.clock import Clock
from outlay_kit.errors import Retryable
from outlay_kit.spans import Span, midnight, period_of
from outlay_kit.telemetry import get_logger
from outlay_reports.range_sums import Part

log = get_logger(__name__)
T = TypeVar("T")
_KEEP_SECONDS = 60.0
_MOST = 500
"""Forecasts that are kept; the one that was not asked for longest is dropped."""
_REACH: dict[Bucket, timedelta] = {"day": timedelta(days=200), "hour": timedelta(days=28)}
_SEASONS: dict[Bucket, tuple[int, ...]] = {"day": (7,), "hour": (24, 168)}
_STEP: dict[Bucket, timedelta] = {"day": timedelta(days=1), "hour": timedelta(hours=1)}
_DAYS = 21
"""With fewer whole days than these, hours are forecast."""


@dataclass(frozen=True)
class Landing:
    """What the month is expected to cost at its end, and between what in four of five cases; USD, rounded."""

    expected: Decimal
    low: Decimal
    high: Decimal


@dataclass(frozen=True)
class Ahead:
    """What the next buckets are expected to cost, USD: the first is the one that has begun."""

    starts: Sequence[datetime]
    mean: Sequence[float]
    lower: dict[int, Sequence[float]]
    """By level, 80 and 95 percent."""
    upper: dict[int, Sequence[float]]


@dataclass
class _Kept(Generic[T]):
    value: T | None = None
    until: float = float("-inf")
    task: "asyncio.Task[None] | None" = None
    made: bool = False


class Outlook:
    """Forecasts for pages. What could not be tested on the past is not shown."""

    def __init__(self, clock: Clock, patience: float = 0.1) -> None:
        """`patience`: seconds that a page waits for a forecast that was never made."""
        self._clock = clock
        self._patience = patience
        self._kept: OrderedDict[tuple[str, ...], _Kept[Landing] | _Kept[Ahead]] = OrderedDict()

    async def month(self, tenant: str, books: Books, view: View, now: datetime) -> Landing | None:
        """Return where the month of `view`'s zone lands; None if there is too little history, or not yet."""
        kept: _Kept[Landing] = self._of(tenant, view.zone.key)
        return await self._newest(kept, lambda: _month(books, view, now))

    async def ahead(
        self, tenant: str, books: Books, view: View, now: datetime, *, bucket: Bucket, steps: int
    ) -> Ahead | None:
        """Return the next `steps` buckets of everything, from the one of `now` on; None as above."""
        if bucket not in _STEP:
            return None
        kept: _Kept[Ahead] = self._of(tenant, view.zone.key, bucket, str(steps))
        return await self._newest(kept, lambda: _ahead(books, view, now, bucket, steps))

    def waiting(self, tenant: str, view: View) -> bool:
        """Tell whether a forecast is made for the first time now: a page shows it when it is asked for again."""
        return any(
            key[:2] == (tenant, view.zone.key) and not kept.made and kept.task is not None
            for key, kept in self._kept.items()
        )

    def _of(self, *key: str) -> "_Kept[T]":
        kept = self._kept.pop(key, None) or _Kept()
        self._kept[key] = kept
        while len(self._kept) > _MOST:
            self._kept.popitem(last=False)
        return kept  # type: ignore[return-value]  # (a key is of one kind of forecast)

    async def _newest(self, kept: "_Kept[T]", make: Callable[[], Awaitable[T | None]]) -> T | None:
        if self._clock.monotonic() >= kept.until and kept.task is None:
            kept.task = asyncio.create_task(self._make(kept, make))
        if not kept.made and kept.task is not None:
            await asyncio.wait({kept.task}, timeout=self._patience)
        return kept.value

    async def _make(self, kept: "_Kept[T]", make: Callable[[], Awaitable[T | None]]) -> None:
        try:
            kept.value = await make()
            kept.made = True
            kept.until = self._clock.monotonic() + _KEEP_SECONDS
        except Retryable as error:
            log.warning("no forecast now", error=str(error))
        finally:
            kept.task = None


async def _month(books: Books, view: View, now: datetime) -> Landing | None:
    fresh = await books.fresh()
    if fresh.oldest is None:
        return None
    today, month = period_of(now, "day", view.zone), period_of(now, "month", view.zone)
    start = _first(fresh, now, view, "day")
    bucket: Bucket = "day" if today.start - start >= timedelta(days=_DAYS) else "hour"
    end = today.start if bucket == "day" else now.replace(minute=0, second=0, microsecond=0)
    left = round((month.end - end) / _STEP[bucket])
    history, totals = await asyncio.gather(
        _history(books, view, Span(start, end), bucket),
        books.totals({"spent": Part(month), "begun": Part(Span(end, end + timedelta(days=1)))}),
    )
    if not history or left <= 0:
        return None
    return await asyncio.to_thread(
        _land, history, _SEASONS[bucket], totals["spent"], left, float(totals["begun"].cost)
    )


async def _ahead(books: Books, view: View, now: datetime, bucket: Bucket, steps: int) -> Ahead | None:
    fresh = await books.fresh()
    if fresh.oldest is None:
        return None
    past = now.astimezone(view.zone).utcoffset() or timedelta()
    past %= timedelta(hours=1)  # where a zone's hours begin is not where UTC's do
    hour = (now + past).replace(minute=0, second=0, microsecond=0) - past
    end = period_of(now, "day", view.zone).start if bucket == "day" else hour
    start = _first(fresh, now, view, bucket)
    if bucket == "hour":
        start = end - (end - start) // _STEP["hour"] * _STEP["hour"]
    history = await _history(books, view, Span(start, end), bucket)
    if not history:
        return None
    starts = starts_of(bucket, Span(end, end + (steps + 1) * _STEP[bucket]), view.zone)[:steps]
    return await asyncio.to_thread(_bands, history, _SEASONS[bucket], starts)


def _first(fresh: Fresh, now: datetime, view: View, bucket: Bucket) -> datetime:
    """Return the first midnight of the history that is looked at."""
    first = max(fresh.oldest or now, now - _REACH[bucket]).astimezone(view.zone).date() + timedelta(days=1)
    return midnight(first, view.zone)


async def _history(books: Books, view: View, span: Span, bucket: Bucket) -> list[float]:
    """Return the cost of each whole bucket; nothing where there is less than a day."""
    if span.length < timedelta(days=1):
        return []
    series = await books.series(View(zone=view.zone), span, bucket, [])
    return [float(cost) for cost in series.costs[0]] if series.costs else []


def _land(
    history: list[float], seasons: tuple[int, ...], spent: Total, left: int, begun: float
) -> Landing | None:
    import numpy as np  # half of the console's start-up, and not needed for it

    from outlay_reports.forecast.landing import landing

    found = landing(np.array(history), seasons, float(spent.cost), left, begun)
    if not found.tested:
        return None
    low, high = found.bounds(80)
    return Landing(*(Decimal(round(amount * 100)) / 100 for amount in (found.expected, low, high)))


def _bands(history: list[float], seasons: tuple[int, ...], starts: Sequence[datetime]) -> Ahead | None:
    import numpy as np

    from outlay_reports.forecast import bands, forecast

    values = np.array(history)[None, :]
    found = forecast(values, seasons, len(starts))
    if not found.tested:
        return None
    bounds = bands(found, values)
    lower = {level: bounds.lower[level][:, 0].tolist() for level in (80, 95)}
    upper = {level: bounds.upper[level][:, 0].tolist() for level in (80, 95)}
    return Ahead(starts, found.mean[:, 0].tolist(), lower, upper)
