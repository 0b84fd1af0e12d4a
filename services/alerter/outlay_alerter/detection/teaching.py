"""Teaches many detectors their first windows side by side: what one learns alone, bit by bit, in a part of the time.

Each line of an array is a series. Series have the same windows, so that passes and places are common to all.
"""

from array import array
from collections import deque
from collections.abc import Sequence
from datetime import datetime
from math import isfinite

import numpy as np
from numpy.typing import NDArray

from outlay_alerter.detection import predictors as one
from outlay_alerter.detection import robust_stats as stats
from outlay_alerter.detection.detector import Detector
from outlay_alerter.detection.tuning import DAY, Spans

Array = NDArray[np.float64]
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
    tuning, places = detectors[0].tuning, [detectors[0].places(at) for at in starts]
    known: list[_Residuals] = []
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


def _median(values: Array) -> Array:
    """Return the median of each line."""
    values = np.sort(values, axis=1)
    half, odd = divmod(values.shape[1], 2)
    found: Array = values[:, half] if odd else (values[:, half - 1] + values[:, half]) / 2
    return found


class _Rings:
    """`Ring` of many series, which keep different numbers of values."""

    def __init__(self, series: int, size: int) -> None:
        self._size = size
        self._values = np.full((series, size), np.inf, np.float32)
        self.counts = np.zeros(series, np.int64)

    def push(self, values: Array, rows: NDArray[np.intp]) -> None:
        self._values[rows, self.counts[rows] % self._size] = values[rows]
        self.counts[rows] += 1

    def quantiles(self, rows: NDArray[np.intp], shares: Sequence[float]) -> list[Array]:
        counts = np.minimum(self.counts[rows], self._size)
        most, last, lines = int(counts.max()), np.maximum(counts - 1, 0), np.arange(len(rows))
        if not most:
            return [np.zeros(len(rows)) for _ in shares]
        sizes = np.sort(self._values[rows, :most], axis=1)
        sizes[counts == 0] = 0.0
        found: list[Array] = []
        for share in shares:
            places = share * last
            low = places.astype(np.int64)
            value, above = (sizes[lines, n].astype(float) for n in (low, np.minimum(low + 1, last)))
            found.append(value + (above - value) * (places - low))
        return found

    def ring(self, row: int) -> stats.Ring:
        count = int(self.counts[row])
        oldest = count % self._size if count > self._size else 0
        values = np.roll(self._values[row, : min(count, self._size)], -oldest)
        return stats.Ring.of(self._size, "f", values.tolist())


class _Residuals:
    """`Residuals` of many series."""

    def __init__(self, series: int, spans: Spans) -> None:
        self._spans, self._model = spans, one.Residuals(spans)
        self._rings = [_Rings(series, size) for size in self._model.sizes]
        self._recent = deque([np.zeros(series)] * (spans[-1][0] - 1))
        self._before = [np.zeros(series) for _ in spans]
        self._suspected, self._stale = np.zeros(series, np.int64), np.zeros(series, np.int64)
        self._limits = np.full((len(spans), 3, series), np.inf)
        self._pushed, self._ready = 0, False

    @property
    def limit(self) -> Array:
        limit: Array = self._limits[0, 1:]
        return limit

    def push(self, residual: Array, patience: int) -> None:
        sigma, up, down = self._limits[0]
        most = one.TAME * sigma
        tame = np.where(residual > most, most, np.where(residual < -most, -most, residual))
        suspected = (residual > one.SUSPECT * up) | (-residual > one.SUSPECT * down)
        self._recent.append(tame)
        means = [(0, residual)]
        for n, span, stride in self._model.longer:
            total = self._before[n] + tame
            self._before[n] = total - self._recent[-span]
            if self._pushed >= span - 1:
                mean, (_, up, down) = total / span, self._limits[n]
                suspected |= (mean > one.SUSPECT * up) | (-mean > one.SUSPECT * down)
                if (self._pushed + 1) % stride == 0:
                    means.append((n, mean))
        self._recent.popleft()
        self._pushed += 1
        self._suspected = np.where(suspected, self._suspected + 1, 0)
        rows = np.flatnonzero((self._suspected <= 1) | (self._suspected > patience))
        for n, mean in means:
            self._rings[n].push(mean, rows)
        self._stale[rows] += 1
        counts = np.minimum(self._rings[0].counts, one.KEPT)
        self._ready = bool(counts.min() >= one.READY)
        if self._ready and len(rows := np.flatnonzero(self._stale * one.FRESH > counts)):
            self._find(rows)

    def _find(self, rows: NDArray[np.intp]) -> None:
        self._stale[rows] = 0
        for n, (ring, need) in enumerate(zip(self._rings, self._model.needs, strict=True)):
            span, spreads, beyond = self._spans[n]
            least, low, first, third, high, most = ring.quantiles(rows, one.SHARES)
            alone = self._limits[0, 0, rows] / np.sqrt(span) if n else one.FLOOR
            sigma = np.maximum(np.maximum((third - first) / 1.349, (high - low) / 2.563), alone)
            far = np.where(ring.counts[rows] >= need, spreads * sigma, np.inf)
            self._limits[n][:, rows] = sigma, np.maximum(far, most * beyond), np.maximum(far, -least * beyond)

    def of(self, row: int) -> one.Residuals:
        """Return those of one series."""
        limits = (
            [(float(a), float(b), float(c)) for a, b, c in self._limits[:, :, row]] if self._ready else []
        )
        return one.Residuals.of(
            self._spans,
            rings=[ring.ring(row) for ring in self._rings],
            recent=[float(residual[row]) for residual in self._recent],
            before=[float(total[row]) for total in self._before],
            limits=limits,
            counts=(self._pushed, int(self._suspected[row]), int(self._stale[row])),
        )


class _Season:
    """`Season` of many series."""

    def __init__(self, series: int, passes: int, places: int) -> None:
        self._passes = passes
        self._values = np.zeros((series, places, passes), np.float32)
        self.counts = [0] * places
        self._place, self._now = -1, list[Array]()

    def _of(self, place: int) -> Array:
        return self._values[:, place, : min(self.counts[place], self._passes)].astype(float)

    def usual(self, place: int, reference: Array | None, like: int) -> Array | None:
        count = self.counts[place]
        if not count:
            return None
        values = self._of(place)
        middle = _median(values)
        if count >= stats.MANY:
            return middle
        low, high, far = values.min(axis=1), values.max(axis=1), np.full(len(values), stats.FAR)
        if reference is None:
            near = range(max(0, place - stats.AROUND), min(len(self.counts), place + stats.AROUND + 1))
            around = np.concatenate([self._of(n) for n in near if n != place], axis=1)
            if around.shape[1] < stats.LEAST_AROUND:
                return middle
            reference = _median(around)
            distances = np.sort(np.abs(around - reference[:, None]), axis=1)
            far = np.maximum(stats.FAR, 3 * (stats.TO_SIGMA * distances[:, around.shape[1] // 2]))
            if like not in (place, -1) and self.counts[like] >= stats.MANY:
                other = _median(self._of(like))
                reference = np.where(np.abs(other - middle) < np.abs(reference - middle), other, reference)
        agreed = middle
        if count == 1:
            agreed = np.where(np.abs(low - reference) > far, reference, middle)
        nearer = np.where(np.abs(low - reference) <= np.abs(high - reference), low, high)
        return np.where(high - low <= far / 2, agreed, nearer)

    def seen(self, place: int) -> Array:
        return _median(self._of(place))

    def learn(self, place: int, value: Array) -> None:
        if place != self._place:
            if self._now:
                self._values[:, self._place, self.counts[self._place] % self._passes] = _median(
                    np.stack(self._now, axis=1)
                )
                count = self.counts[self._place] + 1
                self.counts[self._place] = count if count <= 2 * self._passes else count - self._passes
            self._place, self._now = place, []
        self._now.append(value)

    def of(self, row: int) -> stats.Season:
        """Return that of one series."""
        return stats.Season.of(
            self._passes, array("f", self._values[row].tobytes()), bytearray(self.counts), self._place,
            [float(value[row]) for value in self._now],
        )  # fmt: skip


class _Learner:
    """`Predictor` of many series while they learn their first windows."""

    def __init__(self, model: one.Predictor, values: Array, spans: Spans) -> None:
        series, windows = values.shape
        self._model, self._first = model, values
        self._season = _Season(series, *model.season_size)
        base = values[:, :: model.stride][:, -model.base_size :]
        self._base = _median(base) if model.cycle else np.zeros(series)
        self._level, self._count = np.empty((series, windows)), 0
        self._far, self._passed = np.zeros((series, model.noises)), bytearray(model.noises)
        self._seen, self._error = 0, np.full(series, np.inf)
        self.residuals = _Residuals(series, spans)

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
            middle = _median(self._level[:, max(0, self._count - self._model.level_windows) : self._count])
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
