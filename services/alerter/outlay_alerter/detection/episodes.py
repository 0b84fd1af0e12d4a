"""Recent excesses over the limit: a series that often exceeds it is bursty, and gets a higher one.

An episode is a stretch of windows beyond the limit, short pauses bridged.
"""

from collections import deque

_HORIZON = 14 * 86_400
"""Seconds for which an episode is remembered."""
_USUAL = 4
"""What so many recent episodes reached is usual."""
_MOST = 64
"""Episodes that are remembered."""
_PAUSE = 3600
"""Seconds without excess that end an episode, two windows at least."""


class Episodes:
    """The peaks of recent episodes, by direction, as multiples of the limit."""

    def __init__(self, step: int) -> None:
        self._horizon, self._pause = _HORIZON // step, max(2, _PAUSE // step)
        self._peaks: deque[tuple[int, float]] = deque(maxlen=_MOST)
        """When an episode ended, and its peak; below zero: too little."""
        self._now = 0
        self._last, self._peak = -self._horizon, 0.0

    def usual(self, sign: float) -> float:
        """Return how many times the limit is usual in a direction: what several episodes reached, at least 1."""
        since = self._now - self._horizon
        peaks = sorted((p * sign for at, p in self._peaks if p * sign > 0 and at >= since), reverse=True)
        return max(1.0, peaks[_USUAL - 1] * 1.25) if len(peaks) >= _USUAL else 1.0

    def push(self, excess: float) -> None:
        """Take the next window: its distance in multiples of the limit, with its sign."""
        self._now += 1
        if self._peak and self._now - self._last > self._pause:
            self._peaks.append((self._last, self._peak))
            self._peak = 0.0
        if abs(excess) > 1:
            self._last = self._now
            self._peak = excess if abs(excess) > abs(self._peak) else self._peak
