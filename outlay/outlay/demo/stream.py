"""Sends the demonstration's events to ingest at the pace of the trace, times a speed."""

import threading
from bisect import bisect_right
from collections.abc import Sequence
from datetime import datetime, timedelta

from outlay.client import BATCH_EVENTS, IngestClient, SendError, Sent
from outlay.demo.watch import Spend
from outlay_kit.clock import Clock
from outlay_schemas.events import UsageEvent, encoder

_TURN = 0.1
"""Seconds of real time whose events are sent together."""


class Stream:
    """Sends in a thread of its own. `speed`: seconds of the trace in one second; 0: as fast as possible. The thread
    closes the client when it ends, so that an interruption never closes it in use."""

    def __init__(
        self,
        events: Sequence[UsageEvent],
        client: IngestClient,
        spend: Spend,
        lock: threading.Lock,
        clock: Clock,
    ) -> None:
        self._events = events
        self._client = client
        self._spend = spend
        self._lock = lock
        self._clock = clock
        self._stop = threading.Event()
        self.sent = Sent()
        self.playing: datetime | None = None
        """How far the trace has been played."""
        self.error: SendError | None = None
        self._thread = threading.Thread(target=self._run, name="stream", daemon=True)
        self._speed = 0.0

    def start(self, speed: float) -> None:
        """Begin."""
        self._speed = speed
        self._thread.start()

    def stop(self) -> None:
        """Send no more."""
        self._stop.set()
        if self._thread.ident is not None:
            self._thread.join(timeout=10)

    @property
    def done(self) -> bool:
        """Whether everything was sent, or sending failed."""
        return not self._thread.is_alive()

    def _run(self) -> None:
        try:
            with self._client:
                self._send_all()
        except SendError as error:
            self.error = error

    def _send_all(self) -> None:
        begun, first = self._clock.monotonic(), self._events[0].time
        place = 0
        while place < len(self._events) and not self._stop.is_set():
            end = min(len(self._events), place + BATCH_EVENTS)
            if self._speed:
                played = first + timedelta(seconds=(self._clock.monotonic() - begun) * self._speed)
                end = bisect_right(self._events, played, place, end, key=lambda event: event.time)
            if batch := self._events[place:end]:
                self._client.send([encoder.encode(event) for event in batch], self.sent)
                self.playing = batch[-1].time
                with self._lock:
                    self._spend.accepted(self.sent.accepted, self._clock.monotonic())
            place += len(batch)
            if self._speed:
                self._stop.wait(_TURN)
