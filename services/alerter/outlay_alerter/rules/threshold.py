"""Thresholds on any measure of the rollups: sums and ratios, exact."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import ClassVar

from outlay_alerter.alerts.states import AlertRecord, Finding, Key, OpenAlerts, open_alerts
from outlay_alerter.rules import base
from outlay_alerter.rules.base import (
    EMPTY,
    Evaluation,
    Judged,
    Kind,
    Measure,
    Needs,
    Values,
    View,
    Windows,
    back,
    common,
    grain_of,
    judged,
)
from outlay_alerter.rules.watch import Scope, Watch
from outlay_kit.time_ranges import TimeRange
from outlay_reports.money import usd
from outlay_schemas.alerts import Severity
from outlay_schemas.catalog import watch as schema
from outlay_schemas.dimensions import scope_text
from outlay_schemas.events import Grain
from outlay_schemas.money import PICO

SETTLE = timedelta(minutes=2)
"""How long late events are awaited before a window is over."""
SUMS = ("cost", "events", "unpriced_events", "estimated_events", "usage")
"""Metrics that only grow while a window fills, so that they can be too high before it is over."""
UNITS = {
    "cost": "USD",
    "events": "events",
    "unpriced_events": "unpriced events",
    "unpriced_share": "% of events unpriced",
    "estimated_events": "estimated events",
    "estimated_share": "% of events estimated",
    "cost_per_event": "USD per event",
    "cache_hit_rate": "% of input tokens from the cache",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Threshold(Watch):
    """A measure of a window that is above or below a number, in the metric's own unit."""

    type: ClassVar = "threshold"
    metric: str
    meter: str
    grain: Grain
    above: Decimal | None
    below: Decimal | None
    margin: Decimal = Decimal(0)
    """How far back inside its limit it must be before it is over, in the metric's own unit."""
    min_events: int
    severity: Severity


def compile_rule(rule: schema.Threshold, tenant: str) -> Threshold:
    """Return a threshold of the catalog as the evaluator needs it."""
    return Threshold(
        **common(rule, tenant), by=tuple(rule.group_by), metric=rule.metric, meter=rule.meter, grain=rule.grain,
        above=rule.above, below=rule.below, margin=rule.margin, min_events=rule.min_events,
        severity=rule.severity,
    )  # fmt: skip


class Evaluator(base.Evaluator[Threshold]):
    """Judges the newest windows of each scope. Keeps no state."""

    def needs(self, start: datetime) -> Needs:
        """Return what it reads."""
        grain = self._rule.grain
        return Needs(grain, back(start, grain, 0), meters=meters_of(self._rule))

    def evaluate(self, view: View, known: Mapping[str, AlertRecord]) -> Evaluation:
        """Return what holds of the newest windows. Raises Retryable."""
        rule, opened, result = self._rule, open_alerts(self._rule.id, known), Evaluation()
        newest = view.window(view.now, rule.grain)
        since = newest.start - newest.length * (view.look_back - 1) - SETTLE  # so that some windows are over
        windows = view.windows(rule, rule.grain, since, newest.start, meters=meters_of(rule))
        over = view.over(SETTLE)
        for values, line in _with_open(rule, windows, known).items():
            findings = judge(rule, rule.scope_of(values), windows, line, over=over, opened=opened)
            result.findings += [(one, one.judged or newest) for one in findings]
            result.judged.append(_point(rule, windows.starts[-1], line[-1]))
        return result


def _with_open(
    rule: Threshold, windows: Windows, known: Mapping[str, AlertRecord]
) -> dict[Values, Sequence[Measure | None]]:
    """Return the lines, and an empty one for each scope that fires but spends nothing now, so that it resolves."""
    lines = dict(windows.lines)
    for one in known.values():
        if one.active and one.rule == rule.id and all(name in one.scope for name in rule.by):
            values = tuple(one.scope[name][0] for name in rule.by)
            lines.setdefault(values, [EMPTY] * len(windows.starts))
    return lines


KIND = Kind(
    Threshold,
    schema.Threshold,
    compile_rule,
    Evaluator,
    on_step=lambda rule, step: replace(rule, grain=grain_of(step)),
)


def meters_of(rule: Threshold) -> tuple[str, ...]:
    """Return the meters that a rule needs."""
    if rule.metric == "cache_hit_rate":
        return ("cache_read_tokens", "input_tokens")
    return (rule.meter,) if rule.metric == "usage" else ()


def value_of(rule: Threshold, measure: Measure) -> Fraction | None:
    """Return the rule's metric of one window; None: it has none, as a ratio of nothing."""
    if measure.metric is not None:
        return measure.metric
    if rule.metric in SUMS:
        sums = {
            "cost": Fraction(measure.cost, PICO),
            "events": Fraction(measure.events),
            "unpriced_events": Fraction(measure.unpriced),
            "estimated_events": Fraction(measure.estimated),
        }
        return sums.get(rule.metric, Fraction(measure.meters.get(rule.meter, Decimal(0))))
    return None if measure.events < rule.min_events else _ratio(rule.metric, measure)


def _ratio(metric: str, measure: Measure) -> Fraction | None:
    if metric == "unpriced_share":
        return Fraction(100 * measure.unpriced, measure.events)
    if metric == "estimated_share":
        return Fraction(100 * measure.estimated, measure.events)
    if metric == "cost_per_event":
        return Fraction(measure.cost, PICO * measure.events)
    tokens = Fraction(measure.meters.get("input_tokens", Decimal(0)))
    cached = Fraction(measure.meters.get("cache_read_tokens", Decimal(0)))
    return 100 * cached / tokens if tokens else None


def judge(
    rule: Threshold, scope: Scope, windows: Windows, line: Sequence[Measure | None], *,
    over: datetime, opened: OpenAlerts,
) -> list[Finding]:  # fmt: skip
    """Judge the windows of one scope.

    A window that ends after `over` is still filling: a sum can be too high already, and nothing else can be said.
    `opened`: the alerts that are not over. What lasts is one alert.
    """
    found: list[Finding] = []
    for level, limit in (("above", rule.above), ("below", rule.below)):
        if limit is None:
            continue
        early = level == "above" and rule.metric in SUMS
        values = [
            (TimeRange(at, at + windows.length), value, at + windows.length > over)
            for at, measure in zip(windows.starts, line, strict=True)
            if measure is not None and (value := value_of(rule, measure)) is not None
            and (early or at + windows.length <= over)
        ]  # fmt: skip
        begun = opened.since(rule.tenant, rule.id, scope, level)
        found += _level(rule, scope, values, level=level, limit=limit, begun=begun)
    return found


def _level(
    rule: Threshold,
    scope: Scope,
    values: Sequence[tuple[TimeRange, Fraction, bool]],
    *,
    level: str,
    limit: Decimal,
    begun: datetime | None,
) -> list[Finding]:
    found: dict[datetime, Finding] = {}
    for window, value, filling in values:
        open_now = begun is not None and begun <= window.start
        breached = _beyond(level, value, limit, rule.margin if open_now else Decimal(0))
        if breached:
            begun = begun or window.start
        if begun is None or begun > window.start or (filling and not breached):
            continue
        key = Key(rule.tenant, rule.id, scope, begun, level)
        found[begun] = _finding(rule, key, value, limit, breached=breached, window=window)
        if not breached and not rule.calm:
            begun = None  # otherwise what comes back before it was calm for long enough is the same alert
    return list(found.values())


def _beyond(level: str, value: Fraction, limit: Decimal, margin: Decimal) -> bool:
    """Return whether a value is beyond its limit; one that was is so until it is back by more than `margin`."""
    if level == "above":
        return value > Fraction(limit) - Fraction(margin)
    return value < Fraction(limit) + Fraction(margin)


def _finding(
    rule: Threshold, key: Key, value: Fraction, limit: Decimal, *, breached: bool, window: TimeRange
) -> Finding:
    unit = UNITS.get(rule.metric, rule.meter)
    where = scope_text(key.scope)
    said, wanted = _said(unit, value), _said(unit, Fraction(limit))
    at = f"at {said}" if breached else f"back at {said}"
    bound = f", {key.level} the limit of {wanted}" if breached else f" (limit: {wanted})"
    return Finding(
        key=key,
        rule_type="threshold",
        breached=breached,
        severity=rule.severity,
        title=f"{rule.name}: {where} {at} in one {rule.grain}{bound}",
        summary=f"{said} in one {rule.grain} (limit: {wanted}).",
        actual=round(value * PICO),
        expected=round(Fraction(limit) * PICO),
        unit=unit,
        judged=window,
        hold=rule.hold,
        calm=rule.calm,
    )


def _said(unit: str, value: Fraction) -> str:
    number = Decimal(value.numerator) / Decimal(value.denominator)
    if unit == "USD":
        return usd(number)
    shown = f"{number:,.4g}" if abs(number) < 1000 else f"{number:,.0f}"
    if unit.startswith("%"):
        return f"{shown}{unit}"
    return f"{shown} {unit.removesuffix('s') if number == 1 else unit}"


def _point(rule: Threshold, at: datetime, measure: Measure | None) -> Judged:
    value = None if measure is None else value_of(rule, measure)
    if value is None:
        return Judged(at, None, "missing")
    sides = [
        (value / Fraction(rule.above) if rule.above else Fraction(0)),
        (Fraction(rule.below) / value if rule.below and value > 0 else Fraction(0)),
    ]
    beyond = [
        limit is not None and _beyond(level, value, limit, Decimal(0))
        for level, limit in (("above", rule.above), ("below", rule.below))
    ]
    limits = (None if limit is None else float(limit) for limit in (rule.below, rule.above))
    lower, upper = limits
    return judged(at, float(value), max(0.0, *map(float, sides)), fired=any(beyond), lower=lower, upper=upper)
