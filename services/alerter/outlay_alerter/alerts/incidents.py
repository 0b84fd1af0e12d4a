"""Incidents: alerts about more spending whose scopes overlap and that start within the settling time have one cause.

An incident has the id of the alert that opened it. It resolves when all of its parts have.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import msgspec

from outlay_alerter.alerts.states import AlertRecord
from outlay_reports.incidents import snapshot
from outlay_schemas.alerts import SEVERITY_RANK, Alert, Incident, Severity, State

SETTLE = timedelta(minutes=15)
"""Settling time: an alert that starts this soon after the first one of an incident, and overlaps with it, joins it."""
_MOST_PARTS = 50
"""Most parts that the incident of a message lists, worst first."""
_MORE_SPENDING = ("budget", "budget_burn", "budget_forecast", "spend_spike", "anomaly", "new_spender")
_OTHER_UNITS = ("unpriced", "estimated", "%", "per event")
"""Parts of the units of thresholds that are not about more spending."""


@dataclass(slots=True)
class _Group:
    id: str
    opened_at: datetime
    severity: Severity
    members: dict[str, tuple[Alert, State]] = field(default_factory=dict)

    def takes(self, alert: Alert) -> bool:
        """Return whether an alert that starts now joins this incident."""
        members = [member for member, _ in self.members.values()]
        return alert.at - self.opened_at <= SETTLE and all(
            groups(member) and overlap(alert, member) and member.backfill == alert.backfill
            for member in members
        )

    def snapshot(self) -> Incident:
        """Return the incident as it is now, without suppressed alerts unless it has no others."""
        found = snapshot(self.id, self.opened_at, self.severity, self.members.values())
        return msgspec.structs.replace(found, parts=found.parts[:_MOST_PARTS])


def overlap(one: Alert, other: Alert) -> bool:
    """Return whether two scopes have anything in common: no dimension has different values in both."""
    mine, theirs = one.scope_values, other.scope_values
    return all(not set(mine[name]).isdisjoint(theirs[name]) for name in mine.keys() & theirs.keys())


def groups(alert: Alert) -> bool:
    """Return whether an alert is about more spending; all others have causes of their own."""
    if alert.rule_type == "threshold":
        return alert.level == "above" and not any(word in alert.unit for word in _OTHER_UNITS)
    return alert.rule_type in _MORE_SPENDING and alert.facts.get("direction") != "down"


def with_incidents(
    alerts: Sequence[Alert], known: Mapping[str, AlertRecord], decided: Mapping[str, Incident]
) -> list[Alert]:
    """Return alerts with their incidents, in the same order.

    `decided`: incidents by alert that an earlier process had written into messages.
    """
    open_ = _open(known.values())
    homes = {part: group for group in open_.values() for part in group.members}
    for alert in alerts:
        group = homes.get(alert.id) or _group_of(alert, open_, decided)
        open_[group.id] = homes[alert.id] = group
        group.members[alert.id] = alert, alert.state
    return [msgspec.structs.replace(alert, incident=homes[alert.id].snapshot()) for alert in alerts]


def _group_of(alert: Alert, open_: Mapping[str, _Group], decided: Mapping[str, Incident]) -> _Group:
    before = decided.get(alert.id) or alert.incident
    if before is not None:
        return open_.get(before.id) or _Group(before.id, before.opened_at, before.severity)
    if groups(alert) and alert.state == "firing":
        for group in open_.values():
            if group.takes(alert):
                return group
    return _Group(alert.id, alert.at, alert.severity)


def _open(known: Iterable[AlertRecord]) -> dict[str, _Group]:
    found: dict[str, _Group] = {}
    members = [(one, one.alert, one.alert.incident) for one in known if one.alert and one.state != "pending"]
    for one, _, incident in members:
        if incident is not None and one.active:
            group = found.setdefault(incident.id, _Group(incident.id, incident.opened_at, incident.severity))
            group.severity = max(group.severity, incident.severity, key=SEVERITY_RANK.__getitem__)
    for one, alert, incident in members:
        home = found.get(incident.id) if incident else None
        if home is not None and incident is not None and incident.opened_at == home.opened_at:
            home.members[alert.id] = alert, alert.state if one.active else "resolved"
    return found
