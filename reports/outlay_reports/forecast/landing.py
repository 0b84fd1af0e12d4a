"""Where a period lands, and how likely it breaks a budget."""

import math
from dataclasses import dataclass

import numpy as np

from outlay_reports.forecast.engine import forecast
from outlay_reports.forecast.smoothing import Array

_Z = {80: 1.2816, 95: 1.9600}


@dataclass(frozen=True)
class Landing:
    """What a period will have cost at its end, USD. `tested`: whether a back-test says how wrong that may be."""

    spent: float
    expected: float
    sd: float
    tested: bool
    days: Array
    """The expected cost of each of the pieces that are left."""

    def bounds(self, level: int) -> tuple[float, float]:
        """Return the interval of 80 or 95 percent; never less than what is spent."""
        half = _Z[level] * self.sd
        return max(self.expected - half, self.spent), max(self.expected + half, self.spent)

    def over(self, amount: float) -> float:
        """Return the probability that the period costs more than `amount`: 0 to 1."""
        if self.spent > amount:
            return 1.0
        if self.sd <= 0:
            return float(self.expected > amount)
        return 0.5 * math.erfc((amount - self.expected) / (self.sd * math.sqrt(2)))

    def crossed(self, amount: float) -> int | None:
        """Return in which of the pieces left the expected cost passes `amount`, from 0; None: it does not."""
        past = np.nonzero(self.spent + np.cumsum(self.days) > amount)[0]
        return int(past[0]) if len(past) else None


def landing(history: Array, periods: tuple[int, ...], spent: float, left: int, begun: float = 0.0) -> Landing:
    """Forecast what a period lands at.

    `history`: costs of whole pieces of time, the last just before the first piece that is left. `spent`: what the
    period cost so far, all of it. `left`: pieces to its end, the first of which may have begun with `begun` in it.
    """
    if left <= 0 or not len(history):
        return Landing(spent, spent, 0.0, left <= 0, np.zeros(0))
    values = history[None, :]
    found = forecast(values, periods, left)
    days = found.mean[:, 0].copy()
    days[0] = max(days[0] - begun, 0.0)
    expected = spent + float(np.sum(days))
    if not found.tested:
        return Landing(spent, expected, float(np.sum(days)) * 0.5, False, days)
    tested = found.errors.shape[1]
    sums = np.sum(found.errors[:, :, 0], axis=1)
    # Errors of a period add up: past what was tested they grow between its root and itself.
    reach = max(left / tested, 1.0) ** 0.75
    stretch = 1.0 + 1.2 / len(sums)
    sd = float(np.sqrt(np.mean(sums**2))) * reach * stretch
    return Landing(spent, expected, sd, True, days)
