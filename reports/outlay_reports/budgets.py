"""Budgets and their status: one definition for every surface. Amounts are pico-USD; `BudgetStatus` has USD.

A budget may be written in another currency. Its limit for a period is then what that is worth in USD when the period
begins, so that spending, forecasts and alerts stay in USD, and a rate that changes later does not move the limit.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Literal
from zoneinfo import ZoneInfo

from msgspec import Struct

from outlay_kit.time_ranges import PLAIN, Anchor, PeriodName, TimeRange, floor_to, period_of
from outlay_reports.cost_query import Amount
from outlay_reports.forecast.trajectory import Landing
from outlay_reports.money import decimal_of, dollars, plain, share
from outlay_schemas import catalog
from outlay_schemas.catalog.terms import FxRate
from outlay_schemas.currency import USD, Currency
from outlay_schemas.money import Usd, to_pico, to_usd

Standing = Literal["ok", "warning", "over"]
Scope = Mapping[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Increase:
    """More money, in the budget's currency times 10^12, for the periods that overlap `begin` to `end`; None: always."""

    amount: int
    begin: datetime | None
    end: datetime | None


@dataclass(frozen=True, kw_only=True)
class BudgetPlan:
    """A budget of one tenant: so much for so long."""

    id: str
    name: str
    tenant: str
    scope: Scope
    amount: int
    """Its own money for a period, in its currency times 10^12."""
    currency: Currency = USD
    """What `amount` and increases are written in."""
    counts: Amount = "cost"
    """What counts against the amount."""
    period: PeriodName
    zone: ZoneInfo
    """Where its periods begin, at local midnight."""
    anchor: Anchor = PLAIN
    rolling: timedelta | None = None
    """The last so much time, instead of a period that starts again."""
    increases: tuple[Increase, ...] = ()
    rollover: Decimal = Decimal(0)
    """Percent of the amount that may come over from the period before."""

    @property
    def period_name(self) -> str:
        """Its period for people: `month`, `last 7 days`."""
        if self.rolling is None:
            return self.period
        return "last day" if self.rolling.days == 1 else f"last {self.rolling.days} days"


def plan_of(budget: catalog.Budget, tenant: str, rates: Sequence[FxRate] = ()) -> BudgetPlan:
    """Return a budget of the catalog as it holds for a tenant. `rates`: the catalog's, for a budget in another currency
    than USD; without them its `period_amount` raises NoRateError."""
    return BudgetPlan(
        id=budget.id, name=budget.name, tenant=tenant,
        scope={str(name): values for name, values in budget.scope.items()}, amount=to_pico(budget.amount),
        period=budget.period, zone=ZoneInfo(budget.timezone),
        anchor=Anchor(budget.anchor_day, budget.anchor_month),
        rolling=timedelta(days=budget.rolling_days) if budget.rolling_days else None,
        increases=tuple(Increase(to_pico(i.amount), i.starts, i.ends) for i in budget.increases),
        rollover=budget.rollover_percent, counts=budget.counts, currency=Currency(budget.currency, rates),
    )  # fmt: skip


def budget_period(plan: BudgetPlan, at: datetime) -> TimeRange:
    """Return the period that holds `at`; of a rolling budget, the time up to the end of that minute."""
    if plan.rolling is None:
        return period_of(at, plan.period, plan.zone, plan.anchor)
    end = floor_to(at, "minute") + timedelta(minutes=1)
    return TimeRange(end - plan.rolling, end)


def previous_period(plan: BudgetPlan, span: TimeRange) -> TimeRange:
    """Return the period before `span`."""
    return budget_period(plan, span.start - timedelta(microseconds=1))


def past_periods(plan: BudgetPlan, at: datetime, count: int) -> list[TimeRange]:
    """Return the `count` whole periods before the one that holds `at`, the newest first."""
    found = [previous_period(plan, budget_period(plan, at))]
    while len(found) < count:
        found.append(previous_period(plan, found[-1]))
    return found


def period_amount(plan: BudgetPlan, span: TimeRange, before: int = 0) -> int:
    """Return a period's money in pico-USD: the budget's own, increases, and rollover. `before`: cost of the previous
    period. Raises NoRateError where its currency has no rate."""
    rate = plan.currency.lasting_usd(span.start)
    more = sum(
        i.amount
        for i in plan.increases
        if (i.begin is None or i.begin < span.end) and (i.end is None or i.end > span.start)
    )
    own = round(plan.amount * rate)
    over = min(percent_of(own, plan.rollover), max(0, own - before))
    return round((plan.amount + more) * rate) + (over if plan.rollover else 0)


def amount_text(amount: int, plan: BudgetPlan, span: TimeRange) -> str:
    """Write a period's pico-USD, and what they are in the budget's currency: `$1,084.20 = €1,000.00`."""
    if plan.currency.code == USD.code:
        return dollars(amount)
    own = round(amount / plan.currency.lasting_usd(span.start))
    return f"{dollars(amount)} = {dollars(own, currency=plan.currency.code)}"


def percent_of(amount: int, threshold: Decimal) -> int:
    """Return `threshold` percent of `amount`, rounded up to a pico-USD."""
    over, under = threshold.as_integer_ratio()
    return -(-amount * over // (100 * under))


def crossed(total: int, amount: int, threshold: Decimal) -> bool:
    """Tell whether `total` reaches `threshold` percent of `amount`, exactly. Spending nothing crosses nothing."""
    over, under = threshold.as_integer_ratio()
    return total > 0 and total * 100 * under >= amount * over


class BudgetStatus(Struct, omit_defaults=True, frozen=True):
    """How a budget stood at `at`. Amounts are USD."""

    budget: str
    tenant: str
    name: str
    standing: Standing
    """over: all of it is spent; warning: 80% is spent, or all of it will be by the end of the period."""
    period_start: datetime
    period_end: datetime
    amount: Usd
    """With increases, and with what came over from the period before."""
    spent: Usd
    remaining: Usd
    """Less than 0 if it is overspent."""
    percent: str
    """Used, of the amount, to two places."""
    at: datetime
    forecast: Usd | None = None
    """What the period will most likely have cost at its end; absent with less than two days of history."""
    forecast_low: Usd | None = None
    """With `forecast_high` the interval that holds 80% of the time."""
    forecast_high: Usd | None = None
    runs_out_at: datetime | None = None
    """When it is used up: in the past if it is, else when the forecast reaches the amount within the period."""
    runs_out_earliest: datetime | None = None
    """The earliest time at which it is used up, at the upper end of the interval."""
    runs_out_latest: datetime | None = None
    burn_rate: str | None = None
    """Over the first burn window: 1 uses the budget up exactly at its end."""
    unpriced: int = 0
    """Events of the period without a price: the true spending is higher."""
    overrun_probability: float | None = None
    """The probability, 0 to 1, that the period costs more than the amount."""
    currency: str = "USD"
    """What the budget is written in. All amounts here are USD."""
    usd_per_unit: str | None = None
    """What one unit of another currency was worth when the period began: `amount` was converted by it."""

    @property
    def used(self) -> Fraction:
        """Return how much of the amount is spent, exact: 1 is all of it."""
        return share(Decimal(self.spent), Decimal(self.amount)) or Fraction(0)


@dataclass(frozen=True, slots=True)
class BudgetUsage:
    """What was found for a budget: `spent` and `before` (the period before) in pico-USD."""

    spent: int
    before: int = 0
    unpriced: int = 0
    landing: Landing | None = None
    """None: it is rolling, or there is too little history."""
    reached: datetime | None = None
    """The minute at which the amount was used up, if it is."""


def status(
    budget: BudgetPlan, span: TimeRange, used: BudgetUsage, at: datetime, burn_rate: str | None = None
) -> BudgetStatus:
    """Return how a budget stands, given what was spent."""
    amount, ahead = period_amount(budget, span, used.before), used.landing
    rate = budget.currency.lasting_usd(span.start)
    low, high = ahead.bounds(80) if ahead else (0, 0)
    gone, early, late = used.reached, None, None
    if ahead and used.spent < amount:
        gone, (early, late) = ahead.used_up(amount), ahead.used_up_between(amount)
    return BudgetStatus(
        budget=budget.id,
        tenant=budget.tenant,
        name=budget.name,
        standing=_standing(used.spent, amount, ahead),
        period_start=span.start,
        period_end=span.end,
        amount=to_usd(amount),
        spent=to_usd(used.spent),
        remaining=to_usd(amount - used.spent),
        percent=_percent(used.spent, amount),
        at=at,
        forecast=to_usd(ahead.expected) if ahead else None,
        forecast_low=to_usd(low) if ahead else None,
        forecast_high=to_usd(high) if ahead else None,
        runs_out_at=gone,
        runs_out_earliest=early,
        runs_out_latest=late,
        burn_rate=burn_rate,
        unpriced=used.unpriced,
        overrun_probability=round(ahead.over(amount), 4) if ahead else None,
        currency=budget.currency.code,
        usd_per_unit=None if budget.currency.code == USD.code else plain(decimal_of(rate)),
    )


def _percent(spent: int, amount: int) -> str:
    """Return percent to two places; less than all is never 100.00."""
    rounded = round(Decimal(spent) * 100 / amount, 2)
    return f"{min(rounded, Decimal('99.99')) if spent < amount else rounded:.2f}"


def _standing(spent: int, amount: int, landing: Landing | None) -> Standing:
    if crossed(spent, amount, Decimal(100)):
        return "over"
    will = landing is not None and crossed(landing.expected, amount, Decimal(100))
    return "warning" if will or crossed(spent, amount, Decimal(80)) else "ok"
