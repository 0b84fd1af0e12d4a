"""One-step predictors: level, daily season, weekly season. The detector uses the one with the lowest recent error.

So a series without a weekly season loses nothing, and one week of history is enough to begin.
"""

# ruff: noqa: FURB136 (in what runs for each window, min and max take three times as long)

from array import array
from collections import deque
from collections.abc import Sequence
from functools import lru_cache
from math import inf, sqrt

from outlay_alerter.detection.robust_stats import MANY, Ring, Season
from outlay_alerter.detection.tuning import Spans

FORGET = 336
"""Windows that an predictor's error is averaged over."""
_SAMPLES = 336
"""Values, evenly apart, whose median is the level of a cycle: a week has too many minutes to keep."""
PASSES, PRIOR = 20, 6
"""Passes that the usual distance at a place is averaged over; how many passes the average of all places counts as."""
SURE = 0.03
"""No series is surer of itself than this share of its value."""


KEPT = 336
"""How many residuals tell the spread."""
_APART = 4
"""Of means over many windows so many are kept in the time of one span: those in between say the same."""
READY = 24
"""With fewer, nothing is said."""
FLOOR = 0.8
"""The spread of one window is at least so many usual distances."""
SHARES = 0.01, 0.1, 0.25, 0.75, 0.9, 0.99
"""Of recent means these tell the spread; what is between the first and the last is not extreme."""
TAME = 3.0
"""A residual counts in means with at most so many spreads: a spike of an hour is not a bad morning."""
FRESH = 28
"""The share of new residuals, one of so many, from which on spreads are found again."""
SUSPECT = 0.6
"""From this share of its limit on, a mean is not taken for usual."""


@lru_cache(16)
def _means(spans: Spans) -> tuple[Sequence[tuple[int, int, int]], Sequence[int], Sequence[float]]:
    """Return how means are kept.

    Number, windows and windows from one mean to the next of each span but the first; how many means are kept of each
    span; and how many of them tell how such means are spread.
    """
    longer = [(n, span, max(1, span // _APART)) for n, (span, _, _) in enumerate(spans)][1:]
    strides = [1, *(stride for _, _, stride in longer)]
    needs = [max(READY, 4 * span) / n for (span, _, _), n in zip(spans, strides, strict=True)]
    return longer, [KEPT // stride for stride in strides], needs


class Residuals:
    """The newest residuals of one way to predict: how far from its prediction recent windows were.

    They come in units of what is usual at their time of the day: noon is noisier than night. Means of the last 1, few
    and many are each held against how such means were spread: one window far off is a spike, many that are a little
    off are a shift or a drift. The spread is taken from the series itself, so that residuals that remember each other
    need no model.
    """

    __slots__ = (
        "_before", "_limits", "_pushed", "_recent", "_rings", "_spans", "_stale", "_suspected",
        "limit", "longer", "needs", "ready", "sizes",
    )  # fmt: skip

    def __init__(self, spans: Spans, rings: list[Ring] | None = None) -> None:
        self._spans = spans
        self.longer, self.sizes, self.needs = _means(spans)
        self._rings = rings or [Ring(size, "f") for size in self.sizes]
        self._recent: deque[float] = deque([0.0] * (spans[-1][0] - 1))
        self._pushed = 0
        self._before = [0.0] * len(spans)
        """The sum of all residuals but the next one of each span."""
        self._suspected = 0
        self._limits: list[tuple[float, float, float]] = []
        """The spread and the limits of the mean over each span, above and below; none while there are few means."""
        self._stale = 0
        """Residuals since they were found: of many, one more hardly changes them."""
        self.ready = False
        """Whether there are enough residuals to say anything."""
        self.limit = inf, inf
        """How far above and below of what is predicted one window may be, whatever was before it."""

    @classmethod
    def of(
        cls, spans: Spans, *, rings: list[Ring], recent: list[float], before: list[float],
        limits: list[tuple[float, float, float]], counts: tuple[int, int, int],
    ) -> "Residuals":  # fmt: skip
        """Return those of which so much is known. `counts`: all, suspected, and since the limits were found."""
        found = cls(spans, rings)
        found._recent, found._before, found._limits = deque(recent), before, limits
        found._pushed, found._suspected, found._stale = counts
        found.ready = bool(limits)
        found.limit = limits[0][1:] if limits else found.limit
        return found

    def rooms(self, sensitivity: float) -> tuple[float, float]:
        """Return how far above and below of what is predicted the next window may be."""
        least, above, below = self._limits[0]
        above, below, before = above / sensitivity, below / sensitivity, self._before
        for n, span, _ in self.longer:
            _, up, down = self._limits[n]
            up, down = span * up / sensitivity - before[n], span * down / sensitivity + before[n]
            above, below = up if up < above else above, down if down < below else below
        return above if above > least else least, below if below > least else least

    def _find(self) -> None:
        """Find the spreads and the limits."""
        self._stale, limits = 0, self._limits
        limits.clear()
        for ring, need, (span, spreads, beyond) in zip(self._rings, self.needs, self._spans, strict=True):
            least, low, first, third, high, most = ring.quantiles(SHARES)
            # Alone: as if residuals knew nothing of each other.
            alone = limits[0][0] / sqrt(span) if limits else FLOOR
            sigma = max((third - first) / 1.349, (high - low) / 2.563, alone)
            far = spreads * sigma if len(ring) >= need else inf
            limits.append((sigma, max(far, most * beyond), max(far, -least * beyond)))
        self.limit = limits[0][1:]

    def push(self, residual: float, patience: int) -> None:
        """Add a residual. While something lasts, for at most `patience` windows, none counts as usual."""
        rings, limits, tame = self._rings, self._limits, residual
        suspected = False
        if self.ready:
            sigma, up, down = limits[0]
            most = TAME * sigma
            tame = most if residual > most else -most if residual < -most else residual
            suspected = residual > SUSPECT * up or -residual > SUSPECT * down
        recent, before, pushed = self._recent, self._before, self._pushed
        recent.append(tame)
        means, now = [], pushed + 1
        for n, span, stride in self.longer:
            total = before[n] + tame
            before[n] = total - recent[-span]
            if now >= span:
                mean = total / span
                if now % stride == 0:
                    means.append((n, mean))
                if limits and not suspected:
                    _, up, down = limits[n]
                    suspected = mean > SUSPECT * up or -mean > SUSPECT * down
        recent.popleft()
        self._pushed = now
        self._suspected = self._suspected + 1 if suspected else 0
        if 1 < self._suspected <= patience:
            return
        rings[0].push(residual)
        for n, mean in means:
            rings[n].push(mean)
        self._stale += 1
        count = len(rings[0])
        self.ready = count >= READY
        if self.ready and self._stale * FRESH > count:
            self._find()


class Predictor:
    """One way to predict. `cycle` is the number of windows in its season, 0: it has none."""

    __slots__ = (
        "_base", "_base_level", "_far", "_held", "_passed", "_season", "_seen", "_turn",
        "base_size", "cycle", "error", "level", "level_windows", "noises", "residuals", "season_size", "stride",
    )  # fmt: skip

    def __init__(
        self, cycle: int, passes: int, level_windows: int, spans: Spans, *, places: int, noises: int
    ) -> None:
        """Begin with nothing known. `places`: of the season; `noises`: that the noise depends on."""
        self.cycle = cycle
        self.level_windows = level_windows
        self.season_size = passes, places if cycle else 0
        self._season = Season(*self.season_size)
        self.stride = max(1, cycle // _SAMPLES)
        self.base_size = max(cycle // self.stride, level_windows)
        self._base = Ring(self.base_size)
        self._base_level = 0.0
        """Its median, the level of a whole cycle: the season is what is left above it."""
        self.level = Ring(level_windows)
        self.noises = noises
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
        for value in values[:: self.stride] if self.cycle else ():
            self._base.push(value)
        self._base_level, self._held = self._base.median(), len(values)

    def know(
        self, season: Season, base: Ring, level: Ring, *, far: bytes, passed: bytearray, turn: int, seen: int,
        error: float, residuals: Residuals,
    ) -> None:  # fmt: skip
        """Take what was learned elsewhere: the same as from `prime` and `learn`. `far`: doubles."""
        self._season, self._base, self._base_level, self.level = season, base, base.median(), level
        self._far, self._passed = array("d", far), bytearray(passed)
        self._turn, self._seen, self.error, self.residuals = turn, seen, error, residuals

    def usual(self, places: Sequence[int], reference: float | None = None) -> float | None:
        """Return what is usual in a season, above its level; None: not known yet. The first place that is known counts.

        `reference`: the `shape` of a predictor of a shorter cycle.
        """
        if not self.cycle:
            return 0.0
        above = None if reference is None else reference - self._base_level
        for place in places:
            usual = self._season.usual(place, above, places[-1])
            if usual is not None:
                return usual
        return None

    def shape(self, usual: float | None) -> float | None:
        """Return what is likely at the level of the whole cycle: what the seasons of two predictors have in common."""
        if usual is None:
            return None
        if self.cycle:
            return self._base_level + usual
        return self.level.median() + usual if self.level else None

    def unit(self, place: int) -> float:
        """Return the usual distance from the truth at a place: what residuals are measured in."""
        passes, overall = self._passed[place], self.error if self._seen else 0.0
        unit = (self._far[place] * passes + overall * PRIOR) / (passes + PRIOR)
        return unit if unit > SURE else SURE

    def learn(self, place: int, above: float | None, where: int, value: float, *, usual: bool) -> None:
        """Take the truth. Level and season are medians, which a spike does not move.

        `above`: what was usual at this `place` of the season. `where` is the place that the noise depends on. How far
        off is usual is learned from what is cut to the limit, or, if somebody said that the value is `usual`, as it is.
        """
        level, season, tame = self.level, self._season, value
        if above is not None and level:
            expected, unit = level.median() + above, self.unit(where)
            passes = season.passes(place) if self.cycle else MANY
            if passes == MANY and not usual:
                most, least = self.residuals.limit
                high, low = expected + most * unit, expected - least * unit
                tame = high if value > high else low if value < low else value
            elif 0 < passes < MANY:
                seen = expected - above + season.seen(place)
                if abs(value - seen) < abs(value - expected):  # what was doubted came again
                    expected = seen
            self._learn_residual(where, value - expected, unit, usual=usual)
        if above is not None:
            level.push(value - above)
        elif not level:
            level.push(value)
        if not self.cycle:
            return
        self._turn = (self._turn + 1) % self.stride
        if self._held:
            self._held -= 1
        elif not self._turn:
            self._base.push(tame)
            self._base_level = self._base.median()
        season.learn(place, tame - self._base_level)

    def _learn_residual(self, where: int, residual: float, unit: float, *, usual: bool) -> None:
        far = abs(residual)
        residual /= unit
        most, least = self.residuals.limit
        if residual > most or residual < -least:
            residual = most if residual > 0 else -least
            far = far if usual else abs(residual) * unit
        self.residuals.push(residual, self.level_windows)
        seen = self._seen = self._seen + 1 if self._seen < FORGET else FORGET
        before = self.error if seen > 1 else 0.0
        self.error = before + (far - before) / seen
        passes = self._passed[where]
        passes = self._passed[where] = passes + 1 if passes < PASSES else PASSES
        self._far[where] += (far - self._far[where]) / passes
