"""What forecasts compete: smoothing on the plain and on the log scale, and what repeats the last seasons."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from outlay_reports.forecast.smoothing import Array, walk


@dataclass(frozen=True)
class Scale:
    """A log scale that bears zeros: log(1 + y / unit), with a unit for each series."""

    unit: Array

    def up(self, values: Array) -> Array:
        """Return values (series x time) on the log scale."""
        scaled: Array = np.log1p(np.maximum(values, 0.0) / self.unit[:, None])
        return scaled

    def down(self, values: Array) -> Array:
        """Return values (steps x series x sets) on the plain scale."""
        plain: Array = np.expm1(np.clip(values, 0.0, 50.0)) * self.unit[:, None]
        return plain


def candidates(
    values: Array, periods: Sequence[int], origins: Sequence[int], steps: int, once: Sequence[int] = ()
) -> list[Array]:
    """Return every model's forecast from each origin: steps x series x models. `once`: seasons only repeated."""
    mean = np.mean(np.abs(values[:, : origins[0]]), axis=1)
    scale = Scale(np.where(mean > 0, mean * 0.02, 1.0))
    plain = walk(values, periods, origins)
    logs = walk(scale.up(values), periods, origins)
    found = []
    for at, one, two in zip(origins, plain, logs, strict=True):
        # More than twice the highest value seen is a runaway trend, not a forecast.
        ceiling = 3.0 * np.max(np.abs(values[:, :at]), axis=1)[None, :, None] + 1e-12
        models = [
            one.ahead(steps),
            scale.down(two.ahead(steps)),
            repeats(values[:, :at], periods, steps, once),
        ]
        found.append(np.clip(np.concatenate(models, axis=2), 0.0, ceiling))
    return found


def repeats(past: Array, periods: Sequence[int], steps: int, once: Sequence[int] = ()) -> Array:
    """Return what repeats the last value, the last season, the mean of the last seasons, and that with growth."""
    found = [np.repeat(past[:, -1][None, :], steps, axis=0)]
    found.append(_drifted(past, steps, max(periods, default=1)))
    for period in once:
        last = _capped(past, period, min(periods, default=period))[np.arange(steps) % period]
        found += [last, last * _growth(past, period) ** (1 + np.arange(steps)[:, None] // period)]
    for period in periods:
        last = past[:, -period:].T
        found.append(last[np.arange(steps) % period])
        count = min(past.shape[1] // period, 4)
        if count > 1:
            # Seasons x series x period, the last season first.
            cut = past[:, past.shape[1] - count * period :].reshape(len(past), count, period)
            seasons = np.swapaxes(cut, 0, 1)[::-1]
            found.append(np.mean(seasons, axis=0).T[np.arange(steps) % period])
            found.append(_grown(seasons, steps))
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
    """Return by how much the values since a season ago are more than those of a season before them."""
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
