"""Rings, residuals and seasons of many series side by side: what `robust_stats.py` and `predictors.py` keep of one.

Each line of an array is a series. Series have the same windows, so that passes and places are common to all.
"""

from array import array
from collections import deque
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from outlay_alerter.detection import predictors as one
from outlay_alerter.detection import robust_stats as stats
from outlay_alerter.detection.tuning import Spans

Array = NDArray[np.float64]
Rows = NDArray[np.intp]
"""Which of the series."""


def median(values: NDArray[np.floating]) -> Array:
    """Return the median of each line."""
    half, odd = divmod(values.shape[1], 2)
    if values.shape[1] > 1:
        values = np.sort(values, axis=1)
    found: Array = values[:, half].astype(float)
    return found if odd else (values[:, half - 1] + found) / 2


def _ring(size: int, kind: stats.Kind, values: NDArray[np.floating]) -> stats.Ring:
    by_size = array(kind, np.sort(values).tobytes())
    return stats.Ring.of(size, kind, array(kind, values.tobytes()), by_size)


class LevelsOfMany:
    """`Ring` of many series that take each value at the same time."""

    def __init__(self, series: int, size: int) -> None:
        self._size, self._begin, self._end = size, 0, 0
        self._values = np.empty((series, 4 * size))
        """The newest values by age, from `_begin` to `_end`; moved to the front when they reach the back."""
        self._median: Array | None = np.zeros(series)

    def __len__(self) -> int:
        return self._end - self._begin

    def push(self, value: Array) -> None:
        """Add a value to each; the oldest of full ones goes."""
        if self._end == self._values.shape[1]:
            kept = self._values[:, self._end - self._size + 1 :]
            self._values[:, : self._size - 1] = kept
            self._end = self._size - 1
        self._values[:, self._end] = value
        self._end += 1
        self._begin, self._median = max(0, self._end - self._size), None

    def extend(self, values: Array) -> None:
        """Take the newest values of many windows, of which none was known."""
        self._end = min(values.shape[1], self._size)
        self._values[:, : self._end], self._median = values[:, values.shape[1] - self._end :], None

    def median(self) -> Array:
        """Return the median of each, 0 of nothing."""
        if self._median is None:
            self._median = median(self._values[:, self._begin : self._end])
        return self._median

    def put(self, row: int, ring: stats.Ring) -> None:
        """Give one series other values, as many as each has."""
        self._values[row, self._begin : self._end] = ring.by_age
        self.median()[row] = ring.median()

    def ring(self, row: int) -> stats.Ring:
        """Return that of one series."""
        return _ring(self._size, "d", self._values[row, self._begin : self._end])


class RingsOfMany:
    """`Ring` of many series, which keep different numbers of values."""

    def __init__(self, series: int, size: int) -> None:
        self._size = size
        self._values = np.full((series, size), np.inf, np.float32)
        self.counts = np.zeros(series, np.int64)

    def push(self, values: Array, rows: Rows) -> None:
        """Add a value to some of the rings; the oldest of a full one goes."""
        self._values[rows, self.counts[rows] % self._size] = values[rows]
        self.counts[rows] += 1

    def quantiles(self, rows: Rows, shares: Sequence[float]) -> list[Array]:
        """Return the quantiles at `shares` of some of the rings."""
        counts = np.minimum(self.counts[rows], self._size)
        most, last, lines = int(counts.max()), np.maximum(counts - 1, 0), np.arange(len(rows))
        if not most:
            return [np.zeros(len(rows)) for _ in shares]
        sizes = self._values[rows, :most]
        sizes.sort(axis=1)
        sizes[counts == 0] = 0.0
        found: list[Array] = []
        for share in shares:
            places = share * last
            low = places.astype(np.int64)
            value, above = (sizes[lines, n].astype(float) for n in (low, np.minimum(low + 1, last)))
            found.append(value + (above - value) * (places - low))
        return found

    def ring(self, row: int) -> stats.Ring:
        """Return that of one series."""
        count, values = int(self.counts[row]), self._values[row]
        oldest = count % self._size if count > self._size else 0
        return _ring(self._size, "f", np.concatenate((values[oldest:count], values[:oldest])))


class ResidualsOfMany:
    """`Residuals` of many series."""

    def __init__(self, series: int, spans: Spans) -> None:
        self._spans, self._model = spans, one.Residuals(spans)
        self._rings = [RingsOfMany(series, size) for size in self._model.sizes]
        self._recent = deque([np.zeros(series)] * (spans[-1][0] - 1))
        self._before = [np.zeros(series) for _ in spans]
        self._suspected, self._stale = np.zeros(series, np.int64), np.zeros(series, np.int64)
        self._limits = np.full((len(spans), 3, series), np.inf)
        self._pushed = 0
        self.ready = False
        """Whether there are enough residuals to say anything."""

    @property
    def limit(self) -> Array:
        """How far above and below of what is predicted one window may be, for each series."""
        limit: Array = self._limits[0, 1:]
        return limit

    def rooms(self, sensitivity: float) -> tuple[Array, Array]:
        """Return how far above and below of what is predicted the next window may be, for each series."""
        least, above, below = self._limits[0]
        above, below = above / sensitivity, below / sensitivity
        for n, span, _ in self._model.longer:
            _, up, down = self._limits[n]
            above = np.minimum(span * up / sensitivity - self._before[n], above)
            below = np.minimum(span * down / sensitivity + self._before[n], below)
        return np.maximum(above, least), np.maximum(below, least)

    def push(self, residual: Array, patience: int) -> None:
        """Add a residual of each. While something lasts, for at most `patience` windows, none counts as usual."""
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
        self.ready = bool(counts.min() >= one.READY)
        if self.ready and len(rows := np.flatnonzero(self._stale * one.FRESH > counts)):
            self._find(rows)

    def _find(self, rows: Rows) -> None:
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
        limits = [(float(a), float(b), float(c)) for a, b, c in self._limits[:, :, row]] if self.ready else []
        return one.Residuals.of(
            self._spans,
            rings=[ring.ring(row) for ring in self._rings],
            recent=[float(residual[row]) for residual in self._recent],
            before=[float(total[row]) for total in self._before],
            limits=limits,
            counts=(self._pushed, int(self._suspected[row]), int(self._stale[row])),
        )


class SeasonOfMany:
    """`Season` of many series."""

    def __init__(self, series: int, passes: int, places: int) -> None:
        self._passes = passes
        self._values = np.zeros((places, series, passes), np.float32)
        self.counts = [0] * places
        self._place, self._now = -1, list[Array]()

    def _of(self, place: int) -> NDArray[np.float32]:
        return self._values[place, :, : min(self.counts[place], self._passes)]

    def usual(self, place: int, reference: Array | None, like: int) -> Array | None:
        """Return what is usual at a place, above the level; None: nothing was seen there. See `Season.usual`."""
        count = self.counts[place]
        if not count:
            return None
        values = self._of(place)
        middle = median(values)
        if count >= stats.MANY:
            return middle
        low, high = (one.astype(float) for one in (values.min(axis=1), values.max(axis=1)))
        far: Array | float = stats.FAR
        if reference is None:
            near = range(max(0, place - stats.AROUND), min(len(self.counts), place + stats.AROUND + 1))
            around = np.concatenate([self._of(n) for n in near if n != place], axis=1).astype(float)
            if around.shape[1] < stats.LEAST_AROUND:
                return middle
            reference = median(around)
            distances = np.sort(np.abs(around - reference[:, None]), axis=1)
            far = np.maximum(stats.FAR, 3 * (stats.TO_SIGMA * distances[:, around.shape[1] // 2]))
            if like not in (place, -1) and self.counts[like] >= stats.MANY:
                other = median(self._of(like))
                reference = np.where(np.abs(other - middle) < np.abs(reference - middle), other, reference)
        agreed = middle
        if count == 1:
            agreed = np.where(np.abs(low - reference) > far, reference, middle)
        nearer = np.where(np.abs(low - reference) <= np.abs(high - reference), low, high)
        return np.where(high - low <= far / 2, agreed, nearer)

    def seen(self, place: int) -> Array:
        """Return the median of what was seen at a place."""
        return median(self._of(place))

    def learn(self, place: int, value: Array) -> None:
        """Take the values of a window at a place; a pass over it is over with the first window of another place."""
        if place != self._place:
            if now := self._now:
                count = self.counts[self._place]
                passed = now[0] if len(now) == 1 else median(np.stack(now, axis=1))
                self._values[self._place, :, count % self._passes] = passed
                self.counts[self._place] = count + 1 if count < 2 * self._passes else count + 1 - self._passes
            self._place, self._now = place, []
        self._now.append(value)

    def of(self, row: int) -> stats.Season:
        """Return that of one series."""
        return stats.Season.of(
            self._passes, array("f", self._values[:, row].tobytes()), bytearray(self.counts), self._place,
            [float(value[row]) for value in self._now],
        )  # fmt: skip
