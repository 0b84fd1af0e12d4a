"""Forecasts as lines for NDJSON: of the series of a file, or of the parts of a cost."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from outlay_reports.adapters.part_forecasts import PartForecasts
from outlay_reports.cost_query import CostQuery
from outlay_reports.forecast.engine import batches, forecast
from outlay_reports.forecast.intervals import LEVELS, Bands, bands
from outlay_reports.forecast.pieces import with_spent
from outlay_reports.forecast.series import Series
from outlay_reports.forecast.smoothing import Array

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


def part_lines(parts: PartForecasts, query: CostQuery, factors: Sequence[float]) -> Iterator[Line]:
    """Yield the next values of each part; `factors` apply to what is still to come of each piece."""
    times = [at.astimezone(query.zone).isoformat() for at in parts.starts]
    scale = np.array(factors)[:, None]
    whole = with_spent(parts.rest.each(lambda values: values * scale), parts.spent)
    for n, key in enumerate(parts.keys):
        yield from _lines(dict(zip(query.by, key, strict=False)), times, _columns(whole, n), ".9f")


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
