"""Alerts as lists and pages show them: one entry for each incident, with its alerts as parts."""

from collections.abc import Iterable
from dataclasses import dataclass

from outlay_reports.alert_text import AlertText, incident_text, listed_parts, main_of, shared_incident
from outlay_schemas.alerts import SEVERITY_RANK, Alert

_STATES = ("firing", "acknowledged", "pending", "expected", "ended", "resolved")
"""The state of an incident is the first of these that one of its alerts has."""


@dataclass(frozen=True, slots=True)
class Incident:
    """One incident with the newest version of each of its alerts."""

    alerts: tuple[Alert, ...]
    states: tuple[str, ...]
    """The stored state of each alert: `expected` and `ended` besides the states that are sent."""

    @property
    def id(self) -> str:
        """The id that actions and links use."""
        return self.alerts[0].incident_id

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
        """The worst of its open alerts, with the state and severity of the incident."""
        pairs = zip(self.alerts, self.states, strict=True)
        return main_of([alert for alert, state in pairs if state == self.state])

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
    def order(self) -> tuple[bool, int, float]:
        """Sort key: open first, then the most severe, then the newest."""
        newest = max(alert.at for alert in self.alerts)
        return not self.open, -SEVERITY_RANK[self.main.incident_severity], -newest.timestamp()


def incidents(stored: Iterable[tuple[Alert, str]]) -> list[Incident]:
    """Group alerts, each with its stored state, into incidents, by `order`."""
    groups: dict[object, list[tuple[Alert, str]]] = {}
    for alert, state in stored:
        # An alert that fires again after its incident was resolved opens another one under the same id.
        key = (alert.incident.id, alert.incident.opened_at) if alert.incident else alert.id
        groups.setdefault(key, []).append((alert, state))
    found = [Incident(*zip(*group, strict=True)) for group in groups.values()]
    return sorted(found, key=lambda one: one.order)
