"""Exponential smoothing of many series at once: every series with every set of parameters in one walk over time.

The model is ETS(A, Ad, A) with two seasons (Taylor 2003, double seasonal Holt-Winters) and an AR(1) correction of
the last error. A library fits its parameters by an optimiser, series by series (statsforecast 2.1: 0.09 to 0.3 s for
four weeks of hours). Here a small grid of parameters is walked for all series side by side in numpy, and a
back-test over several steps ahead chooses among them: quicker by two orders, and chosen for what is asked.
Floats: a forecast is an estimate, no money that anybody is billed.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

_CLIP = 4.0
"""An error counts at most as so many mean absolute errors: one incident does not move the level for weeks."""

_ALPHAS = ((0.05, 0.2, 0.5, 0.9), (0.01, 0.05, 0.2, 0.5))
"""Smoothing of the level without and with seasons."""
_GAMMAS: tuple[tuple[tuple[float, ...], ...], ...] = (
    ((),),
    ((0.05,), (0.25,)),
    ((0.02, 0.1), (0.02, 0.35), (0.2, 0.2)),
)
"""Smoothing of each season: with none, one and two. Of two, the longer holds what the shorter cannot say."""


@dataclass(frozen=True)
class Grid:
    """Sets of parameters, side by side: smoothing of level, trend and each season; and which seasons are there."""

    alpha: Array
    beta: Array
    gammas: tuple[Array, ...]
    used: tuple[Array, ...]


def grid(seasons: int) -> Grid:
    """Return the sets of parameters for series with so many seasons (0, 1 or 2)."""
    rows: list[tuple[float, ...]] = []
    for count in range(seasons + 1):
        for alpha, beta, gamma in product(_ALPHAS[count > 0], (0.0, 0.1), _GAMMAS[count]):
            none = [0.0] * (seasons - count)
            rows.append((alpha, alpha * beta, *gamma, *none, *[1.0] * count, *none))
    alphas, betas, *columns = (np.array(column) for column in zip(*rows, strict=True))
    return Grid(alphas, betas, tuple(columns[:seasons]), tuple(columns[seasons:]))


@dataclass(frozen=True)
class State:
    """Where every series stands with every set of parameters after `at` values. All arrays: series x sets."""

    at: int
    level: Array
    trend: Array
    seasons: tuple[Array, ...]
    """Period x series x sets; the value of time t is at t modulo the period."""
    damping: float
    error: Array
    rho: Array
    """How much of an error is still there a step later."""

    def ahead(self, steps: int) -> Array:
        """Return the forecast of the next `steps` values: steps x series x sets."""
        h = np.arange(1, steps + 1)
        damped = np.cumsum(self.damping**h)[:, None, None]
        found = self.level + damped * self.trend + self.rho ** h[:, None, None] * self.error
        for season in self.seasons:
            found += season[(self.at + h - 1) % len(season)]
        return found


def walk(values: Array, periods: Sequence[int], origins: Sequence[int]) -> Iterator[State]:
    """Smooth `values` (series x time) and yield the state after each of `origins` values, which must grow.

    A state is good until the next is asked for: its seasons are those of the walk, not copies.
    The start takes its level and seasons from the first two of the longest period, so origins should be later.
    """
    sets = grid(len(periods))
    shape = len(values), len(sets.alpha)
    level, trend, seasons = _start(values, periods, sets)
    # A trend wears off over four seasons, which is as far as it was ever seen to last.
    damping = 1 - 1 / (4 * max(periods, default=6))
    error, cross = np.zeros(shape), np.zeros(shape)
    moves = np.mean(np.abs(np.diff(values[:, : max(2, origins[0])])), axis=1)
    size, square = np.full(shape, 1e-12) + moves[:, None], np.full(shape, 1e-12)
    wanted = set(origins)
    for t in range(max(wanted)):
        places = [season[t % len(season)] for season in seasons]
        base = level + damping * trend
        raw = values[:, t, None] - base
        for place in places:
            raw = raw - place
        bound = _CLIP * size
        now = np.clip(raw, -bound, bound)
        cross += now * error
        square += now * now
        size += 0.02 * (np.abs(raw) - size)
        level = base + sets.alpha * now
        trend = damping * trend + sets.beta * now
        rest = (1 - sets.alpha) * now
        for season, gamma in zip(seasons, sets.gammas, strict=True):
            season[t % len(season)] += gamma * rest
        error = now
        if t + 1 in wanted:
            rho = np.clip(cross / square, 0.0, 0.95)
            # What the level already took of the last error must not be counted twice.
            left = (1 - sets.alpha) * error
            yield State(t + 1, level, trend, tuple(seasons), damping, left, rho)


def _start(values: Array, periods: Sequence[int], sets: Grid) -> tuple[Array, Array, list[Array]]:
    """Return level, trend and seasons before the first value, by the first two of the longest season."""
    length = values.shape[1]
    period = max(periods, default=3)
    first = min(length, 2 * period)
    head = values[:, :first]
    slope = np.zeros(len(values))
    if periods and first == 2 * period:
        slope = (np.mean(head[:, period:], axis=1) - np.mean(head[:, :period], axis=1)) / period
    middle = np.arange(first) - (first - 1) / 2
    level = np.mean(head, axis=1)
    rest = head - level[:, None] - slope[:, None] * middle
    seasons = []
    for length_of, used in zip(periods, sets.used, strict=True):
        profile = np.stack([np.mean(rest[:, n::length_of], axis=1) for n in range(length_of)])
        rest = rest - profile[np.arange(first) % length_of].T
        seasons.append(profile[:, :, None] * used)
    trending = (sets.beta > 0) * 1.0
    start = level - slope * (first + 1) / 2
    return start[:, None] * trending + level[:, None] * (1 - trending), slope[:, None] * trending, seasons
