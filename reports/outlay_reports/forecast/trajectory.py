"""The course of a scope, the forecast of its pieces of time (hours or days) from the current one on; and where a
period lands: what is spent is spent, and only the rest of it is forecast.

There is one course for a scope and zone. It is always made as many pieces long, so no period or horizon changes it:
they cut it, or repeat its last week. It is made from whole pieces only, so it stays the same until the current piece is
over. Read at a minute it gives the landing: of the current piece only the part after that minute counts, however much
the part before it cost.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np

from outlay_kit.time_ranges import TimeRange, floor_to, period_of
from outlay_reports.forecast.engine import Forecast, batches, forecast
from outlay_reports.forecast.intervals import UNSEEN
from outlay_reports.forecast.smoothing import Array
from outlay_reports.periods import Unit, period_bounds

STUDENT = {80: 1.356, 95: 2.179}
"""Standard deviations on each side, of Student's distribution with 12 degrees of freedom: as many as back-tests."""
_MICRO = 10**6
"""Pico-USD in the last digit that an estimate has."""


@dataclass(frozen=True)
class Landing:
    """What a period will have cost at its end. `spent`: so far, pico-USD.

    `rest` and `spread` are the expected cost from now to the end of each piece that is left, and its standard
    deviation, USD; `edges` are the bounds of those pieces. Not `tested`: too little history, so show no forecast.
    """

    spent: int
    edges: tuple[datetime, ...]
    rest: Array
    spread: Array
    tested: bool

    @property
    def expected(self) -> int:
        """What the period will most likely have cost, pico-USD."""
        return self._pico(self._last(self.rest))

    def bounds(self, level: int) -> tuple[int, int]:
        """Return the interval of 80 or 95 percent, pico-USD; never below what is spent."""
        rest, half = self._last(self.rest), STUDENT[level] * self._last(self.spread)
        return self._pico(max(rest - half, 0.0)), self._pico(rest + half)

    def over(self, amount: int) -> float:
        """Return the probability that the period costs more than `amount` pico-USD: 0 to 1."""
        left, sd, rest = (amount - self.spent) / 1e12, self._last(self.spread), self._last(self.rest)
        if left < 0:
            return 1.0
        return float(rest > left) if sd <= 0 else 0.5 * math.erfc((left - rest) / (sd * math.sqrt(2)))

    def used_up(self, amount: int, spreads: float = 0.0) -> datetime | None:
        """Return when the spend reaches `amount` pico-USD in the period, `spreads` standard deviations up; or None."""
        need = (amount - self.spent) / 1e12
        course = np.maximum(self.rest + spreads * self.spread, 0.0)
        past = np.nonzero(course >= need)[0]
        if need <= 0 or not len(past):
            return None
        place = int(past[0])
        before = float(course[place - 1]) if place else 0.0
        part = min(max((need - before) / max(float(course[place]) - before, 1e-12), 0.0), 1.0)
        begin, end = self.edges[place : place + 2]
        return floor_to(begin + (end - begin) * part, "minute")

    def used_up_between(self, amount: int) -> tuple[datetime | None, datetime | None]:
        """Return the earliest and the latest time (80 percent) of `used_up`; None: not within the period."""
        return self.used_up(amount, STUDENT[80]), self.used_up(amount, -STUDENT[80])

    def _pico(self, usd: float) -> int:
        return self.spent + round(usd * 1e12 / _MICRO) * _MICRO

    @staticmethod
    def _last(values: Array) -> float:
        return float(values[-1]) if len(values) else 0.0


LEAST_HOURS = 48
"""Whole hours of history, at least; with less no forecast is shown anywhere."""
SEASONS: dict[Unit, tuple[int, ...]] = {"hour": (24, 168), "day": (7,)}
"""The seasons that costs of each piece of time may have."""
_LOOK_BACK: dict[Unit, int] = {"day": 200, "hour": 28}
"""Days of history."""
_LEDGER_DAYS = 63
"""The same in days for what only the ledger knows, such as tags."""
_LEAST_DAYS = 21
"""With fewer whole days, hours are forecast."""
_FEW_DAYS = 7
"""With fewer days that cost anything, a day is taken as even."""
_UNUSUAL = 1.5
_EVEN = np.array([1.0, 0.0])
_STEPS: dict[Unit, int] = {"hour": 168, "day": 35}
"""Pieces that are forecast one by one, whatever is asked; later ones repeat the last week (or day) of them."""


@dataclass(frozen=True)
class Trajectory:
    """The expected cost of each piece of time between `edges`, USD.

    `errors` (folds x pieces) are the errors of the back-test, actual minus forecast. `left` is the usual share of
    the first piece that is still to come after each of its equal parts, from 1 down to 0. `cycle`: pieces that repeat.
    """

    unit: Unit
    zone: ZoneInfo
    edges: tuple[datetime, ...]
    mean: Array
    errors: Array
    left: Array
    cycle: int = 1

    @property
    def tested(self) -> bool:
        """Whether it was tested on the past; if not, it is not shown."""
        return len(self.errors) > 0

    def until(self, end: datetime) -> "Trajectory":
        """Return it cut at `end`, or lengthened to it by what it repeats. Raises QueryError above 9,000 pieces."""
        if end <= (start := self.edges[0]):
            return replace(self, edges=(start,), mean=self.mean[:0])
        edges = tuple(period_bounds(TimeRange(start, end), self.unit, self.zone))
        more = max(len(edges) - 1 - len(self.mean), 0)
        mean = np.concatenate([self.mean, np.resize(self.mean[-self.cycle :], more)])
        return replace(self, edges=edges, mean=mean[: len(edges) - 1])

    def times(self, rate: float) -> "Trajectory":
        """Return it in a currency of which one USD is worth `rate`."""
        if rate == 1:
            return self
        return replace(self, mean=self.mean * rate, errors=self.errors * rate)

    def at(self, now: datetime, spent: int) -> Landing:
        """Return the landing at the minute of `now`, with `spent` pico-USD so far in the period."""
        minute, end = floor_to(now, "minute"), self.edges[-1]
        if minute >= end:
            return Landing(spent, (end,), np.zeros(0), np.zeros(0), tested=True)
        place = max(sum(edge <= minute for edge in self.edges) - 1, 0)
        begin, after = self.edges[place : place + 2]
        part = min(max((minute - begin) / (after - begin), 0.0), 1.0)
        shares = self.left if place == 0 else _EVEN
        share = float(np.interp(part, np.linspace(0.0, 1.0, len(shares)), shares))
        rest = self.mean[place:].copy()
        rest[0] *= share
        edges = (max(minute, begin), *self.edges[place + 1 :])
        return Landing(spent, edges, np.cumsum(rest), self._spread(place, share), tested=self.tested)

    def land(self, now: datetime, spent: int) -> Landing | None:
        """Return the landing if it was tested on the past; None: it was not, and is not shown."""
        landing = self.at(now, spent)
        return landing if landing.tested else None

    def _spread(self, place: int, share: float) -> Array:
        """Return the standard deviation of the sum of the pieces up to each one that is left."""
        pieces = len(self.mean) - place
        if not len(self.errors):
            return np.zeros(pieces)
        tested = min(self.errors.shape[1], pieces)
        errors = self.errors[:, :tested].copy()
        # The part of a piece errs with the root of its share, as a sum of independent minutes does.
        errors[:, 0] *= math.sqrt(share)
        known = np.sqrt(np.mean(np.cumsum(errors, axis=1) ** 2, axis=0)) * (1.0 + 0.6 / len(errors))
        # Past what was tested, a wrong level stays wrong: errors of a sum grow with its length.
        ahead = np.arange(tested + 1, pieces + 1) / tested
        return np.concatenate([known, known[-1] * ahead])


@dataclass(frozen=True)
class TrajectoryInput:
    """What a course is made from: the costs (USD) of the whole pieces of a `unit` before `start`."""

    history: Array
    unit: Unit
    zone: ZoneInfo
    start: datetime
    left: Array


def trajectories(wanted: Sequence[TrajectoryInput]) -> list[Trajectory]:
    """Forecast the course of many scopes; series of one shape are forecast side by side."""
    found = [_nothing(one) for one in wanted]
    known = [place for place, one in enumerate(wanted) if len(one.history)]
    shapes = [(len(wanted[place].history), wanted[place].unit) for place in known]
    for (_, unit), some in batches(shapes):
        ahead = forecast(np.stack([wanted[known[n]].history for n in some]), SEASONS[unit], _STEPS[unit])
        for column, n in enumerate(some):
            found[known[n]] = _course(wanted[known[n]], ahead, column)
    return found


def _nothing(one: TrajectoryInput) -> Trajectory:
    edges = [one.start]
    while len(edges) <= _STEPS[one.unit]:
        edges.append(period_of(edges[-1], one.unit, one.zone).end)
    count = len(edges) - 1
    return Trajectory(one.unit, one.zone, tuple(edges), np.zeros(count), np.zeros((0, count)), one.left)


def _course(one: TrajectoryInput, ahead: Forecast, column: int) -> Trajectory:
    length = timedelta(**{f"{one.unit}s": len(one.history)})
    tested = ahead.tested and length >= timedelta(hours=LEAST_HOURS)
    errors = ahead.errors[:, :, column] * (UNSEEN if ahead.unseen else 1.0)
    cycle = max((season for season in SEASONS[one.unit] if season <= len(one.history)), default=1)
    return replace(
        _nothing(one), mean=ahead.mean[:, column], errors=errors if tested else errors[:0], cycle=cycle
    )


def history_range(zone: ZoneInfo, unit: Unit, now: datetime, *, ledger: bool = False) -> TimeRange:
    """Return the whole pieces of history before the one that holds `now`; `ledger`: only the ledger has them."""
    end = period_of(now, unit, zone).start
    days = min(_LOOK_BACK[unit], _LEDGER_DAYS) if ledger else _LOOK_BACK[unit]
    return TimeRange(period_of(end - timedelta(days=days), unit, zone).start, end)


def trajectory_input(daily: Array, hourly: Array, zone: ZoneInfo, now: datetime) -> TrajectoryInput:
    """Return the input of a course: days with three weeks of history, else hours. `daily`, `hourly`: USD."""
    daily = _begun(daily)
    if len(daily) < _LEAST_DAYS:
        return hourly_input(hourly, zone, now)
    today = period_of(now, "day", zone).start
    return TrajectoryInput(_calm(daily, 7, 2), "day", zone, today, _left(_begun(hourly), now - today))


def hourly_input(hourly: Array, zone: ZoneInfo, now: datetime) -> TrajectoryInput:
    """Return the input of a course by hours: of a short history, or for the shape of days."""
    return TrajectoryInput(
        _calm(_begun(hourly), 24, 48), "hour", zone, period_of(now, "hour", zone).start, _EVEN
    )


def _calm(values: Array, season: int, recent: int) -> Array:
    """Replace outliers of the last two days by the usual value of that time: an incident does not go on."""
    before = values[: -min(recent, len(values) // 2)] if len(values) > 1 else values[:0]
    if len(before) < season:
        return values
    calm, limit = values.copy(), _UNUSUAL * float(np.quantile(before, 0.98))
    for place in range(len(before), len(values)):
        if values[place] > limit:
            calm[place] = np.median(calm[place % season : place : season][-8:])
    return calm


def _begun(values: Array) -> Array:
    first = np.nonzero(values)[0]
    # Spending began within its first piece, unless that is as far as we look back.
    return values[first[0] + (first[0] > 0) :] if len(first) else values[:0]


def _left(hourly: Array, gone: timedelta) -> Array:
    """Return the share of a day that usually comes after each of its hours: the median of the days before today."""
    whole = hourly[: len(hourly) - gone // timedelta(hours=1)]
    table = whole[len(whole) % 24 :].reshape(-1, 24)
    sums = table.sum(axis=1)
    table, sums = table[sums > 0], sums[sums > 0]
    if len(sums) < _FEW_DAYS:
        return _EVEN
    after = 1.0 - np.cumsum(table, axis=1) / sums[:, None]
    found: Array = np.clip(np.concatenate([[1.0], np.median(after, axis=0)[:-1], [0.0]]), 0.0, 1.0)
    return found
