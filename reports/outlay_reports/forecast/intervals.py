"""Intervals from the errors of the back-test (conformal prediction), wider where there is little to go by.

Method: split conformal over rolling origins (Stankeviciute et al. 2021; Xu and Xie 2021). The errors of neighbouring
steps are pooled, scaled by how large errors usually are at that step, so that the far quantiles are not the
greatest of a dozen numbers.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from outlay_reports.forecast.engine import Forecast
from outlay_reports.forecast.smoothing import Array

LEVELS = (80, 95)
_FEW = {80: 1.2, 95: 2.2}
"""By how much quantiles of few folds fall short, over the number of folds: as Student's are wider than normal ones."""
UNSEEN = 1.6
"""How much wider intervals are where a usual season was not seen: what a weekend is, one week does not tell."""


@dataclass(frozen=True)
class Bands:
    """Lower and upper bounds by level; arrays are steps x series. None is below 0."""

    mean: Array
    lower: dict[int, Array]
    upper: dict[int, Array]

    def each(self, change: Callable[[Array], Array]) -> "Bands":
        """Return them with mean and bounds changed alike."""
        lower, upper = (
            {level: change(row) for level, row in side.items()} for side in (self.lower, self.upper)
        )
        return Bands(change(self.mean), lower, upper)

    def some(self, first: int, end: int | None) -> "Bands":
        """Return the steps from `first` to before `end`."""
        return self.each(lambda values: values[first:end])

    def of(self, series: Sequence[int]) -> "Bands":
        """Return some of the series."""
        return self.each(lambda values: values[:, series])

    def turned(self) -> "Bands":
        """Return steps as series and series as steps."""
        return self.each(np.transpose)


def joined(parts: Sequence[Bands]) -> Bands:
    """Return the steps of one after those of the other."""
    lower, upper = (
        {level: np.concatenate([side[level] for side in sides]) for level in LEVELS}
        for sides in ([part.lower for part in parts], [part.upper for part in parts])
    )
    return Bands(np.concatenate([part.mean for part in parts]), lower, upper)


def side_by_side(parts: Sequence[Bands]) -> Bands:
    """Return the series of one after those of the other."""
    return joined([part.turned() for part in parts]).turned()


def bands(found: Forecast, values: Array) -> Bands:
    """Return the intervals of a forecast. `values`: the history, series x time."""
    steps = found.mean.shape[0]
    if not found.tested:
        return _guess(found, values)
    scale = _scale(found.errors, steps, values)
    count = found.errors.shape[1]
    ratios = found.errors / scale[:count]
    # Each fold is one draw: its steps are not independent.
    seen = UNSEEN if found.unseen else 1.0
    lower, upper = {}, {}
    for level in LEVELS:
        low, high = _quantiles(ratios, level)
        stretch = seen * (1.0 + _FEW[level] / len(found.errors))
        lower[level] = np.maximum(found.mean - low * stretch * scale, 0.0)
        upper[level] = np.maximum(found.mean + high * stretch * scale, lower[level])
    return Bands(found.mean, lower, upper)


def _scale(errors: Array, steps: int, values: Array) -> Array:
    """Return how large an error usually is at each step (steps x series), smoothed over neighbouring steps.

    Past what was tested it grows with the distance to the 0.75: levels wander with its root, trends err with all of it.
    """
    folds, tested, series = errors.shape
    raw = np.mean(np.abs(errors), axis=0)
    whole = np.mean(raw, axis=0)
    floor = 1e-9 + 1e-3 * np.mean(np.abs(values), axis=1)
    width = min(max(tested // 8, 1), 6, (tested - 1) // 2)
    kernel = np.ones(2 * width + 1)
    counts = np.convolve(np.ones(tested), kernel, "same")
    near = np.stack([np.convolve(raw[:, n], kernel, "same") / counts for n in range(series)], axis=1)
    # Between this step's and all steps' mean error, by how much was seen.
    trust = folds / (folds + 4.0)
    smooth = np.maximum(trust * near + (1 - trust) * whole, floor)
    if steps <= tested:
        found: Array = smooth[:steps]
        return found
    last = np.mean(smooth[-max(tested // 4, 1) :], axis=0)
    more = (np.arange(tested + 1, steps + 1) / tested)[:, None] ** 0.85 * last
    return np.concatenate([smooth, more])


def _quantiles(ratios: Array, level: int) -> tuple[Array, Array]:
    """Return the bounds of each series in scales: half from the errors of one side, half from both."""
    pooled = ratios.reshape(-1, ratios.shape[2])
    count = len(pooled)
    rank = min(level / 100 * (count + 1) / count, 1.0)
    both = np.quantile(np.abs(pooled), rank, axis=0)
    tail = (1 - level / 100) / 2
    low = np.maximum(-np.quantile(pooled, max(tail - 1 / count, 0.0), axis=0), 0.0)
    high = np.maximum(np.quantile(pooled, min(1 - tail + 1 / count, 1.0), axis=0), 0.0)
    return (both + low) / 2, (both + high) / 2


def _guess(found: Forecast, values: Array) -> Bands:
    """Return wide bounds where nothing could be tested: by how much values differ, or by their own size."""
    steps = np.arange(1, len(found.mean) + 1)[:, None]
    size = np.mean(np.abs(values), axis=1)
    moves = np.mean(np.abs(np.diff(values, axis=1)), axis=1) if values.shape[1] > 2 else size
    spread = np.maximum(moves, 0.5 * size) * np.sqrt(steps)
    lower = {level: np.maximum(found.mean - width * spread, 0.0) for level, width in ((80, 1.5), (95, 3.0))}
    upper = {level: found.mean + width * spread for level, width in ((80, 1.5), (95, 3.0))}
    return Bands(found.mean, lower, upper)
