"""Silence: something that sent events and sends none any more."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import ClassVar

from outlay_alerter.alerts.states import UNTIL, AlertRecord, Finding, Key, open_alerts
from outlay_alerter.rules import base
from outlay_alerter.rules.base import Evaluation, Kind, Needs, View, common
from outlay_alerter.rules.watch import Scope, Watch
from outlay_kit.time_ranges import TimeRange
from outlay_reports.money import counted
from outlay_schemas.alerts import Severity
from outlay_schemas.catalog import watch as schema
from outlay_schemas.dimensions import scope_text

LEVEL = "silent"
_MINUTE = timedelta(minutes=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Silence(Watch):
    """Values of dimensions that sent events, and have sent none for `length`."""

    type: ClassVar = "silence"
    length: timedelta
    forget: timedelta
    """What has been silent for longer than this is not missed."""
    severity: Severity


def compile_rule(rule: schema.Silence, tenant: str) -> Silence:
    """Return a rule of silence of the catalog as the evaluator needs it."""
    return Silence(
        **common(rule, tenant), by=tuple(rule.group_by), length=timedelta(minutes=rule.minutes),
        forget=timedelta(hours=rule.stale_after_hours), severity=rule.severity,
    )  # fmt: skip


class Evaluator(base.Evaluator[Silence]):
    """Looks for the last minute with events of each scope. Keeps no state."""

    def needs(self, start: datetime) -> Needs:
        """Return what it reads."""
        return Needs("minute", start - self._rule.forget, "minutes")

    def evaluate(self, view: View, known: Mapping[str, AlertRecord]) -> Evaluation:
        """Return the scopes that are silent, and those that are back. Raises Retryable."""
        rule, now, opened, result = self._rule, view.over(), open_alerts(self._rule.id, known), Evaluation()
        for values, last in view.lasts(rule, now - rule.forget).items():
            scope = rule.scope_of(values)
            begun = opened.since(rule.tenant, rule.id, scope, LEVEL)
            finding = judge(rule, scope, last=last, now=now, begun=begun)
            if finding:
                result.findings.append((finding, TimeRange(last, last + _MINUTE)))
        return result


KIND = Kind(
    Silence, schema.Silence, compile_rule, Evaluator,
    no_series="it looks for minutes without events, and a series has values only",
)  # fmt: skip


def judge(
    rule: Silence, scope: Scope, *, last: datetime, now: datetime, begun: datetime | None
) -> Finding | None:
    """Return what holds of a scope whose last minute with events is `last`.

    `begun`: the window of the alert that is not over.
    """
    silent = now - last >= rule.length
    if not silent and begun is None:
        return None
    where, minutes = scope_text(scope), int((now - last) / _MINUTE)
    how = f"silent for {counted(minutes, 'minute')}" if silent else "back"
    title = f"{rule.name}: {where} is {how}"
    return Finding(
        key=Key(rule.tenant, rule.id, scope, begun or last, LEVEL),
        rule_type="silence",
        breached=silent,
        severity=rule.severity,
        title=title,
        summary=f"The last event of {where} is of {last:%Y-%m-%d %H:%M} UTC: a producer stopped, or a pipe is broken.",
        actual=minutes * 10**12,
        expected=int(rule.length / _MINUTE) * 10**12,
        unit="minutes",
        facts={"until": (last + rule.forget).strftime(UNTIL)},
        hold=rule.hold,
        calm=rule.calm,
    )
