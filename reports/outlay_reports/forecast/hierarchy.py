"""Forecasts of ledger series as lines, with coherent sums: a total is the sum of its parts."""

from collections.abc import Iterator, Sequence

import numpy as np

from outlay_reports.forecast.engine import Forecast, forecast
from outlay_reports.forecast.intervals import LEVELS, Bands, bands
from outlay_reports.forecast.series import Series
from outlay_reports.forecast.smoothing import Array


def hierarchy_lines(
    series: Sequence[Series],
    keys: Sequence[tuple[str, ...]],
    by: Sequence[str],
    periods: tuple[int, ...],
    factors: Sequence[float],
    *,
    totals: bool,
) -> Iterator[dict[str, str | float]]:
    """Yield the next values of each series, and with `totals` of every level above, with intervals of the sums."""
    values = np.stack([one.values for one in series])
    found = forecast(values, periods, len(factors))
    times = series[0].future(len(factors))
    depth = len(by)
    for level in range(depth if not totals else 0, depth + 1):
        groups = sorted({key[:level] for key in keys})
        for group in groups:
            members = [n for n, key in enumerate(keys) if key[:level] == group]
            yield from _lines(summed(found, values, members), group, by, times, factors)


def summed(found: Forecast, values: Array, members: Sequence[int]) -> Bands:
    """Return the forecast of the sum of some series."""
    mean = found.mean[:, members].sum(axis=1, keepdims=True)
    errors = found.errors[:, :, members].sum(axis=2, keepdims=True)
    one = Forecast(mean, errors, found.periods, found.history)
    return bands(one, values[members].sum(axis=0, keepdims=True))


def _lines(
    bounds: Bands, group: tuple[str, ...], by: Sequence[str], times: Sequence[str], factors: Sequence[float]
) -> Iterator[dict[str, str | float]]:
    for n, (at, factor) in enumerate(zip(times, factors, strict=True)):
        line: dict[str, str | float] = dict(zip(by, group, strict=False))
        line |= {"timestamp": at, "mean": round(float(bounds.mean[n, 0]) * factor, 9)}
        for level in LEVELS:
            line[f"lower{level}"] = round(float(bounds.lower[level][n, 0]) * factor, 9)
            line[f"upper{level}"] = round(float(bounds.upper[level][n, 0]) * factor, 9)
        yield line
