"""The forecast for people: where the month lands, which budgets it breaks, and when something is full."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from zoneinfo import ZoneInfo

from outlay_kit.spans import Anchor, Span, ceil_to, period_of
from outlay_reports.adapters.books import Books
from outlay_reports.errors import AskError
from outlay_reports.forecast.capacity import GPU_METER, gpu_seconds
from outlay_reports.forecast.growth import growth
from outlay_reports.forecast.history import Landed, land, past
from outlay_reports.money import percent
from outlay_reports.question import Question, total
from outlay_reports.sheet import Column, Row, Sheet, Spent, Value
from outlay_schemas.catalog import Budget, PriceBook

_UNTESTED = (
    "too little history to test a forecast on: this is the run rate, and how far it is off is not known"
)


def landing_sheet(question: Question, found: Landed, factor: float, assumed: Sequence[str]) -> Sheet:
    """Return where the question's span lands. `factor`: what assumptions make of what is still to come."""
    low80, high80 = (_assume(found, bound, factor) for bound in found.landing.bounds(80))
    low95, high95 = (_assume(found, bound, factor) for bound in found.landing.bounds(95))
    expected = _assume(found, found.landing.expected, factor)
    known = found.landing.tested
    rows = [
        Row(("spent so far", Spent(found.spent.cost, found.spent.unpriced))),
        Row(("expected at the end", _spent(expected, found))),
    ]
    if known:
        rows += [
            Row(("80 % of the time from", _spent(low80, found))), Row(("to", _spent(high80, found))),
            Row(("95 % of the time from", _spent(low95, found))), Row(("to", _spent(high95, found))),
        ]  # fmt: skip
    notes = [f"assumed: {text}" for text in assumed] + ([] if known else [_UNTESTED])
    if found.spent.unpriced:
        notes.append(f"{found.spent.unpriced:,} events unpriced: the forecast is one of lower bounds")
    end = question.span.end.astimezone(question.zone)
    columns = (Column("what", ""), Column("usd", "USD", "usd"))
    return Sheet(
        "landing",
        f"Landing on {end:%Y-%m-%d %H:%M} {question.zone.key}",
        columns,
        tuple(rows),
        notes=tuple(notes),
    )


def _assume(found: Landed, usd: float, factor: float) -> float:
    return found.landing.spent + (usd - found.landing.spent) * factor


def _spent(usd: float, found: Landed) -> Spent:
    return Spent(round(usd * 10**12), found.spent.unpriced)


def budget_sheet(books: Books, budgets: Sequence[Budget], tenants: Sequence[str], now: datetime) -> Sheet:
    """Return every budget with its landing and the probability that it is broken."""
    rows = [
        _budget_row(books, budget, tenant, now) for budget in budgets for tenant in _whose(budget, tenants)
    ]
    columns = (
        Column("budget", "budget"), Column("tenant", "tenant"), Column("period", "period"),
        Column("amount_usd", "amount", "usd"), Column("spent_usd", "spent", "usd"),
        Column("landing_usd", "landing", "usd"), Column("lower80_usd", "80 % from", "usd"),
        Column("upper80_usd", "to", "usd"), Column("breaks", "breaks it"), Column("when", "around"),
        Column("probability", "probability", "share", wide=True),
    )  # fmt: skip
    return Sheet("budgets", "Budgets", columns, tuple(rows))


def _whose(budget: Budget, tenants: Sequence[str]) -> Sequence[str]:
    return tenants if budget.tenant == "*" else [tenant for tenant in tenants if tenant == budget.tenant]


def budget_span(budget: Budget, now: datetime) -> Span:
    """Return the budget's period that holds `now`, from its own first day on; of a rolling one, the days until now."""
    zone = ZoneInfo(budget.timezone)
    if budget.rolling_days is not None:
        end = ceil_to(now, 60)
        return Span(end - timedelta(days=budget.rolling_days), end)
    return period_of(now, budget.period, zone, Anchor(budget.anchor_day, budget.anchor_month))


def budget_amount(budget: Budget, span: Span, before: int) -> int:
    """Return the pico-USD of a period: the budget's own, what was added for it, and what came over from before."""
    own = _pico(budget.amount)
    added = sum(
        _pico(more.amount)
        for more in budget.increases
        if (more.starts is None or more.starts < span.end) and (more.ends is None or more.ends > span.start)
    )
    return own + added + min(_pico(budget.amount * budget.rollover_percent / 100), max(own - before, 0))


def _pico(usd: Decimal) -> int:
    return int((usd * 10**12).to_integral_value())


def _spent_before(books: Books, budget: Budget, question: Question) -> int:
    """Return what the period before cost, where some of it may come over."""
    if not budget.rollover_percent:
        return 0
    zone, start = question.zone, question.span.start
    anchor = Anchor(budget.anchor_day, budget.anchor_month)
    earlier = period_of(start - timedelta(minutes=1), budget.period, zone, anchor)
    return total(books.cells(replace(question, span=earlier))).cost


def _budget_row(books: Books, budget: Budget, tenant: str, now: datetime) -> Row:
    zone = ZoneInfo(budget.timezone)
    where: dict[str, tuple[str, ...]] = {name: tuple(values) for name, values in budget.scope.items()}
    question = Question(budget_span(budget, now), zone, (), where, (tenant,))
    amount = budget_amount(budget, question.span, _spent_before(books, budget, question))
    if budget.rolling_days is not None:
        spent = total(books.cells(question))
        over = spent.cost > amount
        days = f"last {budget.rolling_days} days"
        told: tuple[Value, ...] = (
            budget.name, tenant, days, Spent(amount), Spent(spent.cost, spent.unpriced), None, None, None,
            "yes" if over else "not now", "already" if over else "", None,
        )  # fmt: skip
        return Row(told)
    found = land(books, question, now)
    usd = amount / 10**12
    tested = found.landing.tested
    low, high = (_spent(bound, found) for bound in found.landing.bounds(80)) if tested else (None, None)
    crossing = found.crossing(usd)
    when = "" if crossing is None else f"{crossing.astimezone(zone):%Y-%m-%d}"
    over_at_end = found.landing.over(usd)
    values: tuple[Value, ...] = (
        budget.name, tenant, budget.period, Spent(amount), Spent(found.spent.cost, found.spent.unpriced),
        _spent(found.landing.expected, found), low, high, likely(over_at_end, tested=tested),
        "already" if found.spent.cost > amount else when,
        Fraction(round(over_at_end, 4)).limit_denominator(10_000) if tested else None,
    )  # fmt: skip
    return Row(values)


def likely(probability: float, *, tested: bool) -> str:
    """Write a probability as far as it can be known."""
    if probability >= 1:
        return "yes"
    if not tested:
        return "unknown"
    return "<1%" if probability < 0.01 else ">99%" if probability > 0.99 else percent(Fraction(probability))


def full_sheet(
    books: Books,
    question: Question,
    now: datetime,
    meter: str,
    amount: float,
    *,
    gpus: int | None = None,
    price_books: Sequence[PriceBook] = (),
) -> Sheet:
    """Return when the daily use of a meter reaches `amount`, by the growth of the past months.

    `gpus`: the amount is what so many GPUs can do in a day, and is shown in GPUs. Of `gpu_seconds` also machines
    count whose number of GPUs the price books give.
    """
    machines: list[str] = []
    if meter == GPU_METER:
        known, machines = gpu_seconds(books, question, now, price_books)
    else:
        known = past(books, replace(question, by=(), unit="day"), now, meter)
    if not known.values.any():
        raise AskError(
            f"there is no whole day of {meter} yet", "see what is metered: outlay report top --json"
        )
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
        Row(("soonest", "soonest (80 %)", soon)), Row(("latest", "latest (80 %)", late)),
    )  # fmt: skip
    days = len(known.starts)
    sure = (
        f"from {days} days of history" if days >= 21 else f"only {days} days of history: take it as a guess"
    )
    said = (
        f"at this growth {whole} is full on {usual}, between {soon} and {late} in 80 % of cases"
        if not full and found.slope > 0
        else f"{whole} is {'full already' if full else 'not reached: use does not grow'}"
    )
    columns = (Column("name", "", wide=True), Column("what", ""), Column("value", "value"))
    title = f"When {whole} is full" if gpus else f"When {meter} reaches {whole}"
    counted = (f"counted with it: seconds of {', '.join(machines)}",) if machines else ()
    return Sheet("full", title, columns, rows, notes=(said, sure, *counted))
