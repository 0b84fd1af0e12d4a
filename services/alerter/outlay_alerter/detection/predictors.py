"""One-step predictors: level, daily season, weekly season. The detector uses the one with the lowest recent error.

So a series without a weekly season loses nothing, and one week of history is enough to begin.
"""

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
READY = 24
"""With fewer, nothing is said."""
_FLOOR = 0.8
"""The spread of one window is at least so many usual distances."""
_EXTREME = 0.99
"""This share of the recent means is not extreme."""
_TAME = 3.0
"""A residual counts in means with at most so many spreads: a spike of an hour is not a bad morning."""
_SUSPECT = 0.6
"""From this share of its limit on, a mean is not taken for usual."""


class Residuals:
    """The newest residuals of one way to predict: how far from its prediction recent windows were.

    They come in units of what is usual at their time of the day: noon is noisier than night. Means of the last 1, few
    and many are each held against how such means were spread: one window far off is a spike, many that are a little
    off are a shift or a drift. The spread is taken from the series itself, so that residuals that remember each other
    need no model.
    """

    def __init__(self, spans: Spans) -> None:
        self._spans = spans
        self._rings = [Ring(KEPT) for _ in spans]
        self._recent: deque[float] = deque(maxlen=spans[-1][0] - 1)
        self._suspected = 0
        self._sigmas: dict[int, float] = {}
        """Spreads by span, while no residual is added: each is asked for many times a window."""

    @property
    def ready(self) -> bool:
        """Whether there are enough of them."""
        return len(self._rings[0]) >= READY

    def room(self, sign: float, sensitivity: float) -> float:
        """Return how far above (+1) or below (-1) of what is predicted the next window may be."""
        room = float("inf")
        for n, (span, _, _) in enumerate(self._spans):
            if len(self._rings[n]) >= max(READY, 4 * span):
                before = sign * sum(self._last(span - 1))
                room = min(room, span * self.limit(n, sign) / sensitivity - before)
        return max(room, self.sigma(0))

    def limit(self, n: int, sign: float) -> float:
        """Return the limit of the mean over span number `n`, on one side."""
        extreme = self._rings[n].quantile(_EXTREME if sign > 0 else 1 - _EXTREME) * sign
        _, spreads, beyond = self._spans[n]
        return max(spreads * self.sigma(n), extreme * beyond)

    def sigma(self, n: int) -> float:
        """Return the usual spread of the mean over span number `n`, as a standard deviation."""
        if n in self._sigmas:
            return self._sigmas[n]
        ring = self._rings[n]
        middle = (ring.quantile(0.75) - ring.quantile(0.25)) / 1.349
        tail = (ring.quantile(0.9) - ring.quantile(0.1)) / 2.563
        alone = (
            self.sigma(0) / sqrt(self._spans[n][0]) if n else _FLOOR
        )  # as if they knew nothing of each other
        self._sigmas[n] = max(middle, tail, alone)
        return self._sigmas[n]

    def push(self, residual: float, patience: int) -> None:
        """Add a residual. While something lasts, for at most `patience` windows, none counts as usual."""
        most = _TAME * self.sigma(0) if self.ready else float("inf")
        tame = max(-most, min(most, residual))
        means: list[float | None] = [residual]
        for span, _, _ in self._spans[1:]:
            recent = [*self._last(span - 1), tame]
            means.append(sum(recent) / span if len(recent) == span else None)
        self._recent.append(tame)
        suspect = self.ready and any(
            mean is not None and abs(mean) > _SUSPECT * self.limit(n, 1.0 if mean > 0 else -1.0)
            for n, mean in enumerate(means)
        )
        self._suspected = self._suspected + 1 if suspect else 0
        if 1 < self._suspected <= patience:
            return
        self._sigmas.clear()
        for ring, mean in zip(self._rings, means, strict=True):
            if mean is not None:
                ring.push(mean)

    def _last(self, count: int) -> list[float]:
        return list(self._recent)[-count:] if count else []


class Predictor:
    """One way to predict. `cycle` is the number of windows in its season, 0: it has none."""

    def __init__(self, cycle: int, passes: int, level_windows: int, spans: Spans) -> None:
        self._cycle = cycle
        self._patience = level_windows
        self._season = Season(passes)
        self._stride = max(1, cycle // _SAMPLES)
        self._base = Ring(max(cycle // self._stride, level_windows))
        """Its median is the level of a whole cycle: the season is what is left above it."""
        self.level = Ring(level_windows)
        self._near: dict[int, tuple[float, int]] = {}
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

    def predict(self, places: Sequence[int], reference: float | None = None) -> float | None:
        """Return what is likely; None: not known yet. `places` in the season: the first that is known counts.

        `reference`: the `shape` of an predictor of a shorter cycle.
        """
        usual = self._usual(places, reference)
        return None if usual is None or not len(self.level) else self.level.median() + usual

    def shape(self, places: Sequence[int], reference: float | None = None) -> float | None:
        """Return what is likely at the level of the whole cycle: what the seasons of two predictors have in common."""
        usual = self._usual(places, reference)
        return None if usual is None or not len(self._base) else self._base.median() + usual

    def _usual(self, places: Sequence[int], reference: float | None) -> float | None:
        if not self._cycle:
            return 0.0
        above = None if reference is None else reference - self._base.median()
        found = (self._season.usual(place, above) for place in places)
        return next((usual for usual in found if usual is not None), None)

    def unit(self, place: int) -> float:
        """Return the usual distance from the truth at a place: what residuals are measured in."""
        near, passes = self._near.get(place, (0.0, 0))
        overall = self.error if self._seen else 0.0
        return max(_SURE, (near * passes + overall * _PRIOR) / (passes + _PRIOR))

    def learn(
        self, places: Sequence[int], where: int, value: float, reference: float | None, *, usual: bool
    ) -> None:
        """Take the truth. Level and season are medians, which a spike does not move.

        `where` is the place that the noise depends on. How far off is usual is learned from what is cut to the limit,
        or, if somebody said that the value is `usual`, as it is.
        """
        above, tame = self._usual(places, reference), value
        if above is not None and len(self.level):
            if self.residuals.ready and not usual and (not self._cycle or self._season.known(places[0])):
                unit, middle = self.unit(where), self.level.median() + above
                most = middle + self.residuals.limit(0, 1.0) * unit
                tame = max(middle - self.residuals.limit(0, -1.0) * unit, min(most, value))
            left = value - self.level.median()
            seen = self._season.seen(places[0]) if self._cycle else None
            proven = seen is not None and abs(left - seen) < abs(left - above)  # what was doubted came again
            self._learn_residual(where, left - (seen if seen is not None and proven else above), usual=usual)
        if above is not None:
            self.level.push(value - above)
        elif not len(self.level):
            self.level.push(value)
        self._turn = (self._turn + 1) % self._stride
        if self._held:
            self._held -= 1
        elif not self._turn:
            self._base.push(tame)
        if self._cycle:
            self._season.learn(places[0], tame - self._base.median())

    def _learn_residual(self, where: int, residual: float, *, usual: bool) -> None:
        unit, far = self.unit(where), abs(residual)
        residual /= unit
        if self.residuals.ready:
            residual = max(-self.residuals.limit(0, -1.0), min(self.residuals.limit(0, 1.0), residual))
            far = far if usual else abs(residual) * unit
        self.residuals.push(residual, self._patience)
        self._seen = min(self._seen + 1, _FORGET)
        before = self.error if self._seen > 1 else 0.0
        self.error = before + (far - before) / self._seen
        near, passes = self._near.get(where, (0.0, 0))
        passes = min(passes + 1, _PASSES)
        self._near[where] = near + (far - near) / passes, passes
