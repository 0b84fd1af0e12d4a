"""One-step predictors: level, daily season, weekly season. The detector uses the one with the lowest recent error.

So a series without a weekly season loses nothing, and one week of history is enough to begin.
"""

from array import array
from collections import deque
from collections.abc import Sequence
from math import sqrt

from outlay_alerter.detection.robust_stats import Ring, Season
from outlay_alerter.detection.tuning import Spans

_FORGET = 336
"""Windows that an predictor's error is averaged over."""
_SAMPLES = 336
"""Values, evenly apart, whose median is the level of a cycle: a week has too many minutes to keep."""
_PASSES, _PRIOR = 20, 6
"""Passes that the usual distance at a place is averaged over; how many passes the average of all places counts as."""
_SURE = 0.03
"""No series is surer of itself than this share of its value."""


KEPT = 336
"""How many residuals tell the spread."""
_APART = 4
"""Of means over many windows so many are kept in the time of one span: those in between say the same."""
READY = 24
"""With fewer, nothing is said."""
_FLOOR = 0.8
"""The spread of one window is at least so many usual distances."""
_EXTREME = 0.99
"""This share of the recent means is not extreme."""
_TAME = 3.0
"""A residual counts in means with at most so many spreads: a spike of an hour is not a bad morning."""
_FRESH = 84
"""The share of new residuals, one of so many, from which on spreads are found again."""
_SUSPECT = 0.6
"""From this share of its limit on, a mean is not taken for usual."""


class Residuals:
    """The newest residuals of one way to predict: how far from its prediction recent windows were.

    They come in units of what is usual at their time of the day: noon is noisier than night. Means of the last 1, few
    and many are each held against how such means were spread: one window far off is a spike, many that are a little
    off are a shift or a drift. The spread is taken from the series itself, so that residuals that remember each other
    need no model.
    """

    __slots__ = (
        "_before", "_known", "_pushed", "_recent", "_rings", "_spans", "_stale", "_strides", "_suspected",
    )  # fmt: skip

    def __init__(self, spans: Spans) -> None:
        self._spans = spans
        self._strides = [max(1, span // _APART) for span, _, _ in spans]
        self._rings = [Ring(KEPT // stride, "f") for stride in self._strides]
        self._recent: deque[float] = deque([0.0] * (spans[-1][0] - 1))
        self._pushed = 0
        self._before = [0.0] * len(spans)
        """The sum of all residuals but the next one of each span."""
        self._suspected = 0
        self._known: list[tuple[float, float, float] | None] = [None] * len(spans)
        """The spread and the limits of each span, above and below; None: to be found."""
        self._stale = 0
        """Residuals since they were found: of many, one more hardly changes them."""

    @property
    def ready(self) -> bool:
        """Whether there are enough of them."""
        return len(self._rings[0]) >= READY

    def room(self, sign: float, sensitivity: float) -> float:
        """Return how far above (+1) or below (-1) of what is predicted the next window may be."""
        room = float("inf")
        for n, (span, _, _) in enumerate(self._spans):
            if len(self._rings[n]) * self._strides[n] >= max(READY, 4 * span):
                room = min(room, span * self.limit(n, sign) / sensitivity - sign * self._before[n])
        return max(room, self.sigma(0))

    def limit(self, n: int, sign: float) -> float:
        """Return the limit of the mean over span number `n`, on one side."""
        return (self._known[n] or self._find(n))[1 if sign > 0 else 2]

    def sigma(self, n: int) -> float:
        """Return the usual spread of the mean over span number `n`, as a standard deviation."""
        return (self._known[n] or self._find(n))[0]

    def _find(self, n: int) -> tuple[float, float, float]:
        quantile, (span, spreads, beyond) = self._rings[n].quantile, self._spans[n]
        middle = (quantile(0.75) - quantile(0.25)) / 1.349
        tail = (quantile(0.9) - quantile(0.1)) / 2.563
        alone = self.sigma(0) / sqrt(span) if n else _FLOOR  # as if they knew nothing of each other
        sigma = max(middle, tail, alone)
        up, down = quantile(_EXTREME), -quantile(1 - _EXTREME)
        found = sigma, max(spreads * sigma, up * beyond), max(spreads * sigma, down * beyond)
        self._known[n] = found
        return found

    def push(self, residual: float, patience: int) -> None:
        """Add a residual. While something lasts, for at most `patience` windows, none counts as usual."""
        ready, rings = self.ready, self._rings
        means = self._means(residual, tamed=ready)
        if ready:
            for n, mean in enumerate(means):
                if abs(mean) > _SUSPECT * self.limit(n, mean):
                    self._suspected += 1
                    break
            else:
                self._suspected = 0
        if 1 < self._suspected <= patience:
            return
        for ring, mean, stride in zip(rings, means, self._strides, strict=False):
            if not self._pushed % stride:
                ring.push(mean)
        self._stale += 1
        if self._stale * _FRESH > len(rings[0]):
            self._stale, self._known = 0, [None] * len(rings)

    def _means(self, residual: float, *, tamed: bool) -> list[float]:
        """Add a residual to those of now, and return the mean over each span that is full."""
        recent, before, tame = self._recent, self._before, residual
        if tamed:
            most = _TAME * self.sigma(0)
            tame = max(-most, min(most, residual))
        recent.append(tame)
        means = [residual]
        for n, (span, _, _) in enumerate(self._spans):
            if n:
                total = before[n] + tame
                if self._pushed >= span - 1:
                    means.append(total / span)
                before[n] = total - recent[-span]
        recent.popleft()
        self._pushed += 1
        return means


class Predictor:
    """One way to predict. `cycle` is the number of windows in its season, 0: it has none."""

    __slots__ = (
        "_base", "_cycle", "_far", "_held", "_passed", "_patience", "_season", "_seen", "_stride", "_turn",
        "error", "level", "residuals",
    )  # fmt: skip

    def __init__(
        self, cycle: int, passes: int, level_windows: int, spans: Spans, *, places: int, noises: int
    ) -> None:
        """Begin with nothing known. `places`: of the season; `noises`: that the noise depends on."""
        self._cycle = cycle
        self._patience = level_windows
        self._season = Season(passes, places if cycle else 0)
        self._stride = max(1, cycle // _SAMPLES)
        self._base = Ring(max(cycle // self._stride, level_windows))
        """Its median is the level of a whole cycle: the season is what is left above it."""
        self.level = Ring(level_windows)
        self._far, self._passed = array("d", bytes(8 * noises)), bytearray(noises)
        """Of each place that the noise depends on, the usual distance from the truth, and its passes."""
        self._held = self._turn = 0
        self._seen = 0
        self.residuals = Residuals(spans)
        self.error = float("inf")
        """Mean distance from the truth, the newest counting most."""

    def prime(self, values: Sequence[float], residuals: Residuals | None = None) -> None:
        """Take the level of the first cycle before it is learned: half of it would have another one.

        `residuals`: how far off is usual, where that is known from the same values.
        """
        self.residuals = residuals or self.residuals
        for value in values[:: self._stride]:
            self._base.push(value)
        self._held = len(values)

    def usual(self, places: Sequence[int], reference: float | None = None) -> float | None:
        """Return what is usual in a season, above its level; None: not known yet. The first place that is known counts.

        `reference`: the `shape` of a predictor of a shorter cycle.
        """
        if not self._cycle:
            return 0.0
        above = None if reference is None else reference - self._base.median()
        for place in places:
            usual = self._season.usual(place, above, places[-1])
            if usual is not None:
                return usual
        return None

    def shape(self, usual: float | None) -> float | None:
        """Return what is likely at the level of the whole cycle: what the seasons of two predictors have in common."""
        return None if usual is None or not len(self._base) else self._base.median() + usual

    def unit(self, place: int) -> float:
        """Return the usual distance from the truth at a place: what residuals are measured in."""
        passes, overall = self._passed[place], self.error if self._seen else 0.0
        return max(_SURE, (self._far[place] * passes + overall * _PRIOR) / (passes + _PRIOR))

    def learn(self, place: int, above: float | None, where: int, value: float, *, usual: bool) -> None:
        """Take the truth. Level and season are medians, which a spike does not move.

        `above`: what was usual at this `place` of the season. `where` is the place that the noise depends on. How far
        off is usual is learned from what is cut to the limit, or, if somebody said that the value is `usual`, as it is.
        """
        level, season, tame = self.level, self._season, value
        if above is not None and len(level):
            middle, residuals, unit = level.median(), self.residuals, self.unit(where)
            if residuals.ready and not usual and (not self._cycle or season.known(place)):
                most, least = residuals.limit(0, 1.0) * unit, residuals.limit(0, -1.0) * unit
                tame = max(middle + above - least, min(middle + above + most, value))
            left = value - middle
            seen = season.seen(place) if self._cycle else None
            proven = seen is not None and abs(left - seen) < abs(left - above)  # what was doubted came again
            self._learn_residual(
                where, left - (seen if seen is not None and proven else above), unit, usual=usual
            )
        if above is not None:
            level.push(value - above)
        elif not len(level):
            level.push(value)
        self._turn = (self._turn + 1) % self._stride
        if self._held:
            self._held -= 1
        elif not self._turn:
            self._base.push(tame)
        if self._cycle:
            season.learn(place, tame - self._base.median())

    def _learn_residual(self, where: int, residual: float, unit: float, *, usual: bool) -> None:
        residuals, far = self.residuals, abs(residual)
        residual /= unit
        if residuals.ready:
            residual = max(-residuals.limit(0, -1.0), min(residuals.limit(0, 1.0), residual))
            far = far if usual else abs(residual) * unit
        residuals.push(residual, self._patience)
        self._seen = min(self._seen + 1, _FORGET)
        before = self.error if self._seen > 1 else 0.0
        self.error = before + (far - before) / self._seen
        passes = min(self._passed[where] + 1, _PASSES)
        self._passed[where] = passes
        self._far[where] += (far - self._far[where]) / passes
