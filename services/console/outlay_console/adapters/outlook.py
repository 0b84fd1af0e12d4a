"""Where the month lands, by the forecast that the command line shows too; kept for a minute."""

import asyncio
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from outlay_console.adapters.books import Books, Total
from outlay_console.domain.spans import Bucket
from outlay_console.domain.view import View
from outlay_kit.clock import Clock
from outlay_kit.spans import Span, midnight, period_of

_KEEP_SECONDS = 60.0
_LOOK_BACK = timedelta(days=200)
_DAYS = 21
"""With fewer whole days than these, hours are forecast."""
_SEASONS: dict[Bucket, tuple[int, ...]] = {"day": (7,), "hour": (24, 168)}


@dataclass(frozen=True)
class Landing:
    """What the month is expected to cost at its end, and between what in four of five cases; USD, rounded."""

    expected: Decimal
    low: Decimal
    high: Decimal


class Outlook:
    """Forecasts for pages. What could not be tested on the past is not shown."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._known: dict[tuple[str, str], tuple[float, Landing | None]] = {}

    async def month(
        self, tenant: str, books: Books, view: View, now: datetime, spent: Total
    ) -> Landing | None:
        """Return where the month of `view`'s zone lands; None if there is too little history to say."""
        key = (tenant, view.zone.key)
        until, landing = self._known.get(key, (0.0, None))
        if self._clock.monotonic() >= until:
            landing = await self._forecast(books, view, now, spent)
            self._known[key] = (self._clock.monotonic() + _KEEP_SECONDS, landing)
        return landing

    async def _forecast(self, books: Books, view: View, now: datetime, spent: Total) -> Landing | None:
        fresh = await books.fresh()
        if fresh.oldest is None:
            return None
        today, month = period_of(now, "day", view.zone), period_of(now, "month", view.zone)
        first = max(fresh.oldest, now - _LOOK_BACK).astimezone(view.zone).date() + timedelta(days=1)
        start = midnight(first, view.zone)
        bucket: Bucket = "day" if today.start - start >= timedelta(days=_DAYS) else "hour"
        end = today.start if bucket == "day" else now.replace(minute=0, second=0, microsecond=0)
        if end - start < timedelta(days=1):
            return None
        series, begun = await asyncio.gather(
            books.series(View(zone=view.zone), Span(start, end), bucket, []),
            books.totals({"begun": Span(end, end + timedelta(days=1))}),
        )
        history = [float(cost) for cost in series.costs[0]] if series.costs else []
        left = round((month.end - end) / (timedelta(days=1) if bucket == "day" else timedelta(hours=1)))
        return await asyncio.to_thread(
            _land, history, _SEASONS[bucket], float(spent.cost), left, float(begun["begun"].cost)
        )


def _land(
    history: list[float], seasons: tuple[int, ...], spent: float, left: int, begun: float
) -> Landing | None:
    import numpy as np  # half of the console's start-up, and not needed for it

    from outlay_reports.forecast.landing import landing

    if not history or left <= 0:
        return None
    found = landing(np.array(history), seasons, spent, left, begun)
    if not found.tested:
        return None
    low, high = found.bounds(80)
    return Landing(*(Decimal(round(amount * 100)) / 100 for amount in (found.expected, low, high)))
