"""Capacity: GPU use from GPU and machine seconds, and when a growing use fills a capacity."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from fnmatch import fnmatchcase
from itertools import combinations

import numpy as np

from outlay_reports.adapters.cost_reader import CostReader
from outlay_reports.cost_query import CostQuery
from outlay_reports.forecast.history import History, read_history
from outlay_reports.forecast.smoothing import Array
from outlay_schemas.catalog import PriceBook

GPU_METER = "gpu_seconds"
_MACHINES = "compute_seconds"


def gpus_of(price_books: Iterable[PriceBook], provider: str, sku: str) -> float:
    """Return the GPUs of a machine type by the first rule that names it; 0 if it has none or is unknown."""
    for rule in (rule for book in price_books for rule in book.rules if rule.gpus is not None):
        offered = not rule.provider or provider.lower() in map(str.lower, rule.provider)
        if offered and any(fnmatchcase(sku.lower(), name.lower()) for name in rule.sku):
            return float(rule.gpus or 0)
    return 0.0


def gpu_seconds(
    reader: CostReader, question: CostQuery, now: datetime, price_books: Sequence[PriceBook]
) -> tuple[History, list[str]]:
    """Return the GPU seconds of every whole day before `now`, and the machine types that are part of them."""
    days = replace(question, by=(), unit="day")
    found = read_history(reader, days, now, GPU_METER)
    machines = read_history(reader, replace(days, by=("provider", "sku")), now, _MACHINES)
    counted = []
    for (provider, sku), seconds in zip(machines.keys, machines.values, strict=True):
        gpus = gpus_of(price_books, provider, sku) if seconds.any() else 0.0
        if gpus:
            found.values[0] += seconds * gpus
            counted.append(f"{sku} ({gpus:g} GPUs)" if gpus != 1 else f"{sku} (1 GPU)")
    return found, sorted(counted)


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
        days = (amount - self.level) / slope if slope > 0 else np.inf
        return days if days < 3650 else None


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
