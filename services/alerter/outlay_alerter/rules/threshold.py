"""Thresholds on any measure of the rollups: sums and ratios, exact."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from fractions import Fraction

from outlay_alerter.alerts.states import AlertRecord, Finding, Key, open_alerts, open_scopes, open_since
from outlay_alerter.rules import base
from outlay_alerter.rules.base import EMPTY, Evaluation, Judged, Kind, Measure, Needs, Values, View, Windows
from outlay_alerter.rules.watch import Rule, Scope
from outlay_kit.time_ranges import TimeRange
from outlay_reports.money import usd
from outlay_schemas.catalog import watch as schema
from outlay_schemas.dimensions import scope_text
from outlay_schemas.money import PICO

Threshold = Rule[schema.Threshold]
SETTLE = timedelta(minutes=2)
"""How long late events are awaited before a window is over."""
SUMS = ("cost", "events", "unpriced_events", "estimated_events", "usage")
"""Metrics that only grow while a window fills, so that they can be too high before it is over."""
OF_PRICES = ("unpriced_events", "unpriced_share", "estimated_events", "estimated_share")
"""Metrics of missing prices. Where nothing is used nothing shows that there is a price now, so such an alert goes on
until a later window has a price, or the one that it began with: its events were priced again."""
_MOST_WINDOWS = 35 * 24
"""How far back the window that an alert began with is looked at again; without it, an empty window ends the alert."""
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


class _Evaluator(base.Evaluator[Threshold]):
    def needs(self, start: datetime) -> Needs:
        grain = self._rule.spec.grain
        return Needs(grain, base.back(start, grain, 0), meters=meters_of(self._rule))

    def evaluate(self, view: View, known: Mapping[str, AlertRecord]) -> Evaluation:
        rule, opened, result = self._rule, open_alerts(self._rule.id, known), Evaluation()
        newest = view.window(view.now, rule.spec.grain)
        since = newest.start - newest.length * (view.look_back - 1) - SETTLE  # so that some windows are over
        first = since
        if opened and rule.spec.metric in OF_PRICES:
            first = max(min(since, *opened.values()), newest.start - newest.length * _MOST_WINDOWS)
        windows = view.windows(rule, rule.spec.grain, first, newest.start, meters=meters_of(rule))
        earlier = sum(at + windows.length <= since for at in windows.starts)
        over = view.over(SETTLE)
        still = open_scopes(rule, known)
        for values, line in _with_open(windows, still).items():
            scope = rule.scope_of(values)
            if earlier and values not in still:
                line = [*[None] * earlier, *line[earlier:]]  # noqa: PLW2901 (what is past alerts no one now)
            result.findings += judge(rule, scope, windows, line, over=over, opened=opened)
            result.judged.append(_point(rule, windows.starts[-1], line[-1]))
        return result


KIND = Kind(schema.Threshold, _Evaluator)


def _with_open(windows: Windows, still: Iterable[Values]) -> dict[Values, Sequence[Measure | None]]:
    """Return the lines, and an empty one for each scope that fires but spends nothing now, so that it resolves."""
    return {values: [EMPTY] * len(windows.starts) for values in still} | dict(windows.lines)


def meters_of(rule: Threshold) -> tuple[str, ...]:
    """Return the meters that a rule needs."""
    if rule.spec.metric == "cache_hit_rate":
        return ("cache_read_tokens", "input_tokens")
    return (rule.spec.meter,) if rule.spec.metric == "usage" else ()


def value_of(rule: Threshold, measure: Measure) -> Fraction | None:
    """Return the rule's metric of one window; None: it has none, as a ratio of nothing."""
    if measure.metric is not None:
        return measure.metric
    metric, meters, events = rule.spec.metric, measure.meters, measure.events
    ratios: dict[str, tuple[int | Decimal, int | Decimal]] = {
        "cost": (measure.cost, PICO), "events": (events, 1), "usage": (meters.get(rule.spec.meter, 0), 1),
        "unpriced_events": (measure.unpriced, 1), "unpriced_share": (100 * measure.unpriced, events),
        "estimated_events": (measure.estimated, 1), "estimated_share": (100 * measure.estimated, events),
        "cost_per_event": (measure.cost, PICO * events),
        "cache_hit_rate": (100 * meters.get("cache_read_tokens", 0), meters.get("input_tokens", 0)),
    }  # fmt: skip
    over, under = ratios[metric]
    if not under or (metric not in SUMS and events < rule.spec.min_events):
        return None
    return Fraction(over) / Fraction(under)


def judge(
    rule: Threshold, scope: Scope, windows: Windows, line: Sequence[Measure | None], *,
    over: datetime, opened: Mapping[str, datetime],
) -> list[Finding]:  # fmt: skip
    """Judge the windows of one scope.

    A window that ends after `over` is still filling: a sum can be too high already, and nothing else can be said.
    `opened`: the alerts that are not over. What lasts is one alert.
    """
    found: dict[tuple[str, datetime], Finding] = {}
    for level, limit in (("above", rule.spec.above), ("below", rule.spec.below)):
        begun, early = open_since(opened, rule, scope, level), level == "above" and rule.spec.metric in SUMS
        for at, measure in zip(windows.starts, line, strict=True):
            window = TimeRange(at, at + windows.length)
            if measure is None:
                continue
            value, filling = value_of(rule, measure), window.end > over
            if level == "above" and rule.spec.metric in OF_PRICES and not measure.events:
                if begun is not None and windows.starts[0] <= begun < at:
                    continue
                value = Fraction(0)
            if limit is None or value is None or (filling and not early):
                continue
            open_now = begun is not None and begun <= at
            breached = _beyond(level, value, limit, rule.spec.margin if open_now else Decimal(0))
            if breached:
                begun = begun or at
            if begun is None or begun > at or (filling and not breached):
                continue
            key = Key(rule.tenant, rule.id, scope, begun, level)
            found[level, begun] = _finding(
                rule, key, value, limit, breached=breached, window=window, unpriced=measure.unpriced
            )
            if not breached and not rule.calm:
                begun = None  # otherwise what comes back before it was calm for long enough is the same alert
    return list(found.values())


def _beyond(level: str, value: Fraction, limit: Decimal, margin: Decimal) -> bool:
    """Return whether a value is beyond its limit; one that was is so until it is back by more than `margin`."""
    if level == "above":
        return value > Fraction(limit) - Fraction(margin)
    return value < Fraction(limit) + Fraction(margin)


def _finding(
    rule: Threshold,
    key: Key,
    value: Fraction,
    limit: Decimal,
    *,
    breached: bool,
    window: TimeRange,
    unpriced: int,
) -> Finding:
    unit, grain = UNITS.get(rule.spec.metric, rule.spec.meter), rule.spec.grain
    where = scope_text(key.scope)
    missing = unpriced if unit.startswith("USD") else 0
    said, wanted = _said(unit, value, lower_bound=missing > 0), _said(unit, Fraction(limit))
    at = f"at {said}" if breached else f"back at {said}"
    bound = f", {key.level} the limit of {wanted}" if breached else f" (limit: {wanted})"
    return Finding(
        rule, key, breached, rule.spec.severity,
        title=f"{rule.name}: {where} {at} in one {grain}{bound}", summary=f"{said} in one {grain} (limit: {wanted}).",
        actual=round(value * PICO), expected=round(Fraction(limit) * PICO), unit=unit, judged=window,
        unpriced=missing,
    )  # fmt: skip


def _said(unit: str, value: Fraction, *, lower_bound: bool = False) -> str:
    number = Decimal(value.numerator) / Decimal(value.denominator)
    if unit == "USD":
        return usd(number, lower_bound=lower_bound)
    shown = f"{number:,.4g}" if abs(number) < 1000 else f"{number:,.0f}"
    if unit.startswith("%"):
        return f"{shown}{unit}"
    return f"{'≥ ' if lower_bound else ''}{shown} {unit.removesuffix('s') if number == 1 else unit}"


def _point(rule: Threshold, at: datetime, measure: Measure | None) -> Judged:
    value = None if measure is None else value_of(rule, measure)
    if value is None:
        return Judged(at, None, "missing")
    above, below = rule.spec.above, rule.spec.below
    sides = [value / Fraction(above) if above else 0, Fraction(below) / value if below and value > 0 else 0]
    beyond = [
        limit is not None and _beyond(level, value, limit, Decimal(0))
        for level, limit in (("above", above), ("below", below))
    ]
    lower, upper = (None if limit is None else float(limit) for limit in (below, above))
    return base.judged(
        at, float(value), max(0.0, *map(float, sides)), fired=any(beyond), lower=lower, upper=upper
    )
