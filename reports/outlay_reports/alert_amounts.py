"""The amounts in the text of an alert. What lacks events without a price is a lower bound, and is marked so."""

from collections.abc import Iterator
from decimal import Decimal

from outlay_reports.money import about, counted, percent, share, usd
from outlay_schemas.alerts import Alert, Contributor
from outlay_schemas.dimensions import name_of

UPCOMING = ("price_change",)
"""Rules about something that has not happened yet."""
_NAME = 60
"""Characters of a value's name."""


def amounts(alert: Alert) -> str:
    """Write what was spent, against what, and how fast it is spent now."""
    bound = bool(alert.unpriced)
    actual = amount_text(alert, alert.actual, lower_bound=bound)
    expected = amount_text(alert, alert.expected or "0")
    if alert.rule_type in UPCOMING:
        return f"{expected} now, {actual} after the change, in 30 days"
    impact = Decimal(alert.impact or 0)
    over = f" ({usd(impact, lower_bound=bound)} over)" if impact > 0 else ""
    if alert.expected is None or alert.rule_type == "new_spender":
        text = actual
    elif alert.rule_type == "budget":
        text = f"{actual} spent of {expected}{over}"
    elif alert.rule_type == "budget_forecast":
        text = f"{about(Decimal(alert.actual), lower_bound=bound)} forecast, limit {expected}"
    elif alert.rule_type in ("spend_spike", "anomaly", "budget_burn"):
        text = f"{actual}, expected {expected}{over}"
    else:
        text = f"{actual} (limit: {expected.removesuffix(f' {alert.unit}')})"
    if alert.rate_per_hour is not None and Decimal(alert.rate_per_hour) and alert.state != "resolved":
        rate = about(Decimal(alert.rate_per_hour), lower_bound=bool(alert.rate_unpriced))
        text += f". Spending {rate}/hour right now"
    return text


def money(alert: Alert) -> Decimal:
    """Return the USD of an alert; 0 where it counts something else."""
    return Decimal(alert.actual) if alert.unit == "USD" else Decimal(0)


def amount_text(alert: Alert, value: str, *, lower_bound: bool = False) -> str:
    """Write an amount of an alert with its unit; one thing of a unit in plural is singular."""
    if alert.unit == "USD":
        return usd(value, lower_bound=lower_bound)
    number = Decimal(value)
    unit = alert.unit.removesuffix("s") if number == 1 else alert.unit
    return f"{'≥ ' if lower_bound else ''}{number:,f}{'' if unit.startswith('%') else ' '}{unit}"


def contributor_text(alert: Alert, one: Contributor) -> str:
    """Write a value that spends most: `u-17 $39.99 (95%)`."""
    cost, whole = Decimal(one.cost), Decimal(alert.contributors_total or alert.actual)
    name = one.value if len(one.value) <= _NAME else one.value[: _NAME - 1] + "…"
    part = f" ({percent(share(cost, whole))})" if alert.unit == "USD" and 0 < cost <= whole else ""
    return f"{name_of(name)} {usd(one.cost, lower_bound=bool(one.unpriced) or one.partial)}{part}"


def unpriced_text(alert: Alert) -> str:
    """Say what the amounts of an alert lack: `41 events: the amounts are lower bounds`; empty: nothing."""
    return f"{counted(alert.unpriced, 'event')}: the amounts are lower bounds" if alert.unpriced else ""


def notes(alert: Alert) -> Iterator[tuple[str, str]]:
    """Yield the name and text of each thing to know about the amounts."""
    if missing := unpriced_text(alert):
        yield "Unpriced", missing
    if alert.contributors and alert.contributors_total not in (None, alert.actual):
        bound = any(one.unpriced for one in alert.contributors)
        whole = usd(alert.contributors_total, lower_bound=bound)
        yield "Shares", f"of {whole}, the spend when they were calculated"
