"""Budgets: how much of each is spent in its period, and where the alerter expects it to end."""

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

from outlay_console.adapters.books import BudgetStatus
from outlay_console.domain.figures import share
from outlay_console.pages.ask import Ask
from outlay_console.site import Context
from outlay_kit.spans import Span, period_of
from outlay_schemas.catalog.watch import Budget


@dataclass(frozen=True)
class BudgetState:
    """One budget in its current period. Amounts in USD, shares in percent."""

    budget: Budget
    span: Span
    zone: ZoneInfo
    amount: Decimal
    """With increases, and with what came over from the period before."""
    spent: Decimal
    unpriced: int
    elapsed: Decimal
    """How much of the period is over."""
    status: BudgetStatus | None
    """What the alerter expects; None: it did not look at this period yet."""

    @property
    def used(self) -> Decimal:
        """How much of the amount is spent."""
        return share(self.spent, self.amount)

    @property
    def level(self) -> str:
        """`over`, `warn` (80 % spent, or more than all is expected to be), or `good`."""
        if self.used >= 100:
            return "over"
        will = self.status and self.status.forecast is not None and self.status.forecast >= self.amount
        return "warn" if will or self.used >= 80 else "good"


async def budgets(ask: Ask) -> Context:
    """Return every budget of the tenant, the fullest first."""
    return {"budgets": await states(ask), "catalog": ask.catalog}


async def states(ask: Ask) -> list[BudgetState]:
    """Return the state of every budget, the fullest first."""
    found = ask.catalog.budgets_of(ask.tenant) if ask.catalog else []
    if not found:
        return []
    statuses = await ask.books.statuses()
    return sorted(
        await asyncio.gather(*(_state(ask, budget, statuses.get(budget.id)) for budget in found)),
        key=lambda state: (-state.used, state.budget.name),
    )


async def _state(ask: Ask, budget: Budget, status: BudgetStatus | None) -> BudgetState:
    """Return the state of a budget: the alerter knows its period and its amount, the books what is spent now."""
    zone = ZoneInfo(budget.timezone)
    if status and not status.period_start <= ask.now < status.period_end:
        status = None
    span = period_of(ask.now, budget.period, zone)
    if status:
        span = Span(status.period_start.astimezone(UTC), status.period_end.astimezone(UTC))
    scope = {str(name): values for name, values in budget.scope.items()}
    total = (await ask.books.totals({"spent": span}, scope))["spent"]
    return BudgetState(
        budget=budget,
        span=span,
        zone=zone,
        amount=status.amount if status else budget.amount,
        spent=total.cost,
        unpriced=total.unpriced,
        elapsed=_elapsed(span, ask.now),
        status=status,
    )


def _elapsed(span: Span, now: datetime) -> Decimal:
    """Return how much of a period is over, in percent, at least 0.1."""
    tenths = (now - span.start) * 1000 // span.length
    return Decimal(min(1000, max(1, tenths))) / 10
