"""What is to be told, in which message, and when it is tried again."""

import hashlib
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal

from outlay_alerter.digests import message as reviewed
from outlay_alerter.notify.incident_updates import UpdateKind
from outlay_reports.alert_text import shared_incident
from outlay_schemas.alerts import Alert, Incident, Severity, alert_decoder

RETRY_DELAYS = (5.0, 300.0, 1800.0, 7200.0, 18_000.0, 36_000.0, 50_400.0, 72_000.0, 86_400.0)
"""Seconds before the second try, the third, and so on (Standard Webhooks 1.0). After the last, it is dead."""
_JITTER = 0.2
"""A wait is longer by up to this share, so that many messages do not come back together."""
_MOST_ASKED = 86_400.0
"""A receiver may ask for at most this many seconds."""
MAX_SEPARATE = 5
"""More incidents than this that wait for one channel are one message."""
MAX_BATCH = 1000
"""Alerts in one message."""
REVIEW = "rev_"
"""How the ids of messages begin that hold a review, not an alert."""

Outcome = Literal["sent", "retry", "disabled", "failed"]


@dataclass(frozen=True, slots=True)
class OutboxMessage:
    """One message for one channel that was not told yet."""

    tenant: str
    message_id: str
    channel: str
    body: str
    """The alert, JSON."""
    attempt: int
    """Tries so far."""
    version: int
    """Counts what was written of this message: the greatest wins."""
    batch_id: str
    """The id under which it is sent, together with others or by itself; empty: it was never tried."""
    created: str
    """When it was decided, as it was written."""
    incident: str = ""
    """The incident that it is about; empty: none."""


@dataclass(frozen=True, slots=True)
class Notification:
    """What is sent in one piece. `id` is the same at every try."""

    id: str
    messages: tuple[OutboxMessage, ...]
    alerts: tuple[Alert, ...]
    """None if it is a review."""
    review: reviewed.Review | None = None
    news: UpdateKind = "opened"
    """What it is to its channel."""
    before: tuple[Alert, ...] = ()
    """What the channel was sent of the same incident before."""

    @property
    def incident(self) -> Incident | None:
        """The one that all of its alerts are parts of; None: they are of several."""
        return shared_incident(self.alerts)

    @property
    def story(self) -> tuple[Alert, ...]:
        """Every alert of its incident as the channel knows it now, or its alerts, if they are of several incidents."""
        if self.incident is None:
            return self.alerts
        newest = {alert.id: alert for alert in sorted((*self.before, *self.alerts), key=lambda a: a.at)}
        return tuple(newest.values())

    @property
    def attempt(self) -> int:
        """Tries so far."""
        return max(message.attempt for message in self.messages)


@dataclass(frozen=True, slots=True)
class DeliveryResult:
    """What came of a try."""

    outcome: Outcome
    reason: str = ""
    """What went wrong, for people."""
    retry_after: float | None = None
    """Seconds that the receiver asked for."""
    status: int = 0
    """HTTP status; 0: there was none."""


def next_delay(attempt: int, asked: float | None, jitter: float) -> float | None:
    """Return the seconds to wait after try number `attempt` failed (from 1); None: give it up.

    `asked` is what the receiver asked for, and the wait is never shorter; `jitter` is from 0 to 1.
    """
    if attempt > len(RETRY_DELAYS):
        return None
    wait = RETRY_DELAYS[attempt - 1] * (1 + _JITTER * jitter)
    return max(wait, min(asked or 0.0, _MOST_ASKED))


def group_messages(
    waiting: Sequence[OutboxMessage], digested: Collection[Severity] = ()
) -> tuple[list[Notification], list[OutboxMessage]]:
    """Put what waits for one channel into group_messages. `digested` is what it is told together, however few they are.

    Returns them, and the messages that were put into a new bundle just now, which may be a bundle of one: which bundle
    a message is in must be written before the bundle is sent, or a crash after the sending would send it again under
    another id, with what was decided meanwhile.
    """
    bundles: dict[str, list[OutboxMessage]] = {}
    now: list[OutboxMessage] = []
    slow: list[OutboxMessage] = []
    for message in waiting:
        if message.batch_id:
            bundles.setdefault(message.batch_id, []).append(message)
        elif message.message_id.startswith(REVIEW):
            bundles[message.message_id] = [message]
        elif digested and alert_decoder.decode(message.body).incident_severity in digested:
            slow.append(message)
        else:
            now.append(message)
    incidents = _by(now, lambda message: message.incident or message.message_id)
    together = [*_gathered(slow), *(_gathered(now) if len(incidents) > MAX_SEPARATE else incidents)]
    together = [_join(messages) for messages in together]
    found = [
        _envelope(messages[0].batch_id or messages[0].message_id, messages)
        for messages in [*together, *bundles.values()]
    ]
    return found, [message for messages in together for message in messages]


def _by(waiting: Sequence[OutboxMessage], key: Callable[[OutboxMessage], str]) -> list[list[OutboxMessage]]:
    found: dict[str, list[OutboxMessage]] = {}
    for message in waiting:
        found.setdefault(key(message), []).append(message)
    return list(found.values())


def _gathered(waiting: Sequence[OutboxMessage]) -> list[list[OutboxMessage]]:
    """Put messages of one tenant together, as many as one message may hold."""
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
        return Notification(name, tuple(messages), (), reviewed.decoder.decode(messages[0].body))
    alerts = tuple(alert_decoder.decode(message.body) for message in messages)
    return Notification(name, tuple(messages), alerts)


def rfc3339(at: datetime) -> str:
    """Write an instant as `2026-11-24T01:02:03.000Z`."""
    return f"{at:%Y-%m-%dT%H:%M:%S}.{at.microsecond // 1000:03d}Z"
