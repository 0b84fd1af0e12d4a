"""One worker for each channel: it sends what is due in the outbox and stores the result.

A worker has a thread of its own, so that a receiver that does not answer delays neither the evaluation nor another
channel. The order is the contract: (1) store which messages go together, (2) send them, (3) store the result. After a
crash between 2 and 3 they are sent again under the same id.
"""

import hashlib
import random
import threading
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from prometheus_client import Counter, Gauge, Histogram

from outlay_alerter.notify.channel import Channel
from outlay_alerter.notify.notification import (
    DeliveryResult,
    Notification,
    Outcome,
    SentAlert,
    group_messages,
    next_delay,
    update_kind,
)
from outlay_alerter.notify.outbox import Outbox
from outlay_alerter.notify.routing import BUILTIN
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
    "Messages that a channel accepted; each of a batch counts",
    ["channel"],
)
SECONDS = Histogram("outlay_alert_delivery_seconds", "Seconds that a delivery attempt took", ["channel"])
DELAY = Histogram(
    "outlay_alert_delivery_delay_seconds", "Seconds from the decision until it was sent, digests included", ["channel"],
    buckets=(0.5, 1, 2, 5, 10, 30, 60, 300, 1800, 7200, 86_400),
)  # fmt: skip
DUE = Gauge("outlay_alert_messages_due", "Messages that are due and not sent yet", ["channel"])
_BUILTIN_DELAY = 2.0
"""Seconds between attempts of a built-in channel, which needs no growing delays."""
_IDLE = 60.0
"""Seconds after which a worker looks into the outbox though nothing in it is due, and who writes to it did not wake
the worker."""


class DeliveryWorker:
    """Sends the messages of one channel."""

    def __init__(
        self, channel: Channel, outbox: Outbox, clock: Clock, digested: Collection[Severity] = ()
    ) -> None:
        """`digested`: severities that this channel gets as one message, however few they are."""
        self._channel, self.outbox, self._clock, self._digested = channel, outbox, clock, digested
        self.name = channel.name
        self.wake = threading.Event()
        """Set it to have the worker look into the outbox at once."""

    def turn(self) -> int:
        """Send what is due; return how many messages were tried. Raises Retryable if ClickHouse is unavailable."""
        name = self.name
        waiting = self.outbox.due(name, self._clock.now())
        DUE.labels(name).set(len(waiting))
        if not waiting:
            return 0
        target = hashlib.sha256(self._channel.target.encode()).hexdigest()[:16]
        disabled = self.outbox.disabled(name, target)
        notifications, fresh = group_messages(waiting, self._digested)
        self.outbox.store_batches(fresh)
        for notification in self._classified(notifications):
            began = self._clock.now()
            result = DeliveryResult("failed", disabled) if disabled else self._send(notification)
            if result.outcome == "disabled":
                disabled = f"the endpoint is disabled: it {result.reason}"
                self.outbox.disable(name, target, disabled, self._clock.now())
                log.error("endpoint disabled", channel=name, reason=result.reason)
            self._record(notification, result, began)
            if self._channel.pause and not disabled:
                self._clock.sleep(self._channel.pause)
        return len(waiting)

    def run(self, stopped: Callable[[], bool], leads: Callable[[], bool]) -> None:
        """Work until `stopped()`, while `leads()`: only one of several alerters sends."""
        pause = 0.0
        while not stopped():
            self.wake.wait(pause if leads() else 0.5)
            if not leads():
                pause = 0.0  # who begins to lead looks at once
                continue
            self.wake.clear()
            try:
                while not stopped() and self.turn():
                    pass
                pause = self._pause()
            except Retryable as error:
                log.warning("outbox unavailable, retrying", error=str(error))
                self._clock.sleep(1.0)
                self.wake.set()

    def _pause(self) -> float:
        """Return the seconds until something that waits is due. Raises Retryable."""
        due = self.outbox.next_due(self.name)
        return _IDLE if due is None else min(_IDLE, max(0.1, (due - self._clock.now()).total_seconds()))

    def _classified(self, notifications: Sequence[Notification]) -> list[Notification]:
        """Return notifications with what each means to this channel, given what it was sent before."""
        incidents = [one.incident.id for one in notifications if one.incident is not None]
        sent = self.outbox.sent(self.name, incidents)
        return [
            _with_kind(one, sent.get(one.incident.id, [])) if one.incident else one for one in notifications
        ]

    def _send(self, notification: Notification) -> DeliveryResult:
        if notification.kind == "updated" and not self._channel.updates:
            return DeliveryResult(
                "sent", "not sent: an update of an incident that this channel already shows"
            )
        return self._channel.send(notification)

    def _record(self, notification: Notification, result: DeliveryResult, began: datetime) -> None:
        name, now, attempt = self.name, self._clock.now(), notification.attempt + 1
        outcome: Outcome = "failed" if result.outcome == "disabled" else result.outcome
        due = now
        if outcome == "retry":
            jitter = random.random()  # noqa: S311 (not a secret)
            delay = _BUILTIN_DELAY if name in BUILTIN else next_delay(attempt, result.retry_after, jitter)
            if delay is None:
                outcome = "failed"
            else:
                due = now + timedelta(seconds=delay)
        ATTEMPTS.labels(name, outcome).inc()
        SECONDS.labels(name).observe((now - began).total_seconds())
        if outcome == "sent":
            SENT.labels(name).inc(len(notification.messages))
            DELAY.labels(name).observe((now - _decided(notification)).total_seconds())
        else:
            log.warning(
                "notification not sent", channel=name, message=notification.id, outcome=outcome, attempt=attempt,
                reason=result.reason, retry_at=due.isoformat() if outcome == "retry" else None,
            )  # fmt: skip
        self.outbox.record(
            notification, name, replace(result, outcome=outcome), due=due, began=began, ended=now
        )


def _with_kind(notification: Notification, sent: Sequence[SentAlert]) -> Notification:
    opened = notification.incident.opened_at if notification.incident else None
    before = tuple(one.alert for one in sent if one.incident.opened_at == opened)
    return replace(notification, kind=update_kind(notification.alerts, sent), before=before)


def _decided(notification: Notification) -> datetime:
    return min(datetime.fromisoformat(m.created).replace(tzinfo=UTC) for m in notification.messages)
