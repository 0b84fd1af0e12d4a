"""One scope of an anomaly rule: its detector, the windows that it was fed, and its alert that is not over."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from typing import ClassVar
from zoneinfo import ZoneInfo

from outlay_alerter.alerts.states import Finding, Key
from outlay_alerter.detection.detector import Detector
from outlay_alerter.detection.tuning import Direction, Tuning, Verdict
from outlay_alerter.rules.base import Judged
from outlay_alerter.rules.watch import NONE, Scope, Watch
from outlay_kit.time_ranges import TimeRange
from outlay_reports.money import dollars
from outlay_schemas.alerts import Severity
from outlay_schemas.dimensions import scope_text
from outlay_schemas.events import Grain
from outlay_schemas.money import PICO

HISTORY: dict[Grain, int] = {"minute": 2 * 1440, "hour": 35 * 24, "day": 120}
"""How many windows a detector is taught before it says anything."""
CALM = 2
"""So many normal windows in a row end an anomaly, an hour of them at least: what comes back sooner is one episode."""
LEVEL = "anomaly"
_NEXT = timedelta(microseconds=1)
_ALIKE = 5, 4
"""What differs by at most so much (a quarter more) as somebody expected is like it."""
_NEAR = timedelta(hours=1)
"""And is at the same time of the day, give or take so much."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Anomaly(Watch):
    """Windows that are not what the time of the day and of the week make likely. `min_cost` is pico-USD."""

    type: ClassVar = "anomaly"
    grain: Grain
    min_cost: int
    sensitivity: float
    zone: ZoneInfo
    direction: Direction = "both"
    holidays: frozenset[date] = frozenset()
    settle: timedelta = NONE
    """How long late events are awaited before a window is over."""


@dataclass(frozen=True, slots=True)
class Bump:
    """A window that somebody said is as it should be: by how many pico-USD it differed from what was likely."""

    at: datetime
    extra: int


@dataclass(slots=True)
class Watched:
    """The detector of one scope, the next window that it is to be fed, and the anomaly under way."""

    scope: Scope
    detector: Detector
    length: timedelta
    """Of a window."""
    next: datetime
    """No window that starts before this is fed."""
    begun: datetime | None = None
    calm: int = 0
    expected: Sequence[TimeRange] = ()
    """Times that somebody marked as expected."""
    bumps: list[Bump] = field(default_factory=list)
    judged: Judged | None = None
    """What was said of the newest window that was fed."""


def watch(
    rule: Anomaly,
    scope: Scope,
    begin: datetime,
    length: timedelta,
    *,
    open_since: datetime | None = None,
    expected: Sequence[TimeRange] = (),
) -> Watched:
    """Begin to watch a scope with the window at `begin`; `open_since`: the alert that is not over.

    `expected`: times that somebody marked as expected.
    """
    tuning = Tuning(
        int(length.total_seconds()),
        rule.sensitivity,
        rule.min_cost / PICO,
        rule.direction,
        rule.zone,
        rule.holidays,
    )
    return Watched(scope, Detector(tuning), length, begin, begun=open_since, expected=expected)


def feed(
    rule: Anomaly, watched: Watched, costs: Iterable[tuple[datetime, int | None]], speak_from: datetime
) -> list[Finding]:
    """Feed windows that are over, in order, each once; a cost of None is missing.

    Only windows from `speak_from` on make alerts: what is older is history.
    """
    found: list[Finding] = []
    for at, actual in costs:
        if at < watched.next:
            continue
        verdict = _judged(rule, watched, at, actual)
        watched.next = at + _NEXT
        watched.judged = Judged(
            at, None if actual is None else actual / PICO, verdict.status, verdict.expected,
            verdict.lower, verdict.upper, verdict.score,
        )  # fmt: skip
        if actual is not None and at >= (speak_from if watched.begun is None else watched.begun):
            found += _spoken(rule, watched, at, actual, verdict)
    return found


def peek(rule: Anomaly, watched: Watched, at: datetime, actual: int) -> list[Finding]:
    """Judge the window that is still filling: it may cost too much already, and nothing else can be said."""
    if at < watched.next or watched.begun is not None:
        return []
    verdict = watched.detector.judge(at, actual / PICO)
    extra = _extra(actual, verdict)
    if not verdict.fired or extra <= 0 or _alike(rule, watched, at, extra):
        return []
    return [_finding(rule, watched, (at, at), actual, verdict, breached=True)]


def _judged(rule: Anomaly, watched: Watched, at: datetime, actual: int | None) -> Verdict:
    """Judge a window that is over, and learn from it: what somebody expected, and what is like it, as it is."""
    value = None if actual is None else actual / PICO
    if actual is None or not watched.expected:
        return watched.detector.update(at, value)
    verdict = watched.detector.judge(at, value)
    extra = _extra(actual, verdict)
    meant = any(at in span for span in watched.expected)
    alike = verdict.fired and not meant and _alike(rule, watched, at, extra)
    watched.detector.update(at, value, usual=meant or alike)
    if meant and verdict.fired:
        watched.bumps.append(Bump(at, extra))
    return replace(verdict, status="expected") if alike else verdict


def _extra(actual: int, verdict: Verdict) -> int:
    return actual - round((verdict.expected or 0.0) * PICO)


def _alike(rule: Anomaly, watched: Watched, at: datetime, extra: int) -> bool:
    """Tell whether a window is like one that somebody expected, as long as the rule looks back."""
    length = watched.length
    over, under = _ALIKE
    for bump in watched.bumps:
        same = (extra > 0) == (bump.extra > 0) and abs(extra) * under <= abs(bump.extra) * over
        apart = (_clock(rule, at) - _clock(rule, bump.at)) % timedelta(days=1)
        near = min(apart, timedelta(days=1) - apart) <= max(_NEAR, 2 * length)
        if same and (near or rule.grain == "day") and at - bump.at <= length * HISTORY[rule.grain]:
            return True
    return False


def _clock(rule: Anomaly, at: datetime) -> timedelta:
    local = at.astimezone(rule.zone)
    return timedelta(hours=local.hour, minutes=local.minute)


def _spoken(rule: Anomaly, watched: Watched, at: datetime, actual: int, verdict: Verdict) -> list[Finding]:
    if verdict.fired:
        watched.begun = watched.begun or at
        watched.calm = 0
        return [_finding(rule, watched, (watched.begun, at), actual, verdict, breached=True)]
    if watched.begun is None:
        return []
    watched.calm += 1
    if watched.calm < max(CALM, timedelta(hours=1) // watched.length):
        return []
    finding = _finding(rule, watched, (watched.begun, at), actual, verdict, breached=False)
    watched.begun, watched.calm = None, 0
    return [finding]


def _finding(
    rule: Anomaly, watched: Watched, when: tuple[datetime, datetime], actual: int, verdict: Verdict, *,
    breached: bool,
) -> Finding:  # fmt: skip
    """Return what holds of a scope; `when`: the windows in which the anomaly began, and that was judged."""
    begun, at = when
    expected = round((verdict.expected or 0.0) * PICO)
    upper, lower = (round((bound or 0.0) * PICO) for bound in (verdict.upper, verdict.lower))
    where, more = scope_text(watched.scope), actual >= expected
    title = f"{rule.name}: {where} is back to usual at {dollars(actual)} a {rule.grain}"
    if breached:
        title = f"{rule.name}: {where} at {dollars(actual)} a {rule.grain}, {dollars(expected)} is usual"
    summary = (
        f"{dollars(actual)} in a {rule.grain}; at this time of the day and of the week"
        f" {dollars(expected)} is likely, and between {dollars(max(0, lower))} and {dollars(upper)} is normal."
    )
    if verdict.after_nothing:
        summary = (
            f"{dollars(actual)} in a {rule.grain}; nothing was spent before, and from {dollars(upper)} on"
            " the rule speaks."
        )
    return Finding(
        key=Key(rule.tenant, rule.id, watched.scope, begun, LEVEL),
        rule_type="anomaly",
        breached=breached,
        severity=_severity(verdict, more),
        title=title,
        summary=summary,
        actual=actual,
        expected=expected,
        facts={"score": f"{verdict.score:.3f}", "direction": "up" if more else "down"},
        judged=TimeRange(at, at + watched.length),
        hold=rule.hold,
        calm=rule.calm,
    )


def _severity(verdict: Verdict, more: bool) -> Severity:
    if not more:
        return "info"
    return "critical" if verdict.score >= 0.75 else "warning"
