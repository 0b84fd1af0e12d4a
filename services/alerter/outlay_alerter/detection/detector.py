"""A seasonal anomaly detector: online, robust, deterministic, of bounded memory.

1. A value is put on a scale that is linear near zero and logarithmic above (asinh), so that "twice as
   much" is as far at night as at noon.
2. Predictors use level and season (`predictors.py`); the residual is the value less the prediction.
3. Means of the last 1, few and many residuals are compared with the recent spread of such means: one
   window far off is a spike, many that are a little off are a shift or a drift.
4. The level is a median, so a shift that lasts is learned after half of its windows and a spike never is.
5. The season learns extremes only up to the limit.
6. What a predictor that is about as good explains is ordinary (`outlook.py`), and so are batches, monthly
   jobs, a return to an earlier level and frequent bursts (`recurrence.py`).
7. A value far above all of the last four weeks is a spike in any series (`records.py`).
"""

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from datetime import date, datetime
from math import asinh, copysign, isfinite, sinh

from msgspec import structs

from outlay_alerter.detection import outlook as outlooks
from outlay_alerter.detection.outlook import Consulted, Outlook
from outlay_alerter.detection.predictors import KEPT, Predictor
from outlay_alerter.detection.records import LEAST_RECORD, Records
from outlay_alerter.detection.recurrence import ALIKE, Episodes, LeftLevel, limit_of, monthly_peak
from outlay_alerter.detection.robust_stats import Ring, usual_size
from outlay_alerter.detection.season_places import SeasonPlaces
from outlay_alerter.detection.tuning import DAY, UNKNOWN, WEEK, Status, Tuning, Verdict, after_nothing

_PASSES_OF_DAY, _PASSES_OF_WEEK = 9, 6
_SMALL = 0.1
"""Below this share of the usual size the scale is linear."""
_LEFT = 4
"""For so many times the windows of a level the level before a shift is remembered."""
_BATCHES = 100
_DAYS = 110
"""Days that are remembered for what comes back each month."""
_LARGEST = 60.0
"""Nothing that is likely is larger on the scale: 1e25 times what is usual."""
Judgement = tuple[Verdict, float, list[Ring] | None]
"""What a window is, its distance in multiples of the limit, and the levels that it returned to, if it did."""


class Detector:
    """Judges the windows of one series, one after another."""

    def __init__(self, tuning: Tuning) -> None:
        self.tuning = tuning
        self._first: list[tuple[datetime, float]] = []
        self.unit = 0.0
        """Where the scale turns from linear to logarithmic; 0: not known yet."""
        self._idle = False
        """Whether there was a whole history of nothing but zeros."""
        self.places = SeasonPlaces(tuning)
        self.predictors = self._new_predictors()
        self._consulted: tuple[datetime, int, Consulted] | None = None
        """What the predictors say of a window, and where its noise is, until one is learned."""
        self._episodes = Episodes(tuning.step, *tuning.usual_episodes)
        self.records = Records(tuning)
        self._left: LeftLevel | None = None
        self._batches: deque[float] = deque(maxlen=_BATCHES)
        """The newest values that are not zero; of an anomaly one, the highest, once it is over."""
        self._peak = 0.0
        """The highest value of the anomaly that goes on."""
        self._empty, self._seen = 0.0, 0
        """The share of the newest windows that are zero, and how many were seen."""
        self._days: dict[date, float] = {}
        """Of windows of a day: what each unusual day of the last months had, the others 0."""

    def _new_predictors(self) -> list[Predictor]:
        tuning, step, seasons = self.tuning, self.tuning.step, [(0, 0, 0)]
        if step < DAY:
            seasons.append((DAY // step, _PASSES_OF_DAY, self.places.day))
        if step <= DAY:
            seasons.append((WEEK // step, _PASSES_OF_WEEK, self.places.week))
        return [
            Predictor(
                cycle, passes, tuning.level_windows, tuning.spans, places=places, noises=self.places.noises
            )
            for cycle, passes, places in seasons
        ]

    def judge(self, at: datetime, value: float | None) -> Verdict:
        """Judge a window without learning from it: one that is still filling."""
        if value is None or not isfinite(value):
            return Verdict("missing")
        return self._verdict(at, value)[0]

    def update(self, at: datetime, value: float | None, *, usual: bool = False) -> Verdict:
        """Judge a window that is over, and learn from it. Windows come in the order of time.

        `usual`: somebody said that it is as it should be, so that it teaches as it is, extremes included.
        """
        if value is None or not isfinite(value):
            return Verdict("missing")
        verdict, excess, returned = self._verdict(at, value)
        self._count(value, fired=verdict.fired)
        self.records.push(value)
        if self.tuning.step == DAY:
            unusual = excess > 1 or verdict.expected is None or value > ALIKE * verdict.expected
            self._days[self._date(at)] = value if unusual else 0.0
            if len(self._days) > _DAYS:
                del self._days[min(self._days)]
        if not self.unit:
            self._first.append((at, value))
            if len(self._first) >= self.tuning.min_history:
                self._begin()
        else:
            if returned:
                for predictor, level in zip(self.predictors, returned, strict=True):
                    predictor.level = level
                self._left = None
            self._remember(excess, fired=verdict.fired, levels=self._levels)
            self._learn(at, self.scaled(value), usual=usual)
        return verdict

    def _verdict(self, at: datetime, value: float) -> Judgement:
        """Return what a window is. It is not learned."""
        if not self.unit:
            return (after_nothing(self.tuning, value) if self._idle else UNKNOWN), 0.0, None
        where, consulted = self._consult(at)
        best, above = outlooks.best_of(consulted)
        if best is None:
            return UNKNOWN, 0.0, None
        sensitivity = self.tuning.sensitivity
        outlook = outlooks.outlook_by(best, above, where, sensitivity)
        verdict, excess = self._weigh(value, outlook)
        if -1 <= excess <= 1:
            return verdict, excess, None

        def by_levels(levels: Sequence[Ring]) -> Outlook:
            predicted = outlook[0] + levels[self.predictors.index(best)].median() - best.level.median()
            return outlooks.alone(best, predicted, where, sensitivity)

        return self.decide(
            at, value, outlook, outlooks.others(consulted, best, where, sensitivity), by_levels
        )

    def decide(
        self, at: datetime, value: float, outlook: Outlook, found: Iterable[Outlook],
        by_levels: Callable[[Sequence[Ring]], Outlook],
    ) -> Judgement:  # fmt: skip
        """Return what a window is, which is not learned.

        `outlook`: by the best predictor; `found`: by the others that are about as good; `by_levels` returns it by other
        levels of the predictors.
        """
        verdict, excess = self._weigh(value, outlook)
        if abs(excess) > 1 and (other := outlooks.explained_by(self.scaled(value), outlook, found)):
            verdict, excess = self._weigh(value, other)
        if not verdict.fired:
            return verdict, excess, None
        if excess and self._left and self._left.sign * excess < 0:
            back, _ = self._weigh(value, by_levels(self._left.levels))
            if not back.fired:
                return back, 0.0, self._left.levels
        if value >= 0 and excess >= 0:
            verdict = self._expected(at, value, verdict)
        return verdict, excess, None

    def _expected(self, at: datetime, value: float, verdict: Verdict) -> Verdict:
        """Return what is ordinary all the same: a batch like others, or what comes back each month."""
        if self._batches and self._empty > 0.5:
            usual, limit = limit_of(self._batches)
        elif self.tuning.step == DAY and (peak := monthly_peak(self._days, self._date(at))) is not None:
            usual, limit = peak, peak * ALIKE
        else:
            return verdict
        if value > limit:
            return verdict
        return structs.replace(
            verdict, status="normal", expected=usual, upper=limit, score=min(verdict.score, 0.5)
        )

    def note(
        self, value: float, excess: float, *, fired: bool, returned: bool, levels: Callable[[], list[Ring]]
    ) -> None:
        """Remember a window that is learned elsewhere (`teaching.py`). `levels` returns those of the predictors."""
        self._count(value, fired=fired)
        self.records.push(value)
        if returned:
            self._left = None
        self._remember(excess, fired=fired, levels=levels)

    def _remember(self, excess: float, *, fired: bool, levels: Callable[[], list[Ring]]) -> None:
        """Remember the episode, and the level that it left, for when it is over."""
        self._episodes.push(excess)
        if self._left:
            self._left.windows -= 1
            if self._left.windows == 0:
                self._left = None
        if fired and excess and (self._left is None or self._left.sign * excess < 0):
            self._left = LeftLevel(excess, levels(), _LEFT * self.tuning.level_windows)

    def _levels(self) -> list[Ring]:
        return [predictor.level.copy() for predictor in self.predictors]

    def _count(self, value: float, *, fired: bool) -> None:
        """Count empty windows, and remember an ordinary value.

        Of an anomaly only its end makes one, for its own windows must not excuse it.
        """
        self._see(value)
        if fired:
            self._peak = max(self._peak, value)
            return
        if self._peak:
            self._batches.append(self._peak)
            self._peak = 0.0
        if value:
            self._batches.append(value)

    def _see(self, value: float) -> None:
        self._seen = self._seen + 1 if self._seen < KEPT else KEPT
        self._empty += ((value == 0) - self._empty) / self._seen

    def _date(self, at: datetime) -> date:
        return at.astimezone(self.tuning.zone).date()

    def begin_with(self, values: Sequence[float]) -> float:
        """Begin with a whole first history that is learned elsewhere (`teaching.py`).

        Returns the unit of its scale; 0: it has no size, and nothing was done.
        """
        usual = usual_size(values)
        if usual:
            self.unit = usual * _SMALL
            self._batches.extend(value for value in values if value)
            for value in values:
                self.records.push(value)
            for value in values if 0 in values else ():
                self._see(value)
            self._seen = min(len(values), KEPT)
        return self.unit

    def _begin(self) -> None:
        usual = usual_size([value for _, value in self._first])
        if not usual:
            del self._first[0]  # nothing but zeros so far: the size is not known yet
            self._idle = True
            return
        self.unit = (max(usual, self.tuning.min_change) if self._idle else usual) * _SMALL
        values = [self.scaled(value) for _, value in self._first]
        for known in ([], self.predictors):  # twice: a spike of the first day is one only beside the others
            predictors = self.predictors = self._new_predictors() if known else self.predictors
            self._consulted = None
            for n, predictor in enumerate(predictors):
                predictor.prime(values, known[n].residuals if known else None)
            for (at, _), value in zip(self._first, values, strict=True):
                self._learn(at, value)
        self._first.clear()

    def _weigh(self, value: float, outlook: Outlook) -> tuple[Verdict, float]:
        """Return what a window is, and its distance in multiples of the limit."""
        predicted, up, down = outlook
        residual, expected = self.scaled(value) - predicted, self._value(predicted)
        (more, less), room = self._episodes.usual, self.scaled(self.records.limit) - predicted
        room = max(room, up * LEAST_RECORD)
        excess = residual / (down if residual <= 0 else min(up, room))
        up, down = up * more, down * less
        up = min(up, room)
        share = abs(residual) / (up if residual > 0 else down)
        status: Status = "normal"
        if share > 1 and self.tuning.direction in ("both", "up" if residual > 0 else "down"):
            status = "anomaly" if abs(value - expected) >= self.tuning.min_change else "below_minimum"
        low, high = self._value(predicted - down), self._value(predicted + up)
        score = share / (1 + share) if share <= 1 or status == "anomaly" else 0.5
        return Verdict(status, expected, low, high, score), excess

    def _learn(self, at: datetime, value: float, *, usual: bool = False) -> None:
        where, consulted = self._consult(at)
        self._consulted = None
        for predictor, place, above in consulted:
            predictor.learn(place, above, where, value, usual=usual)

    def _consult(self, at: datetime) -> tuple[int, Consulted]:
        """Return the place that the noise depends on, and what each predictor says of a window.

        A season is compared with the shape that the predictor before it knows; but the time of the day is compared
        with the hours around it, for a level says nothing of them.
        """
        if self._consulted is not None and self._consulted[0] == at:
            return self._consulted[1:]
        found: list[tuple[Predictor, int, float | None]] = []
        reference: float | None = None
        all_places = self.places.find(at)
        for n, (predictor, places) in enumerate(zip(self.predictors, all_places, strict=True)):
            usual = predictor.usual(places, reference)
            reference = predictor.shape(usual) if n or self.tuning.step == DAY else None
            found.append((predictor, places[0], usual))
        where = all_places[1 if len(all_places) > 1 else 0][0]
        self._consulted = at, where, found
        return where, found

    def scaled(self, value: float) -> float:
        """Return a value on the scale of the detector."""
        return asinh(value / self.unit)

    def _value(self, scaled: float) -> float:
        return sinh(scaled if -_LARGEST < scaled < _LARGEST else copysign(_LARGEST, scaled)) * self.unit
