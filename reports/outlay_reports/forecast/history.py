"""Costs of the past as even series."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import numpy as np

from outlay_kit.time_ranges import TimeRange, period_of
from outlay_reports.adapters.cost_reader import CostReader
from outlay_reports.cost_query import CostQuery, Sums
from outlay_reports.forecast.smoothing import Array
from outlay_reports.periods import Unit
from outlay_schemas.currency import Currency, NoRateError

_LOOK_BACK: dict[Unit, timedelta] = {"hour": timedelta(weeks=6), "day": timedelta(days=200)}


@dataclass(frozen=True)
class History:
    """Whole pieces of time of each combination of values, one number each; and the bounds of the pieces."""

    keys: tuple[tuple[str, ...], ...]
    values: Array
    starts: tuple[datetime, ...]
    sums: tuple[tuple[Sums, ...], ...] = ()
    """The same as the reader returns it: exact, and with the events that have no price."""


def rate_ahead(currency: Currency, now: datetime) -> float:
    """Return what one USD of a forecast is worth: by the rate of `now`, as those of days to come are not known.

    A forecast is made in USD and converted so. A history at the rates of its days would take a change of the exchange
    rate for a change of usage. Raises NoRateError.
    """
    factor = currency.factor(now)
    if factor is None:
        raise NoRateError(currency.missing([f"on {now:%Y-%m-%d}"]))
    return float(factor)


def read_history(reader: CostReader, question: CostQuery, now: datetime, meter: str = "") -> History:
    """Read costs (USD) or quantities of every whole piece before `now`, from the first with costs on."""
    unit = question.unit or "day"
    extent = reader.extent(question.tenants)
    end = period_of(now, unit, question.zone).start
    begin = extent.start if extent else end
    first = period_of(max(begin, end - _LOOK_BACK[unit]), unit, question.zone)
    # A first piece that began before the first event is only a part of one.
    start = first.start if first.start == begin or begin < end - _LOOK_BACK[unit] else first.end
    if extent is None or start >= end:
        return History((), np.zeros((0, 0)), ())
    asked = replace(question, span=TimeRange(start, end), unit=unit)
    cells = reader.cells(asked)
    keys = tuple(sorted({cell.keys for cell in cells}))
    places = {key: n for n, key in enumerate(keys)}
    edges = asked.bounds
    values = np.zeros((len(keys), len(edges) - 1))
    exact = [[Sums()] * (len(edges) - 1) for _ in keys]
    for cell in cells:
        amount = float(cell.sums.usage.get(meter, 0)) if meter else cell.sums.cost / 10**12
        values[places[cell.keys], cell.bucket] = amount
        exact[places[cell.keys]][cell.bucket] = cell.sums
    return History(keys, values, tuple(edges[:-1]), tuple(map(tuple, exact)))
