"""Finds partitions of a consumer group that make no step (P14), which a member cannot see: their owner is alive for
Kafka, or a rebalance gave them to no one. Each process asks for the whole group's offsets by a client that is not a
member. If a partition with records makes no step for longer than a living owner may be silent (max.poll.interval, 300
s), the process ends itself: its successor joins, and Kafka assigns all partitions again."""

from collections.abc import Callable, Sequence

from prometheus_client import Gauge

from outlay_kit.clock import Clock
from outlay_kit.errors import Retryable
from outlay_kit.health import Health, repeat
from outlay_kit.offsets import Committed, Positions
from outlay_kit.telemetry import get_logger

log = get_logger(__name__)

GROUP_LAG = Gauge(
    "outlay_group_lag_records", "Records that the whole group has not committed, when last asked"
)
WAITED = Gauge(
    "outlay_partition_stalled_seconds",
    "Seconds without a step in the partition of the group that waits longest",
)


class StalledPartitions:
    """Watches the partitions of a group."""

    def __init__(
        self,
        positions: Positions,
        group: str,
        topics: Sequence[str],
        *,
        clock: Clock,
        patience: float,
        reach: Callable[[], object] = lambda: None,
    ) -> None:
        """`reach()` asks the store of the work; it raises Retryable while it is away: then all members wait."""
        self._positions, self._committed, self._topics = positions, Committed(positions, group), topics
        self._clock, self._patience, self._reach = clock, patience, reach
        self._at: dict[tuple[str, int], int] = {}
        self._since: dict[tuple[str, int], float] = {}
        self.found = False
        """Whether a partition has waited too long."""

    def look(self) -> None:
        """Look once. While Kafka or the store is unavailable, every member waits and none is stalled."""
        try:
            self._note()
            waited = self._clock.monotonic() - min(self._since.values(), default=self._clock.monotonic())
            if waited > self._patience:
                self._reach()
        except Retryable as error:
            log.debug("dependency unavailable, stalled partitions are not known", error=str(error))
            self._since.clear()
            waited = 0.0
        WAITED.set(waited)
        self.found = waited > self._patience

    def _note(self) -> None:
        lag = 0
        for topic in self._topics:
            ends = self._positions.ends(topic)
            committed = self._committed.of(topic, ends)
            for partition, end in ends.items():
                place, at = (topic, partition), committed.get(partition, 0)
                lag += max(0, end - at)
                if at >= end:
                    self._since.pop(place, None)
                elif self._at.get(place) != at or place not in self._since:
                    self._since[place] = self._clock.monotonic()
                self._at[place] = at
        GROUP_LAG.set(lag)

    def start(self, health: Health, every: float = 5.0) -> None:
        """Look every few seconds, in a daemon thread; a stalled partition makes the process stalled."""
        health.suspect(lambda: self.found)
        repeat(self.look, every, "stalled-partitions")
