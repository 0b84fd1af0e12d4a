"""Reads from the rollups what budgets ask for, and lets the domain decide."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial

from outlay_alerter.adapters.rollup_reader import RollupReader
from outlay_alerter.alerts.states import Finding
from outlay_alerter.rules import budget as budgets
from outlay_alerter.rules.base import Total
from outlay_alerter.rules.budget import Spent
from outlay_alerter.rules.watch import Budget, matches
from outlay_kit.clock import Clock
from outlay_kit.time_ranges import TimeRange, floor_to
from outlay_reports.adapters.forecast_cache import ForecastCache, budget_query, exhausted_at
from outlay_reports.budgets import BudgetStatus, budget_period, period_amount, previous_period


class BudgetReader:
    """Findings and standing of budgets."""

    def __init__(self, rollups: RollupReader, outlook: ForecastCache, clock: Clock) -> None:
        """`outlook`: several of these may share one, so that each forecast is made once."""
        self._rollups, self._outlook, self._clock = rollups, outlook, clock
        self._read: dict[tuple[object, ...], list[tuple[dict[str, str], Total]]] = {}
        """What was read in this evaluation, by tenant, span and dimensions."""
        self._reached: dict[tuple[str, str, TimeRange, int], tuple[datetime, datetime | None]] = {}

    def begin(self, wanted: Sequence[Budget] = ()) -> None:
        """Forget what was read: what comes is another evaluation. In one, budgets share what they ask for.

        The forecasts of the `wanted` are made side by side. Raises Retryable.
        """
        self._read.clear()
        now = self._clock.now()
        periods = [
            budget_query(b, budget_period(b, now)) for b in wanted if b.rolling is None and not b.tagged
        ]
        self._outlook.trajectories(self._rollups.costs, periods, now)

    def find(self, budget: Budget, times: Sequence[datetime]) -> tuple[list[Finding], BudgetStatus]:
        """Evaluate the periods that hold `times` and the one of now; return what was found, and how it stands.

        Raises Retryable.
        """
        now = self._clock.now()
        current = budget_period(budget, now)
        found: list[Finding] = []
        spans = {budget_period(budget, at) for at in times} if budget.rolling is None else {current}
        for span in spans - {current}:
            before = self._total(budget, previous_period(budget, span)).cost if budget.rollover else 0
            total = self._total(budget, span)
            found += budgets.findings(budget, span, Spent(total.cost, before, total.unpriced))
        spent = self._spent(budget, current, now)
        found += budgets.findings(budget, current, spent)
        return found, budgets.status(budget, current, spent, now)

    def standing(self, budget: Budget) -> BudgetStatus:
        """Return how a budget stands now. Raises Retryable."""
        return self.standings([budget])[0]

    def standings(self, wanted: Sequence[Budget]) -> list[BudgetStatus]:
        """Return how budgets stand now, in their order. Raises Retryable."""
        self.begin(wanted)
        now = self._clock.now()
        spans = [budget_period(budget, now) for budget in wanted]
        return [
            budgets.status(budget, span, self._spent(budget, span, now), now)
            for budget, span in zip(wanted, spans, strict=True)
        ]

    def _spent(self, budget: Budget, span: TimeRange, now: datetime) -> Spent:
        spent = budgets.spent_of(budget, span, now, partial(self._total, budget))
        if budget.rolling is not None:
            return spent
        (course,) = self._outlook.trajectories(self._rollups.costs, [budget_query(budget, span)], now)
        amount, landing = (period_amount(budget, span, spent.before), course.land(now, spent.spent))
        reached = self._when(budget, span, amount, now) if spent.spent >= amount else None
        return replace(spent, landing=landing, reached=reached)

    def _when(self, budget: Budget, span: TimeRange, amount: int, now: datetime) -> datetime | None:
        """Return when the amount was used up; read again when it was not asked for in this minute."""
        key, minute = (budget.tenant, budget.id, span, amount), floor_to(now, "minute")
        known = self._reached.get(key)
        if known is None or known[0] != minute:
            self._reached = {k: v for k, v in self._reached.items() if k[:2] != key[:2]}
            self._reached[key] = minute, exhausted_at(self._rollups.costs, budget_query(budget, span), amount)
        return self._reached[key][1]

    def _total(self, budget: Budget, span: TimeRange) -> Total:
        key = (budget.tenant, span, budget.counts, *sorted(budget.scope))
        if key not in self._read:
            self._read[key] = self._rollups.cells(budget.tenant, span, sorted(budget.scope), budget.counts)
        cells = self._read[key]
        mine = [total for cell, total in cells if matches(budget.scope, cell)]
        return Total(sum(one.cost for one in mine), sum(one.unpriced for one in mine))
