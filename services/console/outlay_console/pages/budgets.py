"""Budgets: how much of each is spent in its period, where it lands, and when it is or was used up."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from urllib.parse import urlencode

from outlay_console.domain.roles import within_teams
from outlay_console.pages.request import Context, PageRequest
from outlay_kit.time_ranges import TimeRange
from outlay_reports.budgets import BudgetPlan, BudgetStatus, plan_of
from outlay_reports.explore_links import range_pairs
from outlay_reports.money import share
from outlay_schemas.catalog.watch import Budget

_LEVELS = {"over": "over", "warning": "warn", "ok": "good"}


@dataclass(frozen=True)
class BudgetState:
    """One budget in its current period. Shares of one; `status` has the amounts, USD."""

    budget: Budget
    plan: BudgetPlan
    status: BudgetStatus
    elapsed: Fraction
    """How much of the period is over."""

    @property
    def used(self) -> Fraction:
        """How much of the amount is spent."""
        return share(Decimal(self.status.spent), Decimal(self.status.amount)) or Fraction(0)

    @property
    def link(self) -> str:
        """Where Explore shows the spend of its period."""
        span = TimeRange(self.status.period_start, self.status.period_end)
        pairs = [*range_pairs(span, self.plan.zone), ("tz", self.plan.zone.key), ("by", "sku")]
        pairs += [(name, value) for name, values in self.plan.scope.items() for value in values]
        return "/explore?" + urlencode(pairs)

    @property
    def level(self) -> str:
        """`over`, `warn` (80% spent, or all of it is expected to be), or `good`."""
        return _LEVELS[self.status.standing]


async def budgets(request: PageRequest) -> Context:
    """Return every budget of the tenant, the fullest first."""
    return {"budgets": await states(request), "catalog": request.catalog}


async def states(request: PageRequest) -> list[BudgetState]:
    """Return the state of every budget of the catalog that the session may see, the fullest first."""
    found = request.catalog.budgets_of(request.tenant) if request.catalog else []
    found = [budget for budget in found if within_teams(budget.scope, request.session.teams)]
    plans = [plan_of(budget, request.tenant) for budget in found]
    statuses = await request.deps.forecasts.states(plans, request.now)
    shown = [
        BudgetState(budget, plan, status, _elapsed(status, request.now))
        for budget, plan, status in zip(found, plans, statuses, strict=True)
    ]
    return sorted(shown, key=lambda state: (-state.used, state.budget.name))


def _elapsed(status: BudgetStatus, now: datetime) -> Fraction:
    thousandths = (now - status.period_start) * 1000 // (status.period_end - status.period_start)
    return Fraction(min(1000, max(1, thousandths)), 1000)
