"""Budgets: how much of each is spent in its period, and where it ends if it goes on so."""

import asyncio
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

from outlay_console.domain.figures import share
from outlay_console.domain.spans import Span, period_of
from outlay_console.pages.ask import Ask
from outlay_console.site import Context
from outlay_schemas.catalog.watch import Budget


@dataclass(frozen=True)
class BudgetState:
    """One budget in its current period. Amounts in USD, shares in percent."""

    budget: Budget
    span: Span
    zone: ZoneInfo
    spent: Decimal
    unpriced: int
    used: Decimal
    elapsed: Decimal
    """How much of the period is over."""
    pace: Decimal
    """What the whole period costs if it goes on as it did so far."""

    @property
    def level(self) -> str:
        """`over`, `warn` (80 %, or the pace leads past it), or `good`."""
        if self.used >= 100:
            return "over"
        return "warn" if self.used >= 80 else "good"


async def budgets(ask: Ask) -> Context:
    """Return every budget of the tenant, the fullest first."""
    return {"budgets": await states(ask), "catalog": ask.catalog}


async def states(ask: Ask) -> list[BudgetState]:
    """Return the state of every budget, the fullest first."""
    found = ask.catalog.budgets_of(ask.tenant) if ask.catalog else []
    return sorted(
        await asyncio.gather(*(_state(ask, budget) for budget in found)),
        key=lambda state: (-state.used, state.budget.name),
    )


async def _state(ask: Ask, budget: Budget) -> BudgetState:
    zone = ZoneInfo(budget.timezone)
    span = period_of(ask.now, budget.period, zone)
    scope = {str(name): values for name, values in budget.scope.items()}
    total = (await ask.books.totals({"spent": span}, scope))["spent"]
    elapsed = _elapsed(span, ask.now)
    return BudgetState(
        budget=budget,
        span=span,
        zone=zone,
        spent=total.cost,
        unpriced=total.unpriced,
        used=share(total.cost, budget.amount),
        elapsed=elapsed,
        pace=total.cost * 100 / elapsed if elapsed else total.cost,
    )


def _elapsed(span: Span, now: datetime) -> Decimal:
    """Return how much of a period is over, in percent, at least 0.1."""
    tenths = (now - span.start) * 1000 // span.length
    return Decimal(min(1000, max(1, tenths))) / 10
