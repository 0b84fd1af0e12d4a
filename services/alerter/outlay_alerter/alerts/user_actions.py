"""What people say about alerts, and what the clock says: changes that need no new finding."""

from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from outlay_alerter.alerts.states import AlertRecord, StoredState
from outlay_schemas.alerts import SEVERITY_RANK, ActionKind, AlertAction


@dataclass(frozen=True, slots=True)
class ActionChange:
    """A change of an alert that somebody asked for, or that the end of its period brings."""

    known: AlertRecord
    state: StoredState
    fact: tuple[str, str]
    """To be told with it."""


def action_changes(
    words: Iterable[AlertAction],
    known: Mapping[str, AlertRecord],
    now: datetime,
    rules: Container[str] | None = None,
) -> list[ActionChange]:
    """Return what is to change. Repeating it with its own outcome known returns nothing.

    `rules`: ids of those that there are; None: all that alerts name. What no rule looks at any more is over.
    """
    said = {(word.target, word.action): word for word in words}
    found: list[ActionChange] = []
    for one in known.values():
        ack, expected = _said_of(one, "acknowledged", said), _said_of(one, "expected", said)
        if one.state not in ("pending", "firing", "acknowledged"):
            continue
        if expected is not None and (expected.until is None or expected.until > now):
            found.append(ActionChange(one, "expected", ("expected", _why(expected))))
        elif rules is not None and one.rule not in rules:
            found.append(ActionChange(one, "resolved", ("ended", "its rule is gone")))
        elif one.until is not None and one.until <= now:
            found.append(ActionChange(one, "ended", ("ended", "its period is over")))
        elif one.state == "firing" and ack is not None and _covers(ack, one, known):
            found.append(ActionChange(one, "acknowledged", ("acknowledged", _why(ack))))
    return found


def snoozes(words: Iterable[AlertAction]) -> dict[str, datetime]:
    """Return until when which alerts and rules are left alone."""
    return {word.target: word.until for word in words if word.action == "snoozed" and word.until}


def expectations(
    words: Iterable[AlertAction], known: Mapping[str, AlertRecord]
) -> dict[str, datetime | None]:
    """Return what is as it should be: alerts by their id and, where a time is named, all of the same line."""
    found: dict[str, datetime | None] = {}
    for word in words:
        if word.action == "expected":
            found[word.target] = word.until
            for part in known.values():
                if part.id == word.target or _is_of(word, part):
                    found[part.id] = word.until
                    if word.until is not None:
                        found[part.line] = max(word.until, found.get(part.line) or word.until)
    return found


def _is_of(word: AlertAction, part: AlertRecord) -> bool:
    """Return whether something was said of the incident that an alert is a part of, since it was opened."""
    incident = part.alert.incident if part.alert else None
    return incident is not None and word.target == incident.id and word.at >= incident.opened_at


def _said_of(
    part: AlertRecord, say: ActionKind, said: Mapping[tuple[str, ActionKind], AlertAction]
) -> AlertAction | None:
    """Return what was said of an alert, or of its incident; the newest."""
    own, whole = said.get((part.id, say)), said.get((part.incident, say))
    found = [word for word in (own, whole if whole and _is_of(whole, part) else None) if word is not None]
    return max(found, key=lambda word: word.at, default=None)


def _covers(ack: AlertAction, part: AlertRecord, known: Mapping[str, AlertRecord]) -> bool:
    """Return whether an acknowledgement holds for an alert: of an incident, also for what joins and is no worse."""
    if ack.at >= part.decided_at:
        return True
    return _is_of(ack, part) and any(
        other.state == "acknowledged" and other.incident == part.incident and _rank(other) >= _rank(part)
        for other in known.values()
    )


def _rank(part: AlertRecord) -> int:
    return SEVERITY_RANK[part.alert.severity] if part.alert else 0


def _why(word: AlertAction) -> str:
    said = [word.comment, f"by {word.actor}" if word.actor else ""]
    return ", ".join(part for part in said if part) or f"said at {word.at:%Y-%m-%d %H:%M} UTC"
