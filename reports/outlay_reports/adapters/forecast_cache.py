"""Forecasts of periods and the status of budgets: the one implementation, which every surface calls."""

import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import product
from typing import NamedTuple

import numpy as np

from outlay_kit.time_ranges import TimeRange, floor_to
from outlay_reports import budgets
from outlay_reports.adapters.cost_reader import CostReader
from outlay_reports.budgets import BudgetPlan, BudgetStatus, BudgetUsage
from outlay_reports.cost_query import CostQuery, Sums
from outlay_reports.forecast.history import rate_ahead
from outlay_reports.forecast.intervals import Bands
from outlay_reports.forecast.pieces import next_edges, rest_of, with_spent
from outlay_reports.forecast.trajectory import (
    Landing,
    Trajectory,
    TrajectoryInput,
    history_range,
    hourly_input,
    trajectories,
    trajectory_input,
)
from outlay_reports.periods import Unit
from outlay_reports.range_sums import needs_ledger
from outlay_schemas.currency import USD

_UNITS: tuple[Unit, ...] = ("day", "hour")
_KEPT = 5000


class _Known(NamedTuple):
    minute: datetime
    made_from: object
    course: Trajectory


@dataclass(frozen=True)
class Ahead:
    """What the next pieces of time are expected to cost: of the first, which has begun, what is spent and the rest."""

    starts: tuple[datetime, ...]
    bands: Bands
    """Pieces x 1, in the currency of the question."""


class ForecastCache:
    """Remembers forecasts for as long as the spending they are made from is the same. Threads may share one."""

    def __init__(self) -> None:
        self._known: OrderedDict[tuple[object, ...], _Known] = OrderedDict()
        self._lock = threading.Lock()

    def trajectories(
        self, reader: CostReader, periods: Sequence[CostQuery], now: datetime
    ) -> list[Trajectory]:
        """Return the trajectory of each current period in its currency, from history read once a minute.

        Raises Retryable, NoRateError."""
        courses = self._courses(reader, periods, now)
        return [course.until(period.span.end) for course, period in zip(courses, periods, strict=True)]

    def ahead(
        self, reader: CostReader, asked: CostQuery, now: datetime, *, unit: Unit, count: int
    ) -> Ahead | None:
        """Return the next pieces of a scope, whatever span it asks of; None: too little history. Raises as above."""
        (course,) = self._courses(reader, [asked], now)
        if not course.tested:
            return None
        hourly = self._courses(reader, [asked], now, by_hours=True)[0] if unit == "hour" else course
        edges = next_edges(asked.zone, unit, count, now)
        (spent,) = reader.totals([replace(asked, by=(), unit=None, span=TimeRange(*edges[:2]))])
        rest = rest_of(course, hourly, edges, now)
        return Ahead(tuple(edges[:-1]), with_spent(rest, [float(spent.cost) / 10**12]))

    def _courses(
        self, reader: CostReader, asked: Sequence[CostQuery], now: datetime, *, by_hours: bool = False
    ) -> list[Trajectory]:
        """Return the course of each scope in its currency; `by_hours`: also of one that is forecast by days."""
        minute = floor_to(now, "minute")
        rates = [rate_ahead(one.currency, now) for one in asked]
        keys = [(by_hours, *_key(one)) for one in asked]
        with self._lock:
            known = {key: self._known[key] for key in keys if key in self._known}
        due = {
            key: replace(one, currency=USD)
            for key, one in zip(keys, asked, strict=True)
            if key not in known or known[key].minute != minute
        }
        read = _inputs(reader, list(due.values()), minute, by_hours=by_hours) if due else []
        wanted = dict(zip(due, read, strict=True))
        spent = {key: (one.start, one.history.tobytes(), one.left.tobytes()) for key, one in wanted.items()}
        changed = [key for key in wanted if key not in known or known[key].made_from != spent[key]]
        made = dict(zip(changed, trajectories([wanted[key] for key in changed]), strict=True))
        for key in wanted:
            known[key] = _Known(minute, spent[key], made[key] if key in made else known[key].course)
        with self._lock:
            for key in wanted:
                self._known[key] = known[key]
                self._known.move_to_end(key)
            while len(self._known) > _KEPT:
                self._known.popitem(last=False)
        return [known[key].course.times(rate) for key, rate in zip(keys, rates, strict=True)]

    def land(self, reader: CostReader, period: CostQuery, now: datetime) -> tuple[Sums, Landing | None]:
        """Return what a question's span cost so far, and where it lands; None: too little history."""
        (spent,) = reader.totals([period])
        (course,) = self.trajectories(reader, [period], now)
        return spent, course.land(now, round(spent.cost))

    def states(self, reader: CostReader, plans: Sequence[BudgetPlan], now: datetime) -> list[BudgetStatus]:
        """Return how budgets stand now, in their order. Raises Retryable."""
        periods = [budget_query(plan, budgets.budget_period(plan, now)) for plan in plans]
        before = [
            replace(period, span=budgets.previous_period(plan, period.span) if plan.rollover else period.span)
            for plan, period in zip(plans, periods, strict=True)
        ]
        totals = reader.totals([*periods, *before])
        lasting = [n for n, plan in enumerate(plans) if plan.rolling is None]
        made = self.trajectories(reader, [periods[n] for n in lasting], now)
        landings = {
            n: course.land(now, round(totals[n].cost)) for n, course in zip(lasting, made, strict=True)
        }
        found = []
        for n, (plan, period) in enumerate(zip(plans, periods, strict=True)):
            spent = round(totals[n].cost)
            earlier = round(totals[len(plans) + n].cost) if plan.rollover else 0
            amount = budgets.period_amount(plan, period.span, earlier)
            over = plan.rolling is None and spent >= amount
            reached = exhausted_at(reader, period, amount) if over else None
            used = BudgetUsage(spent, earlier, totals[n].unpriced, landings.get(n), reached)
            found.append(budgets.status(plan, period.span, used, now))
        return found


@dataclass(frozen=True, slots=True)
class PastPeriod:
    """A period of a budget that is over. Amounts are pico-USD."""

    span: TimeRange
    spent: int
    amount: int
    """By the budget as it is now: its money, increases, and what came over from the period before."""
    unpriced: int


def budget_history(reader: CostReader, plan: BudgetPlan, now: datetime, count: int = 6) -> list[PastPeriod]:
    """Return the last periods of a budget that are over, the newest first, without those before its first event.
    Raises Retryable."""
    spans = budgets.past_periods(plan, now, count + 1)
    sums = reader.totals([budget_query(plan, span) for span in spans])
    found = [
        PastPeriod(
            span, round(used.cost), budgets.period_amount(plan, span, round(before.cost)), used.unpriced
        )
        for (span, used), before in zip(zip(spans, sums, strict=True), sums[1:], strict=False)
    ]
    while found and not (found[-1].spent or found[-1].unpriced):
        found.pop()
    return found


def budget_query(plan: BudgetPlan, span: TimeRange) -> CostQuery:
    """Return the question that a budget asks of a span."""
    return CostQuery(span, plan.zone, (), plan.scope, (plan.tenant,), amount=plan.counts)


def exhausted_at(reader: CostReader, period: CostQuery, amount: int) -> datetime | None:
    """Return the minute at whose end a period's spend had reached `amount` pico-USD; None: it has not."""
    span, before = period.span, 0
    for step in (timedelta(days=1), timedelta(hours=1), timedelta(minutes=1)):
        count = -(-span.length // step)
        edges = (*(span.start + step * n for n in range(count)), span.end)
        (costs,) = reader.series([replace(period, span=span, by=(), unit=None, cuts=edges)])
        for place, cost in enumerate(costs):
            if cost and before + cost >= amount:
                span = TimeRange(edges[place], edges[place + 1])
                break
            before += cost
        else:
            return None
    return span.start


def _key(asked: CostQuery) -> tuple[object, ...]:
    scope = tuple(sorted((name, tuple(sorted(values))) for name, values in asked.where.items()))
    return asked.tenants, scope, asked.zone.key, asked.amount


def _inputs(
    reader: CostReader, asked: Sequence[CostQuery], now: datetime, *, by_hours: bool
) -> list[TrajectoryInput]:
    wanted = []
    for unit, one in product(_UNITS[by_hours:], asked):
        span = history_range(one.zone, unit, now, ledger=needs_ledger(one.where, exact=True))
        wanted.append(replace(one, by=(), unit=unit, span=span))
    read = [np.array(costs) / 1e12 for costs in reader.series(wanted)]
    if by_hours:
        return [hourly_input(hourly, one.zone, now) for one, hourly in zip(asked, read, strict=True)]
    pairs = zip(asked, read[: len(asked)], read[len(asked) :], strict=True)
    return [trajectory_input(daily, hourly, one.zone, now) for one, daily, hourly in pairs]
