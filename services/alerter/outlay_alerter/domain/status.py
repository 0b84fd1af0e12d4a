"""How a budget stands: what an API answers to a caller that wants to know before it spends."""

from datetime import datetime
from decimal import Decimal
from typing import Literal

from msgspec import Struct

from outlay_alerter.domain.budgets import Spent, amount_of, burn_rate, crossed
from outlay_alerter.domain.forecasts import Forecast
from outlay_alerter.domain.watches import Budget
from outlay_kit.spans import Span
from outlay_schemas.money import Usd, to_usd

Standing = Literal["ok", "warning", "over"]


class Status(Struct, omit_defaults=True, frozen=True):
    """How a budget stood at `at`. Amounts are USD."""

    budget: str
    tenant: str
    name: str
    standing: Standing
    """over: nothing is left; warning: 80 % is spent, or more than all of it will be."""
    period_start: datetime
    period_end: datetime
    amount: Usd
    spent: Usd
    remaining: Usd
    """Less than 0 if it is overspent."""
    percent: str
    at: datetime
    forecast: Usd | None = None
    forecast_low: Usd | None = None
    forecast_high: Usd | None = None
    gone_on: datetime | None = None
    gone_early: datetime | None = None
    gone_late: datetime | None = None
    burn_rate: str | None = None
    """Over the first burn window: 1 uses the budget up exactly at its end."""


def status(budget: Budget, span: Span, spent: Spent, at: datetime) -> Status:
    """Return how a budget stands, given what was spent."""
    amount, f = amount_of(budget, span, spent.before), spent.forecast
    rate = None
    if budget.burns and spent.burns:
        rate = str(burn_rate(budget, span, amount, spent.burns[0][0], budget.burns[0].length))
    return Status(
        budget=budget.id, tenant=budget.tenant, name=budget.name, standing=_standing(spent.total, amount, f),
        period_start=span.start, period_end=span.end, amount=to_usd(amount), spent=to_usd(spent.total),
        remaining=to_usd(amount - spent.total), percent=f"{Decimal(spent.total) * 100 / amount:.2f}", at=at,
        forecast=to_usd(f.likely) if f else None, forecast_low=to_usd(f.low) if f else None,
        forecast_high=to_usd(f.high) if f else None, gone_on=f.gone_on if f else None,
        gone_early=f.gone_early if f else None, gone_late=f.gone_late if f else None, burn_rate=rate,
    )  # fmt: skip


def _standing(total: int, amount: int, forecast: Forecast | None) -> Standing:
    if crossed(total, amount, Decimal(100)):
        return "over"
    will = forecast is not None and crossed(forecast.likely, amount, Decimal(100))
    return "warning" if will or crossed(total, amount, Decimal(80)) else "ok"
