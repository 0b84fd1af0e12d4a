"""Thresholds on any measure of the rollups: sums and ratios, exact."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from fractions import Fraction

from outlay_alerter.domain.states import Finding, Key, Scope
from outlay_alerter.domain.watches import Threshold, scope_text
from outlay_kit.spans import grain_length
from outlay_reports.money import usd
from outlay_schemas.money import PICO

LOOK_BACK = 3
"""How many of the newest windows are judged."""
SUMS = ("cost", "events", "unpriced_events", "usage")
"""Metrics that only grow while a window fills, so that it can be too much already."""
UNITS = {
    "cost": "USD",
    "events": "events",
    "unpriced_events": "events without a price",
    "unpriced_share": "% of events without a price",
    "cost_per_event": "USD an event",
    "cache_hit_rate": "% of input tokens from the cache",
}


@dataclass(frozen=True, slots=True)
class Measure:
    """What the rollups hold of one scope in one window. `cost` is pico-USD."""

    cost: int = 0
    events: int = 0
    unpriced: int = 0
    meters: Mapping[str, Decimal] = field(default_factory=dict)


def meters_of(rule: Threshold) -> tuple[str, ...]:
    """Return the meters that a rule needs."""
    if rule.metric == "cache_hit_rate":
        return ("cache_read_tokens", "input_tokens")
    return (rule.meter,) if rule.metric == "usage" else ()


def value_of(rule: Threshold, measure: Measure) -> Fraction | None:
    """Return the rule's metric of one window; None: there is none, as of a ratio of nothing."""
    if rule.metric in SUMS:
        sums = {
            "cost": Fraction(measure.cost, PICO),
            "events": Fraction(measure.events),
            "unpriced_events": Fraction(measure.unpriced),
        }
        return sums.get(rule.metric, Fraction(measure.meters.get(rule.meter, Decimal(0))))
    return None if measure.events < rule.min_events else _ratio(rule.metric, measure)


def _ratio(metric: str, measure: Measure) -> Fraction | None:
    if metric == "unpriced_share":
        return Fraction(100 * measure.unpriced, measure.events)
    if metric == "cost_per_event":
        return Fraction(measure.cost, PICO * measure.events)
    tokens = Fraction(measure.meters.get("input_tokens", Decimal(0)))
    cached = Fraction(measure.meters.get("cache_read_tokens", Decimal(0)))
    return 100 * cached / tokens if tokens else None


def findings(
    rule: Threshold,
    scope: Scope,
    series: Sequence[Measure],
    *,
    newest: datetime,
    final_before: datetime,
    open_since: Mapping[str, datetime],
) -> list[Finding]:
    """Judge the last windows of a series that ends with the one at `newest`.

    A window that ends after `final_before` is still filling: a sum can be too much already, and nothing
    else can be said. `open_since`: level to the window under which it fires already. What lasts is one alert.
    """
    found: dict[str, Finding] = {}
    length = grain_length(rule.grain)
    windows = [
        (newest - length * back, value_of(rule, series[-1 - back]))
        for back in range(min(LOOK_BACK, len(series)) - 1, -1, -1)
    ]
    for level, limit in (("above", rule.above), ("below", rule.below)):
        if limit is not None:
            filling = {at for at, _ in windows if at + length > final_before}
            judged = [
                (at, value, at in filling)
                for at, value in windows
                if value is not None and (at not in filling or (level == "above" and rule.metric in SUMS))
            ]
            found |= _level(rule, scope, judged, level=level, limit=limit, begun=open_since.get(level))
    return list(found.values())


def _level(
    rule: Threshold,
    scope: Scope,
    windows: Sequence[tuple[datetime, Fraction, bool]],
    *,
    level: str,
    limit: Decimal,
    begun: datetime | None,
) -> dict[str, Finding]:
    found: dict[str, Finding] = {}
    for window, value, filling in windows:
        open_now = begun is not None and begun <= window
        breached = _beyond(level, value, limit, rule.margin if open_now else Decimal(0))
        if breached:
            begun = begun or window
        if begun is None or begun > window or (filling and not breached):
            continue
        key = Key(rule.tenant, rule.id, scope, begun, level)
        found[key.id()] = _finding(rule, key, value, limit, breached=breached)
        if not breached and not rule.calm:
            begun = None  # else what comes back before it was calm for long enough is the same alert
    return found


def _beyond(level: str, value: Fraction, limit: Decimal, margin: Decimal) -> bool:
    """Tell whether a value is beyond its limit; one that was is so until it is back by more than `margin`."""
    if level == "above":
        return value > Fraction(limit) - Fraction(margin)
    return value < Fraction(limit) + Fraction(margin)


def _finding(rule: Threshold, key: Key, value: Fraction, limit: Decimal, *, breached: bool) -> Finding:
    unit = UNITS.get(rule.metric, rule.meter)
    where = scope_text(key.scope)
    how = f"is {key.level}" if breached else f"is no longer {key.level}"
    said, wanted = _said(unit, value), _said(unit, Fraction(limit))
    return Finding(
        key=key,
        rule_type="threshold",
        breached=breached,
        severity=rule.severity,
        title=f"{rule.name}: {where} {how} {wanted} a {rule.grain}, at {said}",
        summary=f"{said} in a {rule.grain}; told when it {'exceeds' if key.level == 'above' else 'is below'} {wanted}.",
        actual=round(value * PICO),
        expected=round(Fraction(limit) * PICO),
        unit=unit,
        hold=rule.hold,
        calm=rule.calm,
    )


def _said(unit: str, value: Fraction) -> str:
    number = Decimal(value.numerator) / Decimal(value.denominator)
    if unit == "USD":
        return usd(number)
    return f"{number:,.4g} {unit}" if abs(number) < 1000 else f"{number:,.0f} {unit}"
