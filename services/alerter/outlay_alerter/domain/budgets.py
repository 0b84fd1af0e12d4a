"""Budgets: which thresholds of a period are crossed."""

from datetime import datetime
from decimal import Decimal

from outlay_alerter.domain.money import dollars
from outlay_alerter.domain.periods import Span, period_of
from outlay_alerter.domain.states import Finding, Key
from outlay_alerter.domain.watches import Budget
from outlay_schemas.alerts import Severity


def crossed(total: int, amount: int, threshold: Decimal) -> bool:
    """Tell whether `total` reaches `threshold` percent of `amount`, exactly. Spending nothing crosses nothing."""
    over, under = threshold.as_integer_ratio()
    return total > 0 and total * 100 * under >= amount * over


def share_of(amount: int, threshold: Decimal) -> int:
    """Return `threshold` percent of `amount`, rounded up to a pico-USD."""
    over, under = threshold.as_integer_ratio()
    return -(-amount * over // (100 * under))


def severity_of(threshold: Decimal) -> Severity:
    """Return how bad it is: the whole budget is critical, 80 % a warning, less is for information."""
    if threshold >= 100:
        return "critical"
    return "warning" if threshold >= 80 else "info"


def level_of(threshold: Decimal) -> str:
    """Return a threshold's name: `80` for 80, 80.0 and 8E+1 alike."""
    text = f"{threshold:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def span_of(budget: Budget, at: datetime) -> Span:
    """Return the period of `budget` that holds `at`."""
    return period_of(at, budget.period, budget.zone)


def findings(budget: Budget, span: Span, total: int) -> list[Finding]:
    """Return what holds of every threshold of one period, crossed or not."""
    return [_finding(budget, span, total, threshold) for threshold in sorted(set(budget.thresholds))]


def _finding(budget: Budget, span: Span, total: int, threshold: Decimal) -> Finding:
    level = level_of(threshold)
    breached = crossed(total, budget.amount, threshold)
    begin = span.start.astimezone(budget.zone)
    percent = f"{Decimal(total) * 100 / budget.amount:.1f} %" if budget.amount else "more than all"
    spent = f"{dollars(total)} of {dollars(budget.amount)} ({percent})"
    how = "reached" if breached else "is below"
    return Finding(
        key=Key(budget.tenant, budget.id, budget.scope, span.start, level),
        rule_type="budget",
        breached=breached,
        severity=severity_of(threshold),
        title=f"Budget {budget.name} {how} {level} %: {spent}",
        summary=(
            f"{spent} in the {budget.period} from {begin:%Y-%m-%d %H:%M} {budget.zone.key}."
            f" The level of {level} % is {dollars(share_of(budget.amount, threshold))}."
        ),
        actual=total,
        expected=share_of(budget.amount, threshold),
        facts={"until": span.end.isoformat()},
    )
