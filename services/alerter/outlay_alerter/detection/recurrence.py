"""Costs that come back: batches with nothing between them, jobs on about the same day of each month, and bursts.

A series that often exceeds its limit is bursty, and gets a higher one. An episode is a stretch of windows beyond the
limit, short pauses bridged.
"""

from calendar import monthrange
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from statistics import median
from typing import TypeVar

from outlay_alerter.detection.robust_stats import TO_SIGMA, Ring

T = TypeVar("T", int, float)

MONTHS = 3
"""How many months are looked back; of all of them two must agree, of one or two each."""
ALIKE = 1.5
"""Up to so many times what came in earlier months is what comes back."""
_NEAR = 2
"""Days by which the day may differ: jobs that wait for a working day."""


_FEW = 5
"""With fewer batches their spread says nothing, and so many times the largest is too much:"""
_TIMES = 3
_SPREADS, _FLOOR = 6.0, 0.1
"""How many usual spreads above the median are too much; the least spread, as a share of the median."""


def is_sparse(costs: Sequence[float]) -> bool:
    """Return whether most windows have no cost."""
    return 2 * sum(cost != 0 for cost in costs) < len(costs)


def limit_of(costs: Sequence[T], sensitivity: float = 1.0) -> tuple[T, T]:
    """Return the usual cost of windows, and the highest that is ordinary, by their median and its spread.

    Of few windows (batches) the spread says nothing: the largest counts.
    """
    if 0 < len(costs) < _FEW:
        return max(costs), _TIMES * max(costs)
    kind = type(costs[0])
    middle = kind(median(costs))
    spread = max(median([abs(cost - middle) for cost in costs]) * TO_SIGMA, middle * _FLOOR)
    return middle, middle + kind(_SPREADS * spread / sensitivity)


def monthly_peak(days: Mapping[date, T], day: date) -> T | None:
    """Return what is spent at its highest around this day of the month; None: no earlier month is known.

    `days`: the value of each earlier day. The end of a month counts from its end, too: 28 February is like 31 January.
    """
    first, peaks = min(days, default=day), list[T]()
    for back in range(1, MONTHS + 1):
        low, high = _around(day, back)
        if low < first:
            break
        dates = (low + timedelta(days=n) for n in range((high - low).days + 1))
        peaks.append(max((days[at] for at in dates if at in days), default=type(next(iter(days.values())))()))
    if not peaks:
        return None
    return sorted(peaks)[-2] if len(peaks) == MONTHS else min(peaks)


def _around(day: date, back: int) -> tuple[date, date]:
    months = day.year * 12 + day.month - 1 - back
    year, month = divmod(months, 12)
    length, left = monthrange(year, month + 1)[1], monthrange(day.year, day.month)[1] - day.day
    starts = date(year, month + 1, min(day.day, length)), date(year, month + 1, max(1, length - left))
    return min(starts) - timedelta(days=_NEAR), max(starts) + timedelta(days=_NEAR)


_MOST = 64
"""Episodes that are remembered."""
_PAUSE = 3600
"""Seconds without excess that end an episode, two windows at least."""


class Episodes:
    """The peaks of recent episodes, by direction, as multiples of the limit."""

    def __init__(self, step: int, often: int, days: int) -> None:
        """What `often` episodes within `days` reached is usual."""
        self._often, self._horizon, self._pause = often, days * 86_400 // step, max(2, _PAUSE // step)
        self._peaks: deque[tuple[int, float]] = deque(maxlen=_MOST)
        """When an episode ended, and its peak; below zero: too little. Those of the horizon."""
        self._now = 0
        self._last, self._peak = -self._horizon, 0.0
        self.usual = 1.0, 1.0
        """How many times the limit is usual above and below: what several episodes reached, at least 1."""

    def push(self, excess: float) -> None:
        """Take the next window: its distance in multiples of the limit, with its sign."""
        self._now = now = self._now + 1
        ended = self._peak and now - self._last > self._pause
        if ended:
            self._peaks.append((self._last, self._peak))
            self._peak = 0.0
        old = self._peaks and self._peaks[0][0] < now - self._horizon
        if old:
            self._peaks.popleft()
        if old or ended:
            self.usual = self._reached(1.0), self._reached(-1.0)
        if abs(excess) > 1:
            self._last = now
            self._peak = excess if abs(excess) > abs(self._peak) else self._peak

    def _reached(self, sign: float) -> float:
        peaks = sorted((peak * sign for _, peak in self._peaks if peak * sign > 0), reverse=True)
        return max(1.0, peaks[self._often - 1] * 1.25) if len(peaks) >= self._often else 1.0


@dataclass(slots=True)
class LeftLevel:
    """The levels before the last shift; to come back to them is not an anomaly."""

    sign: float
    """Below zero: the shift went down."""
    levels: list[Ring]
    windows: int
    """For how many windows more it is remembered."""
