"""Incidents: alerts of one cause. Every surface takes an incident's title, figures, state and times from here."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

import msgspec

from outlay_reports.alert_text import AlertText, incident_text, listed_parts, main_of, shared_incident
from outlay_schemas import alerts as schema
from outlay_schemas.alerts import SEVERITY_RANK, Alert, Part, Severity, State

_STATES = ("firing", "acknowledged", "pending", "expected", "ended", "resolved")
"""The state of an incident is the first of these that one of its alerts has."""


def snapshot(
    name: str, opened_at: datetime, severity: Severity, members: Iterable[tuple[Alert, State]]
) -> schema.Incident:
    """Return an incident as it is, given all of its alerts, each with its state; `severity`: the highest until now.

    Its parts are the alerts that notified people; all of them, if none did.
    """
    every = list(members)
    listed = [(alert, state) for alert, state in every if "quiet" not in alert.facts] or every
    parts = [
        Part(a.id, a.rule, a.rule_type, a.title, a.severity, state, a.at)
        for a, state in sorted(listed, key=lambda m: (-SEVERITY_RANK[m[0].severity], m[0].at, m[0].id))
    ]
    states = {state for _, state in listed}
    state: State = (
        "firing" if "firing" in states else "acknowledged" if "acknowledged" in states else "resolved"
    )
    worst = max([severity, *(part.severity for part in parts)], key=SEVERITY_RANK.__getitem__)
    began = min((a.started_at or a.window for a, _ in every), default=opened_at)
    return schema.Incident(name, opened_at, began, worst, state, parts)


@dataclass(frozen=True, slots=True)
class Incident:
    """One incident with the newest version of each of its alerts: `incidents` makes it."""

    alerts: tuple[Alert, ...]
    """Each with the incident as it is now."""
    states: tuple[str, ...]
    """The stored state of each alert: `expected` and `ended` besides the states that are sent."""

    @property
    def id(self) -> str:
        """The id that actions and links use."""
        return self.alerts[0].incident_id

    @property
    def opened_at(self) -> datetime:
        """When its first alert was decided."""
        incident = self.alerts[0].incident
        return incident.opened_at if incident else min(alert.at for alert in self.alerts)

    @property
    def state(self) -> str:
        """The state of the alert that needs most attention."""
        return min(self.states, key=_STATES.index)

    @property
    def open(self) -> bool:
        """Whether it still needs somebody."""
        return self.state in ("firing", "acknowledged")

    @property
    def main(self) -> Alert:
        """The worst of its alerts, open ones first, with the state and severity of the incident."""
        return main_of(self.alerts)

    @property
    def title(self) -> str:
        """Its title, without its state."""
        return self.main.title

    @property
    def heading(self) -> str:
        """Its title, and how many alerts it has if there are several: for tables."""
        return self.title if self.count == 1 else f"{self.title} ({self.count} alerts)"

    @property
    def count(self) -> int:
        """How many alerts its text lists: not those that notified no one, and not the lower levels of a budget."""
        shared = shared_incident(self.alerts)
        return len(listed_parts(shared)) if shared else len(self.alerts)

    @property
    def text(self) -> AlertText:
        """Its text, the same as in every channel."""
        return incident_text(self.alerts)

    @property
    def started_at(self) -> datetime:
        """When it began; of what has not happened yet, when it was found."""
        return self.text.started_at or self.main.at

    @property
    def order(self) -> tuple[bool, int, float]:
        """Sort key: open first, then the most severe, then the newest."""
        newest = max(alert.at for alert in self.alerts)
        return not self.open, -SEVERITY_RANK[self.main.incident_severity], -newest.timestamp()


def incidents(stored: Iterable[tuple[Alert, str]]) -> list[Incident]:
    """Group alerts, each with its stored state, into incidents, by `order`.

    Give all alerts of each incident: what is shown of it is counted from them.
    """
    groups: dict[object, list[tuple[Alert, str]]] = {}
    for alert, state in stored:
        # An alert that fires again after its incident was resolved opens another one under the same id.
        key = (alert.incident.id, alert.incident.opened_at) if alert.incident else alert.id
        groups.setdefault(key, []).append((alert, state))
    found = [Incident(_as_now(group), tuple(state for _, state in group)) for group in groups.values()]
    return sorted(found, key=lambda one: one.order)


def _as_now(group: Sequence[tuple[Alert, str]]) -> tuple[Alert, ...]:
    """Return alerts with their incident as it is now: each was stored with the incident as it was then."""
    alerts = tuple(msgspec.structs.replace(alert, state=_sent_state(state)) for alert, state in group)
    before = [alert.incident for alert in alerts if alert.incident]
    if not before:
        return alerts
    worst = max((one.severity for one in before), key=SEVERITY_RANK.__getitem__)
    now = snapshot(before[0].id, before[0].opened_at, worst, ((alert, alert.state) for alert in alerts))
    return tuple(msgspec.structs.replace(alert, incident=now) for alert in alerts)


def _sent_state(state: str) -> State:
    return "firing" if state == "firing" else "acknowledged" if state == "acknowledged" else "resolved"
