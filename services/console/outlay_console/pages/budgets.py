"""Budgets: how much of each is spent in its period, and where the alerter expects it to end."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from fractions import Fraction
from zoneinfo import ZoneInfo

from outlay_console.adapters.books import BudgetStatus, Total
from outlay_console.pages.ask import Ask
from outlay_console.site import Context
from outlay_kit.spans import Span, ceil_to, floor_to, period_of
from outlay_reports.money import share
from outlay_reports.range_sums import Part
from outlay_schemas.catalog.watch import Budget


@dataclass(frozen=True)
class BudgetState:
    """One budget in its current period. Amounts in USD, shares of one."""

    budget: Budget
    span: Span
    zone: ZoneInfo
    amount: Decimal
    """With increases, and with what came over from the period before."""
    spent: Decimal
    unpriced: int
    elapsed: Fraction
    """How much of the period is over."""
    status: BudgetStatus | None
    """What the alerter expects; None: it did not look at this period yet."""

    @property
    def used(self) -> Fraction:
        """How much of the amount is spent."""
        return share(self.spent, self.amount) or Fraction(0)

    @property
    def level(self) -> str:
        """`over`, `warn` (80 % spent, or more than all is expected to be), or `good`."""
        if self.used >= 1:
            return "over"
        will = self.status and self.status.forecast is not None and self.status.forecast >= self.amount
        return "warn" if will or self.used >= Fraction(4, 5) else "good"


async def budgets(ask: Ask) -> Context:
    """Return every budget of the tenant, the fullest first."""
    return {"budgets": await states(ask), "catalog": ask.catalog}


async def states(ask: Ask) -> list[BudgetState]:
    """Return the state of every budget, the fullest first."""
    plans = await planned(ask)
    return stated(ask, plans, await ask.books.totals(parts(plans)))


@dataclass(frozen=True)
class Plan:
    """A budget and its period: the alerter knows both best, and its amount."""

    budget: Budget
    span: Span
    status: BudgetStatus | None


async def planned(ask: Ask) -> list[Plan]:
    """Return the budgets of the tenant with their current periods."""
    found = ask.catalog.budgets_of(ask.tenant) if ask.catalog else []
    statuses = await ask.books.statuses() if found else {}
    return [_plan(ask, budget, statuses.get(budget.id)) for budget in found]


def parts(plans: Sequence[Plan]) -> Mapping[str, Part]:
    """Return which sums tell how much of each budget is spent."""
    return {
        f"budget:{plan.budget.id}": Part(plan.span, {str(name): v for name, v in plan.budget.scope.items()})
        for plan in plans
    }


def stated(ask: Ask, plans: Sequence[Plan], totals: Mapping[str, Total]) -> list[BudgetState]:
    """Return the state of every budget, the fullest first, from the sums of `parts`."""
    found = []
    for plan in plans:
        total, status = totals[f"budget:{plan.budget.id}"], plan.status
        found.append(
            BudgetState(
                budget=plan.budget,
                span=plan.span,
                zone=ZoneInfo(plan.budget.timezone),
                amount=status.amount if status else plan.budget.amount,
                spent=total.cost,
                unpriced=total.unpriced,
                elapsed=_elapsed(plan.span, ask.now),
                status=status,
            )
        )
    return sorted(found, key=lambda state: (-state.used, state.budget.name))


def _plan(ask: Ask, budget: Budget, status: BudgetStatus | None) -> Plan:
    if status and not status.period_start <= ask.now < status.period_end:
        status = None
    span = period_of(ask.now, budget.period, ZoneInfo(budget.timezone))
    if status:
        # A rolling one begins at any second: what is added up is whole minutes.
        span = Span(
            floor_to(status.period_start.astimezone(UTC), "minute"),
            ceil_to(status.period_end.astimezone(UTC), 60),
        )
    return Plan(budget, span, status)


def _elapsed(span: Span, now: datetime) -> Fraction:
    """Return how much of a period is over, at least a thousandth."""
    thousandths = (now - span.start) * 1000 // span.length
    return Fraction(min(1000, max(1, thousandths)), 1000)
