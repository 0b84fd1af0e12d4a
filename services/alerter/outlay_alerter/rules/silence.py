"""Silence: something that sent events and sends none any more."""

from collections.abc import Mapping
from datetime import datetime, timedelta

from outlay_alerter.alerts.states import UNTIL, AlertRecord, Finding, Key, open_alerts, open_since
from outlay_alerter.rules import base
from outlay_alerter.rules.base import Evaluation, Kind, Needs, View
from outlay_alerter.rules.watch import Rule, Scope
from outlay_kit.time_ranges import TimeRange
from outlay_reports.money import counted
from outlay_schemas.catalog import watch as schema
from outlay_schemas.dimensions import scope_text

LEVEL = "silent"
_MINUTE = timedelta(minutes=1)
Silence = Rule[schema.Silence]


class _Evaluator(base.Evaluator[Silence]):
    def needs(self, start: datetime) -> Needs:
        return Needs("minute", start - _stale(self._rule), "minutes")

    def evaluate(self, view: View, known: Mapping[str, AlertRecord]) -> Evaluation:
        rule, now, opened = self._rule, view.over(), open_alerts(self._rule.id, known)
        found = []
        for values, last in view.lasts(rule, now - _stale(rule)).items():
            scope = rule.scope_of(values)
            begun = open_since(opened, rule, scope, LEVEL)
            found.append(judge(rule, scope, last=last, now=now, begun=begun))
        return Evaluation([finding for finding in found if finding])


KIND = Kind(
    schema.Silence, _Evaluator, no_series="it looks for minutes without events, and a series has values only"
)


def judge(
    rule: Silence, scope: Scope, *, last: datetime, now: datetime, begun: datetime | None
) -> Finding | None:
    """Return what holds of a scope whose last minute with events is `last`.

    `begun`: the window of the alert that is not over.
    """
    silent = now - last >= rule.spec.minutes * _MINUTE
    if not silent and begun is None:
        return None
    where, minutes = scope_text(scope), int((now - last) / _MINUTE)
    how = f"silent for {counted(minutes, 'minute')}" if silent else "back"
    return Finding(
        rule, Key(rule.tenant, rule.id, scope, begun or last, LEVEL), silent, rule.spec.severity,
        title=f"{rule.name}: {where} is {how}",
        summary=f"The last event of {where} is of {last:%Y-%m-%d %H:%M} UTC: a producer stopped, or a pipe is broken.",
        actual=minutes * 10**12, expected=rule.spec.minutes * 10**12, unit="minutes",
        facts={"until": (last + _stale(rule)).strftime(UNTIL)}, about=TimeRange(last, last + _MINUTE),
    )  # fmt: skip


def _stale(rule: Silence) -> timedelta:
    return timedelta(hours=rule.spec.stale_after_hours)
