"""Predictors of many series side by side: what `predictors.py` keeps of one."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from outlay_alerter.detection import predictors as one
from outlay_alerter.detection import robust_stats as stats
from outlay_alerter.detection.detector import LONGER, Outlook
from outlay_alerter.detection.many_series import Array, LevelsOfMany, ResidualsOfMany, SeasonOfMany
from outlay_alerter.detection.tuning import Spans


class PredictorOfMany:
    """`Predictor` of many series."""

    def __init__(self, model: one.Predictor, first: Array, spans: Spans) -> None:
        """`first` is series x windows of the first history, whose level is known before it is learned."""
        series = len(first)
        self._model, self._season = model, SeasonOfMany(series, *model.season_size)
        self._base = LevelsOfMany(series, model.base_size)
        if model.cycle:
            self._base.extend(first[:, :: model.stride])
        self._held, self._turn = True, first.shape[1] % model.stride
        self.level = LevelsOfMany(series, model.level_windows)
        self._far, self._passed = np.zeros((series, model.noises)), bytearray(model.noises)
        self._seen, self.error = 0, np.full(series, np.inf)
        self.residuals = ResidualsOfMany(series, spans)

    def go_on(self) -> None:
        """Learn the level of a cycle from now on: the first history is over."""
        self._held = False

    def usual(self, places: Sequence[int], reference: Array | None) -> Array | None:
        """Return what is usual in a season, above its level; None: not known yet. See `Predictor.usual`."""
        if not self._model.cycle:
            return np.zeros(len(self.error))
        above = None if reference is None else reference - self._base.median()
        for place in places:
            usual = self._season.usual(place, above, places[-1])
            if usual is not None:
                return usual
        return None

    def shape(self, usual: Array | None) -> Array | None:
        """Return what is likely at the level of the whole cycle; of the level alone nothing."""
        return None if usual is None or not self._model.cycle else self._base.median() + usual

    def learn(self, place: int, above: Array | None, where: int, value: Array) -> None:
        """Take the truth. See `Predictor.learn`."""
        tame, season, cycle = value, self._season, self._model.cycle
        if above is not None and len(self.level):
            expected, unit = self.level.median() + above, self.unit(where)
            passes = min(season.counts[place], stats.MANY) if cycle else stats.MANY
            if passes == stats.MANY:
                if cycle:
                    most, least = self.residuals.limit
                    tame = np.minimum(np.maximum(value, expected - least * unit), expected + most * unit)
            elif passes:
                seen = expected - above + season.seen(place)
                expected = np.where(np.abs(value - seen) < np.abs(value - expected), seen, expected)
            self._learn_residual(where, value - expected, unit)
        if above is not None or not len(self.level):
            self.level.push(value if above is None else value - above)
        if not cycle:
            return
        if not self._held:
            self._turn = (self._turn + 1) % self._model.stride
            if not self._turn:
                self._base.push(tame)
        season.learn(place, tame - self._base.median())

    def unit(self, where: int) -> Array:
        """Return the usual distance from the truth at a place: what residuals are measured in."""
        passes, overall = self._passed[where], self.error if self._seen else 0.0
        unit: Array = (self._far[:, where] * passes + overall * one.PRIOR) / (passes + one.PRIOR)
        return np.maximum(unit, one.SURE)

    def _learn_residual(self, where: int, residual: Array, unit: Array) -> None:
        far, residual = np.abs(residual), residual / unit
        most, least = self.residuals.limit
        cut = np.minimum(np.maximum(residual, -least), most)
        far = np.where(cut == residual, far, np.abs(cut) * unit)
        self.residuals.push(cut, self._model.level_windows)
        self._seen = min(self._seen + 1, one.FORGET)
        before = self.error if self._seen > 1 else np.zeros(len(far))
        self.error = before + (far - before) / self._seen
        passes = self._passed[where] = min(self._passed[where] + 1, one.PASSES)
        self._far[:, where] += (far - self._far[:, where]) / passes

    def fill(self, predictor: one.Predictor, row: int) -> None:
        """Let a predictor know what was learned of one series."""
        predictor.know(
            self._season.of(row), self._base.ring(row), self.level.ring(row), far=self._far[row].tobytes(),
            passed=self._passed, turn=self._turn if self._model.cycle else 0, seen=self._seen,
            error=float(self.error[row]), residuals=self.residuals.of(row),
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Outlooks:
    """`Outlook` of many series, each by its best predictor."""

    predicted: Array
    up: Array
    down: Array
    best: NDArray[np.intp]
    """The number of the predictor of each."""
    level: Array
    """Its level."""
    alone: tuple[Array, Array]
    """The limits above and below, whatever was before."""

    def excesses(self, scaled: Array) -> Array:
        """Return the distance of each value from what is likely, in multiples of the limit."""
        residual = scaled - self.predicted
        found: Array = residual / np.where(residual > 0, self.up, self.down)
        return found

    def of(self, row: int) -> Outlook:
        """Return that of one series."""
        return float(self.predicted[row]), float(self.up[row]), float(self.down[row])

    def by_levels(self, row: int, levels: Sequence[stats.Ring]) -> Outlook:
        """Return that of one series by other levels of its predictors."""
        other = levels[self.best[row]].median() - float(self.level[row])
        return float(self.predicted[row]) + other, float(self.alone[0][row]), float(self.alone[1][row])


def best_of(
    learners: Sequence[PredictorOfMany], said: Sequence[Array | None], where: int, sensitivity: float
) -> Outlooks:
    """Return the outlook of each series by the predictor with the lowest recent error.

    `said`: what is usual by each predictor. That of the level knows something after the first history.
    """
    found: list[tuple[Array, ...]] = []
    best, error = np.zeros(len(learners[0].error), np.intp), learners[0].error
    for n, (learner, above) in enumerate(zip(learners, said, strict=True)):
        if above is None or not learner.residuals.ready:
            found.append(found[0])
            continue
        unit, level = learner.unit(where), learner.level.median()
        (high, low), (up, down) = learner.residuals.limit, learner.residuals.rooms(sensitivity)
        found.append(
            (level + above, up * unit, down * unit, level, high / sensitivity * unit, low / sensitivity * unit)
        )
        better = learner.error < error * LONGER
        best, error = np.where(better, n, best), np.where(better, learner.error, error)
    lines = np.arange(len(best))
    predicted, up, down, level, high, low = (np.stack(many)[best, lines] for many in zip(*found, strict=True))
    return Outlooks(predicted, up, down, best, level, (high, low))
