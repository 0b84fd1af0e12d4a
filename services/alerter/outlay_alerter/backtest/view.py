"""The past as evaluators see it: what was spent, as of one moment after the other.

A window is part of the past when it is over. Everything is loaded once, for the whole time range.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import accumulate, pairwise

import numpy as np

from outlay_alerter.alerts.states import Finding
from outlay_alerter.rules import budget as budgets
from outlay_alerter.rules.base import EMPTY, Measure, Total, Values, Windows
from outlay_alerter.rules.budget import Spent
from outlay_alerter.rules.price_change import Announced
from outlay_alerter.rules.watch import NONE, Budget, Watch
from outlay_kit.time_ranges import TimeRange, floor_to
from outlay_reports.budgets import BudgetStatus, budget_period
from outlay_reports.forecast.smoothing import Array
from outlay_reports.forecast.trajectory import Trajectory, history_range, trajectories, trajectory_input
from outlay_reports.periods import Unit, period_bounds
from outlay_schemas.events import Grain

_UNITS: tuple[Unit, ...] = ("day", "hour")
_INSTANT = timedelta(microseconds=1)


@dataclass(frozen=True)
class Spending:
    """What a scope cost, window after window: `starts` grow, and `sums[n]` is the cost of the first n."""

    starts: Sequence[datetime]
    sums: Sequence[int]
    unpriced: Sequence[int]
    """As `sums`, of events without a price."""

    @classmethod
    def of(cls, windows: Mapping[datetime, Total]) -> "Spending":
        """Return it for what each window cost, by its start."""
        starts = sorted(windows)
        totals = [windows[at] for at in starts]
        return cls(
            starts,
            [0, *accumulate(one.cost for one in totals)],
            [0, *accumulate(one.unpriced for one in totals)],
        )

    def between(self, begin: datetime, end: datetime) -> Total:
        """Return what the windows cost that begin in between."""
        low, high = bisect_left(self.starts, begin), bisect_left(self.starts, end)
        return Total(self.sums[high] - self.sums[low], self.unpriced[high] - self.unpriced[low])


@dataclass(frozen=True)
class Loaded:
    """What was loaded of a tenant, as far as one rule needs it."""

    starts: Sequence[datetime]
    length: timedelta
    lines: Mapping[Values, Sequence[Measure | None]]
    alive: Sequence[datetime] = ()
    """The windows in which the tenant had anything, ordered."""
    minutes: Mapping[Values, Sequence[datetime]] | None = None
    """The minutes with events of each scope, ordered; of rules that look for them."""
    spending: Spending | None = None
    """Of budgets."""


class BacktestView:
    """A view of what was loaded. `to()` moves it to the next moment; moments must grow."""

    look_back = 1

    def __init__(self, loaded: Loaded) -> None:
        self._loaded = loaded
        self._moment = datetime.fromtimestamp(0, UTC)
        self._hot: tuple[int, dict[datetime, list[Values]]] | None = None
        self._course: tuple[tuple[TimeRange, datetime], Trajectory] | None = None
        """The forecast of a budget's period, for the hour that it was made in."""

    def to(self, moment: datetime) -> None:
        """Move to a moment: what began before it and is over by then has happened."""
        self._moment = moment

    @property
    def now(self) -> datetime:
        """The last instant before the moment, which belongs to the windows and periods that end with it."""
        return self._moment - _INSTANT

    def newest(self) -> datetime | None:
        """Return the start of the newest window."""
        place = bisect_left(self._loaded.starts, self._moment)
        return self._loaded.starts[place - 1] if place else None

    def over(self, settle: timedelta = NONE) -> datetime:
        """Return the moment: in the past nothing is late."""
        return self._moment

    seen = over

    def window(self, at: datetime, grain: Grain) -> TimeRange:
        """Return the newest window that began by then."""
        at = self._loaded.starts[max(0, bisect_right(self._loaded.starts, at) - 1)]
        return TimeRange(at, at + self._loaded.length)

    def windows(
        self, rule: Watch, grain: Grain, since: datetime, to: datetime, *,
        meters: Sequence[str] = (), least: int = 0, always: Collection[Values] = (),
    ) -> Windows:  # fmt: skip
        """Return windows of each scope; `least`: only scopes whose newest one cost as much, and `always` those."""
        starts, lines = self._loaded.starts, self._loaded.lines
        low, high = bisect_right(starts, since) - 1, bisect_right(starts, to)
        low = max(0, low)
        names: Iterable[Values] = lines
        if least and high:
            names = {*self._at_least(least).get(starts[high - 1], ()), *(lines.keys() & always)}
        return Windows(starts[low:high], self._loaded.length, {v: lines[v][low:high] for v in names})

    def _at_least(self, least: int) -> dict[datetime, list[Values]]:
        if self._hot is None or self._hot[0] != least:
            hot: dict[datetime, list[Values]] = {}
            for values, line in self._loaded.lines.items():
                for at, measure in zip(self._loaded.starts, line, strict=True):
                    if measure is not None and measure.cost >= least:
                        hot.setdefault(at, []).append(values)
            self._hot = least, hot
        return self._hot[1]

    def begun(self, grain: Grain, windows: Windows) -> int:
        """Return the index of the first window in which the tenant has anything."""
        alive = self._loaded.alive
        place = bisect_left(alive, windows.starts[0])
        return bisect_left(windows.starts, alive[place]) if place < len(alive) else len(windows.starts)

    def firsts(self, rule: Watch, since: datetime) -> dict[Values, tuple[datetime, Total]]:
        """Return the first day with cost of each scope, and the cost since then."""
        windows = self.windows(rule, "day", since, self.now)
        found: dict[Values, tuple[datetime, Total]] = {}
        for values, line in windows.lines.items():
            spent = [(at, m) for at, m in zip(windows.starts, line, strict=True) if m]
            first = next((at for at, m in spent if m.cost > 0), None)
            if first:
                found[values] = first, Total(sum(m.cost for _, m in spent), sum(m.unpriced for _, m in spent))
        return found

    def lasts(self, rule: Watch, since: datetime) -> dict[Values, datetime]:
        """Return the last minute with events of each scope."""
        found: dict[Values, datetime] = {}
        for values, minutes in (self._loaded.minutes or {}).items():
            place = bisect_left(minutes, self._moment)
            if place and minutes[place - 1] >= since:
                found[values] = minutes[place - 1]
        return found

    def announced(self) -> list[Announced]:
        """Return nothing: what was announced when is not known."""
        return []

    def budget(self, budget: Budget) -> tuple[list[Finding], BudgetStatus]:
        """Evaluate a budget as of now."""
        now, spending = self.now, self._loaded.spending or Spending.of({})
        period = budget_period(budget, now)
        spent = self._spent(budget, spending, period)
        return budgets.findings(budget, period, spent), budgets.status(budget, period, spent, now)

    def _spent(self, rule: Budget, spending: Spending, period: TimeRange) -> Spent:
        spent = budgets.spent_of(
            rule, period, self.now, lambda span: spending.between(span.start, min(span.end, self._moment))
        )
        if not rule.forecasts or rule.rolling is not None:
            return spent
        key = (period, floor_to(self.now, "hour"))
        if self._course is None or self._course[0] != key:
            days, hours = (_history(rule, spending, unit, self.now) for unit in _UNITS)
            (course,) = trajectories([trajectory_input(days, hours, rule.zone, self.now)])
            self._course = key, course.until(period.end)
        return replace(spent, landing=self._course[1].land(self.now, spent.spent))


def _history(rule: Budget, spending: Spending, unit: Unit, now: datetime) -> Array:
    """Return the USD of each whole piece of time before `now`."""
    edges = period_bounds(history_range(rule.zone, unit, now, ledger=rule.tagged), unit, rule.zone)
    return np.array([spending.between(low, high).cost / 1e12 for low, high in pairwise(edges)])


def step_of(times: Iterable[datetime]) -> timedelta:
    """Return the time from one window to the next: the median. Raises ValueError if there are not two times."""
    ordered = sorted(set(times))
    if len(ordered) < 2:
        raise ValueError("a series needs at least two different timestamps")
    gaps = sorted(b - a for a, b in pairwise(ordered))
    return max(timedelta(seconds=1), gaps[len(gaps) // 2])


def dense(
    lines: Mapping[Values, Mapping[datetime, Measure]], starts: Sequence[datetime]
) -> dict[Values, list[Measure | None]]:
    """Return a line for each scope, with an empty measure where it had nothing. Most windows of a line may be empty."""
    places = {at: place for place, at in enumerate(starts)}
    found: dict[Values, list[Measure | None]] = {}
    for values, line in lines.items():
        measures: list[Measure | None] = [EMPTY] * len(starts)
        for at, measure in line.items():
            if (place := places.get(at)) is not None:
                measures[place] = measure
        found[values] = measures
    return found
