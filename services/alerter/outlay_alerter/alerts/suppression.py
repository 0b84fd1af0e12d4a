"""Suppression: which alerts are not sent to people, and why, so that one cause is one message.

Suppressed are snoozed and muted alerts; the lower thresholds of a budget that is over a higher one; and alerts whose
rule depends on another one that fires. A budget without such a list depends on the wider budgets of the same period,
if they have one cause: had it kept to its own level, the wider one would not have crossed either. An alert that still
fires when its reason ends is sent then.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, time
from decimal import Decimal, InvalidOperation
from zoneinfo import ZoneInfo

from outlay_alerter.alerts.states import AlertRecord, Finding, Transition
from outlay_alerter.rules.watch import Budget, Scope, within
from outlay_schemas.alerts import SEVERITY_RANK, Alert
from outlay_schemas.catalog.watch import MuteTimeInterval

_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


@dataclass(frozen=True, slots=True)
class SuppressionContext:
    """Everything that can suppress an alert."""

    now: datetime
    snoozes: Mapping[str, datetime] = field(default_factory=dict)
    mutes: Sequence[MuteTimeInterval] = ()
    incidents: Mapping[str, str] = field(default_factory=dict)
    """The incident of each alert that has one."""

    def alone(self, alert: str, rule: str, scope: Scope) -> str:
        """Return why an alert by itself is suppressed; empty: it is not."""
        targets = (alert, rule, self.incidents.get(alert, alert))
        if any(self.snoozes.get(target, self.now) > self.now for target in targets):
            return "snoozed"
        about = (m for m in self.mutes if within(scope, m.scope) and (not m.rules or rule in m.rules))
        return next((f"muted by {mute.id}" for mute in about if muted(mute, self.now)), "")


def muted(mute: MuteTimeInterval, at: datetime) -> bool:
    """Return whether a mute window is on; one that ends before it begins ends on the next day."""
    if (mute.starts and at < mute.starts) or (mute.ends and at >= mute.ends):
        return False
    begin, end = mute.between or (time(0), time(0))
    local = at.astimezone(ZoneInfo(mute.timezone))
    now, today = local.time(), not mute.days or _DAYS[local.weekday()] in mute.days
    if begin < end:
        return today and begin <= now < end
    yesterday = not mute.days or _DAYS[local.weekday() - 1] in mute.days
    return (today and now >= begin) or (yesterday and now < end)


def suppressed(
    findings: Iterable[Finding],
    changes: Iterable[Transition],
    known: Mapping[str, AlertRecord],
    context: SuppressionContext,
) -> dict[str, str]:
    """Return the firing or changing alerts that are not sent to people, each with the reason."""
    states = {c.id: c.state for c in changes}
    breached = {f.key.id(): f for f in findings if f.breached}
    open_ = {i for i in breached if states.get(i) or (i in known and known[i].fired)}
    why = {i: text for i, f in breached.items() if (text := context.alone(i, f.key.rule, f.key.scope))}
    why |= {i: "about a past period" for i, f in breached.items() if f.backfill}
    why |= {c.id: text for c in changes if (text := _end(c, context))}
    sent = {i: breached[i] for i in open_ if i not in why and states.get(i) != "pending"}
    why |= _lower_thresholds(breached, why)
    others = [(k.id, k.rule, k.scope) for k in known.values() if k.fired and k.id not in why]
    others += [(i, f.key.rule, f.key.scope) for i, f in sent.items() if i not in known]
    for alert, finding in breached.items():
        if alert not in why and (text := _covered_by(finding, sent, others)):
            why[alert] = text
    return why


def joined_snoozed(
    alerts: Iterable[Alert], known: Mapping[str, AlertRecord], context: SuppressionContext
) -> dict[str, str]:
    """Return the alerts that join a snoozed incident and are not worse than it."""
    worst: dict[str, int] = {}
    for one in known.values():
        if one.alert is not None:
            worst[one.incident] = max(worst.get(one.incident, 0), SEVERITY_RANK[one.alert.severity])
    return {
        alert.id: "snoozed"
        for alert in alerts
        if alert.id not in known
        and context.snoozes.get(alert.incident_id, context.now) > context.now
        and SEVERITY_RANK[alert.severity] <= worst.get(alert.incident_id, -1)
    }


def unnotified(
    findings: Iterable[Finding],
    changes: Iterable[Transition],
    known: Mapping[str, AlertRecord],
    suppressed_ids: Mapping[str, str],
) -> list[Transition]:
    """Return the firing alerts that were suppressed until now and no longer are."""
    changing = {change.id for change in changes}
    found = {finding.key.id(): finding for finding in findings}
    return [
        Transition(alert, known[alert].seq + 1, "firing", finding, known[alert])
        for alert, finding in found.items()
        if finding.breached and alert not in suppressed_ids and alert not in changing
        and alert in known and known[alert].state == "firing" and not known[alert].notified
    ]  # fmt: skip


def _end(change: Transition, context: SuppressionContext) -> str:
    """Return why an end is not sent: no one was notified of the beginning, or it is snoozed."""
    if change.state != "resolved":
        return ""
    if change.before is not None and not change.before.notified:
        return "no one was notified that it fired"
    key = change.finding.key
    why = context.alone(change.id, key.rule, key.scope)
    return why if why == "snoozed" else ""


def _lower_thresholds(breached: Mapping[str, Finding], suppressed_ids: Mapping[str, str]) -> dict[str, str]:
    """Return the thresholds of budgets that are crossed together with a higher one."""
    levels = {i: level for i, f in breached.items() if (level := _level(f)) is not None}
    highest: dict[tuple[object, ...], Decimal] = {}
    for alert, level in levels.items():
        if alert not in suppressed_ids:
            group = _group(breached[alert])
            highest[group] = max(level, highest.get(group, level))
    return {
        alert: f"covered by the alert for {most:f}%"
        for alert, level in levels.items()
        if alert not in suppressed_ids and level < (most := highest[_group(breached[alert])])
    }


def _level(finding: Finding) -> Decimal | None:
    if finding.rule_type not in ("budget", "budget_forecast"):
        return None
    try:
        return Decimal(finding.key.level.removeprefix("forecast-"))
    except InvalidOperation:
        return None


def _group(finding: Finding) -> tuple[object, ...]:
    key = finding.key
    return key.rule, key.window, finding.rule_type, tuple(sorted(key.scope.items()))


def _covered_by(
    finding: Finding, sent: Mapping[str, Finding], others: Iterable[tuple[str, str, Scope]]
) -> str:
    watch, alert, scope = finding.watch, finding.key.id(), finding.key.scope
    if watch.depends_on is not None:
        near = (o for o in others if o[0] != alert and o[1] in watch.depends_on)
        covering = (rule for _, rule, its in near if within(its, scope) or within(scope, its))
        return next((f"covered by {rule}" for rule in covering), "")
    if not isinstance(watch, Budget):
        return ""
    for other in sent.values():
        wider = other.watch
        if isinstance(wider, Budget) and _contains(wider, watch) and _one_cause(other, finding):
            return f"covered by {wider.id}"
    return ""


def _contains(outer: Budget, inner: Budget) -> bool:
    terms = [(b.period, b.rolling, b.zone.key, b.anchor) for b in (outer, inner)]
    return terms[0] == terms[1] and within(inner.scope, outer.scope) and not within(outer.scope, inner.scope)


def _one_cause(outer: Finding, inner: Finding) -> bool:
    """Return whether the wider budget would not have crossed, had the narrower kept to its level."""
    same = outer.rule_type == inner.rule_type and (outer.key.level == inner.key.level or _level(outer))
    milder = SEVERITY_RANK[outer.severity] < SEVERITY_RANK[inner.severity]
    if not same or outer.key.window != inner.key.window or milder:
        return False
    beyond = inner.actual - (inner.expected or 0)
    return outer.actual - beyond < (outer.expected or 0)
