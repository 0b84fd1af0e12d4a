"""One courier a channel: takes what waits in the outbox, sends it, writes what came of it.

A courier works in a thread of its own, so that a receiver that is away holds up neither the evaluation
nor another channel. The order is the contract: (1) which messages go together is written, (2) they are
sent, (3) what came of it is written. A death between 2 and 3 sends again, under the same id.
"""

import hashlib
import random
import threading
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Protocol

from prometheus_client import Counter, Gauge, Histogram

from outlay_alerter.alerts.store import DeliveryAttempt, Store
from outlay_alerter.notify.incident_updates import Shown, update_kind
from outlay_alerter.notify.notification import DeliveryResult, Notification, group_messages, next_delay
from outlay_kit.clock import Clock
from outlay_kit.errors import Retryable
from outlay_kit.telemetry import get_logger
from outlay_schemas.alerts import Severity

log = get_logger(__name__)

ATTEMPTS = Counter(
    "outlay_alert_delivery_attempts_total",
    "Delivery attempts, by channel and outcome",
    ["channel", "outcome"],
)
SENT = Counter(
    "outlay_alert_messages_sent_total",
    "Messages that a channel accepted; each message of a batch counts",
    ["channel"],
)
SECONDS = Histogram("outlay_alert_delivery_seconds", "Seconds that a delivery attempt took", ["channel"])
DELAY = Histogram(
    "outlay_alert_delivery_delay_seconds", "Seconds from the decision until it was sent, digests included", ["channel"],
    buckets=(0.5, 1, 2, 5, 10, 30, 60, 300, 1800, 7200, 86_400),
)  # fmt: skip
DUE = Gauge("outlay_alert_messages_due", "Messages that are due and not sent yet", ["channel"])
_NEAR = ("bus", "console")
_NEAR_WAIT = 2.0
"""Seconds between tries of a channel that is part of us: no schedule of the web's is needed for it."""
_IDLE = 5.0
"""Seconds after which a courier looks into the outbox though nobody called it."""


class Channel(Protocol):
    """A way to tell people or machines."""

    @property
    def name(self) -> str:
        """Its name, the same for ever: what waits for it is found by it."""
        ...

    @property
    def target(self) -> str:
        """Where it leads; a secret where it is a URL."""
        ...

    @property
    def pause(self) -> float:
        """Seconds between two messages, at least."""
        ...

    @property
    def updates(self) -> bool:
        """Whether it can change what it shows already: then it gets the updates of incidents, too."""
        ...

    def send(self, notification: Notification) -> DeliveryResult:
        """Try once. Raises nothing that another try could mend."""
        ...


class DeliveryWorker:
    """Tells what waits for one channel."""

    def __init__(
        self, channel: Channel, store: Store, clock: Clock, digested: Collection[Severity] = ()
    ) -> None:
        """`digested`: what this channel is told together with others, however few they are."""
        self._channel, self._store, self._clock, self._digested = channel, store, clock, digested
        self.name = channel.name
        self.called = threading.Event()
        """Set when something was decided: do not wait, look."""

    def turn(self) -> int:
        """Tell what is due; return how many messages were tried. Raises Retryable if the store is away."""
        name = self.name
        waiting = self._store.due(name, self._clock.now())
        DUE.labels(name).set(len(waiting))
        if not waiting:
            return 0
        target = hashlib.sha256(self._channel.target.encode()).hexdigest()[:16]
        gone = self._store.gone(name, target)
        found, fresh = group_messages(waiting, self._digested)
        self._store.write(fresh)
        for notification in self._judged(found):
            began = self._clock.now()
            answer = DeliveryResult("failed", gone) if gone else self._send(notification)
            if answer.outcome == "disabled":
                gone = f"the endpoint is disabled: it {answer.reason}"
                self._store.disable(name, target, gone, self._clock.now())
                log.error("the endpoint is gone; nothing more is sent to it", channel=name)
            self._write_down(notification, answer, began)
            if self._channel.pause and not gone:
                self._clock.sleep(self._channel.pause)
        return len(waiting)

    def _judged(self, group_messages: Sequence[Notification]) -> list[Notification]:
        """Return group_messages with what each is to this channel, given what it was sent before."""
        incidents = [one.incident.id for one in group_messages if one.incident is not None]
        shown = self._store.shown(self.name, incidents)
        return [
            _with_news(one, shown.get(one.incident.id, [])) if one.incident else one for one in group_messages
        ]

    def _send(self, notification: Notification) -> DeliveryResult:
        if notification.news == "updated" and not self._channel.updates:
            return DeliveryResult(
                "sent", "not sent: only an update of an incident that this channel shows already"
            )
        return self._channel.send(notification)

    def _write_down(self, notification: Notification, answer: DeliveryResult, began: datetime) -> None:
        name, now, attempt = self.name, self._clock.now(), notification.attempt + 1
        outcome, due = answer.outcome, now
        if outcome == "disabled":
            outcome = "failed"
        if outcome == "retry":
            jitter = random.random()  # noqa: S311 (no secret)
            wait = _NEAR_WAIT if name in _NEAR else next_delay(attempt, answer.retry_after, jitter)
            if wait is None:
                outcome = "failed"
            else:
                due = now + timedelta(seconds=wait)
        ATTEMPTS.labels(name, outcome).inc()
        SECONDS.labels(name).observe((now - began).total_seconds())
        if outcome == "sent":
            SENT.labels(name).inc(len(notification.messages))
            DELAY.labels(name).observe((now - _decided(notification)).total_seconds())
        if outcome != "sent":
            log.warning(
                "not told", channel=name, message=notification.id, outcome=outcome, attempt=attempt,
                reason=answer.reason, again=due.isoformat() if outcome == "retry" else None,
            )  # fmt: skip
        milliseconds = int((now - began).total_seconds() * 1000)
        self._store.tried(
            notification,
            DeliveryAttempt(name, outcome, attempt, due, answer.reason, answer.status, now, milliseconds),
        )

    def close(self) -> None:
        """Let go of the store."""
        self._store.close()

    def run(self, stopped: Callable[[], bool], leads: Callable[[], bool]) -> None:
        """Work until `stopped()`, while `leads()`: of several alerters one tells."""
        while not stopped():
            self.called.wait(_IDLE if leads() else 0.5)
            if not leads():
                continue
            self.called.clear()
            try:
                while not stopped() and self.turn():
                    pass
            except Retryable as error:
                log.warning("the outbox cannot be reached; trying again", error=str(error))
                self._clock.sleep(1.0)
                self.called.set()


def _with_news(notification: Notification, shown: Sequence[Shown]) -> Notification:
    opened = notification.incident.opened_at if notification.incident else None
    before = tuple(one.alert for one in shown if one.incident.opened_at == opened)
    return replace(notification, news=update_kind(notification.alerts, shown), before=before)


def _decided(notification: Notification) -> datetime:
    """Return when the first message of a notification was decided."""
    return min(
        datetime.fromisoformat(message.created).replace(tzinfo=UTC) for message in notification.messages
    )
