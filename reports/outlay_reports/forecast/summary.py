"""The forecast for people: the cost of the month, the budgets that it exceeds, and when something is full."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from fnmatch import fnmatchcase
from fractions import Fraction
from itertools import combinations, product
from zoneinfo import ZoneInfo

import numpy as np

from outlay_reports.adapters.cost_reader import CostReader
from outlay_reports.budgets import BudgetPlan, BudgetStatus, plan_of
from outlay_reports.cost_query import CostQuery, Sums
from outlay_reports.errors import QueryError
from outlay_reports.forecast.history import History, read_history
from outlay_reports.forecast.smoothing import Array
from outlay_reports.forecast.trajectory import Landing
from outlay_reports.money import counted, percent
from outlay_reports.report_table import Column, ExpectedCost, Moment, ReportTable, Row, Spent, Value
from outlay_schemas.catalog import Budget, FxRate, PriceBook
from outlay_schemas.currency import USD
from outlay_schemas.money import Usd, to_pico

UNTESTED = "no forecast yet: it needs two whole days of history"


def landing_table(
    question: CostQuery, spent: Sums, landing: Landing | None, factor: float, assumed: Sequence[str]
) -> ReportTable:
    """Return the forecast for the end of the question's span. `factor`: assumptions, applied to what is to come."""

    def cell(pico: int) -> ExpectedCost:
        return ExpectedCost(spent.cost + round((pico - spent.cost) * factor), spent.unpriced)

    rows = [Row(("spent so far", Spent(spent.cost, spent.unpriced)))]
    if landing is not None:
        rows.append(Row(("expected at the end", cell(landing.expected))))
        for level in (80, 95):
            low, high = landing.bounds(level)
            rows += [Row((f"{level}% of the time from", cell(low))), Row(("to", cell(high)))]
    notes = [f"assumed: {text}" for text in assumed] + ([] if landing else [UNTESTED])
    if spent.unpriced:
        notes.append(f"{counted(spent.unpriced, 'event')} unpriced: the forecast is one of lower bounds")
    end = question.span.end.astimezone(question.zone)
    columns = (Column("what", ""), Column("usd", "USD", "usd"))
    title = f"Forecast to {end:%Y-%m-%d %H:%M} {question.zone.key}"
    table = ReportTable("forecast", title, columns, tuple(rows), notes=tuple(notes))
    return table.in_currency(question.currency)


def budget_table(plans: Sequence[BudgetPlan], states: Sequence[BudgetStatus], zone: ZoneInfo) -> ReportTable:
    """Return every budget with its forecast, the probability that it is exceeded, and when it is used up: in `zone`,
    and in the budget's own."""
    rows = [_budget_row(plan, state, zone) for plan, state in zip(plans, states, strict=True)]
    columns = (
        Column("budget", "budget"), Column("tenant", "tenant"), Column("period", "period"),
        Column("amount_usd", "amount", "usd"), Column("spent_usd", "spent", "usd"), Column("used", "used", "share"),
        Column("forecast_usd", "forecast", "usd"), Column("lower80_usd", "80% from", "usd"),
        Column("upper80_usd", "to", "usd"), Column("breaks", "exceeds it"), Column("when", "runs out"),
        Column("probability", "probability", "share", wide=True),
    )  # fmt: skip
    converted = [
        f"{plan.name} is in {state.currency}: 1 {state.currency} was {state.usd_per_unit} USD when its period began"
        for plan, state in zip(plans, states, strict=True)
        if state.currency != USD.code
    ]
    return ReportTable("budgets", "Budgets", columns, tuple(rows), notes=tuple(converted))


def plans_of(
    budgets: Sequence[Budget], tenants: Sequence[str], rates: Sequence[FxRate] = ()
) -> list[BudgetPlan]:
    """Return the budgets of some tenants, as each of them has them; `rates`: of the catalog."""
    pairs = product(budgets, tenants)
    return [plan_of(budget, tenant, rates) for budget, tenant in pairs if budget.tenant in ("*", tenant)]


def _budget_row(plan: BudgetPlan, state: BudgetStatus, zone: ZoneInfo) -> Row:
    def forecast(usd: Usd | None) -> ExpectedCost | None:
        return None if usd is None else ExpectedCost(to_pico(usd), state.unpriced)

    over, chance = state.standing == "over", state.overrun_probability
    if plan.rolling is not None:
        exceeds = "yes" if over else "not now"
    else:
        exceeds = "yes" if over else "unknown" if chance is None else likely(chance)
    values: tuple[Value, ...] = (
        plan.name, plan.tenant, plan.period_name,
        Spent(to_pico(state.amount)), Spent(to_pico(state.spent), state.unpriced), state.used, forecast(state.forecast),
        forecast(state.forecast_low), forecast(state.forecast_high), exceeds,
        None if state.runs_out_at is None else Moment(state.runs_out_at, zone, plan.zone),
        None if chance is None else Fraction(chance).limit_denominator(10_000),
    )  # fmt: skip
    return Row(values)


def likely(probability: float) -> str:
    """Write a probability as far as it can be known."""
    if probability >= 1:
        return "yes"
    return "<1%" if probability < 0.01 else ">99%" if probability > 0.99 else percent(Fraction(probability))


def full_table(
    reader: CostReader,
    question: CostQuery,
    now: datetime,
    meter: str,
    amount: float,
    *,
    gpus: int | None = None,
    price_books: Sequence[PriceBook] = (),
) -> ReportTable:
    """Return when the daily use of a meter reaches `amount` by past growth. `gpus`: show the amount in GPUs."""
    machines: list[str] = []
    if meter == GPU_METER:
        known, machines = gpu_seconds(reader, question, now, price_books)
    else:
        known = read_history(reader, replace(question, by=(), unit="day"), now, meter)
    if not known.values.any():
        hint = "see what is metered: outlay report top --json"
        raise QueryError(f"{meter} has less than one whole day of history", hint)
    found = growth(known.values[0])
    size = 86_400 if gpus else 1
    whole = f"the reservation of {gpus:,} GPUs" if gpus else f"{amount:,.0f} a day"

    def day(days: float | None) -> str:
        at = None if days is None else now.astimezone(question.zone) + timedelta(days=days)
        return "not at that growth" if at is None else f"{at:%Y-%m-%d}"

    usual, soon, late = map(day, found.days_until(amount))
    full = found.level >= amount
    unit = "GPUs used now" if gpus else "a day now"
    rows = (
        Row(("level", unit, f"{found.level / size:,.2f}" if gpus else f"{found.level:,.0f}")),
        Row(("growth", "growth a day", f"{found.slope / size:+,.3f}" if gpus else f"{found.slope:+,.2f}")),
        Row(("full", f"{whole} is full on" if gpus else f"reaches {whole}", "has already" if full else usual)),
        Row(("soonest", "soonest (80%)", soon)), Row(("latest", "latest (80%)", late)),
    )  # fmt: skip
    days = len(known.starts)
    sure = (
        f"from {days} days of history" if days >= 21 else f"only {days} days of history: take it as a guess"
    )
    said = f"{whole} is {'full already' if full else 'not reached: use does not grow'}"
    if not full and found.slope > 0:
        said = f"at this growth {whole} is full on {usual}, between {soon} and {late} (80% range)"
    columns = (Column("name", "", wide=True), Column("what", ""), Column("value", "value"))
    title = f"When {whole} is full" if gpus else f"When {meter} reaches {whole}"
    counted = (f"counted with it: seconds of {', '.join(machines)}",) if machines else ()
    return ReportTable("full", title, columns, rows, notes=(said, sure, *counted))


GPU_METER = "gpu_seconds"
_MACHINES = "compute_seconds"


def gpus_of(price_books: Iterable[PriceBook], provider: str, sku: str) -> float:
    """Return the GPUs of a machine type by the first rule that names it; 0 if it has none or is unknown."""
    for rule in (rule for book in price_books for rule in book.rules if rule.gpus is not None):
        offered = not rule.provider or provider.lower() in map(str.lower, rule.provider)
        if offered and any(fnmatchcase(sku.lower(), name.lower()) for name in rule.sku):
            return float(rule.gpus or 0)
    return 0.0


def gpu_seconds(
    reader: CostReader, question: CostQuery, now: datetime, price_books: Sequence[PriceBook]
) -> tuple[History, list[str]]:
    """Return the GPU seconds of every whole day before `now`, and the machine types that are part of them."""
    days = replace(question, by=(), unit="day")
    found = read_history(reader, days, now, GPU_METER)
    machines = read_history(reader, replace(days, by=("provider", "sku")), now, _MACHINES)
    counted = []
    for (provider, sku), seconds in zip(machines.keys, machines.values, strict=True):
        gpus = gpus_of(price_books, provider, sku) if seconds.any() else 0.0
        if gpus:
            found.values[0] += seconds * gpus
            counted.append(f"{sku} ({gpus:g} GPUs)" if gpus != 1 else f"{sku} (1 GPU)")
    return found, sorted(counted)


@dataclass(frozen=True)
class Growth:
    """Growth of a daily value: its level at the end of the history, and its slope a day with an 80% interval."""

    level: float
    slope: float
    low: float
    high: float

    def days_until(self, amount: float) -> tuple[float | None, float | None, float | None]:
        """Return the days until `amount`: at this growth, soonest and latest (80%). None: never."""
        return self._days(amount, self.slope), self._days(amount, self.high), self._days(amount, self.low)

    def _days(self, amount: float, slope: float) -> float | None:
        if self.level >= amount:
            return 0.0
        days = (amount - self.level) / slope if slope > 0 else np.inf
        return days if days < 3650 else None


def growth(days: Array) -> Growth:
    """Fit growth by the median of all slopes between weeks, or days of short history (Theil 1950, Sen 1968)."""
    step = 7 if len(days) >= 21 else 1
    count = len(days) // step
    sizes = days[len(days) - count * step :].reshape(count, step).mean(axis=1)
    if count < 3:
        level = float(np.mean(days)) if len(days) else 0.0
        return Growth(level, 0.0, 0.0, 0.0)
    slopes = np.array([(sizes[b] - sizes[a]) / (b - a) for a, b in combinations(range(count), 2)]) / step
    slope = float(np.median(slopes))
    # Sen's interval: Kendall's statistic has this variance without growth.
    width = 1.2816 * np.sqrt(count * (count - 1) * (2 * count + 5) / 18) / len(slopes) / 2
    low, high = np.quantile(slopes, [max(0.5 - width, 0.0), min(0.5 + width, 1.0)])
    middle = np.arange(count) * step - (count - 1) * step - (step - 1) / 2
    level = float(np.median(sizes - slope * middle))
    return Growth(level, slope, float(low), float(high))
