"""Teaches many detectors side by side: what one learns alone, bit by bit, in a part of the time."""

from collections.abc import Sequence
from datetime import datetime
from math import asinh, isfinite, isnan

import numpy as np

from outlay_alerter.detection.detector import Detector
from outlay_alerter.detection.many_predictors import Outlooks, PredictorOfMany, outlooks
from outlay_alerter.detection.many_series import Array, ResidualsOfMany
from outlay_alerter.detection.records import LEAST_RECORD
from outlay_alerter.detection.robust_stats import Ring
from outlay_alerter.detection.tuning import DAY

_AT_ONCE = 1024
"""Series side by side: enough for numpy to be quick, and little memory."""


def teach(
    detectors: Sequence[Detector], starts: Sequence[datetime], values: Sequence[Sequence[float]]
) -> list[int]:
    """Teach new detectors of one tuning their history; return how many windows each was taught, 0 for none.

    `values` is series x windows, from the first history on. What is taught ends before the first window that is missing
    (NaN), and before a return to an early level of fewer values: that is rare, and left to `update`. So is a series
    without a size or with a gap in its first history, and so are days, whose history is short.
    """
    taught, first = [0] * len(detectors), detectors[0].tuning.min_history
    if detectors[0].tuning.step >= DAY or len(starts) < first:
        return taught
    for low in range(0, len(detectors), _AT_ONCE):
        rows = [
            n for n in range(low, min(low + _AT_ONCE, len(detectors)))
            if all(map(isfinite, values[n][:first])) and detectors[n].begin_with(values[n][:first])
        ]  # fmt: skip
        if rows:
            classroom = _Classroom([detectors[n] for n in rows], starts, [values[n] for n in rows])
            classroom.teach_first(first)
            for n, count in zip(rows, classroom.teach_more(first), strict=True):
                taught[n] = count
    return taught


class _Classroom:
    """Detectors that are taught the same windows at the same time."""

    def __init__(
        self, detectors: Sequence[Detector], starts: Sequence[datetime], values: Sequence[Sequence[float]]
    ) -> None:
        self._detectors, self._at, self._values = detectors, starts, values
        self._scaled = np.array([_scaled(d, row) for d, row in zip(detectors, values, strict=True)])
        self._places = [detectors[0].places.find(at) for at in starts]
        self._learners: list[PredictorOfMany] = []

    def teach_first(self, windows: int) -> None:
        """Teach the first history, twice, as a detector alone does: the spreads of the first time are kept."""
        tuning, known = self._detectors[0].tuning, list[ResidualsOfMany]()
        for _ in range(2):
            self._learners = [
                PredictorOfMany(predictor, self._scaled[:, :windows], tuning.spans)
                for predictor in self._detectors[0].predictors
            ]
            for learner, residuals in zip(self._learners, known, strict=False):
                learner.residuals = residuals
            for n in range(windows):
                self._learn(n, self._consult(n))
            known = [learner.residuals for learner in self._learners]

    def teach_more(self, begin: int) -> list[int]:
        """Teach the windows after the first history; return how many each detector was taught in all."""
        taught = [0] * len(self._detectors)
        for learner in self._learners:
            learner.go_on()
        for n in range(begin, self._scaled.shape[1]):
            said = self._consult(n)
            where, scaled = self._places[n][1][0], self._scaled[:, n]
            found = outlooks(self._learners, said, where, self._detectors[0].tuning.sensitivity)
            for row, excess in enumerate(found.excesses(scaled)):
                if not taught[row] and not self._note(row, n, excess, found):
                    taught[row] = n
                    self._fill(row)
            self._learn(n, said)
        for row, count in enumerate(taught):
            if not count:
                taught[row] = self._scaled.shape[1]
                self._fill(row)
        return taught

    def _note(self, row: int, window: int, excess: float, found: Outlooks) -> bool:
        """Let a detector remember a window; False: it must go on alone with this one."""
        detector, value = self._detectors[row], self._values[row][window]
        if isnan(excess):
            return False
        fired, returned = False, list[Ring]()
        if not -1 <= excess <= 1 or (excess > LEAST_RECORD / 2 and value > detector.records.limit / 2):
            verdict, excess, levels = detector.decide(
                self._at[window], value, found.of(row), found.others(row), lambda lv: found.by_levels(row, lv)
            )
            fired, returned = verdict.fired, levels or returned
            if any(
                len(level) != len(one.level) for level, one in zip(returned, self._learners, strict=False)
            ):
                return False
        for level, learner in zip(returned, self._learners, strict=False):
            learner.level.put(row, level)
        detector.note(value, excess, fired=fired, returned=bool(returned), levels=lambda: self._levels(row))
        return True

    def _levels(self, row: int) -> list[Ring]:
        return [learner.level.ring(row) for learner in self._learners]

    def _consult(self, window: int) -> list[Array | None]:
        """Return what is usual in the season of each predictor, as a detector alone asks them."""
        reference: Array | None = None
        usual: list[Array | None] = []
        for learner, among in zip(self._learners, self._places[window], strict=True):
            usual.append(learner.usual(among, reference))
            reference = learner.shape(usual[-1])
        return usual

    def _learn(self, window: int, usual: Sequence[Array | None]) -> None:
        places = self._places[window]
        for learner, among, above in zip(self._learners, places, usual, strict=True):
            learner.learn(among[0], above, places[1][0], self._scaled[:, window])

    def _fill(self, row: int) -> None:
        detector = self._detectors[row]
        for learner, predictor in zip(self._learners, detector.predictors, strict=True):
            learner.fill(predictor, row)


def _scaled(detector: Detector, values: Sequence[float]) -> list[float]:
    """Return values on the scale of a detector."""
    unit = detector.unit
    return [asinh(value / unit) for value in values]
