"""Anomalies: spending that is not what the time of the day and of the week make likely."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from outlay_alerter.alerts.states import AlertRecord, Key, open_alerts
from outlay_alerter.rules import base
from outlay_alerter.rules.anomaly_scope import HISTORY, LEVEL, Anomaly, Watched, feed, peek, watch
from outlay_alerter.rules.base import (
    EMPTY,
    LOOK_BACK,
    Evaluation,
    Kind,
    Needs,
    Values,
    View,
    Windows,
    back,
    common,
    grain_of,
    largest,
)
from outlay_kit.time_ranges import TimeRange
from outlay_schemas.catalog import watch as schema
from outlay_schemas.money import to_pico


def compile_rule(rule: schema.Anomaly, tenant: str) -> Anomaly:
    """Return an anomaly rule of the catalog as the evaluator needs it."""
    return Anomaly(
        **common(rule, tenant), by=tuple(rule.group_by), grain=rule.grain, min_cost=to_pico(Decimal(rule.min_usd)),
        sensitivity=float(rule.sensitivity), zone=ZoneInfo(rule.timezone), direction=rule.direction,
        holidays=frozenset(rule.holidays), settle=timedelta(minutes=rule.settle_minutes),
    )  # fmt: skip


class Evaluator(base.Evaluator[Anomaly]):
    """Keeps a detector for each scope, fed from history at first and then window by window."""

    def __init__(self, rule: Anomaly, most_scopes: int) -> None:
        super().__init__(rule, most_scopes)
        self._watched: dict[Values, Watched] = {}
        self._marked: frozenset[str] = frozenset()
        """The alerts that somebody marked as expected: of others, detectors learn something else."""

    def needs(self, start: datetime) -> Needs:
        """Return what it reads."""
        grain = self._rule.grain
        return Needs(grain, back(start, grain, HISTORY[grain]))

    def evaluate(self, view: View, known: Mapping[str, AlertRecord]) -> Evaluation:
        """Feed what is new to the detectors, and return what they found. Raises Retryable."""
        rule, result = self._rule, Evaluation()
        newest_minute = view.newest()
        if newest_minute is None:
            return result
        current = view.window(newest_minute, rule.grain)
        history = current.start - current.length * HISTORY[rule.grain]
        marked = frozenset(k.id for k in known.values() if k.expected and k.rule == rule.id)
        since = min((w.next for w in self._watched.values()), default=history)
        if marked != self._marked or since < history:
            self._watched.clear()
            since = history
        self._marked = marked
        windows = view.windows(rule, rule.grain, since, current.start)
        result.left_out = self._admit(windows, known)
        over, speak_from = view.seen(rule.settle), current.start - current.length * LOOK_BACK
        done = sum(at + windows.length <= over for at in windows.starts)
        for values, one in self._watched.items():
            line = windows.lines.get(values) or [EMPTY] * len(windows.starts)
            costs = [None if measure is None else measure.cost for measure in line]
            found = feed(rule, one, zip(windows.starts[:done], costs[:done], strict=True), speak_from)
            if done == len(windows.starts) - 1:
                found += peek(rule, one, current.start, costs[-1] or 0)
            result.findings += [(finding, finding.judged or current) for finding in found]
            if one.judged:
                result.judged.append(one.judged)
        return result

    def _admit(self, windows: Windows, known: Mapping[str, AlertRecord]) -> int:
        """Begin to watch the scopes that are new, and return how many exceed the limit.

        Each is watched from its first window: before it there was no such scope.
        """
        rule, fresh = self._rule, {v: line for v, line in windows.lines.items() if v not in self._watched}
        if not fresh:
            return 0
        room = self._most - len(self._watched)
        opened, expected = open_alerts(rule.id, known), _expected(rule, known)
        for values in largest(fresh, room):
            scope = rule.scope_of(values)
            first = next((n for n, measure in enumerate(fresh[values]) if measure != EMPTY), None)
            if first is None:
                continue
            line = Key(rule.tenant, rule.id, scope, windows.starts[first], LEVEL).line()
            self._watched[values] = watch(
                rule, scope, windows.starts[first], windows.length,
                open_since=opened.since(rule.tenant, rule.id, scope, LEVEL), expected=expected.get(line, ()),
            )  # fmt: skip
        return max(0, len(fresh) - room)


KIND = Kind(
    Anomaly,
    schema.Anomaly,
    compile_rule,
    Evaluator,
    on_step=lambda rule, step: replace(rule, grain=grain_of(step)),
)


def _expected(rule: Anomaly, known: Mapping[str, AlertRecord]) -> dict[str, list[TimeRange]]:
    """Return the times that somebody marked as expected, by what the alerts of a scope have in common."""
    found: dict[str, list[TimeRange]] = {}
    for one in known.values():
        if one.expected and one.rule == rule.id:
            end = one.decided_at if one.state == "resolved" else datetime.max.replace(tzinfo=UTC)
            found.setdefault(one.line, []).append(TimeRange(one.window, end))
    return found
