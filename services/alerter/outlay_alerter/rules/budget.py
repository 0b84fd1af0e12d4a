"""Budgets: what is left of them, and which of their levels are crossed."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from outlay_alerter.alerts.states import UNTIL, AlertRecord, Finding, Key
from outlay_alerter.rules import base
from outlay_alerter.rules.base import Evaluation, Judged, Kind, Needs, View, common, judged
from outlay_alerter.rules.watch import Budget, Burn
from outlay_kit.time_ranges import TimeRange
from outlay_reports.budgets import (
    BudgetStatus,
    BudgetUsage,
    budget_period,
    crossed,
    percent_of,
    period_amount,
    plan_of,
    previous_period,
)
from outlay_reports.budgets import status as status_of
from outlay_reports.forecast.trajectory import Landing, history_range
from outlay_reports.money import dollars
from outlay_schemas.alerts import Severity
from outlay_schemas.catalog import watch as schema
from outlay_schemas.money import PICO, to_pico

STEP = timedelta(minutes=15)
"""How often a backtest looks at a budget."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
"""The window of a rolling budget, which has no beginning: it is one and the same alert that comes and goes."""
BURN_PART = 12
"""The most recent 1/12 of a burn window must also exceed the rate, so that the alert resolves quickly."""


def compile_rule(b: schema.Budget, tenant: str) -> Budget:
    """Return a budget of the catalog as the evaluator needs it."""
    burns = (Burn(timedelta(seconds=int(n.hours * 3600)), n.rate, n.severity) for n in b.burn)
    return Budget(
        **{**vars(plan_of(b, tenant)), **common(b, tenant)}, thresholds=tuple(b.thresholds),
        forecasts=tuple(b.forecast_thresholds), burns=tuple(burns), closed=b.fail == "closed",
    )  # fmt: skip


class Evaluator(base.Evaluator[Budget]):
    """Asks the view how a budget stands."""

    def __init__(self, rule: Budget, most_scopes: int = 0) -> None:
        super().__init__(rule, most_scopes)
        self._before: BudgetStatus | None = None

    def needs(self, start: datetime) -> Needs:
        """Return what it reads."""
        rule, period = self._rule, budget_period(self._rule, start)
        since = previous_period(rule, period).start if rule.rollover else period.start
        since = min([since, *(start - burn.length for burn in rule.burns)])
        if rule.forecasts:
            since = min(since, history_range(rule.zone, "day", start, ledger=rule.tagged).start)
        return Needs("minute", since, "spending", step=STEP)

    def evaluate(self, view: View, known: Mapping[str, AlertRecord]) -> Evaluation:
        """Return what holds of the periods that changed and of the current one. Raises Retryable."""
        found, status = view.budget(self._rule)
        before, self._before = self._before, status
        spent = to_pico(before.spent) if before and before.period_start == status.period_start else 0
        return Evaluation(found, [_point(self._rule, view.now, spent, status)], [status])


KIND = Kind(Budget, schema.Budget, compile_rule, Evaluator)


def _point(rule: Budget, at: datetime, before: int, status: BudgetStatus) -> Judged:
    """Return how much was left until the next level before the newest spending, and whether that crossed it."""
    after, amount = to_pico(status.spent), to_pico(status.amount)
    left = [percent_of(amount, t) - before for t in sorted(rule.thresholds) if not crossed(before, amount, t)]
    fired = any(crossed(after, amount, t) and not crossed(before, amount, t) for t in rule.thresholds)
    room, share = (left[0] / PICO if left else None), max(0.0, after / amount)
    return judged(at, (after - before) / PICO, share, fired=fired, expected=room, upper=room)


@dataclass(frozen=True, slots=True)
class Spent:
    """What was spent, in pico-USD, as far as a budget asks for it."""

    total: int
    """In the period."""
    before: int = 0
    """In the period before it; asked for if money rolls over."""
    burns: tuple[tuple[int, int], ...] = ()
    """For each burn window: in the whole of it, and in its last part."""
    landing: Landing | None = None
    """Where the period lands; None: there is too little history, or the budget is rolling."""
    reached: datetime | None = None
    """The minute at which the amount was used up, if it is."""
    unpriced: int = 0
    """Events of the period that have no price."""


def severity_of(threshold: Decimal) -> Severity:
    """Return how bad it is: the whole budget is critical, 80% a warning, less is for information."""
    if threshold >= 100:
        return "critical"
    return "warning" if threshold >= 80 else "info"


def level_of(threshold: Decimal) -> str:
    """Return a threshold's name: `80` for 80, 80.0 and 8E+1 alike."""
    text = f"{threshold:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def allowed(budget: Budget, span: TimeRange, amount: int, length: timedelta) -> int:
    """Return what an even spending of the amount would spend in `length`, in pico-USD."""
    whole = span.end - span.start
    return amount * (length // timedelta(microseconds=1)) // (whole // timedelta(microseconds=1))


def burn_rate(budget: Budget, span: TimeRange, amount: int, spent: int, length: timedelta) -> Decimal:
    """Return how many times as fast as allowed money was spent: 1 uses it up at the end of the period."""
    even = allowed(budget, span, amount, length)
    return (Decimal(spent) / even).quantize(Decimal("0.01")) if even else Decimal(0)


def status(budget: Budget, span: TimeRange, spent: Spent, at: datetime) -> BudgetStatus:
    """Return how a budget stands, given what was spent."""
    rate = None
    if budget.burns and spent.burns:
        amount = period_amount(budget, span, spent.before)
        rate = str(burn_rate(budget, span, amount, spent.burns[0][0], budget.burns[0].length))
    used = BudgetUsage(spent.total, spent.before, spent.unpriced, spent.landing, spent.reached)
    return status_of(budget, span, used, at, rate)


def findings(budget: Budget, span: TimeRange, spent: Spent) -> list[Finding]:
    """Return what holds of every threshold of one period, crossed or not."""
    amount = period_amount(budget, span, spent.before)
    found = [_actual(budget, span, amount, spent, t) for t in sorted(set(budget.thresholds))]
    if spent.landing is not None:
        found += [
            _forecast(budget, span, amount, landing=spent.landing, threshold=t)
            for t in sorted(set(budget.forecasts))
        ]
    for burn, pair in zip(budget.burns, spent.burns, strict=False):
        found.append(_burn(budget, span, amount, burn, pair))
    return found


def key_of(budget: Budget, span: TimeRange, level: str) -> Key:
    """Return what makes an alert of a budget the same alert."""
    window = span.start if budget.rolling is None else _EPOCH
    return Key(budget.tenant, budget.id, budget.scope, window, level)


def _actual(budget: Budget, span: TimeRange, amount: int, spent: Spent, threshold: Decimal) -> Finding:
    level = level_of(threshold)
    breached = crossed(spent.total, amount, threshold)
    used = f"{_percent(spent.total, amount)} used" if breached else f"back below {level}%"
    return Finding(
        key=key_of(budget, span, level),
        rule_type="budget",
        breached=breached,
        severity=severity_of(threshold),
        title=f"{_named(budget)}: {used} ({dollars(spent.total)} of {dollars(amount)})",
        summary=(
            f"{dollars(spent.total)} of {dollars(amount)} spent in {_period(budget, span)}."
            f" This alert is for {level}%, which is {dollars(percent_of(amount, threshold))}."
        ),
        actual=spent.total,
        expected=percent_of(amount, threshold),
        facts={**_until(budget, span), **_gone(spent.landing, amount, spent.reached)},
        shown=span.start,
        hold=budget.hold,
        calm=budget.calm,
    )


def _forecast(
    budget: Budget, span: TimeRange, amount: int, *, landing: Landing, threshold: Decimal
) -> Finding:
    level, expected = level_of(threshold), landing.expected
    low, high = landing.bounds(80)
    breached = crossed(expected, amount, threshold)
    how = "forecast" if breached else "no longer forecast"
    return Finding(
        key=key_of(budget, span, f"forecast-{level}"),
        rule_type="budget_forecast",
        breached=breached,
        severity="warning" if threshold >= 100 else "info",
        title=f"{_named(budget)}: {how} to reach {level}% ({dollars(expected)} of {dollars(amount)})",
        summary=(
            f"{dollars(landing.spent)} of {dollars(amount)} spent in {_period(budget, span)}. The forecast for the end"
            f" is {dollars(expected)}, between {dollars(low)} and {dollars(high)} in 8 of 10 cases."
        ),
        actual=expected,
        expected=percent_of(amount, threshold),
        facts={**_until(budget, span), **_gone(landing, amount)},
        shown=span.start,
        hold=budget.hold,
        calm=budget.calm,
    )


def _burn(budget: Budget, span: TimeRange, amount: int, burn: Burn, spent: tuple[int, int]) -> Finding:
    lengths = (burn.length, burn.length / BURN_PART)
    hundred = burn.rate * 100
    breached = all(
        crossed(cost, allowed(budget, span, amount, length), hundred)
        for cost, length in zip(spent, lengths, strict=True)
    )
    rate = burn_rate(budget, span, amount, spent[0], burn.length)
    hours = _hours(burn)
    how = "spending" if breached else "no longer spending"
    return Finding(
        key=key_of(budget, span, burn_level(burn)),
        rule_type="budget_burn",
        breached=breached,
        severity=burn.severity,
        title=(
            f"{_named(budget)}: {how} more than {level_of(burn.rate)} times as fast as it allows"
            f" ({dollars(spent[0])} in {hours} h)"
        ),
        summary=(
            f"{dollars(spent[0])} in the last {hours} h is {rate} times what {_period(budget, span)} allows"
            f" (limit: {level_of(burn.rate)} times)."
        ),
        actual=spent[0],
        expected=allowed(budget, span, amount, burn.length),
        facts={**_until(budget, span), "burn_rate": str(rate)},
        hold=budget.hold,
        calm=budget.calm,
    )


def burn_level(burn: Burn) -> str:
    """Return the level of a burn rate's alerts: `burn-6h`."""
    return f"burn-{_hours(burn)}h"


def burn_limit(budget: Budget, finding: Finding) -> int:
    """Return from how many pico-USD on in its window a burn rate fires, given what it found."""
    rate = next(burn.rate for burn in budget.burns if burn_level(burn) == finding.key.level)
    return percent_of(finding.expected or 0, rate * 100)


def _hours(burn: Burn) -> str:
    return level_of(Decimal(int(burn.length.total_seconds())) / 3600)


def _named(budget: Budget) -> str:
    """Return what a title calls a budget."""
    return budget.name if "budget" in budget.name.lower() else f"{budget.name} budget"


def _percent(total: int, amount: int) -> str:
    """Write a share in whole percent, cut and not rounded: 99.9% is not all of it."""
    return f"{total * 100 // amount}%" if amount else "more than 100%"


def _period(budget: Budget, span: TimeRange) -> str:
    if budget.rolling is not None:
        return f"the last {budget.rolling.days} days"
    return f"the {budget.period} from {span.start.astimezone(budget.zone):%Y-%m-%d %H:%M} {budget.zone.key}"


def _until(budget: Budget, span: TimeRange) -> dict[str, str]:
    return {} if budget.rolling is not None else {"until": span.end.strftime(UNTIL)}


def _gone(landing: Landing | None, amount: int, reached: datetime | None = None) -> dict[str, str]:
    if reached is not None:
        return {"gone_on": f"{reached:%Y-%m-%d %H:%M} UTC"}
    gone = landing.used_up(amount) if landing else None
    if landing is None or gone is None:
        return {}
    early, late = landing.used_up_between(amount)
    until = f"{late:%Y-%m-%d}" if late else "later"
    return {"gone_on": f"{gone:%Y-%m-%d}, between {early or gone:%Y-%m-%d} and {until}"}
