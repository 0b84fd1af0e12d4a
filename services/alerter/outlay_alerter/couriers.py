"""One courier a channel: takes what waits in the outbox, sends it, writes what came of it.

A courier works in a thread of its own, so that a receiver that is away holds up neither the evaluation
nor another channel. The order is the contract: (1) which messages go together is written, (2) they are
sent, (3) what came of it is written. A death between 2 and 3 sends again, under the same id.
"""

import hashlib
import random
import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Protocol

from prometheus_client import Counter

from outlay_alerter.adapters.store import Store, Tried
from outlay_alerter.domain.delivery import Answer, Envelope, envelopes, next_wait
from outlay_kit.clock import Clock
from outlay_kit.errors import Retryable
from outlay_kit.telemetry import get_logger

log = get_logger(__name__)

TRIES = Counter("outlay_alert_tries_total", "Tries to tell, by channel and outcome", ["channel", "outcome"])
_NEAR = ("bus", "console")
_NEAR_WAIT = 2.0
"""Seconds between tries of a channel that is part of us: no schedule of the web's is needed for it."""
_IDLE = 5.0
"""Seconds after which a courier looks into the outbox though nobody called it."""


class Channel(Protocol):
    """A way to tell people or machines."""

    name: str
    target: str
    """Where it leads; a secret where it is a URL."""
    pause: float
    """Seconds between two messages, at least."""

    def send(self, envelope: Envelope) -> Answer:
        """Try once. Raises nothing that another try could mend."""
        ...


class Courier:
    """Tells what waits for one channel."""

    def __init__(self, channel: Channel, store: Store, clock: Clock) -> None:
        self._channel, self._store, self._clock = channel, store, clock
        self.name = channel.name
        self._target = hashlib.sha256(channel.target.encode()).hexdigest()[:16]
        self.called = threading.Event()
        """Set when something was decided: do not wait, look."""

    def turn(self) -> int:
        """Tell what is due; return how many messages were tried. Raises Retryable if the store is away."""
        name = self.name
        waiting = self._store.due(name, self._clock.now())
        if not waiting:
            return 0
        gone = self._store.gone(name, self._target)
        found, fresh = envelopes(waiting)
        self._store.write(fresh)
        for envelope in found:
            began = self._clock.now()
            answer = Answer("dead", gone) if gone else self._channel.send(envelope)
            if answer.outcome == "gone":
                gone = f"the endpoint is disabled: it {answer.reason}"
                self._store.disable(name, self._target, gone, self._clock.now())
                log.error("the endpoint is gone; nothing more is sent to it", channel=name)
            self._write_down(envelope, answer, began)
            if self._channel.pause and not gone:
                self._clock.sleep(self._channel.pause)
        return len(waiting)

    def _write_down(self, envelope: Envelope, answer: Answer, began: datetime) -> None:
        name, now, attempt = self.name, self._clock.now(), envelope.attempt + 1
        outcome, due = answer.outcome, now
        if outcome == "gone":
            outcome = "dead"
        if outcome == "later":
            jitter = random.random()  # noqa: S311 (no secret)
            wait = _NEAR_WAIT if name in _NEAR else next_wait(attempt, answer.retry_after, jitter)
            if wait is None:
                outcome = "dead"
            else:
                due = now + timedelta(seconds=wait)
        TRIES.labels(name, outcome).inc()
        if outcome != "sent":
            log.warning(
                "not told", channel=name, message=envelope.id, outcome=outcome, attempt=attempt,
                reason=answer.reason, again=due.isoformat() if outcome == "later" else None,
            )  # fmt: skip
        milliseconds = int((now - began).total_seconds() * 1000)
        self._store.tried(
            envelope, Tried(name, outcome, attempt, due, answer.reason, answer.status, now, milliseconds)
        )

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
