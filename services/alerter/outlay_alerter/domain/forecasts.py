"""What a budget's period will have cost at its end, and when its money is gone.

The expectation of each window to come is the median of the same place in the weeks before, times how the
last week compares with the weeks before it. The interval is made of how far off that was in the past. No
money is counted here: a forecast is a statement of likelihood, and floats do for it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import median

from outlay_alerter.domain.robust import TO_SIGMA
from outlay_kit.spans import Span, floor_to, grain_length
from outlay_schemas.events import Grain

HISTORY: dict[Grain, int] = {"minute": 120, "hour": 28 * 24, "day": 56}
"""How many windows a forecast is made of, at most."""
MIN_HISTORY: dict[Grain, int] = {"minute": 30, "hour": 24, "day": 7}
"""With fewer, nothing is said."""
_CYCLE: dict[Grain, int] = {"minute": 60, "hour": 168, "day": 7}
_WIDE = 1.2816
"""Standard deviations on each side of an interval that holds 80 %."""


_MOVES = 0.05
"""What nobody can know: the level itself moves, by so much of what is to come."""


@dataclass(frozen=True, slots=True)
class Forecast:
    """The whole period's cost at its end, in pico-USD: what is likely, and the interval that holds 80 %."""

    likely: int
    low: int
    high: int
    gone_on: datetime | None = None
    """When the amount is used up, if it is within a year."""
    gone_early: datetime | None = None
    gone_late: datetime | None = None
    """The same at the upper and the lower end of the interval; None: not within a year."""


def grain_for(span: Span) -> Grain:
    """Return the windows that a forecast of a period is made of."""
    length = span.end - span.start
    return "minute" if length <= timedelta(hours=2) else "hour" if length <= timedelta(days=8) else "day"


def forecast(
    span: Span, spent: int, amount: int, *, history: Sequence[int], now: datetime, grain: Grain
) -> Forecast | None:
    """Return what `span` will have cost, given `spent` so far and the windows before the one that holds `now`.

    `history` is in pico-USD, the oldest first. None: there is too little of it.
    """
    known = [float(value) for value in history[-HISTORY[grain] :]]
    if len(known) < MIN_HISTORY[grain]:
        return None
    length = grain_length(grain)
    begin = floor_to(now, grain)
    left = 1 - (now - begin) / length
    usual, sigma = _usual(known, _CYCLE[grain]), _sigma(known, _CYCLE[grain])
    windows = max(0.0, (span.end - begin) / length)
    total, count = spent + left * usual[0], 1
    while count < windows:
        total += usual[count % len(usual)] * min(1.0, windows - count)
        count += 1
    error = _WIDE * sigma * (max(0.0, windows) ** 0.5) if spent < total else 0.0
    error += _MOVES * (total - spent)
    likely = [left * usual[0], *usual]
    days = _gone(spent, amount, likely=likely, sigma=sigma, begin=begin, length=length)
    return Forecast(round(total), max(spent, round(total - error)), round(total + error), *days)


def _usual(known: Sequence[float], cycle: int) -> list[float]:
    """Return what is likely for the next windows, as many as the cycle has."""
    level = _level(known, cycle)
    out = []
    for ahead in range(cycle):
        same = [known[n] for n in range(len(known) - cycle + ahead, -1, -cycle) if n < len(known)]
        out.append(median(same) * level if len(known) >= cycle and same else median(known[-cycle:]))
    return out


def _level(known: Sequence[float], cycle: int) -> float:
    """Return how the last cycle compares with those before, within a factor of three."""
    if len(known) < 2 * cycle:
        return 1.0
    before = [sum(known[n : n + cycle]) for n in range(len(known) % cycle, len(known) - cycle, cycle)]
    usual = median(before)
    return min(3.0, max(1 / 3, sum(known[-cycle:]) / usual)) if usual > 0 else 1.0


def _sigma(known: Sequence[float], cycle: int) -> float:
    """Return the usual distance of a window from the same place one cycle earlier, or from the median."""
    if len(known) > cycle + 3:
        apart = sorted(abs(known[n] - known[n - cycle]) for n in range(cycle, len(known)))
    else:
        middle = median(known)
        apart = sorted(abs(value - middle) for value in known)
    return max(TO_SIGMA * apart[len(apart) // 2], apart[len(apart) * 9 // 10] / 1.6449)


def _gone(
    spent: int,
    amount: int,
    *,
    likely: Sequence[float],
    sigma: float,
    begin: datetime,
    length: timedelta,
) -> list[datetime | None]:
    """Return when the amount is used up: likely, at the earliest and at the latest of the interval."""
    found: list[datetime | None] = [None, None, None]
    total = float(spent)
    for count in range(1, min(int(timedelta(days=366) / length), 20_000) + 1):
        total += likely[0] if count == 1 else likely[1 + (count - 1) % (len(likely) - 1)]
        wide = _WIDE * sigma * count**0.5 + _MOVES * (total - spent)
        for n, value in enumerate((total, total + wide, total - wide)):
            if found[n] is None and value >= amount:
                found[n] = begin + length * count
        if None not in found:
            break
    return found
