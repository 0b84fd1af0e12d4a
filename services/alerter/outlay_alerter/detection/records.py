"""The highest value of the last weeks: what is well above it is a spike, however bursty a series is.

Bursts make the limit wide, and on a logarithmic scale one of ten times what is usual is not far from one of thirty. But
of a heavy tail too the next value is seldom well above all before it, the more seldom the more values there were.
"""

from array import array
from math import inf

from outlay_alerter.detection.tuning import DAY, Tuning

LEAST_RECORD = 0.4
"""A record is a spike only from this share of the usual limit on: the peak of a day that grows slowly is none."""
_DAYS = 28


class Records:
    """The highest value of each of the last days."""

    __slots__ = ("_days", "_highest", "_in_day", "_left", "_times", "_today", "limit")

    def __init__(self, tuning: Tuning) -> None:
        self._times, self._in_day = tuning.record, DAY // tuning.step
        self._left = tuning.min_history
        """Windows with or after a value above zero that are still to be seen before anything is said."""
        self._days = array("d")
        self._today, self._highest = 0, 0.0
        """Windows of the day so far, and the highest value of those."""
        self.limit = inf
        """The highest value that is not a record by far; infinite while nothing is known."""

    def push(self, value: float) -> None:
        """Take the next window."""
        if self._left:
            if value <= 0 and not self._highest and not self._days:
                return
            self._left -= 1
        self._today += 1
        if value > self._highest:
            self._highest = value
            if not self._left and value * self._times > self.limit:
                self.limit = value * self._times
        if self._today >= self._in_day:
            self._days.append(self._highest)
            del self._days[:-_DAYS]
            self._today, self._highest = 0, 0.0
            highest = max(self._days)
            self.limit = highest * self._times if highest and not self._left else inf
