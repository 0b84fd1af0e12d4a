"""The watermark: the time before which everything accepted is in the ledger and the rollups.

It follows from offsets alone, so it holds whatever the services do and however many run:

1. note the time, and the ends of `usage.events` and of the usage topics of tenants
2. when the pricer's group has committed those, note the ends of `cost.events` and of the dead letters: the results
   are before them
3. when the aggregator's group has committed those, note the end of `cost.recompute`: what its members asked of each
   other is before it
4. when the group has committed that too, the time of step 1 is the watermark

While nothing new is accepted, step 1 is enough.
"""

import threading
from collections.abc import Callable, Mapping
from datetime import datetime

from outlay_kit.clock import Clock
from outlay_kit.errors import Retryable
from outlay_kit.offsets import Places, Positions, behind
from outlay_kit.telemetry import get_logger
from outlay_schemas.topics import COST_EVENTS, DEAD_LETTER, RECOMPUTE, Topic, usage_topics

log = get_logger(__name__)
_IDLE = 10
"""So many times as seldom while nothing is accepted and `wake` is not called."""


class Watermark:
    """Finds one watermark after the other, by repeated calls of `step`."""

    def __init__(
        self,
        positions: Positions,
        write: Callable[[datetime], None],
        clock: Clock,
        pricer_group: str,
        aggregator_group: str,
    ) -> None:
        self._positions = positions
        self._write = write
        self._clock = clock
        self._pricer, self._aggregator = pricer_group, aggregator_group
        self.idle = False
        self._woken = threading.Event()
        self._since: datetime | None = None
        self._accepted: dict[str, Places] = {}
        self._priced: dict[str, Places] | None = None
        self._asked: dict[str, Places] | None = None
        self._counted: dict[str, Places] | None = None
        """The ends of the last watermark: what is before them is counted."""

    def step(self) -> None:
        """Check once whether everything accepted has arrived. Raises Retryable.

        After it `idle` tells whether nothing was accepted since the last watermark.
        """
        if self._since is None:
            now = self._clock.now()
            usage = usage_topics(self._positions.topics())
            self._accepted = {topic: self._positions.ends(topic) for topic in usage}
            self._since = now
        self.idle = self._accepted == self._counted
        if self._priced is None and not self.idle:
            if not self._done(self._pricer, self._accepted):
                return
            self._priced = self._ends(COST_EVENTS, DEAD_LETTER)
        if self._priced is not None and self._asked is None:
            if not self._done(self._aggregator, self._priced):
                return
            self._asked = self._ends(RECOMPUTE)
        if not self._done(self._aggregator, self._asked or {}):
            return
        self._write(self._since)
        self._counted = self._accepted
        self._since, self._priced, self._asked = None, None, None

    def _ends(self, *topics: Topic) -> dict[str, Places]:
        return {topic.name: self._positions.ends(topic.name) for topic in topics}

    def _done(self, group: str, ends: Mapping[str, Places]) -> bool:
        """Return whether a group has committed what is before the ends of topics."""
        return not any(behind(self._positions.committed(group, name), end) for name, end in ends.items())

    def wake(self) -> None:
        """Step soon: something was counted, so that something was accepted."""
        self._woken.set()

    def follow(self, every: float) -> None:
        """Step every `every` seconds in a daemon thread, also while Kafka or ClickHouse is unavailable.

        Less often while nothing is accepted.
        """

        def run() -> None:
            while True:
                self._woken.clear()
                try:
                    self.step()
                except Retryable as error:
                    log.debug("dependency unavailable, the watermark waits", error=str(error))
                if not self.idle:
                    self._clock.sleep(every)
                elif self._woken.wait(every * _IDLE):
                    self._clock.sleep(every)  # its offsets are committed a little later

        threading.Thread(target=run, name="watermark", daemon=True).start()
