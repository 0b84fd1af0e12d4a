"""Notifications: which messages of the outbox are sent together, what they mean to a channel, when they are retried."""

import hashlib
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal

import msgspec
from msgspec import Struct

from outlay_alerter.alerts.incidents import SETTLE
from outlay_reports.alert_text import shared_incident
from outlay_schemas.alerts import SEVERITY_RANK, Alert, Incident, Severity, alert_decoder

RETRY_DELAYS = (5.0, 300.0, 1800.0, 7200.0, 18_000.0, 36_000.0, 50_400.0, 72_000.0, 86_400.0)
"""Seconds before the second attempt, the third, and so on (Standard Webhooks 1.0). After the last it has failed."""
_JITTER = 0.2
"""A delay is longer by up to this share, so that many messages do not come back together."""
_MAX_ASKED = 86_400.0
"""Most seconds that a receiver may ask for."""
MAX_SEPARATE = 5
"""If more incidents wait for one channel, they are one message."""
MAX_BATCH = 1000
"""Alerts in one message."""
REVIEW = "rev_"
"""Prefix of the ids of messages that hold a digest instead of an alert."""

Outcome = Literal["sent", "retry", "disabled", "failed"]
UpdateKind = Literal["opened", "escalated", "reminder", "acknowledged", "resolved", "updated"]
"""All but `updated` notify people; that is for channels that can change a message they sent."""


class Point(Struct, frozen=True):
    """A heading and its lines."""

    heading: str
    lines: list[str]


class Review(Struct, frozen=True, tag="review"):
    """The spending of a day or a week as a message."""

    id: str
    """Of the review and its period: one message each."""
    review: str
    """Id of the review in the catalog."""
    title: str
    headline: str
    points: list[Point]
    html: str = ""
    """The whole page."""
    link: str = ""
    foot: str = ""


review_decoder = msgspec.json.Decoder(Review)


@dataclass(frozen=True, slots=True)
class OutboxMessage:
    """One message for one channel that was not sent yet."""

    tenant: str
    message_id: str
    channel: str
    body: str
    """The alert, JSON."""
    attempt: int
    """Attempts so far."""
    version: int
    """Counts the rows written for this message: the greatest wins."""
    batch_id: str
    """The id under which it is sent, alone or with others; empty: it was not tried yet."""
    created: str
    """When it was decided, as the store wrote it."""
    incident: str = ""
    """The id of its incident; empty: it has none."""


@dataclass(frozen=True, slots=True)
class Notification:
    """What is sent in one piece. `id` is the same at every attempt."""

    id: str
    messages: tuple[OutboxMessage, ...]
    alerts: tuple[Alert, ...]
    """Empty for a digest."""
    review: Review | None = None
    kind: UpdateKind = "opened"
    """What it means to its channel."""
    before: tuple[Alert, ...] = ()
    """What the channel was sent about the same incident before."""

    @property
    def incident(self) -> Incident | None:
        """The incident of all its alerts; None: they belong to several."""
        return shared_incident(self.alerts)

    @property
    def content(self) -> tuple[Alert, ...]:
        """Every alert of its incident in the newest version; of several incidents, just its alerts."""
        if self.incident is None:
            return self.alerts
        newest = {alert.id: alert for alert in sorted((*self.before, *self.alerts), key=lambda a: a.at)}
        return tuple(newest.values())

    @property
    def attempt(self) -> int:
        """Attempts so far."""
        return max(message.attempt for message in self.messages)


@dataclass(frozen=True, slots=True)
class DeliveryResult:
    """The result of one attempt."""

    outcome: Outcome
    reason: str = ""
    """What went wrong, for people."""
    retry_after: float | None = None
    """Seconds that the receiver asked for."""
    status: int = 0
    """HTTP status; 0: no answer came."""


@dataclass(frozen=True, slots=True)
class SentAlert:
    """An alert of an incident as a channel was sent it, and when that was decided."""

    alert: Alert
    incident: Incident
    created: datetime


def next_delay(attempt: int, asked: float | None, jitter: float) -> float | None:
    """Return the seconds to wait after attempt number `attempt` (from 1) failed; None: give up.

    The receiver asked for `asked` seconds, and the delay is never shorter; `jitter` is from 0 to 1.
    """
    if attempt > len(RETRY_DELAYS):
        return None
    wait = RETRY_DELAYS[attempt - 1] * (1 + _JITTER * jitter)
    return max(wait, min(asked or 0.0, _MAX_ASKED))


def group_messages(
    waiting: Sequence[OutboxMessage], digested: Collection[Severity] = ()
) -> tuple[list[Notification], list[OutboxMessage]]:
    """Group the messages of one channel into notifications. Severities in `digested` are always sent together.

    Also returns the messages that got a new batch id, alone or with others. The caller must store that id before it
    sends: after a crash it would send them again under another id, together with newer ones.
    """
    batches: dict[str, list[OutboxMessage]] = {}
    now: list[OutboxMessage] = []
    slow: list[OutboxMessage] = []
    for message in waiting:
        if message.batch_id:
            batches.setdefault(message.batch_id, []).append(message)
        elif message.message_id.startswith(REVIEW):
            batches[message.message_id] = [message]
        elif digested and alert_decoder.decode(message.body).incident_severity in digested:
            slow.append(message)
        else:
            now.append(message)
    incidents = _by(now, lambda message: message.incident or message.message_id)
    together = [*_gathered(slow), *(_gathered(now) if len(incidents) > MAX_SEPARATE else incidents)]
    together = [_join(messages) for messages in together]
    found = [
        _envelope(messages[0].batch_id or messages[0].message_id, messages)
        for messages in [*together, *batches.values()]
    ]
    return found, [message for messages in together for message in messages]


def _by(waiting: Sequence[OutboxMessage], key: Callable[[OutboxMessage], str]) -> list[list[OutboxMessage]]:
    found: dict[str, list[OutboxMessage]] = {}
    for message in waiting:
        found.setdefault(key(message), []).append(message)
    return list(found.values())


def _gathered(waiting: Sequence[OutboxMessage]) -> list[list[OutboxMessage]]:
    return [
        messages[begin : begin + MAX_BATCH]
        for messages in _by(waiting, lambda message: message.tenant)
        for begin in range(0, len(messages), MAX_BATCH)
    ]


def _join(messages: Sequence[OutboxMessage]) -> list[OutboxMessage]:
    ids = sorted(message.message_id for message in messages)
    batch = ids[0] if len(ids) == 1 else "msg_" + hashlib.sha256("\n".join(ids).encode()).hexdigest()[:32]
    return [replace(message, batch_id=batch, version=message.version + 1) for message in messages]


def _envelope(name: str, messages: Sequence[OutboxMessage]) -> Notification:
    if name.startswith(REVIEW):
        return Notification(name, tuple(messages), (), review_decoder.decode(messages[0].body))
    alerts = tuple(alert_decoder.decode(message.body) for message in messages)
    return Notification(name, tuple(messages), alerts)


def update_kind(alerts: Sequence[Alert], shown: Collection[SentAlert]) -> UpdateKind:
    """Return what alerts of one incident mean to a channel that was sent `shown` before.

    Alerts that join an incident, or resolve while others fire, notify no one again unless they make it worse.
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


def rfc3339(at: datetime) -> str:
    """Write an instant as `2026-11-24T01:02:03.000Z`."""
    return f"{at:%Y-%m-%dT%H:%M:%S}.{at.microsecond // 1000:03d}Z"
