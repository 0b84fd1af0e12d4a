"""Predictors of many series side by side: what `predictors.py` keeps of one."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from outlay_alerter.detection import predictors as one
from outlay_alerter.detection import robust_stats as stats
from outlay_alerter.detection.many_series import Array, LevelsOfMany, ResidualsOfMany, Rows, SeasonOfMany
from outlay_alerter.detection.outlook import COMPARABLE, LONGER, Outlook
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


Lines = tuple[Array, Array, Array]
"""`Outlook` of many series."""


@dataclass(frozen=True, slots=True)
class Outlooks:
    """What is likely of one window of many series, each by its best predictor."""

    learners: Sequence[PredictorOfMany]
    by: Sequence[Lines | None]
    """By each predictor; None: it says nothing."""
    best: Rows
    """The number of the best predictor of each."""
    where: int
    """The place that the noise depends on."""
    sensitivity: float

    def excesses(self, scaled: Array) -> list[float]:
        """Return the distance of each value from what is likely, in multiples of the limit."""
        lines, rows = [one or self.by[0] for one in self.by], np.arange(len(self.best))
        predicted, up, down = (np.stack(many)[self.best, rows] for many in zip(*lines, strict=True))
        residual = scaled - predicted
        found: list[float] = (residual / np.where(residual > 0, up, down)).tolist()
        return found

    def of(self, row: int) -> Outlook:
        """Return that of one series."""
        return self._of(self.by[self.best[row]], row)

    def _of(self, lines: Lines | None, row: int) -> Outlook:
        predicted, up, down = lines or (np.zeros(row + 1),) * 3
        return float(predicted[row]), float(up[row]), float(down[row])

    def others(self, row: int) -> Iterator[Outlook]:
        """Return those of one series by the predictors that are about as good. See `outlook.others`."""
        best = self.best[row]
        most = COMPARABLE * self.learners[best].error[row]
        for n, lines in enumerate(self.by):
            if lines is not None and n != best and self.learners[n].error[row] < most:
                yield self._of(lines, row)

    def by_levels(self, row: int, levels: Sequence[stats.Ring]) -> Outlook:
        """Return that of one series by other levels of its predictors. See `outlook.alone`."""
        n = int(self.best[row])
        learner, unit = self.learners[n], float(self.learners[n].unit(self.where)[row])
        up, down = (float(limit[row]) / self.sensitivity * unit for limit in learner.residuals.limit)
        return self.of(row)[0] + (levels[n].median() - float(learner.level.median()[row])), up, down


def outlooks(
    learners: Sequence[PredictorOfMany], said: Sequence[Array | None], where: int, sensitivity: float
) -> Outlooks:
    """Return the outlooks of many series after their first history, in which each learned its level.

    `said`: what is usual by each predictor.
    """
    by: list[Lines | None] = []
    best, limit = np.zeros(len(learners[0].error), np.intp), learners[0].error * LONGER
    for n, (learner, above) in enumerate(zip(learners, said, strict=True)):
        if above is None or not learner.residuals.ready:
            by.append(None)
            continue
        unit, (up, down) = learner.unit(where), learner.residuals.rooms(sensitivity)
        by.append((learner.level.median() + above, up * unit, down * unit))
        better = learner.error < limit
        best, limit = np.where(better, n, best), np.where(better, learner.error * LONGER, limit)
    return Outlooks(learners, by, best, where, sensitivity)
