"""What happened with an incident: each alert as it fired, got worse and resolved, and what people did."""

from collections.abc import Callable, Container, Iterable, Iterator
from datetime import datetime

from outlay_reports.incidents import Incident
from outlay_schemas.alerts import SEVERITY_RANK, Alert, AlertAction

Entry = tuple[datetime, str]
_ACTIONS = {"acknowledged": "Acknowledged", "expected": "Marked as expected", "snoozed": "Snoozed"}
_UNDONE = {"acknowledged": "Acknowledgement", "expected": "Mark as expected", "snoozed": "Snooze"}


def timeline(
    incident: Incident,
    versions: Iterable[Alert],
    actions: Iterable[AlertAction],
    clock: Callable[[datetime], str],
) -> list[Entry]:
    """Return what happened, the oldest first. A title has the figures of that time.

    `versions`: what was decided about the alerts of the incident, in any order; what has none is shown as it is now.
    `clock` writes a time with its zone.
    """
    taken = [one for one in actions if one.until is None or one.until > incident.opened_at]
    known: dict[str, list[Alert]] = {alert.id: [] for alert in incident.alerts}
    for one in versions:
        opened = one.incident.opened_at if one.incident else incident.opened_at
        if one.id in known and opened == incident.opened_at:
            known[one.id].append(one)
    by_people: set[str] = {one.action for one in taken}
    found = [
        entry
        for alert in incident.alerts
        for entry in _alert(sorted(known[alert.id], key=lambda one: one.at) or [alert], by_people)
    ]
    text = incident.text
    if text.started_at:
        found.append((text.started_at, "Began"))
    if text.ended_at and len(incident.alerts) > 1:
        found.append((text.ended_at, "Incident resolved: all of its alerts are"))
    found += [(one.at, _action(one, clock, whole=one.target == incident.main.rule)) for one in taken]
    return sorted(dict.fromkeys(found), key=lambda one: one[0])


def _alert(versions: list[Alert], by_people: Container[str]) -> Iterator[Entry]:
    before: Alert | None = None
    for one in versions:
        if before is None or before.state == "resolved":
            at = one.at if one.state == "firing" else one.fired_at or one.started_at or one.at
            yield at, f"Fired ({_level(one)}): {one.title}"
        elif SEVERITY_RANK[one.severity] > SEVERITY_RANK[before.severity]:
            yield one.at, f"Severity raised from {before.severity} to {one.severity}: {one.title}"
        elif one.state == "firing":
            yield one.at, f"Still firing ({_level(one)}): {one.title}"
        if one.state == "resolved":
            yield one.at, f"Resolved ({_reason(one)}): {one.title}"
        elif one.state == "acknowledged" and "acknowledged" not in by_people:
            yield one.at, f"Acknowledged {one.facts.get('acknowledged', '')}".rstrip()
        before = one


def _level(alert: Alert) -> str:
    """Return the severity, and the level of a budget: several of them have the same title."""
    budget = alert.rule_type == "budget" and alert.level.replace(".", "").isdigit()
    quiet = f", not notified: {alert.facts['quiet']}" if "quiet" in alert.facts else ""
    return f"{alert.severity}{f', level {alert.level}%' if budget else ''}{quiet}"


def _reason(alert: Alert) -> str:
    if "expected" in alert.facts:
        return f"marked as expected: {alert.facts['expected']}"
    return alert.facts.get("ended", "back within its limit")


def _action(one: AlertAction, clock: Callable[[datetime], str], *, whole: bool) -> str:
    by, note = f" by {one.actor}" if one.actor else "", f": {one.comment}" if one.comment else ""
    rule = f", every alert of rule {one.target}" if whole else ""
    if one.until is not None and one.until <= one.at:
        return f"{_UNDONE[one.action]} undone{rule}{by}{note}"
    until = f" until {clock(one.until)}" if one.until else ""
    return f"{_ACTIONS[one.action]}{until}{rule}{by}{note}"
