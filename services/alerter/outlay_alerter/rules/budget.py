"""Budgets: what is left of them, and which of their levels are crossed."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from outlay_alerter.alerts.states import EPOCH, UNTIL, AlertRecord, Finding, Key
from outlay_alerter.rules import base
from outlay_alerter.rules.base import Evaluation, Judged, Kind, Needs, Total, View, judged
from outlay_alerter.rules.watch import Budget, common
from outlay_kit.time_ranges import TimeRange, floor_to
from outlay_reports.budgets import (
    BudgetStatus,
    BudgetUsage,
    amount_text,
    budget_period,
    crossed,
    percent_of,
    period_amount,
    plan_of,
    previous_period,
)
from outlay_reports.budgets import status as status_of
from outlay_reports.forecast.trajectory import Landing, history_range
from outlay_reports.money import about, dollars, from_pico, percent, share
from outlay_schemas.alerts import Severity
from outlay_schemas.catalog import watch as schema
from outlay_schemas.catalog.terms import FxRate
from outlay_schemas.money import PICO, to_pico

STEP = timedelta(minutes=15)
"""How often a backtest looks at a budget."""
_MINUTE = timedelta(minutes=1)
BURN_PART = 12
"""The most recent 1/12 of a burn window must also exceed the rate, so that the alert resolves quickly."""


def compile_rule(b: schema.Budget, tenant: str, rates: Sequence[FxRate] = ()) -> Budget:
    """Return a budget of the catalog as the evaluator needs it; `rates`: of the catalog, as in `plan_of`."""
    return Budget(
        **{**vars(plan_of(b, tenant, rates)), **common(b, tenant)}, thresholds=b.thresholds,
        forecasts=b.forecast_thresholds, burns=b.burn, closed=b.fail == "closed", critical=b.critical_usd,
    )  # fmt: skip


class _Evaluator(base.Evaluator[Budget]):
    def __init__(self, rule: Budget, most_scopes: int = 0) -> None:
        super().__init__(rule, most_scopes)
        self._before: BudgetStatus | None = None

    def needs(self, start: datetime) -> Needs:
        rule, period = self._rule, budget_period(self._rule, start)
        since = previous_period(rule, period).start if rule.rollover else period.start
        since = min([since, *(start - _length(burn) for burn in rule.burns)])
        if rule.forecasts:
            since = min(since, history_range(rule.zone, "day", start, ledger=rule.tagged).start)
        return Needs("minute", since, "spending", step=STEP)

    def evaluate(self, view: View, known: Mapping[str, AlertRecord]) -> Evaluation:
        found, status = view.budget(self._rule)
        before, self._before = self._before, status
        spent = to_pico(before.spent) if before and before.period_start == status.period_start else 0
        return Evaluation(found, [_point(self._rule, view.now, spent, status)], [status])


KIND = Kind(schema.Budget, _Evaluator, compile_rule)


def _point(rule: Budget, at: datetime, before: int, status: BudgetStatus) -> Judged:
    """Return how much was left until the next level before the newest spending, and whether that crossed it."""
    after, amount = to_pico(status.spent), to_pico(status.amount)
    left = [percent_of(amount, t) - before for t in sorted(rule.thresholds) if not crossed(before, amount, t)]
    fired = any(crossed(after, amount, t) and not crossed(before, amount, t) for t in rule.thresholds)
    room, share = (left[0] / PICO if left else None), max(0.0, after / amount)
    return judged(at, (after - before) / PICO, share, fired=fired, expected=room, upper=room)


@dataclass(frozen=True, slots=True)
class Spent(BudgetUsage):
    """What was spent, as far as a budget asks for it."""

    burns: tuple[tuple[Total, Total], ...] = ()
    """For each burn window: in the whole of it, and in its last part."""
    end: datetime | None = None
    """The end of the burn windows."""


def spent_of(budget: Budget, span: TimeRange, now: datetime, total: Callable[[TimeRange], Total]) -> Spent:
    """Return what was spent in the period of now, given what any time range cost."""
    end = min(floor_to(now, "minute") + _MINUTE, span.end)
    before = total(previous_period(budget, span)).cost if budget.rollover else 0
    burns = tuple(
        (total(_last(end, length)), total(_last(end, length / BURN_PART)))
        for length in map(_length, budget.burns)
    )
    spent = total(span)
    return Spent(spent.cost, before, spent.unpriced, burns=burns, end=end)


def _last(end: datetime, length: timedelta) -> TimeRange:
    """Return the last `length` up to `end`, in whole minutes, one at least."""
    return TimeRange(end - _MINUTE * max(1, round(length / _MINUTE)), end)


def severity_of(threshold: Decimal) -> Severity:
    """Return how bad it is: the whole budget is critical, 80% a warning, less is for information."""
    if threshold >= 100:
        return "critical"
    return "warning" if threshold >= 80 else "info"


def level_of(threshold: Decimal) -> str:
    """Return a threshold's name: `80` for 80, 80.0 and 8E+1 alike."""
    text = f"{threshold:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def allowed(span: TimeRange, amount: int, length: timedelta) -> int:
    """Return what an even spending of the amount would spend in `length`, in pico-USD."""
    return amount * (length // timedelta(microseconds=1)) // (span.length // timedelta(microseconds=1))


def burn_rate(span: TimeRange, amount: int, spent: int, length: timedelta) -> Decimal:
    """Return how many times as fast as allowed money was spent: 1 uses it up at the end of the period."""
    even = allowed(span, amount, length)
    return (Decimal(spent) / even).quantize(Decimal("0.01")) if even else Decimal(0)


def status(budget: Budget, span: TimeRange, spent: Spent, at: datetime) -> BudgetStatus:
    """Return how a budget stands, given what was spent."""
    rate = None
    if budget.burns and spent.burns:
        amount = period_amount(budget, span, spent.before)
        rate = str(burn_rate(span, amount, spent.burns[0][0].cost, _length(budget.burns[0])))
    return status_of(budget, span, spent, at, rate)


def findings(budget: Budget, span: TimeRange, spent: Spent) -> list[Finding]:
    """Return what holds of every threshold of one period, crossed or not."""
    amount = period_amount(budget, span, spent.before)
    found = [_actual(budget, span, amount, spent, t) for t in sorted(set(budget.thresholds))]
    if spent.landing is not None:
        found += [_forecast(budget, span, spent, spent.landing, t) for t in sorted(set(budget.forecasts))]
    return found + [_burn(budget, span, amount, spent, n) for n in range(len(spent.burns))]


def _finding(
    budget: Budget, span: TimeRange, level: str, *, breached: bool, facts: Mapping[str, str], **terms: Any
) -> Finding:
    """Return what holds of one level. A rolling budget is one and the same alert that comes and goes."""
    rolling = budget.rolling is not None
    key = Key(budget.tenant, budget.id, budget.scope, EPOCH if rolling else span.start, level)
    until = {} if rolling else {"until": span.end.strftime(UNTIL)}
    counts = {"counts": budget.counts} if budget.counts != "cost" else {}
    return Finding(budget, key, breached, facts={**until, **counts, **facts}, **{"about": span, **terms})


def _actual(budget: Budget, span: TimeRange, amount: int, spent: Spent, threshold: Decimal) -> Finding:
    level, total = level_of(threshold), spent.spent
    cost = dollars(total, lower_bound=bool(spent.unpriced))
    breached = crossed(total, amount, threshold)
    used = f"{percent(share(total, amount)) or 'more than 100%'} used" if breached else f"back below {level}%"
    severity = base.at_most(severity_of(threshold), amount, budget.critical)
    limit = amount_text(amount, budget, span)
    return _finding(
        budget, span, level, breached=breached, severity=severity, shown=span.start,
        title=f"{_named(budget)}: {used} ({cost} of {limit})",
        summary=(
            f"{cost} of {limit} spent in {_period(budget, span)}."
            f" This alert is for {level}%, which is {dollars(percent_of(amount, threshold))}."
        ),
        actual=total, expected=percent_of(amount, threshold), facts=_gone(spent.landing, amount, spent.reached),
        unpriced=spent.unpriced,
    )  # fmt: skip


def _forecast(budget: Budget, span: TimeRange, spent: Spent, landing: Landing, threshold: Decimal) -> Finding:
    amount = period_amount(budget, span, spent.before)
    level, expected, bound = level_of(threshold), landing.expected, bool(spent.unpriced)
    ahead, cost = about(from_pico(expected), lower_bound=bound), dollars(landing.spent, lower_bound=bound)
    low, high = landing.bounds(80)
    breached = crossed(expected, amount, threshold)
    how, limit = "forecast" if breached else "no longer forecast", amount_text(amount, budget, span)
    return _finding(
        budget, span, f"forecast-{level}", kind="budget_forecast", breached=breached, shown=span.start,
        severity="warning" if threshold >= 100 else "info",
        title=f"{_named(budget)}: {how} to reach {level}% ({ahead} of {limit})",
        summary=(
            f"{cost} of {limit} spent in {_period(budget, span)}. The forecast for the end"
            f" is {ahead}, between {about(from_pico(low))} and {about(from_pico(high))} in 8 of 10 cases."
        ),
        actual=expected, expected=percent_of(amount, threshold), facts=_gone(landing, amount),
        unpriced=spent.unpriced,
    )  # fmt: skip


def _burn(budget: Budget, span: TimeRange, amount: int, spent: Spent, n: int) -> Finding:
    burn, (whole, part) = budget.burns[n], spent.burns[n]
    length, hours, limit = _length(burn), _hours(burn), level_of(burn.rate)
    breached = all(
        crossed(cost, allowed(span, amount, time), burn.rate * 100)
        for cost, time in ((whole.cost, length), (part.cost, length / BURN_PART))
    )
    rate, cost = (
        burn_rate(span, amount, whole.cost, length),
        dollars(whole.cost, lower_bound=bool(whole.unpriced)),
    )
    how = "spending" if breached else "no longer spending"
    return _finding(
        budget, span, burn_level(burn), kind="budget_burn", breached=breached, severity=burn.severity,
        about=_last(spent.end, length) if spent.end else span,
        title=(
            f"{_named(budget)}: {how} more than {limit} times as fast as it allows"
            f" ({cost} in {hours} h)"
        ),
        summary=(
            f"{cost} in the last {hours} h is {rate} times what {_period(budget, span)} allows"
            f" (limit: {limit} times)."
        ),
        actual=whole.cost, expected=allowed(span, amount, length), facts={"burn_rate": str(rate)},
        unpriced=whole.unpriced,
    )  # fmt: skip


def burn_level(burn: schema.Burn) -> str:
    """Return the level of a burn rate's alerts: `burn-6h`."""
    return f"burn-{_hours(burn)}h"


def burn_limit(budget: Budget, finding: Finding) -> int:
    """Return from how many pico-USD on in its window a burn rate fires, given what it found."""
    rate = next(burn.rate for burn in budget.burns if burn_level(burn) == finding.key.level)
    return percent_of(finding.expected or 0, rate * 100)


def _hours(burn: schema.Burn) -> str:
    return level_of(Decimal(int(_length(burn).total_seconds())) / 3600)


def _length(burn: schema.Burn) -> timedelta:
    return timedelta(seconds=int(burn.hours * 3600))


def _named(budget: Budget) -> str:
    return budget.name if "budget" in budget.name.lower() else f"{budget.name} budget"


def _period(budget: Budget, span: TimeRange) -> str:
    if budget.rolling is not None:
        return f"the last {budget.rolling.days} days"
    return f"the {budget.period} from {span.start.astimezone(budget.zone):%Y-%m-%d %H:%M} {budget.zone.key}"


def _gone(landing: Landing | None, amount: int, reached: datetime | None = None) -> dict[str, str]:
    if reached is not None:
        return {"gone_on": f"{reached:%Y-%m-%d %H:%M} UTC"}
    gone = landing.used_up(amount) if landing else None
    if landing is None or gone is None:
        return {}
    early, late = landing.used_up_between(amount)
    until = f"{late:%Y-%m-%d}" if late else "later"
    return {"gone_on": f"{gone:%Y-%m-%d}, between {early or gone:%Y-%m-%d} and {until} UTC"}
