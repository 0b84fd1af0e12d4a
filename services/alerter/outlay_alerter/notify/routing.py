"""Routing: the channels for an alert, and when each is due: now, or with the next digest."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from outlay_schemas.alerts import SEVERITY_RANK, Alert
from outlay_schemas.catalog.channels import Channel, Digest, Route, RouteMatch
from outlay_schemas.tenants import sends_alerts

BUILTIN = ("bus", "console")
"""Names of the channels that always exist and lead to no person: the topic `cost.alerts`, and the log."""


@dataclass(frozen=True, slots=True)
class Routing:
    """The channels and routes of one catalog."""

    channels: Sequence[Channel] = ()
    routes: Sequence[Route] = ()

    def __call__(self, alert: Alert, notified: Collection[str] = ()) -> dict[str, datetime]:
        """Return the channels for this alert, and when each is due. `notified`: channels that know its incident."""
        wanted = self._wanted(alert) | set(notified)
        return {
            channel.id: due(channel.digest, alert)
            for channel in self.channels
            if channel.id in wanted and takes(channel, alert)
        }

    def _wanted(self, alert: Alert) -> set[str]:
        if not self.routes:
            return {channel.id for channel in self.channels}
        found: set[str] = set()
        for route in self.routes:
            if fits(route.match, alert):
                found |= set(route.channels)
                if not route.continues:
                    break
        return found


def deliveries(
    alert: Alert, channels: Collection[str], routed: Mapping[str, datetime]
) -> dict[str, datetime]:
    """Return all channels for an alert, and when each is due. Those of the demo stay in the built-in channels.

    `channels` get it now; `routed` are the others.
    """
    every = dict.fromkeys(channels, alert.at) | dict(routed)
    if sends_alerts(alert.tenant):
        return every
    return {name: at for name, at in every.items() if name in BUILTIN}


def takes(channel: Channel, alert: Alert) -> bool:
    """Return whether a channel accepts an alert."""
    return SEVERITY_RANK[alert.incident_severity] >= SEVERITY_RANK[channel.severity] and (
        channel.resolved or alert.state != "resolved"
    )


def fits(match: RouteMatch, alert: Alert) -> bool:
    """Return whether an alert matches every field of a route."""
    given = (
        (match.rule, alert.rule), (match.rule_type, alert.rule_type), (match.severity, alert.incident_severity),
        (match.tenant, alert.tenant),
    )  # fmt: skip
    if any(values and value not in values for values, value in given):
        return False
    return all(
        not set(values).isdisjoint(alert.scope_values.get(name, ())) for name, values in match.scope.items()
    )


def due(digest: Digest | None, alert: Alert) -> datetime:
    """Return when an alert is due: when it was decided, or at the next digest after that."""
    if digest is None or alert.incident_severity not in digest.severities:
        return alert.at
    return next_digest(digest, alert.at)


def next_digest(digest: Digest, at: datetime) -> datetime:
    """Return the first digest after `at`, on the clock of its time zone; minutes count from midnight."""
    zone = ZoneInfo(digest.timezone)
    midnight = at.astimezone(zone).replace(hour=0, minute=0, second=0, microsecond=0)
    if digest.minutes is not None:
        step = timedelta(minutes=digest.minutes)
        passed = (at - midnight.astimezone(at.tzinfo)) // step
        following = midnight.astimezone(at.tzinfo) + step * (passed + 1)
        tomorrow = (midnight + timedelta(days=1)).astimezone(at.tzinfo)
        return min(following, tomorrow)
    hour, minute = map(int, (digest.at or "00:00").split(":"))
    today = midnight.replace(hour=hour, minute=minute)
    found = today if today > at else today + timedelta(days=1)
    return found.astimezone(at.tzinfo)
