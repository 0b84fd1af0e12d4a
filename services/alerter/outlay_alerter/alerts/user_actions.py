"""What people did with alerts, and what the clock does: changes of state without a new finding."""

from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import msgspec

from outlay_alerter.alerts.states import AlertRecord, StoredState
from outlay_schemas.alerts import SEVERITY_RANK, ActionKind, AlertAction


@dataclass(frozen=True, slots=True)
class ActionChange:
    """A change of state that somebody asked for, or that the end of a budget's period brings."""

    record: AlertRecord
    state: StoredState
    fact: tuple[str, str]
    """A fact to add to the alert: name and text."""


def action_changes(
    actions: Sequence[AlertAction],
    records: Mapping[str, AlertRecord],
    now: datetime,
    rules: Container[str] | None = None,
) -> list[ActionChange]:
    """Return the changes that actions and the clock bring. Applied to their own result they return nothing.

    An alert whose rule is not among `rules` resolves; None: every rule exists.
    """
    newest = _newest(actions, records)
    changes: list[ActionChange] = []
    for one in records.values():
        if one.state not in ("pending", "firing", "acknowledged"):
            continue
        ack, expected = _action_on(one, "acknowledged", newest), _action_on(one, "expected", newest)
        if expected is not None and _holds(expected, now):
            changes.append(ActionChange(one, "expected", ("expected", _reason(expected))))
        elif rules is not None and one.rule not in rules:
            changes.append(ActionChange(one, "resolved", ("ended", "it was removed from the catalog")))
        elif one.until is not None and one.until <= now:
            changes.append(ActionChange(one, "ended", ("ended", "its period is over")))
        elif one.state == "firing" and ack is not None and _holds(ack, now) and _covers(ack, one, records):
            changes.append(ActionChange(one, "acknowledged", ("acknowledged", _reason(ack))))
    return changes


def snoozes(actions: Sequence[AlertAction], records: Mapping[str, AlertRecord]) -> dict[str, datetime]:
    """Return when the snooze of each alert, incident, rule or budget ends."""
    newest = _newest(actions, records)
    return {target: one.until for (target, kind), one in newest.items() if kind == "snoozed" and one.until}


def expectations(
    actions: Sequence[AlertAction], records: Mapping[str, AlertRecord]
) -> dict[str, datetime | None]:
    """Return until when which alerts are expected: by id and, if a time was given, by their line."""
    found: dict[str, datetime | None] = {}
    for (target, kind), action in _newest(actions, records).items():
        if kind != "expected":
            continue
        found[target] = action.until
        for part in records.values():
            if part.id == target or _concerns(action, part):
                found[part.id] = action.until
                if action.until is not None:
                    found[part.line] = max(action.until, found.get(part.line) or action.until)
    return found


def _newest(
    actions: Sequence[AlertAction], records: Mapping[str, AlertRecord]
) -> dict[tuple[str, ActionKind], AlertAction]:
    """Return the newest action of each kind on each target; one on a part of an incident is on the incident, too."""
    found: dict[tuple[str, ActionKind], AlertAction] = {}
    for action in sorted(actions, key=lambda one: one.at):
        part = records.get(action.target)
        incident = part.alert.incident if part and part.alert else None
        found[action.target, action.action] = action
        if incident is not None and action.at >= incident.opened_at:
            found[incident.id, action.action] = msgspec.structs.replace(action, target=incident.id)
    return found


def _holds(action: AlertAction, now: datetime) -> bool:
    return action.until is None or action.until > now


def _concerns(action: AlertAction, part: AlertRecord) -> bool:
    """Return whether an action is about the incident of an alert, and was taken since it was opened."""
    incident = part.alert.incident if part.alert else None
    return incident is not None and action.target == incident.id and action.at >= incident.opened_at


def _action_on(
    part: AlertRecord, kind: ActionKind, newest: Mapping[tuple[str, ActionKind], AlertAction]
) -> AlertAction | None:
    own, whole = newest.get((part.id, kind)), newest.get((part.incident, kind))
    found = [one for one in (own, whole if whole and _concerns(whole, part) else None) if one is not None]
    return max(found, key=lambda one: one.at, default=None)


def _covers(ack: AlertAction, part: AlertRecord, records: Mapping[str, AlertRecord]) -> bool:
    """Return whether an acknowledgement covers an alert: also one that joined later and is not worse.

    A reminder that was sent since changes nothing: it may have been decided while the acknowledgement was written.
    """
    if ack.at >= part.fired_at:
        return True
    return _concerns(ack, part) and any(
        other.state == "acknowledged" and other.incident == part.incident and _rank(other) >= _rank(part)
        for other in records.values()
    )


def _rank(part: AlertRecord) -> int:
    return SEVERITY_RANK[part.alert.severity] if part.alert else 0


def _reason(action: AlertAction) -> str:
    given = [action.comment, f"by {action.actor}" if action.actor else ""]
    return ", ".join(part for part in given if part) or f"at {action.at:%Y-%m-%d %H:%M} UTC"
