"""Forecasts many series at once: back-tests every model, mixes the best of each series, and keeps their errors.

The errors of the back-test are what intervals, landings and probabilities are made of: what the forecast was wrong
by on this very series, as far ahead as it is asked for. Nothing is assumed to be normal.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from outlay_reports.forecast.models import candidates
from outlay_reports.forecast.smoothing import Array

FOLDS = 12
"""Back-tests of each series at most."""
_BEST = 8
"""So many of the best models are mixed: a mean of good models is better than the best of a back-test."""


@dataclass(frozen=True)
class Forecast:
    """The next values of many series. Arrays are steps x series; `errors` is folds x steps x series."""

    mean: Array
    errors: Array
    """Actual minus forecast in the back-test; fewer steps than asked for where the history is short."""
    periods: tuple[int, ...]
    history: int
    """How many values there were."""
    unseen: bool = False
    """Whether a season that such series usually have was not there twice: a week of hours has seen one Saturday."""

    @property
    def tested(self) -> bool:
        """Whether there was enough history for a back-test; without, intervals are a guess, and wide."""
        return len(self.errors) > 0


def usable(periods: Sequence[int], length: int) -> tuple[int, ...]:
    """Return the seasons that a history shows twice and a half at least; two at most, the shortest first."""
    return tuple(period for period in periods if period > 1 and length >= 2.5 * period)[:2]


def forecast(values: Array, periods: Sequence[int], steps: int) -> Forecast:
    """Forecast `steps` of each series (series x time). `periods`: possible seasons, such as (24, 168) for hours."""
    series, length = values.shape
    seasons = usable(periods, length)
    # A season that was there once and a half can be repeated, but not learned.
    once = tuple(p for p in periods[:2] if p not in seasons and p > 1 and length >= 1.4 * p)
    start = max(2 * max(seasons, default=3), max(once, default=0))
    ahead = min(steps, max((length - start) // 2, 0))
    if length < 8 or ahead < 1:
        mean = np.repeat(np.mean(values[:, -3:], axis=1)[None, :], steps, axis=0)
        return Forecast(np.maximum(mean, 0.0), np.zeros((0, 1, series)), (), length, unseen=True)
    origins = _origins(start, length - ahead, min(ahead, max(seasons, default=1)))
    tests = candidates(values, seasons, [*origins, length], max(steps, ahead), once)
    errors = np.stack(
        [
            values[:, at : at + ahead].T[:, :, None] - found[:ahead]
            for at, found in zip(origins, tests[:-1], strict=True)
        ]
    )
    weights = _weights(errors)
    mean = np.einsum("hsm,sm->hs", tests[-1][:steps], weights)
    unseen = [p for p in _near(periods) if p <= length < 1.4 * p]
    if unseen:  # most such series have it, but no test could confirm it: take half
        mean = (mean + values[:, -unseen[0] :].T[np.arange(steps) % unseen[0]]) / 2
    honest = _honest(errors) * _larger(values, origins, max(_near(periods), default=3))[:, None, :]
    return Forecast(np.maximum(mean, 0.0), honest, seasons, length, _unseen(periods, length))


def _larger(values: Array, origins: Sequence[int], span: int) -> Array:
    """Return how many times the level of each fold is now (folds x series): what grows is wrong by more."""
    if origins[0] < span:  # a single day cannot tell weekends apart
        return np.ones((len(origins), len(values)))
    now = np.mean(np.abs(values[:, -span:]), axis=1)
    then = np.stack([np.mean(np.abs(values[:, max(at - span, 0) : at]), axis=1) for at in origins])
    found: Array = np.clip(now / np.maximum(then, 1e-12), 0.5, 3.0)
    return np.where((then > 0) & (now > 0), found, 1.0)


def _unseen(periods: Sequence[int], length: int) -> bool:
    """Tell whether the shortest season, or a week of days, is longer than what two of them would need."""
    return any(length < 1.4 * period for period in _near(periods))


def _near(periods: Sequence[int]) -> list[int]:
    """Return the shortest season, and a week of days."""
    return [p for p in periods[:2] if p <= 7 * periods[0]]


def _origins(first: int, last: int, stride: int) -> list[int]:
    """Return where back-tests begin: as late as may be, apart by up to a season, and never on the same hour only."""
    room = last - first
    count = min(FOLDS, room + 1)
    if count == 1:
        return [last]
    gap = max(min(room / (count - 1), max(stride, 1)), 1.0)
    return sorted({round(last - n * gap) for n in range(count) if last - n * gap >= first})


def _weights(errors: Array) -> Array:
    """Return the share of each model in each series (series x models) by its back-test; the best few only.

    The measure is the mean over folds of the square root of the mean squared error, halfway to the absolute error:
    one fold with an incident does not decide.
    """
    return mix(np.tensordot(_late(len(errors)), _losses(errors), 1))


def _losses(errors: Array) -> Array:
    """Return how wrong each model was in each fold: folds x series x models."""
    found: Array = np.sqrt(np.mean(errors**2, axis=1)) + np.mean(np.abs(errors), axis=1)
    return found


def _late(folds: int) -> Array:
    """Return the weights of folds, the oldest first: the last counts three times the first."""
    weights = np.linspace(1.0, 3.0, folds)
    found: Array = weights / np.sum(weights)
    return found


def mix(losses: Array) -> Array:
    """Return weights for losses (series x models): the best few, by the inverse of the loss to the fourth."""
    count = min(_BEST, losses.shape[1])
    worst = np.partition(losses, count - 1, axis=1)[:, count - 1 : count]
    inverse = np.where(losses <= worst, 1.0 / np.maximum(losses, 1e-12) ** 4, 0.0)
    weights: Array = inverse / np.sum(inverse, axis=1, keepdims=True)
    return weights


def _honest(errors: Array) -> Array:
    """Return the errors of the mix, each fold forecast by the weights that the other folds choose."""
    folds = len(errors)
    if folds < 3:
        mixed: Array = np.einsum("khsm,sm->khs", errors, _weights(errors))
        return mixed
    each = _losses(errors) * _late(folds)[:, None, None]
    whole = np.sum(each, axis=0)
    return np.stack([np.einsum("hsm,sm->hs", errors[k], mix(whole - each[k])) for k in range(folds)])
