"""A seasonal anomaly detector: online, robust, deterministic, of bounded memory.

1. A value is put on a scale that is linear near zero and logarithmic above (asinh), so that "twice as
   much" is as far at night as at noon.
2. Experts predict it by level and season (`experts.py`); the residual is what is left.
3. Means of the last 1, few and many residuals are held against how such means were spread of late: one
   window far off is a spike, many that are a little off are a shift or a drift.
4. The level is a median, so a shift that lasts is learned after half of its windows and a spike never is.
5. Extremes teach the season nothing: they are cut to the limit.
"""

from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, tzinfo
from math import asinh, isfinite, sinh
from typing import Literal

from outlay_alerter.detection.predictors import Expert
from outlay_alerter.detection.residuals import Spans

Direction = Literal["up", "down", "both"]
Status = Literal["insufficient_history", "missing", "normal", "anomaly", "below_minimum", "expected"]

_DAY, _WEEK = 86_400, 604_800
_PASSES_OF_DAY, _PASSES_OF_WEEK = 9, 6
_LONGER = 1.04
"""An expert of a longer cycle is believed though it is as much more wrong: it may have been right once a week only."""
_SMALL = 0.1
"""Below this share of the usual size the scale is linear."""
_WEEKEND = 1_000_000
"""Added to the place in the day on days that are like Saturday and Sunday."""


@dataclass(frozen=True, slots=True)
class Tuning:
    """How a detector judges. `step` is seconds from one window to the next."""

    step: int
    sensitivity: float = 1.0
    """2 fires at half the distance, 0.5 at twice."""
    min_change: float = 0.0
    """A difference of less, in the series' own unit, is nobody's business."""
    direction: Direction = "both"
    zone: tzinfo = UTC
    """Where the days and weeks of the series begin."""
    holidays: Set[date] = field(default_factory=frozenset)
    """Days that are like Sundays."""

    @property
    def level_windows(self) -> int:
        """Windows whose median is the level; a shift is learned after half of them."""
        return 14 if self.step >= _DAY else 48 if self.step >= 3600 else 144

    @property
    def min_history(self) -> int:
        """With fewer windows nothing is said: a week and a day, for who never saw a weekend takes it for an outage.

        Of windows shorter than a quarter of an hour, two days, or a day of minutes.
        """
        if self.step >= _DAY:
            return 14
        return 8 * _DAY // self.step if self.step >= 900 else min(2 * _DAY // self.step, 1440)

    @property
    def spans(self) -> Spans:
        """Over how many windows residuals are averaged, and what is too much."""
        if self.step >= _DAY:
            return ((1, 4.0, 1.5), (3, 4.0, 1.2), (7, 4.0, 1.2))
        if self.step >= 3600:
            return ((1, 4.0, 1.8), (4, 4.0, 1.5), (24, 3.75, 1.2))
        far = 4.5 if self.step >= 300 else 5.5  # of many windows a day, one is soon far off by chance
        return ((1, far, 1.8), (6, far, 1.5), (36, 4.5, 1.2))


@dataclass(frozen=True, slots=True)
class Judgement:
    """What one window is. The band is what would have been normal; None: nothing can be said."""

    status: Status
    expected: float | None = None
    lower: float | None = None
    upper: float | None = None
    score: float = 0.0
    """0 is as expected, 0.5 is at the limit, 1 is infinitely far."""
    after_nothing: bool = False
    """Every window before was zero, for long enough to count as history: the limit is the least change."""

    @property
    def fired(self) -> bool:
        """Whether it is an anomaly."""
        return self.status == "anomaly"


class Detector:
    """Judges the windows of one series, one after another."""

    def __init__(self, tuning: Tuning) -> None:
        self._tuning = tuning
        self._first: list[tuple[datetime, float]] = []
        self._unit = 0.0
        """Where the scale turns from linear to logarithmic; 0: not known yet."""
        self._idle = False
        """Whether there was a whole history of nothing but zeros."""
        self._experts = self._new_experts()

    def _new_experts(self) -> list[Expert]:
        step, levels, spans = self._tuning.step, self._tuning.level_windows, self._tuning.spans
        experts = [Expert(0, 0, levels, spans)]
        if step < _DAY:
            experts.append(Expert(_DAY // step, _PASSES_OF_DAY, levels, spans))
        if step <= _DAY:
            experts.append(Expert(_WEEK // step, _PASSES_OF_WEEK, levels, spans))
        return experts

    def judge(self, at: datetime, value: float | None) -> Judgement:
        """Judge a window without learning from it: one that is still filling."""
        if value is None or not isfinite(value):
            return Judgement("missing")
        return self._judged(at, value) if self._unit else self._unmeasured(value)

    def update(self, at: datetime, value: float | None, *, usual: bool = False) -> Judgement:
        """Judge a window that is over, and learn from it. Windows come in the order of time.

        `usual`: somebody said that it is as it should be, so that it teaches as it is, extremes included.
        """
        if value is None or not isfinite(value):
            return Judgement("missing")
        if not self._unit:
            judgement = self._unmeasured(value)
            self._first.append((at, value))
            if len(self._first) >= self._tuning.min_history:
                self._begin()
            return judgement
        judgement = self._judged(at, value)
        self._learn(at, self._scaled(value), usual=usual)
        return judgement

    def _begin(self) -> None:
        sizes = sorted(abs(value) for _, value in self._first)
        usual = sizes[len(sizes) // 2] or sum(sizes) / len(sizes)
        if not usual:
            del self._first[0]  # nothing but zeros so far: there is no size to measure by
            self._idle = True
            return
        self._unit = (max(usual, self._tuning.min_change) if self._idle else usual) * _SMALL
        values = [self._scaled(value) for _, value in self._first]
        for known in ([], self._experts):  # twice: a spike of the first day is one only beside the others
            experts = self._experts = self._new_experts() if known else self._experts
            for n, expert in enumerate(experts):
                expert.prime(values, known[n].residuals if known else None)
            for (at, _), value in zip(self._first, values, strict=True):
                self._learn(at, value)
        self._first.clear()

    def _unmeasured(self, value: float) -> Judgement:
        """Judge a window while no size is known: after a whole history of zeros, by the least change alone."""
        if not self._idle:
            return Judgement("insufficient_history")
        least = self._tuning.min_change
        if not value:
            return Judgement("normal", 0.0, 0.0 - least, least, after_nothing=True)
        score = abs(value) / (abs(value) + least)
        status: Status = "normal"
        if self._tuning.direction in ("both", "up" if value > 0 else "down"):
            status = "anomaly" if abs(value) >= least else "below_minimum"
        return Judgement(
            status,
            0.0,
            0.0 - least,
            least,
            score if status == "anomaly" else min(score, 0.5),
            after_nothing=True,
        )

    def _judged(self, at: datetime, value: float) -> Judgement:
        expert, predicted = self._believed(at)
        scaled = self._scaled(value)
        if expert is None:
            return Judgement("insufficient_history")
        unit = expert.unit(self._where(at))
        up = expert.residuals.room(+1.0, self._tuning.sensitivity) * unit
        down = expert.residuals.room(-1.0, self._tuning.sensitivity) * unit
        residual, expected = scaled - predicted, self._value(predicted)
        share = abs(residual) / (up if residual > 0 else down)
        status: Status = "normal"
        if share > 1 and self._tuning.direction in ("both", "up" if residual > 0 else "down"):
            status = "anomaly" if abs(value - expected) >= self._tuning.min_change else "below_minimum"
        score = share / (1 + share)
        low, high = self._value(predicted - down), self._value(predicted + up)
        return Judgement(status, expected, low, high, score if status == "anomaly" else min(score, 0.5))

    def _believed(self, at: datetime) -> tuple[Expert | None, float]:
        """Return the expert who was least wrong of late, and what it says."""
        best: Expert | None = None
        says = 0.0
        for expert, places, reference in self._consulted(at):
            predicted = expert.predict(places, reference)
            if predicted is None or not expert.residuals.ready:
                continue
            if best is None or expert.error < best.error * _LONGER:
                best, says = expert, predicted
        return best, says

    def _learn(self, at: datetime, value: float, *, usual: bool = False) -> None:
        for expert, places, reference in self._consulted(at):
            expert.learn(places, self._where(at), value, reference, usual=usual)

    def _consulted(self, at: datetime) -> Iterator[tuple[Expert, Sequence[int], float | None]]:
        """Return each expert, where the window is in its season, and what that season may be compared with.

        It is the shape that the expert before it knows; but the time of the day is compared with the hours around it,
        for a level says nothing of them.
        """
        reference: float | None = None
        for n, (expert, places) in enumerate(zip(self._experts, self._places(at), strict=True)):
            before = None if n == 1 and self._tuning.step < _DAY else reference
            reference = expert.shape(places, before)
            yield expert, places, before

    def _where(self, at: datetime) -> int:
        """Return the place in the day (or, of days, in the week) that the noise depends on."""
        return self._places(at)[1 if len(self._experts) > 1 else 0][0]

    def _places(self, at: datetime) -> list[Sequence[int]]:
        """Return where a window is in the season of each expert."""
        local, step = at.astimezone(self._tuning.zone), self._tuning.step
        seconds = local.hour * 3600 + local.minute * 60 + local.second
        weekday = 6 if local.date() in self._tuning.holidays else local.weekday()
        week = (weekday * _DAY + seconds) // max(min(step, _DAY), 3600)
        if step >= _DAY:
            of_week: list[Sequence[int]] = [(0,), (week,)]
            return of_week[: len(self._experts)]
        day = seconds // max(step, 300)
        weekend = day + _WEEKEND
        return [(0,), (weekend, day) if weekday > 4 else (day, weekend), (week,)]

    def _scaled(self, value: float) -> float:
        return asinh(value / self._unit)

    def _value(self, scaled: float) -> float:
        return sinh(max(-600.0, min(600.0, scaled))) * self._unit
