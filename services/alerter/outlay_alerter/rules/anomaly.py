"""Anomalies: spending that is not what the time of the day and of the week make likely."""

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from math import nan
from zoneinfo import ZoneInfo

from msgspec import structs

from outlay_alerter.alerts.states import AlertRecord, Finding, Key, open_alerts, open_since
from outlay_alerter.detection.detector import Detector
from outlay_alerter.detection.teaching import teach
from outlay_alerter.detection.tuning import Tuning, Verdict
from outlay_alerter.rules import base
from outlay_alerter.rules.base import (
    EMPTY,
    LOOK_BACK,
    Evaluation,
    Judged,
    Kind,
    Measure,
    Needs,
    Values,
    View,
    Windows,
)
from outlay_alerter.rules.watch import Rule, Scope
from outlay_kit.time_ranges import TimeRange
from outlay_reports.money import dollars
from outlay_schemas.alerts import Severity
from outlay_schemas.catalog import watch as schema
from outlay_schemas.dimensions import scope_text
from outlay_schemas.events import Grain
from outlay_schemas.money import PICO

HISTORY: dict[Grain, int] = {"minute": 2 * 1440, "hour": 35 * 24, "day": 120}
"""How many windows a detector is taught before it says anything."""
CALM = 2
"""So many normal windows in a row end an anomaly, two hours of them at least: what comes back sooner is one episode."""
LEVEL = "anomaly"
_NEXT = timedelta(microseconds=1)
_ALIKE = 5, 4
"""What differs by at most so much (a quarter more) as somebody expected is like it."""
_NEAR = timedelta(hours=1)
"""And is at the same time of the day, give or take so much."""
_TOGETHER = 16
"""From so many scopes on it is quicker to teach them side by side."""
Anomaly = Rule[schema.Anomaly]


class _Evaluator(base.Evaluator[Anomaly]):
    """Keeps a detector for each scope, fed from history at first and then window by window."""

    def __init__(self, rule: Anomaly, most_scopes: int) -> None:
        super().__init__(rule, most_scopes)
        self._watched: dict[Values, WatchedScope] = {}
        self._marked: frozenset[str] = frozenset()
        """The alerts that somebody marked as expected: of others, detectors learn something else."""

    def needs(self, start: datetime) -> Needs:
        grain = self._rule.spec.grain
        return Needs(grain, base.back(start, grain, HISTORY[grain]))

    def evaluate(self, view: View, known: Mapping[str, AlertRecord]) -> Evaluation:
        rule, spec, result = self._rule, self._rule.spec, Evaluation()
        newest_minute = view.newest()
        if newest_minute is None:
            return result
        current = view.window(newest_minute, spec.grain)
        history = current.start - current.length * HISTORY[spec.grain]
        marked = frozenset(k.id for k in known.values() if k.expected and k.rule == rule.id)
        since = min((w.next for w in self._watched.values()), default=history)
        if marked != self._marked or since < history:
            self._watched.clear()
            since = history
        self._marked = marked
        windows = view.windows(rule, spec.grain, since, current.start)
        over = view.seen(timedelta(minutes=spec.settle_minutes))
        speak_from = current.start - current.length * LOOK_BACK
        done = bisect_right(windows.starts, over - windows.length)
        history_ends = min(done, bisect_left(windows.starts, speak_from))
        result.left_out = self._admit(windows, known, history_ends)
        nothing = [EMPTY] * len(windows.starts)
        for values, one in self._watched.items():
            line = windows.lines.get(values, nothing)
            begin = bisect_left(windows.starts, one.next)
            some = zip(windows.starts[begin:done], line[begin:done], strict=True)
            result.findings += one.feed(some, speak_from)
            if done == len(windows.starts) - 1:
                result.findings += one.peek(current.start, line[-1] or EMPTY)
            if one.judged:
                result.judged.append(one.judged)
        return result

    def _admit(self, windows: Windows, known: Mapping[str, AlertRecord], history_ends: int) -> int:
        """Begin to watch the scopes that are new, and return how many exceed the limit.

        Each is watched from its first window: before it there was no such scope. The first `history_ends` windows only
        teach.
        """
        rule, fresh = self._rule, {v: line for v, line in windows.lines.items() if v not in self._watched}
        if not fresh:
            return 0
        room = self._most - len(self._watched)
        opened, expected = open_alerts(rule.id, known), _expected(rule, known)
        together: dict[int, list[Values]] = defaultdict(list)
        for values in base.largest(fresh, room):
            scope = rule.scope_of(values)
            first = next((n for n, measure in enumerate(fresh[values]) if measure != EMPTY), None)
            if first is None:
                continue
            begin = windows.starts[first]
            line = Key(rule.tenant, rule.id, scope, begin, LEVEL).line()
            since = open_since(opened, rule, scope, LEVEL)
            meant = expected.get(line, ())
            self._watched[values] = WatchedScope(
                rule, scope, begin, windows.length, open_since=since, expected=meant
            )
            if since is None and not meant:
                together[first].append(values)
        for first, scopes in together.items():
            if len(scopes) >= _TOGETHER:
                self._teach(scopes, windows, range(first, history_ends))
        return max(0, len(fresh) - room)

    def _teach(self, scopes: Sequence[Values], windows: Windows, history: range) -> None:
        """Teach scopes that begin with the same window their history at once."""
        watched = [self._watched[values] for values in scopes]
        starts = windows.starts[history.start : history.stop]
        costs = [
            [nan if m is None else m.cost / PICO for m in windows.lines[values][history.start : history.stop]]
            for values in scopes
        ]
        for one, taught in zip(watched, teach([w.detector for w in watched], starts, costs), strict=True):
            if taught:
                one.next = starts[taught - 1] + _NEXT


KIND = Kind(schema.Anomaly, _Evaluator)


def _expected(rule: Anomaly, known: Mapping[str, AlertRecord]) -> dict[str, list[TimeRange]]:
    """Return the times that somebody marked as expected, by what the alerts of a scope have in common."""
    found: dict[str, list[TimeRange]] = {}
    for one in known.values():
        if one.expected and one.rule == rule.id:
            end = one.decided_at if one.state == "resolved" else datetime.max.replace(tzinfo=UTC)
            found.setdefault(one.line, []).append(TimeRange(one.window, end))
    return found


class WatchedScope:
    """One scope of a rule: its detector, the next window that it is to be fed, and its anomaly under way."""

    def __init__(
        self, rule: Anomaly, scope: Scope, begin: datetime, length: timedelta, *,
        open_since: datetime | None = None, expected: Sequence[TimeRange] = (),
    ) -> None:  # fmt: skip
        """Begin with the window at `begin`; a window is as long as `length`.

        `open_since`: the window of the alert that is not over. `expected`: times that somebody marked as expected.
        """
        spec, self._zone = rule.spec, ZoneInfo(rule.spec.timezone)
        self._rule, self._scope, self._length, self._expected = rule, scope, length, expected
        tuning = Tuning(
            int(length.total_seconds()), float(spec.sensitivity), float(spec.min_usd), spec.direction, self._zone,
            frozenset(spec.holidays),
        )  # fmt: skip
        self.detector = Detector(tuning)
        self.next = begin
        """No window that starts before this is fed."""
        self.judged: Judged | None = None
        """What was said of the newest window that was fed."""
        self._begun, self._calm = open_since, 0
        self._bumps: list[tuple[datetime, int]] = []
        """Windows that somebody expected, and by how many pico-USD each differed from what was likely."""

    def feed(self, windows: Iterable[tuple[datetime, Measure | None]], speak_from: datetime) -> list[Finding]:
        """Feed windows that are over, in order, each once; one of None is missing.

        Only windows from `speak_from` on make alerts: what is older is history.
        """
        found: list[Finding] = []
        for at, measure in windows:
            if at < self.next:
                continue
            actual = None if measure is None else measure.cost
            verdict = self._judged(at, actual)
            self.next = at + _NEXT
            self.judged = Judged(
                at, None if actual is None else actual / PICO, verdict.status, verdict.expected,
                verdict.lower, verdict.upper, verdict.score,
            )  # fmt: skip
            if measure is not None and at >= (self._begun or speak_from):
                found += self._spoken(at, measure, verdict)
        return found

    def peek(self, at: datetime, measure: Measure) -> list[Finding]:
        """Judge the window that is still filling: it may cost too much already, and nothing else can be said."""
        if at < self.next or self._begun is not None:
            return []
        verdict = self.detector.judge(at, measure.cost / PICO)
        extra = _extra(measure.cost, verdict)
        if not verdict.fired or extra <= 0 or self._alike(at, extra):
            return []
        return [self._finding(at, at, measure, verdict)]

    def _judged(self, at: datetime, actual: int | None) -> Verdict:
        if actual is None or not self._expected:
            return self.detector.update(at, None if actual is None else actual / PICO)
        verdict = self.detector.judge(at, actual / PICO)
        extra = _extra(actual, verdict)
        meant = any(at in span for span in self._expected)
        alike = verdict.fired and not meant and self._alike(at, extra)
        self.detector.update(at, actual / PICO, usual=meant or alike)
        if meant and verdict.fired:
            self._bumps.append((at, extra))
        return structs.replace(verdict, status="expected") if alike else verdict

    def _alike(self, at: datetime, extra: int) -> bool:
        """Tell whether a window is like one that somebody expected, as long as the rule looks back."""
        grain, (over, under) = self._rule.spec.grain, _ALIKE
        for then, before in self._bumps:
            same = (extra > 0) == (before > 0) and abs(extra) * under <= abs(before) * over
            apart = (self._clock(at) - self._clock(then)) % timedelta(days=1)
            near = min(apart, timedelta(days=1) - apart) <= max(_NEAR, 2 * self._length)
            if same and (near or grain == "day") and at - then <= self._length * HISTORY[grain]:
                return True
        return False

    def _clock(self, at: datetime) -> timedelta:
        local = at.astimezone(self._zone)
        return timedelta(hours=local.hour, minutes=local.minute)

    def _spoken(self, at: datetime, measure: Measure, verdict: Verdict) -> list[Finding]:
        if verdict.fired:
            self._begun, self._calm = self._begun or at, 0
            return [self._finding(self._begun, at, measure, verdict)]
        if self._begun is None:
            return []
        self._calm += 1
        if self._calm < max(CALM, timedelta(hours=2) // self._length):
            return []
        finding = self._finding(self._begun, at, measure, verdict)
        self._begun, self._calm = None, 0
        return [finding]

    def _finding(self, begun: datetime, at: datetime, measure: Measure, verdict: Verdict) -> Finding:
        """Return what holds of the scope: the anomaly began in the window `begun`; the one at `at` was judged."""
        rule, grain, where = self._rule, self._rule.spec.grain, scope_text(self._scope)
        actual, spent = measure.cost, dollars(measure.cost, lower_bound=bool(measure.unpriced))
        lower, expected, upper = (
            round((one or 0.0) * PICO) for one in (verdict.lower, verdict.expected, verdict.upper)
        )
        title = f"{rule.name}: {where} is back to normal at {spent} per {grain}"
        if verdict.fired:
            title = f"{rule.name}: {where} at {spent} per {grain}, usually {dollars(expected)}"
        summary = (
            f"{spent} in one {grain}. At this time of day and week {dollars(expected)} is expected;"
            f" {dollars(max(0, lower))} to {dollars(upper)} is normal."
        )
        if verdict.after_nothing:
            summary = (
                f"{spent} in one {grain}. Nothing was spent before; {dollars(upper)} or more is an anomaly."
            )
        severity: Severity = (
            "info" if actual < expected else "critical" if verdict.score >= 0.75 else "warning"
        )
        severity = base.at_most(severity, actual - expected, rule.spec.critical_usd)
        return Finding(
            rule, Key(rule.tenant, rule.id, self._scope, begun, LEVEL), verdict.fired, severity, title, summary,
            actual, expected, judged=TimeRange(at, at + self._length),
            facts={"score": f"{verdict.score:.3f}", "direction": "down" if actual < expected else "up"},
            unpriced=measure.unpriced,
        )  # fmt: skip


def _extra(actual: int, verdict: Verdict) -> int:
    return actual - round((verdict.expected or 0.0) * PICO)
