"""Budgets: so much for so long."""

from collections.abc import Mapping
from datetime import datetime, timedelta

from outlay_alerter.alerts.states import AlertRecord
from outlay_alerter.rules.base import Evaluation, Judged, Kind, Needs, View, common, judged
from outlay_alerter.rules.watch import Budget, Burn
from outlay_reports.budgets import BudgetStatus, budget_period, crossed, percent_of, plan_of, previous_period
from outlay_reports.forecast.trajectory import history_range
from outlay_schemas.catalog import watch as schema
from outlay_schemas.money import PICO, to_pico

STEP = timedelta(minutes=15)
"""How often a backtest looks at a budget."""


def compile_rule(b: schema.Budget, tenant: str) -> Budget:
    """Return a budget of the catalog as the evaluator needs it."""
    burns = (Burn(timedelta(seconds=int(n.hours * 3600)), n.rate, n.severity) for n in b.burn)
    return Budget(
        **{**vars(plan_of(b, tenant)), **common(b, tenant)}, thresholds=tuple(b.thresholds),
        forecasts=tuple(b.forecast_thresholds), burns=tuple(burns), closed=b.fail == "closed",
    )  # fmt: skip


class Evaluator:
    """Asks the view how a budget stands."""

    def __init__(self, rule: Budget, most_scopes: int = 0) -> None:
        """`most_scopes` does not matter: a budget has one scope."""
        self._rule = rule
        self._before: BudgetStatus | None = None

    def needs(self, start: datetime) -> Needs:
        """Return what it reads when it evaluates from `start` on."""
        rule, period = self._rule, budget_period(self._rule, start)
        since = previous_period(rule, period).start if rule.rollover else period.start
        since = min([since, *(start - burn.length for burn in rule.burns)])
        if rule.forecasts:
            since = min(since, history_range(rule.zone, "day", start, ledger=rule.tagged).start)
        return Needs("minute", since, "spending", step=STEP)

    def evaluate(self, view: View, known: Mapping[str, AlertRecord]) -> Evaluation:
        """Return what holds of the periods that changed and of the current one. Raises Retryable."""
        found, status = view.budget(self._rule)
        before, self._before = self._before, status
        spent = to_pico(before.spent) if before and before.period_start == status.period_start else 0
        return Evaluation(found, [_point(self._rule, view.now, spent, status)], [status])


KIND = Kind(Budget, schema.Budget, compile_rule, Evaluator)


def _point(rule: Budget, at: datetime, before: int, status: BudgetStatus) -> Judged:
    """Return how much was left until the next level before the newest spending, and whether that crossed it."""
    after, amount = to_pico(status.spent), to_pico(status.amount)
    left = [percent_of(amount, t) - before for t in sorted(rule.thresholds) if not crossed(before, amount, t)]
    fired = any(crossed(after, amount, t) and not crossed(before, amount, t) for t in rule.thresholds)
    room, share = (left[0] / PICO if left else None), max(0.0, after / amount)
    return judged(at, (after - before) / PICO, share, fired=fired, expected=room, upper=room)
