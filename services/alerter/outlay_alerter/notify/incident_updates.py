"""What a message is to a channel that was notified of its incident before: news that people must see, or an update."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from outlay_alerter.alerts.incidents import SETTLE
from outlay_reports.alert_text import shared_incident
from outlay_schemas.alerts import SEVERITY_RANK, Alert, Incident

UpdateKind = Literal["opened", "escalated", "reminder", "acknowledged", "resolved", "updated"]
"""All but the last notify people; an update is for channels that can change what they show already."""


@dataclass(frozen=True, slots=True)
class Shown:
    """An alert of an incident as a channel was sent it, and when it was decided."""

    alert: Alert
    incident: Incident
    created: datetime


def update_kind(alerts: Sequence[Alert], shown: Collection[Shown]) -> UpdateKind:
    """Return what alerts of one incident are to a channel that was sent `shown`.

    Parts that join an incident, or resolve while others fire, notify nobody again, unless they make it worse.
    """
    newest = shared_incident(alerts)
    if newest is None:
        return "opened"
    before = [one for one in shown if one.incident.opened_at == newest.opened_at]
    if newest.state == "resolved":
        return "resolved"
    if not before:
        return "opened"
    if SEVERITY_RANK[newest.severity] > max(SEVERITY_RANK[one.incident.severity] for one in before):
        return "escalated"
    last = max(before, key=lambda one: (one.created, one.incident.state != "firing"))
    if newest.state == "acknowledged":
        return "updated" if last.incident.state == "acknowledged" else "acknowledged"
    again = {alert.id for alert in alerts if alert.state == "firing"} & {one.alert.id for one in before}
    quiet = max(alert.at for alert in alerts) - last.created > SETTLE
    return "reminder" if again and quiet else "updated"
