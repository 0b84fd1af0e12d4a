"""Patterns of a series: growth, daily and weekly profile with strength, and level shifts."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from outlay_reports.forecast.smoothing import Array

DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


@dataclass(frozen=True)
class Profile:
    """What a position in a season usually costs, as a share of the mean of all: 1.2 is a fifth more.

    `strength` is 0 (no season) to 1 (nothing but it): the share of the variance that the season explains, as in
    Hyndman and Athanasopoulos, Forecasting (2021), 4.3.
    """

    shares: tuple[float, ...]
    strength: float


@dataclass(frozen=True)
class LevelShift:
    """From `place` on the level is another: `before` and `after` are the usual values of both sides."""

    place: int
    before: float
    after: float

    @property
    def ratio(self) -> float:
        """How many times as much it is afterwards."""
        return self.after / self.before if self.before else float("inf")


def profile(values: Array, places: Sequence[int], period: int) -> Profile:
    """Return the profile over `period` places, without the moving median. `places`: that of each value."""
    where = np.asarray(places)
    mean = float(np.mean(values))
    if mean <= 0 or len(values) < 2 * period:
        return Profile((1.0,) * period, 0.0)
    # The mean over one whole period around each value, which no season of that period moves.
    sums, count = np.concatenate([[0.0], np.cumsum(values)]), len(values)
    low = np.clip(np.arange(count) - period // 2, 0, count - period)
    level = (sums[low + period] - sums[low]) / period
    ratio = values / np.where(level > 0, level, mean)
    shares = np.array([np.median(ratio[where == n]) if np.any(where == n) else 1.0 for n in range(period)])
    usual = float(np.mean(shares))
    if usual <= 0:  # at most times nothing was spent: a few days make no season
        return Profile((1.0,) * period, 0.0)
    shares = shares / usual
    around, rest = (ratio - float(np.mean(ratio))) ** 2, (ratio - shares[where]) ** 2
    most = 9 * np.median(around) + 1e-12
    spread, left = (float(np.mean(np.minimum(squares, most))) for squares in (around, rest))
    return Profile(tuple(map(float, shares)), max(0.0, min(1.0, 1 - left / spread)) if spread > 1e-9 else 0.0)


def level_shifts(days: Array, *, least: int = 5, most: int = 5) -> list[LevelShift]:
    """Return when the level of daily values changed for good, the oldest first; working weeks do not count.

    Binary segmentation (Scott and Knott 1974) over values without their weekly shape, on ranks scaled like normal
    ones, so one incident is not a level shift. A cut is kept where both sides hold `least` days or more, the level
    moves by a tenth at least, and the gain is beyond what noise gives (BIC).
    """
    if len(days) < 2 * least or float(np.mean(days)) <= 0:
        return []
    plain = _without_week(days)
    found = sorted(_cuts(np.clip(plain, *_fence(plain)), 0, least, most))
    levels = [float(np.median(plain[low:high])) for low, high in pairwise([0, *found, len(days)])]
    result = []
    for place, (before, after) in zip(found, pairwise(levels), strict=True):
        if abs(after - before) >= 0.1 * max(abs(before), abs(after), 1e-12):
            result.append(LevelShift(place, before, after))
    return result


def _without_week(days: Array) -> Array:
    if len(days) < 21:
        return days
    places = np.arange(len(days)) % 7
    shares = np.array(profile(days, places.tolist(), 7).shares)
    plain: Array = days / np.maximum(shares[places], 0.05)
    return plain


def _fence(values: Array) -> tuple[float, float]:
    """Return the bounds past which a value is an incident: three interquartile ranges outside the quartiles."""
    low, high = np.quantile(values, [0.25, 0.75])
    width = 3 * max(float(high - low), 1e-9 + 0.05 * float(np.median(np.abs(values))))
    return float(low) - width, float(high) + width


def _cuts(values: Array, offset: int, least: int, left: int) -> list[int]:
    count = len(values)
    if left <= 0 or count < 2 * least:
        return []
    places, whole = np.arange(least, count - least + 1), float(np.sum(values))
    left_sums = np.cumsum(values)[places - 1]
    gain = left_sums**2 / places + (whole - left_sums) ** 2 / (count - places) - whole**2 / count
    best = int(np.argmax(gain))
    # Noise by neighbours, which a change of level does not inflate; days after each other are alike: hence the 3.
    noise = float(np.median(np.abs(np.diff(values)))) / 0.954 + 1e-9 * float(np.mean(np.abs(values)) + 1e-12)
    if gain[best] < 3 * 2 * noise**2 * np.log(count):
        return []
    place = int(places[best])
    return [
        offset + place,
        *_cuts(values[:place], offset, least, left - 1),
        *_cuts(values[place:], offset + place, least, left - 1),
    ]


def strength_label(strength: float) -> str:
    """Say how strong a season is."""
    bounds = ((0.8, "very strong"), (0.6, "strong"), (0.35, "clear"), (0.15, "weak"))
    return next((word for least, word in bounds if strength >= least), "none to speak of")
