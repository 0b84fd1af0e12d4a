"""Spend spikes: a window against the median of those before it, in units of their usual spread.

A spike that lasts is one alert: it keeps the window in which it began.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Literal

from outlay_alerter.alerts.states import AlertRecord, Finding, Key, open_alerts, open_scopes, open_since
from outlay_alerter.detection.recurrence import ALIKE, is_sparse, limit_of, monthly_peak
from outlay_alerter.rules import base
from outlay_alerter.rules.base import Evaluation, Judged, Kind, Measure, Needs, View, Windows
from outlay_alerter.rules.watch import Rule, Scope
from outlay_kit.time_ranges import TimeRange
from outlay_reports.money import dollars
from outlay_schemas.alerts import Severity
from outlay_schemas.catalog import watch as schema
from outlay_schemas.dimensions import scope_text
from outlay_schemas.events import Grain
from outlay_schemas.money import PICO, to_pico

SpendSpike = Rule[schema.SpendSpike]
Outcome = Literal["insufficient_history", "below_minimum", "normal", "spike"]

LEVEL = "spike"
HISTORY: dict[Grain, int] = {"minute": 120, "hour": 168, "day": 56}
"""How many earlier windows a window is compared with, at most."""
_READ = HISTORY | {"day": 110}
"""How many are read: days of more than three months, for costs that come back each month."""
MIN_HISTORY: dict[Grain, int] = {"minute": 15, "hour": 24, "day": 7}
"""With fewer, nothing is said."""
_MINUTE = timedelta(minutes=1)
LONG: dict[Grain, int] = {"minute": 7 * 1440, "hour": 35 * 24, "day": 400}
"""How many earlier windows tell what is usual where most are empty."""


class _Evaluator(base.Evaluator[SpendSpike]):
    def needs(self, start: datetime) -> Needs:
        grain = self._rule.spec.grain
        return Needs(grain, base.back(start, grain, LONG[grain]))

    def evaluate(self, view: View, known: Mapping[str, AlertRecord]) -> Evaluation:
        rule, grain, result = self._rule, self._rule.spec.grain, Evaluation()
        newest_minute = view.newest()
        if newest_minute is None:
            return result
        over = view.seen()
        newest = view.window(max(newest_minute, over - _MINUTE), grain)
        opened, still = open_alerts(rule.id, known), open_scopes(rule, known)
        since = newest.start - newest.length * (_READ[grain] + view.look_back - 1)
        least = to_pico(rule.spec.min_usd)  # what costs less can end a spike, but not be one
        windows = view.windows(rule, grain, since, newest.start, least=least, always=still)
        if not windows.lines:
            return result
        sparse = {values for values, line in windows.lines.items() if is_sparse([m.cost for m in line if m])}
        for chosen in (set(windows.lines) - sparse, sparse):
            if chosen is sparse and chosen:
                since = newest.start - newest.length * (LONG[grain] + view.look_back - 1)
                windows = view.windows(rule, grain, since, newest.start, least=least, always=still)
            first = view.begun(grain, windows) if chosen else 0
            for values in sorted(chosen):
                found, point = judge(
                    rule, rule.scope_of(values), windows, windows.lines[values],
                    first=first, opened=opened, over=over, look_back=view.look_back,
                )  # fmt: skip
                result.findings += found
                result.judged.append(point)
        return result


KIND = Kind(schema.SpendSpike, _Evaluator)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a window is. Figures are pico-USD; `limit` is what it had to exceed."""

    outcome: Outcome
    expected: int | None = None
    limit: int | None = None
    windows: int = 0
    """How many earlier windows it was compared with."""


def verdict_of(
    rule: SpendSpike, history: Sequence[int], actual: int, monthly: Callable[[], int | None] = lambda: None,
    *, lasted: int = 0,
) -> Verdict:  # fmt: skip
    """Judge a window by the costs of the windows before it, oldest first, gaps as zeros.

    Where most of them are empty, those that are not say what is usual: spending in batches is not a spike each time.
    `monthly()`: what earlier months spent at most around this day. `lasted`: how many windows of `history` are since
    the spike that is open began: it cannot say what is usual.
    """
    grain = rule.spec.grain
    recent = history[-HISTORY[grain] :]
    if len(recent) < MIN_HISTORY[grain]:
        return Verdict("insufficient_history", windows=len(recent))
    if is_sparse(recent):
        end = max(0, len(history) - lasted)
        while end and history[end - 1]:  # what goes on now cannot say what is usual
            end -= 1
        filled = [cost for cost in history[-LONG[grain] : end] if cost]
        recent = filled[-HISTORY[grain] :] or [0] * len(recent)
    middle, limit = limit_of(recent, float(rule.spec.sensitivity))
    if actual > limit and (peak := monthly()) is not None and peak > middle:
        middle, limit = peak, max(limit, int(peak * ALIKE))
    if actual - middle < to_pico(rule.spec.min_usd):
        return Verdict("below_minimum", middle, limit, len(recent))
    return Verdict("spike" if actual > limit else "normal", middle, limit, len(recent))


def judge(
    rule: SpendSpike, scope: Scope, windows: Windows, line: Sequence[Measure | None], *,
    first: int, opened: Mapping[str, datetime], over: datetime, look_back: int,
) -> tuple[list[Finding], Judged]:  # fmt: skip
    """Judge the last windows of one scope; a window that ends after `over` can fire, but not resolve."""
    begun, found = open_since(opened, rule, scope, LEVEL), dict[datetime, Finding]()
    point = Judged(windows.starts[-1], None, "missing")
    for place in range(max(0, len(line) - look_back), len(line)):
        measure, at = line[place], windows.starts[place]
        if measure is None:
            continue
        window, actual = TimeRange(at, at + windows.length), measure.cost
        history = [m.cost for m in line[first:place] if m is not None]
        lasted = max(0, (at - begun) // windows.length) if begun else 0
        verdict = verdict_of(rule, history, actual, partial(_monthly, windows, line, place), lasted=lasted)
        if verdict.outcome == "spike":
            begun = begun or at
        elif begun is None or begun > at or window.end > over:
            point = _point(at, actual, verdict)
            continue
        key = Key(rule.tenant, rule.id, scope, begun, LEVEL)
        found[begun] = _finding(rule, key, verdict, measure, window)
        if verdict.outcome != "spike" and not rule.calm:
            begun = None  # otherwise what comes back before it was calm for long enough is the same alert
        point = _point(at, actual, verdict)
    return list(found.values()), point


def _monthly(windows: Windows, line: Sequence[Measure | None], place: int) -> int | None:
    """Return what earlier months spent at most around the day of a window; None: it is not known, or not of a day."""
    if windows.length != timedelta(days=1):
        return None
    days = {at.date(): m.cost for at, m in zip(windows.starts[:place], line[:place], strict=True) if m}
    return monthly_peak(days, windows.starts[place].date())


def _point(at: datetime, actual: int, verdict: Verdict) -> Judged:
    value = actual / PICO
    if verdict.expected is None or verdict.limit is None:
        return Judged(at, value, verdict.outcome)
    expected, upper = verdict.expected / PICO, verdict.limit / PICO
    share = max(0.0, value - expected) / max(upper - expected, 1e-12)
    fired = verdict.outcome == "spike"
    status = "anomaly" if fired else verdict.outcome
    return base.judged(at, value, share, fired=fired, status=status, expected=expected, upper=upper)


def _finding(rule: SpendSpike, key: Key, verdict: Verdict, measure: Measure, window: TimeRange) -> Finding:
    where, grain, expected = scope_text(key.scope), rule.spec.grain, verdict.expected or 0
    actual, spent = measure.cost, dollars(measure.cost, lower_bound=bool(measure.unpriced))
    times = f", {actual / expected:.1f} times the usual" if expected else ""
    breached = verdict.outcome == "spike"
    severity: Severity = "critical" if verdict.limit is not None and actual > 3 * verdict.limit else "warning"
    title = f"{rule.name}: {where} is back to normal at {spent} per {grain}"
    if breached:
        title = f"{rule.name}: {where} at {spent} per {grain}{times}"
    return Finding(
        rule, key, breached,
        severity=base.at_most(severity, actual - expected, rule.spec.critical_usd),
        title=title,
        summary=(
            f"{spent} in one {grain}. The median of the {verdict.windows} before it is {dollars(expected)};"
            f" more than {dollars(verdict.limit or 0)} is a spike."
        ),
        actual=actual, expected=expected, judged=window, unpriced=measure.unpriced,
    )  # fmt: skip
