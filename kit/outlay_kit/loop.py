"""The consumer loop of every service except the pricer: gather, handle, commit. `handle` returns only when everything
of the batch is durable, and only then are its offsets committed; a crash or exception before that repeats the work. A
handler may put part of a batch off (docs/adr/0013): `settled` returns how many of its batches are durable; later ones
stay uncommitted, and it is called, with or without records, until none is open."""

import signal
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from math import nan
from types import FrameType
from typing import TypeVar

from prometheus_client import Counter, Gauge, Histogram

from outlay_kit.backoff import Backoff, retry
from outlay_kit.clock import Clock
from outlay_kit.failpoints import failpoint
from outlay_kit.health import Health
from outlay_kit.kafka import Batch, Committable, Partition, Record, RecordSource
from outlay_kit.telemetry import get_logger

log = get_logger(__name__)
T = TypeVar("T")

BATCHES = Counter("outlay_batches_total", "Batches handled and committed")
RECORDS = Counter("outlay_records_total", "Kafka records handled")
HANDLE_SECONDS = Histogram("outlay_handle_seconds", "Seconds to make a batch durable, retries not counted")
LAG = Gauge(
    "outlay_lag_records", "Records of the owned partitions still to be read, when last asked; NaN: never yet"
)
LAG.set(nan)


@dataclass(frozen=True, slots=True)
class Bounds:
    """Bounds of a batch. The first one that is reached ends it."""

    linger: float = 0.2
    """Seconds to keep gathering after the first record."""
    max_bytes: int = 48 * 2**20
    max_records: int = 20_000
    idle: float = 2.0
    """Seconds to wait for a first record before checking whether to stop."""


_BACKOFF = Backoff()


class Stop:
    """Whether the process was asked to end."""

    def __init__(self) -> None:
        self._event = threading.Event()

    def on_signals(self) -> "Stop":
        """End on SIGTERM and SIGINT: after the current batch, if the stores are available."""
        signal.signal(signal.SIGTERM, self._asked)
        signal.signal(signal.SIGINT, self._asked)
        return self

    def _asked(self, number: int, frame: FrameType | None) -> None:
        self._event.set()

    def ask(self) -> None:
        """Ask the loop to end."""
        self._event.set()

    def asked(self) -> bool:
        """Whether someone asked."""
        return self._event.is_set()


class Stopped(Exception):
    """The loop was asked to end while it waited for a dependency; nothing more was committed."""


class Timer:
    """Work of a loop between two batches: every so many seconds while `active()`, and at once when `wanted()`."""

    def __init__(
        self, work: Callable[[], None], every: float, clock: Clock, *,
        active: Callable[[], bool] = lambda: True, wanted: Callable[[], bool] = lambda: False,
    ) -> None:  # fmt: skip
        self._work, self._every, self._clock = work, every, clock
        self._active, self._wanted = active, wanted
        self._last = clock.monotonic()

    def run_if_due(self) -> None:
        """Do the work if it is due."""
        if self._active() and (self._clock.monotonic() - self._last >= self._every or self._wanted()):
            self._work()
            self._last = self._clock.monotonic()


class Loop:
    """Gathers batches, hands each to `handle`, commits it."""

    def __init__(
        self,
        source: RecordSource,
        handle: Callable[[Batch], None],
        *,
        clock: Clock,
        health: Health,
        stop: Stop,
        bounds: Bounds | None = None,
        backoff: Backoff | None = None,
        pace: Callable[[], float] = lambda: 0.0,
        settled: Callable[[], int] | None = None,
        handled: Callable[[], int] | None = None,
        timer: Timer | None = None,
    ) -> None:
        """`pace()`: seconds that a batch should gather at least. `settled()`: how many batches with records are durable
        (by default each when `handle` returns). `handled()`: how many are durable but for what delays no later one (by
        default likewise)."""
        self._source = source
        self._handle = handle
        self._clock = clock
        self._health = health
        self._stop = stop
        self._bounds = bounds or Bounds()
        self._backoff = backoff or Backoff()
        self._pace = pace
        self._timer = timer
        self._handled = 0
        self._settled = settled or (lambda: self._handled)
        self._done = handled or (lambda: self._handled)
        self._noted = 0
        self._open: deque[tuple[int, Committable]] = deque()
        """Handled batches that are not committed, by number."""
        self._pending = False
        health.watch(lambda: self._pending)

    def run(self) -> None:
        """Work until asked to stop; then leave the group. Any error but Retryable ends it too."""
        try:
            while not self._stop.asked():
                self.turn()
        except Stopped:
            log.info("stopped while waiting; the current batch is not committed and will be read again")
        finally:
            self._source.close()

    def turn(self) -> None:
        """Do the timer's work if it is due; gather one batch, hand it over, commit what is durable."""
        if self._timer is not None:
            self._persist(self._timer.run_if_due)
        batch = self.gather()
        self._health.ready = True
        if not batch.records and not self._open:
            self._note_lag()
            return
        self._pending = True
        failpoint("after_poll")
        with HANDLE_SECONDS.time():
            self._persist(lambda: self._handle(batch))
        if batch.records:
            self._handled += 1
            self._open.append((self._handled, batch.committable))
            RECORDS.inc(len(batch.records))
        self._commit()
        self._note_lag()

    def _commit(self) -> None:
        durable = self._settled()
        offsets: dict[Partition, int] = {}
        while self._open and self._open[0][0] <= durable:
            for partition, offset in self._open.popleft()[1].offsets.items():
                offsets[partition] = max(offset, offsets.get(partition, 0))
            BATCHES.inc()
        done = self._done()
        handled: dict[Partition, int] = {}
        if offsets or done > self._noted:
            for number, committable in self._open:
                if number <= done:
                    handled.update(committable.offsets)
        self._noted = done
        if offsets or handled:
            self._persist(lambda: self._source.commit(Committable(offsets, handled)))
        if offsets:
            failpoint("after_commit")

    def _note_lag(self) -> None:
        """Store the lag for the watchdog, which runs in another thread and must not use the source."""
        lag = self._persist(self._source.lag)
        LAG.set(lag)
        self._pending = lag > 0 or bool(self._open)
        self._health.progress()

    def _persist(self, action: Callable[[], T]) -> T:
        return persist(action, self._clock, self._health, self._stop, self._backoff)

    def gather(self) -> Batch:
        """Poll until a record arrives or `idle` passes, then until the batch is full or old enough."""
        idle = 0.0 if self._open else self._bounds.idle
        first = self._persist(lambda: self._source.poll(idle))
        if not first.records:
            return first
        records: list[Record] = list(first.records)
        size = sum(len(record.value) for record in records)
        until = self._clock.monotonic() + max(self._bounds.linger, self._pace())
        while size < self._bounds.max_bytes and len(records) < self._bounds.max_records:
            left = until - self._clock.monotonic()
            if left <= 0 or self._stop.asked():
                break
            more = self._persist(lambda left=left: self._source.poll(min(left, 0.1)))  # type: ignore[misc]
            records += more.records
            size += sum(len(record.value) for record in more.records)
        return Batch(records)


def persist(
    action: Callable[[], T], clock: Clock, health: Health, stop: Stop, backoff: Backoff = _BACKOFF
) -> T:
    """Repeat `action` while it raises Retryable, which is not a stall. Raises Stopped if asked to end meanwhile."""
    return retry(action, clock, backoff, sleep=lambda seconds: _wait(seconds, clock, health, stop), log=log)


def _wait(seconds: float, clock: Clock, health: Health, stop: Stop) -> None:
    until = clock.monotonic() + seconds
    while not stop.asked() and (left := until - clock.monotonic()) > 0:
        health.progress()
        clock.sleep(min(left, 0.25))
    if stop.asked():
        raise Stopped
