"""Teaches many detectors their first windows side by side: what one learns alone, bit by bit, in a part of the time."""

from collections.abc import Sequence
from datetime import datetime
from math import isfinite

import numpy as np

from outlay_alerter.detection import predictors as one
from outlay_alerter.detection import robust_stats as stats
from outlay_alerter.detection.detector import Detector
from outlay_alerter.detection.many_series import Array, ResidualsOfMany, SeasonOfMany, median
from outlay_alerter.detection.tuning import DAY, Spans

_AT_ONCE = 512
"""Series side by side: enough for numpy to be quick, and little memory."""


def teach(
    detectors: Sequence[Detector], starts: Sequence[datetime], values: Sequence[Sequence[float]]
) -> list[bool]:
    """Teach new detectors of one tuning their whole first history; return which of them were taught.

    `values` is series x windows. A series without a size, or with a missing window (NaN), is left to `update`, and
    so are days, whose history is short.
    """
    taught = [False] * len(detectors)
    if detectors[0].tuning.step >= DAY:
        return taught
    for low in range(0, len(detectors), _AT_ONCE):
        rows = [
            n for n in range(low, min(low + _AT_ONCE, len(detectors)))
            if all(map(isfinite, values[n])) and detectors[n].begin_with(values[n])
        ]  # fmt: skip
        if rows:
            _teach([detectors[n] for n in rows], starts, [values[n] for n in rows])
        for n in rows:
            taught[n] = True
    return taught


def _teach(
    detectors: Sequence[Detector], starts: Sequence[datetime], values: Sequence[Sequence[float]]
) -> None:
    scaled = np.array([[d.scaled(v) for v in row] for d, row in zip(detectors, values, strict=True)])
    tuning, places = detectors[0].tuning, [detectors[0].places.find(at) for at in starts]
    known: list[ResidualsOfMany] = []
    for _ in range(2):
        learners = [_Learner(predictor, scaled, tuning.spans) for predictor in detectors[0].predictors]
        for learner, residuals in zip(learners, known, strict=False):
            learner.residuals = residuals
        for n, of_window in enumerate(places):
            reference: Array | None = None
            usual: list[Array | None] = []
            for learner, among in zip(learners, of_window, strict=True):
                usual.append(learner.usual(among, reference))
                reference = learner.shape(usual[-1])
            for learner, among, above in zip(learners, of_window, usual, strict=True):
                learner.learn(among[0], above, of_window[1][0], scaled[:, n])
        known = [learner.residuals for learner in learners]
    for row, detector in enumerate(detectors):
        for learner, predictor in zip(learners, detector.predictors, strict=True):
            learner.fill(predictor, row)


class _Learner:
    """`Predictor` of many series while they learn their first windows."""

    def __init__(self, model: one.Predictor, values: Array, spans: Spans) -> None:
        series, windows = values.shape
        self._model, self._first = model, values
        self._season = SeasonOfMany(series, *model.season_size)
        base = values[:, :: model.stride][:, -model.base_size :]
        self._base = median(base) if model.cycle else np.zeros(series)
        self._level, self._count = np.empty((series, windows)), 0
        self._far, self._passed = np.zeros((series, model.noises)), bytearray(model.noises)
        self._seen, self._error = 0, np.full(series, np.inf)
        self.residuals = ResidualsOfMany(series, spans)

    def usual(self, places: Sequence[int], reference: Array | None) -> Array | None:
        if not self._model.cycle:
            return np.zeros(len(self._base))
        above = None if reference is None else reference - self._base
        for place in places:
            usual = self._season.usual(place, above, places[-1])
            if usual is not None:
                return usual
        return None

    def shape(self, usual: Array | None) -> Array | None:
        return None if usual is None or not self._model.cycle else self._base + usual

    def learn(self, place: int, above: Array | None, where: int, value: Array) -> None:
        tame, season = value, self._season
        if above is not None and self._count:
            middle = median(self._level[:, max(0, self._count - self._model.level_windows) : self._count])
            expected, unit = middle + above, self._unit(where)
            passes = min(season.counts[place], stats.MANY) if self._model.cycle else stats.MANY
            if passes == stats.MANY:
                most, least = self.residuals.limit
                high, low = expected + most * unit, expected - least * unit
                tame = np.where(value > high, high, np.where(value < low, low, value))
            elif passes:
                seen = expected - above + season.seen(place)
                expected = np.where(np.abs(value - seen) < np.abs(value - expected), seen, expected)
            self._learn_residual(where, value - expected, unit)
        if above is not None or not self._count:
            self._level[:, self._count] = value if above is None else value - above
            self._count += 1
        if self._model.cycle:
            season.learn(place, tame - self._base)

    def _unit(self, where: int) -> Array:
        passes, overall = self._passed[where], self._error if self._seen else 0.0
        unit: Array = np.maximum(
            one.SURE, (self._far[:, where] * passes + overall * one.PRIOR) / (passes + one.PRIOR)
        )
        return unit

    def _learn_residual(self, where: int, residual: Array, unit: Array) -> None:
        far, residual = np.abs(residual), residual / unit
        most, least = self.residuals.limit
        cut = np.where(residual > most, most, np.where(residual < -least, -least, residual))
        far = np.where(cut == residual, far, np.abs(cut) * unit)
        self.residuals.push(cut, self._model.level_windows)
        self._seen = min(self._seen + 1, one.FORGET)
        before = self._error if self._seen > 1 else np.zeros(len(far))
        self._error = before + (far - before) / self._seen
        passes = self._passed[where] = min(self._passed[where] + 1, one.PASSES)
        self._far[:, where] += (far - self._far[:, where]) / passes

    def fill(self, predictor: one.Predictor, row: int) -> None:
        """Let a predictor know what was learned of one series."""
        predictor.know(
            self._season.of(row),
            self._first[row].tolist(),
            level=self._level[row, : self._count].tolist(),
            far=self._far[row].tolist(),
            passed=self._passed,
            seen=self._seen,
            error=float(self._error[row]),
            residuals=self.residuals.of(row),
        )
