"""Forecasts of many series of one frequency, as lines for NDJSON."""

from collections import defaultdict
from collections.abc import Iterator, Sequence

import numpy as np

from outlay_reports.forecast.engine import forecast
from outlay_reports.forecast.intervals import LEVELS, bands
from outlay_reports.forecast.series import Frequency, Series
from outlay_reports.forecast.smoothing import Array

_AT_ONCE = 48
"""Series side by side: enough for numpy to be quick, and little memory."""


def forecast_lines(series: Sequence[Series], steps: int) -> Iterator[dict[str, str | float]]:
    """Yield a line for each next value of each series, in their order."""
    alike: dict[tuple[int, Frequency], list[int]] = defaultdict(list)
    for place, one in enumerate(series):
        alike[len(one.values), one.frequency].append(place)
    lines: dict[int, list[dict[str, str | float]]] = {}
    for (_, frequency), places in alike.items():
        for first in range(0, len(places), _AT_ONCE):
            some = places[first : first + _AT_ONCE]
            values = np.stack([series[place].values for place in some])
            base = _base(values)
            bounds = bands(forecast(values - base[:, None], frequency.periods, steps), values - base[:, None])
            for column, place in enumerate(some):
                lines[place] = _lines(series[place], steps, bounds.mean[:, column] + base[column], [
                    side[level][:, column] + base[column] for level in LEVELS for side in (bounds.lower, bounds.upper)
                ])  # fmt: skip
    for place in range(len(series)):
        yield from lines[place]


def _base(values: Array) -> Array:
    """Return the base of each series: 0, or with negative values as far below the lowest as they range."""
    low, high = values.min(axis=1), values.max(axis=1)
    return np.where(low < 0, low - (high - low), 0.0)


def _lines(one: Series, steps: int, mean: Array, sides: Sequence[Array]) -> list[dict[str, str | float]]:
    names = [f"{side}{level}" for level in LEVELS for side in ("lower", "upper")]
    found = []
    for n, at in enumerate(one.future(steps)):
        line: dict[str, str | float] = {"series": one.name} if one.name else {}
        line |= {"timestamp": at, "mean": _short(mean[n])}
        line |= {name: _short(side[n]) for name, side in zip(names, sides, strict=True)}
        found.append(line)
    return found


def _short(value: float) -> float:
    """Return a number with as many digits as an estimate can have."""
    return float(f"{value:.10g}")
