"""When something is full at this growth: a robust line through the weeks."""

from dataclasses import dataclass
from itertools import combinations

import numpy as np

from outlay_reports.forecast.smoothing import Array


@dataclass(frozen=True)
class Growth:
    """Growth of a daily value: its level at the end of the history, and its slope a day with an 80% interval."""

    level: float
    slope: float
    low: float
    high: float

    def days_until(self, amount: float) -> tuple[float | None, float | None, float | None]:
        """Return the days until `amount`: at this growth, soonest and latest (80%). None: never."""
        return self._days(amount, self.slope), self._days(amount, self.high), self._days(amount, self.low)

    def _days(self, amount: float, slope: float) -> float | None:
        if self.level >= amount:
            return 0.0
        days = (amount - self.level) / slope if slope > 0 else None
        return days if days is not None and days < 3650 else None


def growth(days: Array) -> Growth:
    """Fit growth by the median of all slopes between weeks, or days of short history (Theil 1950, Sen 1968)."""
    step = 7 if len(days) >= 21 else 1
    count = len(days) // step
    sizes = days[len(days) - count * step :].reshape(count, step).mean(axis=1)
    if count < 3:
        level = float(np.mean(days)) if len(days) else 0.0
        return Growth(level, 0.0, 0.0, 0.0)
    slopes = np.array([(sizes[b] - sizes[a]) / (b - a) for a, b in combinations(range(count), 2)]) / step
    slope = float(np.median(slopes))
    # Sen's interval: Kendall's statistic has this variance without growth.
    width = 1.2816 * np.sqrt(count * (count - 1) * (2 * count + 5) / 18) / len(slopes) / 2
    low, high = np.quantile(slopes, [max(0.5 - width, 0.0), min(0.5 + width, 1.0)])
    middle = np.arange(count) * step - (count - 1) * step - (step - 1) / 2
    level = float(np.median(sizes - slope * middle))
    return Growth(level, slope, float(low), float(high))
