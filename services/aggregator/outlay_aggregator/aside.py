"""Recomputes beside the batches what may wait (docs/adr/0013): old and future minutes, and those of slow tenants.

In a thread of its own once it is started, else at the end of each batch. What waits is not committed, so a crash
repeats it. Both threads may recompute the same hour, as two replicas may: a window is a function of the ledger, and the
higher version counts.
"""

import threading
from collections.abc import Callable, Iterable, Mapping

from outlay_aggregator import metrics
from outlay_aggregator.domain.windows import BackfillQueue, TenantCosts, Window
from outlay_aggregator.rollups import RolledUp, Rollups
from outlay_aggregator.settings import Settings
from outlay_kit.backoff import retry
from outlay_kit.clock import Clock
from outlay_kit.errors import Retryable
from outlay_kit.telemetry import get_logger

log = get_logger(__name__)
_IN_TIME, _LEAST_DUE = 1.0, 200
"""Seconds that old minutes may take at a time, and how many are recomputed however long that takes."""
_MOST_SLOW = 2000
"""Minutes of slow tenants that are recomputed at a time: more than any tenant can have."""
_MOST_WAIT, _LOOK = 60.0, 0.05
_STUCK = 600.0
"""Seconds without progress after which the process ends, to be started again."""


class Aside:
    """The minutes that wait, and the work on them."""

    def __init__(
        self, rollups: Rollups, clock: Clock, settings: Settings, progress: Callable[[], None] = lambda: None
    ) -> None:
        self._rollups, self._clock, self._settings = rollups, clock, settings
        self._tell = progress
        self._most = settings.most_backfill_minutes
        self._backfill = BackfillQueue(settings.backfill_minutes_per_batch, self._most, _LEAST_DUE)
        self._slow = BackfillQueue(_MOST_SLOW, self._most, _MOST_SLOW, apart=True)
        self._costs = TenantCosts()
        self._lock, self._work = threading.Lock(), threading.Event()
        self._error: BaseException | None = None
        self._moved = 0.0
        self.started = False

    def start(self) -> "Aside":
        """Work in a thread of its own."""
        self.started = True
        threading.Thread(target=self._run, name="aside", daemon=True).start()
        return self

    def slow(self, sizes: Mapping[str, int]) -> set[str]:
        """Return the tenants of a batch, with their bytes in it, whose minutes should wait."""
        with self._lock:
            return self._costs.apart(sizes, self._clock.monotonic())

    def put_off(self, old: Iterable[Window], slow: Iterable[Window], batch: int) -> None:
        """Let minutes of a batch wait."""
        with self._lock:
            if not self._waiting():
                self._moved = self._clock.monotonic()
            self._backfill.put_off(old, batch)
            self._slow.put_off(slow, batch)
            self._note_waiting()

    def note(self, done: RolledUp, seconds: float) -> None:
        """Note how long the windows of some tenants took."""
        with self._lock:
            self._costs.note(done.sizes, seconds)

    def settled(self, batches: int) -> int:
        """Return how many of the first `batches` batches have no minute that waits."""
        with self._lock:
            return min(self._backfill.settled(batches), self._slow.settled(batches))

    def handled(self, batches: int) -> int:
        """Return the same but for old minutes, which delay no one: ingest goes by it."""
        with self._lock:
            return self._slow.settled(batches)

    def turn(self, *, idle: bool) -> None:
        """Work on what waits; if a thread does, look after it, a moment if `idle`. Raises Retryable, or its error."""
        if not self.started:
            self.step()
            return
        if idle:
            self._clock.sleep(_LOOK)
        until = self._clock.monotonic() + _MOST_WAIT
        while True:
            with self._lock:
                waiting, full = self._waiting(), len(self._backfill) > self._most
            if self._error is not None:
                raise self._error
            now = self._clock.monotonic()
            if waiting and now - self._moved > _STUCK:
                raise RuntimeError("the minutes that wait are not worked on")
            if not full:
                return
            if now > until:
                raise Retryable("too many minutes wait to be recomputed")
            self._clock.sleep(_LOOK)

    def step(self) -> float:
        """Recompute minutes of one slow tenant, then some old ones; return the seconds to rest. Raises Retryable."""
        return self._recompute(self._slow, live=True) + self._recompute(self._backfill, live=False)

    def _recompute(self, queue: BackfillQueue, *, live: bool) -> float:
        with self._lock:
            minutes = queue.take()
        if not minutes:
            return 0.0
        started = self._clock.monotonic()
        try:
            done = self._rollups.roll_up(minutes, self._progress)
        except BaseException:
            self._progress()
            with self._lock:
                queue.give_back()
            raise
        self._progress()
        seconds = self._clock.monotonic() - started
        with self._lock:
            queue.done(in_time=seconds <= _IN_TIME)
            if live:
                self._costs.note(done.sizes, seconds)
            self._note_waiting()
        return seconds

    def _progress(self) -> None:
        self._moved = self._clock.monotonic()
        self._tell()

    def _waiting(self) -> bool:
        return bool(len(self._backfill) or len(self._slow))

    def _note_waiting(self) -> None:
        metrics.BACKFILL_WAITING.set(len(self._backfill) + len(self._slow))
        if self._waiting():
            self._work.set()
        else:
            self._work.clear()

    def _run(self) -> None:
        try:
            while True:
                self._work.wait()
                seconds = retry(self.step, self._clock, log=log)
                if not self._costs.alone:
                    self._clock.sleep(min(self._settings.max_linger_seconds, seconds))
        except BaseException as error:  # noqa: BLE001 (the loop ends with it)
            self._error = error
