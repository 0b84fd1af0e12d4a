"""How far each service is behind, asked of Kafka now and then and not for each page."""

import asyncio
import threading
from collections.abc import Mapping

from outlay_kit.clock import Clock
from outlay_kit.errors import Retryable
from outlay_kit.offsets import committed_lag
from outlay_kit.settings import KafkaSettings
from outlay_schemas.topics import COST_EVENTS, DEAD_LETTER, ROLLUPS, USAGE_EVENTS

_READERS = {
    "pricer": ("outlay-pricer", [USAGE_EVENTS.name]),
    "aggregator": ("outlay-aggregator", [COST_EVENTS.name, DEAD_LETTER.name]),
    "alerter": ("outlay-alerter", [ROLLUPS.name]),
}
_KEEP_SECONDS = 5.0


class ConsumerLag:
    """Service to Kafka records that it has still to do."""

    def __init__(self, settings: KafkaSettings, clock: Clock) -> None:
        self._settings = settings
        self._clock = clock
        self._lock = threading.Lock()
        self._known: Mapping[str, int | None] = dict.fromkeys(_READERS)
        self._until = clock.monotonic()

    async def read(self) -> Mapping[str, int | None]:
        """Return what is known, at most 5 s old; None where Kafka does not say."""
        return await asyncio.to_thread(self._read)

    def _read(self) -> Mapping[str, int | None]:
        with self._lock:
            if self._clock.monotonic() >= self._until:
                self._known = {name: self._ask(group, topics) for name, (group, topics) in _READERS.items()}
                self._until = self._clock.monotonic() + _KEEP_SECONDS
            return self._known

    def _ask(self, group: str, topics: list[str]) -> int | None:
        try:
            return committed_lag(self._settings, group, topics)
        except Retryable:
            return None
