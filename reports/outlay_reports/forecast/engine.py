"""Forecasts many series at once: back-tests every model, mixes the best of each series, and keeps their errors.

The errors of the back-test are what intervals, landings and probabilities are made of: what the forecast was wrong
by on this very series, as far ahead as it is asked for. Nothing is assumed to be normal.
"""

from collections import defaultdict
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from outlay_reports.forecast.smoothing import Array, walk

K = TypeVar("K", bound=Hashable)
FOLDS = 12
"""Back-tests of each series at most."""
_AT_ONCE = 48
"""Series side by side: enough for numpy to be quick, and little memory."""
_BEST = 8
"""So many of the best models are mixed: a mean of good models is better than the best of a back-test."""


@dataclass(frozen=True)
class Forecast:
    """The next values of many series. Arrays are steps x series; `errors` is folds x steps x series."""

    mean: Array
    errors: Array
    """Actual minus forecast in the back-test; fewer steps than asked for where the history is short."""
    unseen: bool = False
    """Whether a season that such series usually have was not there twice: a week of hours has seen one Saturday."""

    @property
    def tested(self) -> bool:
        """Whether there was enough history for a back-test; without, intervals are a guess, and wide."""
        return len(self.errors) > 0


def batches(shapes: Sequence[K]) -> Iterator[tuple[K, list[int]]]:
    """Yield the places of series that have one shape and can be forecast side by side, some at once."""
    alike: dict[K, list[int]] = defaultdict(list)
    for place, shape in enumerate(shapes):
        alike[shape].append(place)
    for shape, places in alike.items():
        for first in range(0, len(places), _AT_ONCE):
            yield shape, places[first : first + _AT_ONCE]


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
        return Forecast(np.maximum(mean, 0.0), np.zeros((0, 1, series)), unseen=True)
    origins = _origins(start, length - ahead, min(ahead, max(seasons, default=1)))
    tests = candidates(values, seasons, [*origins, length], max(steps, ahead), once)
    pairs = zip(origins, tests[:-1], strict=True)
    errors = np.stack([values[:, at : at + ahead].T[:, :, None] - found[:ahead] for at, found in pairs])
    weights, mixed = _mixed(errors)
    mean = np.einsum("hsm,sm->hs", tests[-1][:steps], weights)
    near = [p for p in periods[:2] if p <= 7 * periods[0]]  # the shortest season, and a week of days
    unseen = [p for p in near if length < 1.4 * p]
    if once_seen := next((p for p in unseen if p <= length), 0):
        # Most such series have it, but no test could confirm it: take half.
        mean = (mean + values[:, -once_seen:].T[np.arange(steps) % once_seen]) / 2
    honest = mixed * _larger(values, origins, max(near, default=3))[:, None, :]
    return Forecast(np.maximum(mean, 0.0), honest, bool(unseen))


def _larger(values: Array, origins: Sequence[int], span: int) -> Array:
    """Return how many times the level of each fold is now (folds x series): what grows is wrong by more."""
    if origins[0] < span:  # a single day cannot tell weekends apart
        return np.ones((len(origins), len(values)))
    now = np.mean(np.abs(values[:, -span:]), axis=1)
    then = np.stack([np.mean(np.abs(values[:, max(at - span, 0) : at]), axis=1) for at in origins])
    found: Array = np.clip(now / np.maximum(then, 1e-12), 0.5, 3.0)
    return np.where((then > 0) & (now > 0), found, 1.0)


def _origins(first: int, last: int, stride: int) -> list[int]:
    """Return where back-tests begin: as late as may be, apart by up to a season, and never on the same hour only."""
    room = last - first
    count = min(FOLDS, room + 1)
    if count == 1:
        return [last]
    gap = max(min(room / (count - 1), max(stride, 1)), 1.0)
    return sorted({round(last - n * gap) for n in range(count) if last - n * gap >= first})


def _mixed(errors: Array) -> tuple[Array, Array]:
    """Return the share of each model in each series (series x models; the best few only), and the errors of the mix.

    The measure is the mean over folds of the square root of the mean squared error, halfway to the absolute error:
    one fold with an incident does not decide. The last fold counts three times the first. The errors of a fold are
    those of the weights that the other folds choose.
    """
    folds = len(errors)
    late = np.linspace(1.0, 3.0, folds)[:, None, None] / (2.0 * folds)
    losses = (np.sqrt(np.mean(errors**2, axis=1)) + np.mean(np.abs(errors), axis=1)) * late
    whole = np.sum(losses, axis=0)
    weights = [_mix(whole - one) if folds > 2 else _mix(whole) for one in losses]
    mixed = [np.einsum("hsm,sm->hs", *pair) for pair in zip(errors, weights, strict=True)]
    return _mix(whole), np.stack(mixed)


def _mix(losses: Array) -> Array:
    """Return weights for losses (series x models): the best few, by the inverse of the loss to the fourth."""
    count = min(_BEST, losses.shape[1])
    worst = np.partition(losses, count - 1, axis=1)[:, count - 1 : count]
    inverse = np.where(losses <= worst, 1.0 / np.maximum(losses, 1e-12) ** 4, 0.0)
    weights: Array = inverse / np.sum(inverse, axis=1, keepdims=True)
    return weights


def candidates(
    values: Array, periods: Sequence[int], origins: Sequence[int], steps: int, once: Sequence[int] = ()
) -> list[Array]:
    """Return every model's forecast from each origin: steps x series x models. `once`: seasons only repeated."""
    mean = np.mean(np.abs(values[:, : origins[0]]), axis=1)
    # A log scale that bears zeros: log(1 + y / unit), with a unit for each series.
    unit = np.where(mean > 0, mean * 0.02, 1.0)[:, None]
    plain = walk(values, periods, origins)
    logs = walk(np.log1p(np.maximum(values, 0.0) / unit), periods, origins)
    found = []
    for at, one, two in zip(origins, plain, logs, strict=True):
        # More than twice the highest value seen is a runaway trend, not a forecast.
        ceiling = 3.0 * np.max(np.abs(values[:, :at]), axis=1)[None, :, None] + 1e-12
        raised = np.expm1(np.clip(two.ahead(steps), 0.0, 50.0)) * unit
        models = [one.ahead(steps), raised, repeats(values[:, :at], periods, steps, once)]
        found.append(np.clip(np.concatenate(models, axis=2), 0.0, ceiling))
    return found


def repeats(past: Array, periods: Sequence[int], steps: int, once: Sequence[int] = ()) -> Array:
    """Return what repeats the last value, the last season, the mean of the last seasons, and that with growth."""
    found = [np.repeat(past[:, -1][None, :], steps, axis=0), _drifted(past, steps, max(periods, default=1))]
    ahead = np.arange(steps)
    for period in once:
        last = _capped(past, period, min(periods, default=period))[ahead % period]
        found += [last, last * _growth(past, period) ** (1 + ahead[:, None] // period)]
    for period in periods:
        found.append(past[:, -period:].T[ahead % period])
        count = min(past.shape[1] // period, 4)
        if count > 1:
            # Seasons x series x period, the last season first.
            cut = past[:, past.shape[1] - count * period :].reshape(len(past), count, period)
            seasons = np.swapaxes(cut, 0, 1)[::-1]
            found += [np.mean(seasons, axis=0).T[ahead % period], _grown(seasons, steps)]
    return np.stack(found, axis=2)


def _capped(past: Array, period: int, day: int) -> Array:
    """Return the last season, its incidents cut to three times what is usual at that hour: period x series."""
    last = past[:, -period:].T
    if period % day or past.shape[1] < 3 * day:
        return last
    whole = past[:, past.shape[1] % day :].reshape(len(past), -1, day)
    usual = np.tile(np.median(whole, axis=1).T, (period // day, 1))
    found: Array = np.where(usual > 0, np.minimum(last, 3 * usual), last)
    return found


def _growth(past: Array, period: int) -> Array:
    common = past.shape[1] - period
    if common < 1:
        return np.ones(len(past))
    later = np.sum(past[:, -common:], axis=1)
    before = np.sum(past[:, -common - period : -period], axis=1)
    # What little there is to compare says little: a few hours, or hardly any cost.
    trust = min(common / period, 1.0) ** 0.5
    found: Array = np.clip(later / np.maximum(before, 1e-12), 0.33, 3.0) ** trust
    return np.where(before > 0, found, 1.0)


def _drifted(past: Array, steps: int, period: int) -> Array:
    """Return the last season, growing on by as many percent a step as all of the history did."""
    span = min(period, past.shape[1] // 2)
    first, last = (np.mean(part, axis=1) for part in (past[:, :span], past[:, -span:]))
    rate = np.clip(last / np.maximum(first, 1e-12), 0.1, 10.0) ** (1 / max(past.shape[1] - span, 1))
    rate = np.where((first > 0) & (last > 0), rate, 1.0)
    ahead = np.arange(steps)[:, None]
    found: Array = past[:, -span:].T[np.arange(steps) % span] * rate ** (span * (1 + ahead // span))
    return found


def _grown(seasons: Array, steps: int) -> Array:
    """Return the usual season at the last level, with damped growth. `seasons`: newest first, x series x period."""
    count, _, period = seasons.shape
    sizes = np.maximum(np.mean(seasons, axis=2), 1e-12)
    shape = np.mean(seasons / sizes[:, :, None], axis=0)
    growth = np.clip((sizes[0] / sizes[-1]) ** (1 / (count - 1)), 0.5, 2.0) ** 0.8
    ahead = np.arange(steps)
    # The mean of the last season stands at its middle; growth wears off over four seasons.
    distance = (ahead + 0.5) / period + 0.5
    worn = 4 * (1 - np.exp(-distance / 4))
    found: Array = shape.T[ahead % period] * sizes[0] * growth ** worn[:, None]
    return found
