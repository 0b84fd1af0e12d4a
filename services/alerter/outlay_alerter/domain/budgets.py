"""Budgets: what is left of them, and which thresholds are crossed."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from outlay_alerter.domain.forecasts import Forecast
from outlay_alerter.domain.states import UNTIL, Finding, Key
from outlay_alerter.domain.watches import Budget, Burn
from outlay_kit.spans import Span, floor_to, period_of
from outlay_reports.money import dollars
from outlay_schemas.alerts import Severity

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
"""The window of a rolling budget, which has no beginning: it is one and the same alert that comes and goes."""
BURN_PART = 12
"""The most recent 1/12 of a burn window must also exceed the rate, so that the alert resolves quickly."""


@dataclass(frozen=True, slots=True)
class Spent:
    """What was spent, in pico-USD, as far as a budget asks for it."""

    total: int
    """In the period."""
    before: int = 0
    """In the period before it; asked for if money rolls over."""
    burns: tuple[tuple[int, int], ...] = ()
    """For each burn window: in the whole of it, and in its last part."""
    forecast: Forecast | None = None


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
    """Return the period of `budget` that holds `at`; of a rolling one, the time up to the end of that minute."""
    if budget.rolling is None:
        return period_of(at, budget.period, budget.zone, budget.anchor)
    end = floor_to(at, "minute") + timedelta(minutes=1)
    return Span(end - budget.rolling, end)


def span_before(budget: Budget, span: Span) -> Span:
    """Return the period before `span`."""
    return span_of(budget, span.start - timedelta(microseconds=1))


def amount_of(budget: Budget, span: Span, before: int = 0) -> int:
    """Return the money of a period: the budget's own, what was added for it, and what came over, in pico-USD."""
    amount = budget.amount + sum(
        i.amount
        for i in budget.increases
        if (i.begin is None or i.begin < span.end) and (i.end is None or i.end > span.start)
    )
    over = min(share_of(budget.amount, budget.rollover), max(0, budget.amount - before))
    return amount + (over if budget.rollover else 0)


def allowed(budget: Budget, span: Span, amount: int, length: timedelta) -> int:
    """Return what an even spending of the amount would spend in `length`, in pico-USD."""
    whole = span.end - span.start
    return amount * (length // timedelta(microseconds=1)) // (whole // timedelta(microseconds=1))


def burn_rate(budget: Budget, span: Span, amount: int, spent: int, length: timedelta) -> Decimal:
    """Return how many times as fast as allowed money was spent: 1 uses it up at the end of the period."""
    even = allowed(budget, span, amount, length)
    return (Decimal(spent) / even).quantize(Decimal("0.01")) if even else Decimal(0)


def findings(budget: Budget, span: Span, spent: Spent) -> list[Finding]:
    """Return what holds of every threshold of one period, crossed or not."""
    amount = amount_of(budget, span, spent.before)
    found = [_actual(budget, span, amount, spent, t) for t in sorted(set(budget.thresholds))]
    if spent.forecast is not None:
        found += [
            _forecast(budget, span, amount, total=spent.total, forecast=spent.forecast, threshold=t)
            for t in sorted(set(budget.forecasts))
        ]
    for burn, pair in zip(budget.burns, spent.burns, strict=False):
        found.append(_burn(budget, span, amount, burn, pair))
    return found


def key_of(budget: Budget, span: Span, level: str) -> Key:
    """Return what makes an alert of a budget the same alert."""
    window = span.start if budget.rolling is None else _EPOCH
    return Key(budget.tenant, budget.id, budget.scope, window, level)


def _actual(budget: Budget, span: Span, amount: int, spent: Spent, threshold: Decimal) -> Finding:
    level = level_of(threshold)
    how = "reached" if (breached := crossed(spent.total, amount, threshold)) else "is below"
    said = _said(spent.total, amount)
    return Finding(
        key=key_of(budget, span, level),
        rule_type="budget",
        breached=breached,
        severity=severity_of(threshold),
        title=f"Budget {budget.name} {how} {level} %: {said}",
        summary=f"{said} in {_period(budget, span)}. The level of {level} % is {dollars(share_of(amount, threshold))}.",
        actual=spent.total,
        expected=share_of(amount, threshold),
        facts={**_until(budget, span), **_gone(spent.forecast)},
        shown=span.start,
        hold=budget.hold,
        calm=budget.calm,
    )


def _forecast(
    budget: Budget, span: Span, amount: int, *, total: int, forecast: Forecast, threshold: Decimal
) -> Finding:
    level = level_of(threshold)
    breached = crossed(forecast.likely, amount, threshold)
    how = "will reach" if breached else "is no longer likely to reach"
    said = f"{dollars(forecast.likely)} of {dollars(amount)} likely"
    return Finding(
        key=key_of(budget, span, f"forecast-{level}"),
        rule_type="budget_forecast",
        breached=breached,
        severity="warning" if threshold >= 100 else "info",
        title=f"Budget {budget.name} {how} {level} %: {said}",
        summary=(
            f"{_said(total, amount)} in {_period(budget, span)}. If it goes on as is usual, it will be"
            f" {dollars(forecast.likely)} at the end, between {dollars(forecast.low)} and {dollars(forecast.high)}"
            " in 8 of 10 cases."
        ),
        actual=forecast.likely,
        expected=share_of(amount, threshold),
        facts={**_until(budget, span), **_gone(forecast)},
        shown=span.start,
        hold=budget.hold,
        calm=budget.calm,
    )


def _burn(budget: Budget, span: Span, amount: int, burn: Burn, spent: tuple[int, int]) -> Finding:
    lengths = (burn.length, burn.length / BURN_PART)
    hundred = burn.rate * 100
    breached = all(
        crossed(cost, allowed(budget, span, amount, length), hundred)
        for cost, length in zip(spent, lengths, strict=True)
    )
    rate = burn_rate(budget, span, amount, spent[0], burn.length)
    hours = _hours(burn)
    how = "burns" if breached else "no longer burns"
    return Finding(
        key=key_of(budget, span, burn_level(burn)),
        rule_type="budget_burn",
        breached=breached,
        severity=burn.severity,
        title=(
            f"Budget {budget.name} {how} {level_of(burn.rate)} times as fast as it may:"
            f" {dollars(spent[0])} in {hours} h"
        ),
        summary=(
            f"{dollars(spent[0])} in the last {hours} h is {rate} times what {_period(budget, span)} allows;"
            f" told from {level_of(burn.rate)} times on."
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
    return share_of(finding.expected or 0, rate * 100)


def _hours(burn: Burn) -> str:
    return level_of(Decimal(int(burn.length.total_seconds())) / 3600)


def _said(total: int, amount: int) -> str:
    percent = f"{Decimal(total) * 100 / amount:.1f} %" if amount else "more than all"
    return f"{dollars(total)} of {dollars(amount)} ({percent})"


def _period(budget: Budget, span: Span) -> str:
    if budget.rolling is not None:
        return f"the last {budget.rolling.days} days"
    return f"the {budget.period} from {span.start.astimezone(budget.zone):%Y-%m-%d %H:%M} {budget.zone.key}"


def _until(budget: Budget, span: Span) -> dict[str, str]:
    return {} if budget.rolling is not None else {"until": span.end.strftime(UNTIL)}


def _gone(forecast: Forecast | None) -> dict[str, str]:
    if forecast is None or forecast.gone_on is None:
        return {}
    early = forecast.gone_early or forecast.gone_on
    late = f"{forecast.gone_late:%Y-%m-%d}" if forecast.gone_late else "later"
    return {"gone_on": f"{forecast.gone_on:%Y-%m-%d}, between {early:%Y-%m-%d} and {late}"}
