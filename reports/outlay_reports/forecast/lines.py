"""Forecasts as lines for NDJSON: of the series of a file, or of costs, where a total is the sum of its parts."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from outlay_reports.cost_query import CostQuery
from outlay_reports.forecast.engine import Forecast, batches, forecast
from outlay_reports.forecast.history import FREQUENCIES, History
from outlay_reports.forecast.intervals import LEVELS, Bands, bands
from outlay_reports.forecast.series import Series
from outlay_reports.forecast.smoothing import Array
from outlay_reports.forecast.trajectory import SEASONS

Line = dict[str, str | float]
_NAMES = ("mean", *(f"{side}{level}" for level in LEVELS for side in ("lower", "upper")))


def forecast_lines(series: Sequence[Series], steps: int) -> Iterator[Line]:
    """Yield a line for each next value of each series, in their order."""
    lines: dict[int, list[Line]] = {}
    for (_, frequency), places in batches([(len(one.values), one.frequency) for one in series]):
        values = np.stack([series[place].values for place in places])
        low, high = values.min(axis=1), values.max(axis=1)
        # A forecast is not below 0; negative values are forecast from as far below the lowest as they range.
        base = np.where(low < 0, low - (high - low), 0.0)
        values -= base[:, None]
        bounds = bands(forecast(values, frequency.periods, steps), values)
        for n, place in enumerate(places):
            one = series[place]
            named = {"series": one.name} if one.name else {}
            shifted = [column + base[n] for column in _columns(bounds, n)]
            lines[place] = list(_lines(named, one.future(steps), shifted, ".10g"))
    for place in range(len(series)):
        yield from lines[place]


def hierarchy_lines(
    past: History, query: CostQuery, factors: Sequence[float], *, totals: bool
) -> Iterator[Line]:
    """Yield the next values of each series, and with `totals` of every level above, with intervals of the sums."""
    unit, steps, depth = query.unit or "day", len(factors), len(query.by)
    found = forecast(past.values, SEASONS[unit], steps)
    last, scale = past.starts[-1].astimezone(query.zone), np.array(factors)
    times = [FREQUENCIES[unit].after(last, n).isoformat() for n in range(1, steps + 1)]
    for level in range(0 if totals else depth, depth + 1):
        for group in sorted({key[:level] for key in past.keys}):
            members = [n for n, key in enumerate(past.keys) if key[:level] == group]
            scaled = [column * scale for column in _columns(summed(found, past.values, members), 0)]
            yield from _lines(dict(zip(query.by, group, strict=False)), times, scaled, ".9f")


def summed(found: Forecast, values: Array, members: Sequence[int]) -> Bands:
    """Return the forecast of the sum of some series."""
    mean = found.mean[:, members].sum(axis=1, keepdims=True)
    errors = found.errors[:, :, members].sum(axis=2, keepdims=True)
    return bands(Forecast(mean, errors), values[members].sum(axis=0, keepdims=True))


def _columns(bounds: Bands, n: int) -> list[Array]:
    return [
        each[:, n] for each in (bounds.mean, *(s[at] for at in LEVELS for s in (bounds.lower, bounds.upper)))
    ]


def _lines(
    named: Mapping[str, str], times: Sequence[str], columns: Sequence[Array], form: str
) -> Iterator[Line]:
    """Yield a line for each time; `form` rounds a number to the digits that an estimate can have."""
    for at, *values in zip(times, *columns, strict=True):
        numbers = {name: float(f"{value:{form}}") for name, value in zip(_NAMES, values, strict=True)}
        yield {**named, "timestamp": at, **numbers}
