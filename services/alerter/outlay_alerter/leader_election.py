"""Which of several alerters tells: the one that owns a partition of `cost.rollups`, which has only one."""

from collections.abc import Callable
from typing import Self

from outlay_kit.clock import Clock
from outlay_kit.kafka import Batch, KafkaSource


class LeadingSource(KafkaSource):
    """A source that remembers, for other threads, whether this process owns a partition."""

    leads = False

    def ticking(
        self, tick: Callable[[], None], every: float, clock: Clock, asked: Callable[[], bool] = lambda: False
    ) -> Self:
        """Call `tick()` between two batches while this process leads: every so many seconds, and when `asked()`."""
        self._tick, self._every, self._clock, self._asked = tick, every, clock, asked
        self._ticked = clock.monotonic()
        return self

    def poll(self, timeout: float) -> Batch:
        """Return what arrives within `timeout` seconds. Raises Retryable."""
        if self.leads and (self._clock.monotonic() - self._ticked >= self._every or self._asked()):
            self._tick()
            self._ticked = self._clock.monotonic()
        batch = super().poll(timeout)
        self.leads = bool(self._consumer.assignment())
        return batch

    def close(self) -> None:
        """Leave the group, without committing, and lead no more."""
        self.leads = False
        super().close()
