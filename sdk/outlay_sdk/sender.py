"""The queue and the thread behind it: bounded, in batches, again with the same ids, never in the caller's way."""

import logging
import random
import threading
import time
from collections import deque
from dataclasses import dataclass

from outlay_sdk.events import Event, encode
from outlay_sdk.transport import EVENTS, RESPONSES, Rejected, Transport, Unavailable

log = logging.getLogger("outlay_sdk")
_SAID_EVERY = 60.0
"""Seconds between two complaints in the log."""
_MOST_SAID = 100
"""Different complaints that are logged once each."""
_LONGEST_PAUSE = 30.0


@dataclass
class Stats:
    """What became of events. `dropped`: the queue was full, no address was set, or the time at the end was over.
    `unread`: responses in which no usage was found; the log names each kind once."""

    tracked: int = 0
    sent: int = 0
    refused: int = 0
    dropped: int = 0
    unread: int = 0


class Sender:
    """Takes events from any thread; sends them from one. Without a transport it only counts."""

    def __init__(self, transport: Transport | None, *, max_events: int, batch: int, linger: float) -> None:
        self._transport = transport
        self._max = max_events
        self._batch = batch
        self._linger = linger
        self._said_at = 0.0
        self._said: set[str] = set()
        self.restart()

    def restart(self) -> None:
        """Begin with nothing waiting and no thread: at first, and in a forked child."""
        self.stats = Stats()
        self._queue: deque[Event] = deque()
        self._wake = threading.Event()
        self._idle = threading.Event()
        self._idle.set()
        self._closing = False
        self._deadline = float("inf")
        self._thread: threading.Thread | None = None
        self._starting = threading.Lock()

    def put(self, event: Event) -> None:
        """Take an event, or drop it if too many wait. Does not block."""
        stats = self.stats
        stats.tracked += 1
        if self._transport is None or self._closing or len(self._queue) >= self._max:
            stats.dropped += 1
            if self._transport is not None:
                self._say("an event is dropped: too many wait to be sent")
            return
        self._queue.append(event)
        if self._thread is None:
            self._start()
        if self._idle.is_set():
            self._idle.clear()
        if len(self._queue) >= self._batch and not self._wake.is_set():
            self._wake.set()

    def lost(self, why: str, count: int) -> None:
        """Count events that are given up."""
        self.stats.dropped += count
        self._say(f"{count} event(s) are dropped: {why}")

    def unread(self, kind: str) -> None:
        """Count a response that does not say what it used, and say so once for its kind."""
        self.stats.unread += 1
        self._say_once(kind, f"no usage is found in {kind}: its calls are not counted (stats.unread)")

    def flush(self, timeout: float) -> bool:
        """Wait until nothing waits."""
        if self._thread is None:
            return not self._queue
        self._wake.set()
        return self._idle.wait(timeout)

    def close(self, timeout: float) -> bool:
        """Send what waits for at most `timeout` seconds, then give up and count it."""
        self._closing = True
        self._deadline = time.monotonic() + timeout
        self._wake.set()
        thread, self._thread = self._thread, None
        if thread is not None:
            thread.join(timeout + 0.5)
        left = len(self._queue)
        if left:
            self._queue.clear()
            self.lost("the time to send them was over", left)
        return not left

    def _start(self) -> None:
        with self._starting:
            if self._thread is None and not self._closing:
                self._thread = threading.Thread(target=self._run, name="outlay-sdk", daemon=True)
                self._thread.start()

    def _run(self) -> None:
        transport = self._transport
        assert transport is not None  # noqa: S101 (put starts no thread without one)
        while True:
            self._wake.wait(self._linger)
            self._wake.clear()
            while self._queue:
                for path, lines in self._take().items():
                    self._send(transport, path, lines)
                if self._late():
                    break
            if not self._queue:
                self._idle.set()
                if self._queue:  # one came in between
                    self._idle.clear()
            if self._closing:
                transport.close()
                return

    def _take(self) -> dict[str, list[bytes]]:
        taken: dict[str, list[bytes]] = {}
        for _ in range(min(self._batch, len(self._queue))):
            event = self._queue.popleft()
            try:
                line = encode(event)
            except (TypeError, ValueError, ArithmeticError, KeyError) as error:
                self.lost(f"it cannot be written as JSON: {error}", 1)
            else:
                taken.setdefault(RESPONSES if "response" in event else EVENTS, []).append(line)
        return taken

    def _send(self, transport: Transport, path: str, lines: list[bytes]) -> None:
        attempt = 0
        while True:
            try:
                refused = transport.send(path, lines)
            except Unavailable as error:
                self._say(f"waiting for ingest: {error}")
                wait = backoff(attempt, error.retry_after, random.random())  # noqa: S311 (jitter)
                if self._late(wait):
                    self.lost("ingest stayed away", len(lines))
                    return
                until = time.monotonic() + wait
                while (
                    left := min(until, self._deadline) - time.monotonic()
                ) > 0:  # the end may come meanwhile
                    time.sleep(min(left, 0.1))
                attempt += 1
            except Rejected as error:
                self.stats.refused += len(lines)
                self._say_once(str(error), f"events are refused: {error}")
                return
            else:
                self.stats.sent += len(lines) - len(refused)
                self.stats.refused += len(refused)
                for why in refused:
                    self._say_once(why.rpartition("[")[2], f"an event is refused, and others may be: {why}")
                return

    def _late(self, more: float = 0.0) -> bool:
        return time.monotonic() + more > self._deadline

    def _say_once(self, what: str, text: str) -> None:
        if what not in self._said and len(self._said) < _MOST_SAID:
            self._said.add(what)
            log.warning("outlay: %s", text)

    def _say(self, text: str) -> None:
        now = time.monotonic()
        if now - self._said_at >= _SAID_EVERY or not self._said_at:
            self._said_at = now
            log.warning("outlay: %s", text)


def backoff(attempt: int, asked: float, jitter: float) -> float:
    """Return the seconds to wait after failed attempt `attempt`, from 0: as `outlay_kit.backoff` does."""
    wait = min(_LONGEST_PAUSE, 0.2 * 2.0 ** min(attempt, 30))
    return max(asked, wait * (0.5 + jitter / 2))
