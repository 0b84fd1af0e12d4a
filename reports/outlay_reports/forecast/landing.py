"""Where a period lands: what is spent is spent, and only the rest of it is forecast."""

import math
from dataclasses import dataclass
from datetime import datetime

import numpy as np

from outlay_kit.time_ranges import floor_to
from outlay_reports.forecast.smoothing import Array

_Z = {80: 1.356, 95: 2.179}
"""Standard deviations on each side, of Student's distribution with 12 degrees of freedom: as many as back-tests."""
_MICRO = 10**6
"""Pico-USD in the last digit that an estimate has."""


@dataclass(frozen=True)
class Landing:
    """What a period will have cost at its end. `spent`: so far, pico-USD.

    `rest` and `spread` are the expected cost from now to the end of each piece that is left, and its standard
    deviation, USD; `edges` are the bounds of those pieces. Not `tested`: too little history, so show no forecast.
    """

    spent: int
    edges: tuple[datetime, ...]
    rest: Array
    spread: Array
    tested: bool

    @property
    def expected(self) -> int:
        """What the period will most likely have cost, pico-USD."""
        return self._pico(self._last(self.rest))

    def bounds(self, level: int) -> tuple[int, int]:
        """Return the interval of 80 or 95 percent, pico-USD; never below what is spent."""
        rest, half = self._last(self.rest), _Z[level] * self._last(self.spread)
        return self._pico(max(rest - half, 0.0)), self._pico(rest + half)

    def over(self, amount: int) -> float:
        """Return the probability that the period costs more than `amount` pico-USD: 0 to 1."""
        left, sd, rest = (amount - self.spent) / 1e12, self._last(self.spread), self._last(self.rest)
        if left < 0:
            return 1.0
        return float(rest > left) if sd <= 0 else 0.5 * math.erfc((left - rest) / (sd * math.sqrt(2)))

    def used_up(self, amount: int, spreads: float = 0.0) -> datetime | None:
        """Return when the spend reaches `amount` pico-USD in the period, `spreads` standard deviations up; or None."""
        need = (amount - self.spent) / 1e12
        course = np.maximum(self.rest + spreads * self.spread, 0.0)
        past = np.nonzero(course >= need)[0]
        if need <= 0 or not len(past):
            return None
        place = int(past[0])
        before = float(course[place - 1]) if place else 0.0
        part = min(max((need - before) / max(float(course[place]) - before, 1e-12), 0.0), 1.0)
        begin, end = self.edges[place : place + 2]
        return floor_to(begin + (end - begin) * part, "minute")

    def used_up_between(self, amount: int) -> tuple[datetime | None, datetime | None]:
        """Return the earliest and the latest time (80 percent) of `used_up`; None: not within the period."""
        return self.used_up(amount, _Z[80]), self.used_up(amount, -_Z[80])

    def _pico(self, usd: float) -> int:
        return self.spent + round(usd * 1e12 / _MICRO) * _MICRO

    @staticmethod
    def _last(values: Array) -> float:
        return float(values[-1]) if len(values) else 0.0
