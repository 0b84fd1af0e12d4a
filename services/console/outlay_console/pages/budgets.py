"""Budgets: how much of each is spent in its period, where it lands, and when it is or was used up."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from fractions import Fraction

from starlette.exceptions import HTTPException

from outlay_console.domain.list_page import page_of
from outlay_console.domain.roles import within_teams
from outlay_console.domain.view import view_of
from outlay_console.pages.request import Context, PageRequest
from outlay_kit.time_ranges import TimeRange
from outlay_reports.budgets import BudgetPlan, BudgetStatus, amount_text, plan_of
from outlay_schemas.catalog.watch import Budget
from outlay_schemas.currency import USD
from outlay_schemas.money import to_pico

CARDS = 60
"""Budgets of a page."""
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
        return self.status.used

    @property
    def span(self) -> TimeRange:
        """Its current period."""
        return TimeRange(self.status.period_start, self.status.period_end)

    @property
    def amount(self) -> str:
        """Its money of the period, for people."""
        return amount_text(to_pico(self.status.amount), self.plan, self.span)

    @property
    def form(self) -> str:
        """How the times of its period are written: days, unless the period begins within one."""
        return "%Y-%m-%d %H:%M" if self.plan.rolling or self.plan.period == "hour" else "%Y-%m-%d"

    @property
    def link(self) -> str:
        """Where Explore shows the spend of its period."""
        return self.explore(self.span)

    def explore(self, span: TimeRange) -> str:
        """Return where Explore shows what counts against it in a range."""
        view = view_of(span, self.plan.zone, self.status.at, by="sku", filters=self.plan.scope)
        return "/explore" + replace(view, chosen=USD.code, amount=self.plan.counts).query()

    @property
    def level(self) -> str:
        """`over`, `warn` (80% spent, or all of it is expected to be), or `good`."""
        return _LEVELS[self.status.standing]


async def budgets(request: PageRequest) -> Context:
    """Return every budget of the tenant, the fullest first."""
    page = page_of(await states(request), request.after, CARDS, "the fullest first")
    return {"page": page, "catalog": request.catalog}


async def budget(request: PageRequest) -> Context:
    """Return a budget, and how the periods before went. Raises HTTPException 404."""
    asked = [one for one in _visible(request) if one.id == request.path.get("id", "")]
    if not asked or request.catalog is None:
        raise HTTPException(404, "This budget does not exist.")
    plan = plan_of(asked[0], request.tenant, request.catalog.fx)
    (state,), past = await asyncio.gather(
        _states(request, asked[:1]), request.deps.forecasts.history(plan, request.now)
    )
    costs = [period.spent for period in past]
    return {
        "b": state,
        "past": past,
        "most": max([*(max(one.spent, one.amount) for one in past), 1]),
        "over": sum(one.spent >= one.amount for one in past),
        "usual": sum(costs[1:]) // len(costs[1:]) if costs[1:] else None,
    }


async def states(request: PageRequest) -> list[BudgetState]:
    """Return the state of every budget of the catalog that the session may see, the fullest first."""
    return await _states(request, _visible(request))


def _visible(request: PageRequest) -> list[Budget]:
    found = request.catalog.budgets if request.catalog else ()
    return [budget for budget in found if within_teams(budget.scope, request.session.teams)]


async def _states(request: PageRequest, found: Sequence[Budget]) -> list[BudgetState]:
    rates = request.catalog.fx if request.catalog else ()
    plans = [plan_of(budget, request.tenant, rates) for budget in found]
    statuses = await request.deps.forecasts.states(plans, request.now)
    shown = [
        BudgetState(budget, plan, status, _elapsed(status, request.now))
        for budget, plan, status in zip(found, plans, statuses, strict=True)
    ]
    return sorted(shown, key=lambda state: (-state.used, state.budget.name))


def _elapsed(status: BudgetStatus, now: datetime) -> Fraction:
    thousandths = (now - status.period_start) * 1000 // (status.period_end - status.period_start)
    return Fraction(min(1000, max(1, thousandths)), 1000)
