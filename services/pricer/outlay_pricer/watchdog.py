"""Watches the pricer from outside Faust, whose agents may be dead while its worker looks alive (P14).

A thread asks Kafka, by a client of its own, how far the group has committed and how far the topic goes.
"""

from collections.abc import Callable, Iterable

from outlay_kit.errors import Retryable
from outlay_kit.health import Health, repeat
from outlay_kit.offsets import Committed, Positions, behind
from outlay_kit.telemetry import get_logger
from outlay_pricer import metrics
from outlay_schemas.topics import usage_topics

log = get_logger(__name__)


class TopicsAppearedError(Exception):
    """There is a topic that is not read: only a new process takes it up."""


class Watchdog:
    """Tells Health of every step forward; a pricer that has work and takes no step is a stalled one.

    Topics are shared out at the start: when another tenant has its own, this process ends, and its successor
    reads that too.
    """

    def __init__(
        self,
        positions: Positions,
        group: str,
        topics: Iterable[str],
        health: Health,
        end: Callable[[BaseException], object],
    ) -> None:
        """`topics`: those that are read. `end`: ends the process."""
        self._positions, self._group = positions, Committed(positions, group)
        self._topics = sorted(topics)
        self._end = end
        self._health = health
        self._committed = -1
        self._lag = 0
        health.watch(lambda: self._lag > 0)

    def look(self) -> None:
        """Look once. Kafka being away is not a stall."""
        try:
            committed = self._ask()
            fresh = set(usage_topics(self._positions.topics())) - set(self._topics)
        except Retryable as error:
            log.warning("dependency unavailable, the watchdog cannot ask Kafka", error=str(error))
            self._health.progress()
            return
        if fresh:
            self._end(TopicsAppearedError(f"there are other topics now: {', '.join(sorted(fresh))}"))
        metrics.LAG.set(self._lag)
        if committed != self._committed or not self._lag:
            self._committed = committed
            self._health.progress()

    def _ask(self) -> int:
        """Set the lag of the group and return the sum of its committed offsets. Raises Retryable."""
        ends = {topic: self._positions.ends(topic) for topic in self._topics}
        committed = {topic: self._group.of(topic, ends[topic]) for topic in self._topics}
        self._lag = sum(behind(committed[topic], ends[topic]) for topic in self._topics)
        return sum(sum(at.values()) for at in committed.values())

    def start(self, every: float = 5.0) -> None:
        """Look every few seconds, in a daemon thread."""
        repeat(self.look, every, "lag")
