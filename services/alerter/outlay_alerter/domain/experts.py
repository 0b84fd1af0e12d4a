"""What is likely next: by the level alone, by the time of the day, or by the time of the week.

Each expert predicts level + season. Who was least wrong of late is believed, so that a series without a
week costs nothing for having been asked for one, and one week of history is enough to begin.
"""

from collections.abc import Sequence

from outlay_alerter.domain.residuals import Residuals, Spans
from outlay_alerter.domain.robust import Ring, Season

_FORGET = 336
"""Windows that an expert's error is averaged over."""
_SAMPLES = 336
"""Values, evenly apart, whose median is the level of a cycle: a week has too many minutes to keep."""
_PASSES, _PRIOR = 20, 6
"""Passes that the usual distance at a place is averaged over; how many passes the average of all places counts as."""
_SURE = 0.03
"""No series is surer of itself than this share of its value."""


class Expert:
    """One way to predict. `cycle` is the number of windows in its season, 0: it has none."""

    __slots__ = (
        "_base",
        "_cycle",
        "_held",
        "_level",
        "_near",
        "_patience",
        "_season",
        "_seen",
        "_stride",
        "_turn",
        "error",
        "residuals",
    )

    def __init__(self, cycle: int, passes: int, level_windows: int, spans: Spans) -> None:
        self._cycle = cycle
        self._patience = level_windows
        self._season = Season(passes)
        self._stride = max(1, cycle // _SAMPLES)
        self._base = Ring(max(cycle // self._stride, level_windows))
        """Its median is the level of a whole cycle: the season is what is left above it."""
        self._level = Ring(level_windows)
        self._near: dict[int, tuple[float, int]] = {}
        self._held = self._turn = 0
        self._seen = 0
        self.residuals = Residuals(spans)
        self.error = float("inf")
        """Mean distance from the truth, the newest counting most."""

    def prime(self, values: Sequence[float]) -> None:
        """Take the level of the first cycle before it is learned: half of it would have another one."""
        for value in values[:: self._stride]:
            self._base.push(value)
        self._held = len(values)

    def predict(self, places: Sequence[int]) -> float | None:
        """Return what is likely; None: not known yet. `places` in the season: the first that is known counts."""
        usual = self._usual(places)
        return None if usual is None or not len(self._level) else self._level.median() + usual

    def _usual(self, places: Sequence[int]) -> float | None:
        if not self._cycle:
            return 0.0
        found = (self._season.usual(place) for place in places)
        return next((usual for usual in found if usual is not None), None)

    def unit(self, place: int) -> float:
        """Return the usual distance from the truth at a place: what residuals are measured in."""
        near, passes = self._near.get(place, (0.0, 0))
        overall = self.error if self._seen else 0.0
        return max(_SURE, (near * passes + overall * _PRIOR) / (passes + _PRIOR))

    def learn(self, places: Sequence[int], where: int, raw: float, tame: float) -> None:
        """Take the truth: `raw` moves the level, `tame` (without its extremes) the season.

        `where` is the place that the noise depends on.
        """
        predicted = self.predict(places)
        if predicted is not None:
            self._learn_residual(where, raw - predicted, tame - predicted)
        usual = self._usual(places)
        if usual is not None:
            self._level.push(raw - usual)
        elif not len(self._level):
            self._level.push(raw)
        self._turn = (self._turn + 1) % self._stride
        if self._held:
            self._held -= 1
        elif not self._turn:
            self._base.push(tame)
        if self._cycle:
            self._season.learn(places[0], tame - self._base.median())

    def _learn_residual(self, where: int, raw: float, tame: float) -> None:
        residual = raw / self.unit(where)
        if self.residuals.ready:
            residual = max(-self.residuals.limit(0, -1.0), min(self.residuals.limit(0, 1.0), residual))
        self.residuals.push(residual, self._patience)
        self._seen = min(self._seen + 1, _FORGET)
        before = self.error if self._seen > 1 else 0.0
        self.error = before + (abs(tame) - before) / self._seen
        near, passes = self._near.get(where, (0.0, 0))
        passes = min(passes + 1, _PASSES)
        self._near[where] = near + (abs(tame) - near) / passes, passes
