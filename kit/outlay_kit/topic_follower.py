"""A compacted topic followed in the background: every process reads it whole, and then what comes."""

import threading
from collections.abc import Callable, Sequence

from outlay_kit.clock import Clock
from outlay_kit.kafka import Record, follow
from outlay_kit.settings import KafkaSettings
from outlay_kit.telemetry import get_logger
from outlay_schemas.topics import Topic

log = get_logger(__name__)


class TopicFollower:
    """Feeds every record of a topic's only partition to `take`, in a daemon thread, through any outage."""

    def __init__(
        self,
        settings: KafkaSettings,
        topic: Topic,
        take: Callable[[Record], None],
        clock: Clock,
        on_caught_up: Callable[[], None] = lambda: None,
    ) -> None:
        self._settings = settings
        self._topic = topic
        self._take = take
        self._clock = clock
        self._on_caught_up = on_caught_up
        self._stop = threading.Event()
        self.caught_up = threading.Event()
        """Set when everything that was in the topic at the start has been taken."""

    def start(self) -> "TopicFollower":
        """Begin to follow."""
        threading.Thread(target=self._follow, name=self._topic.name, daemon=True).start()
        return self

    def stop(self) -> None:
        """Stop following; what is known stays."""
        self._stop.set()

    def _follow(self) -> None:
        while not self._stop.is_set():
            try:
                stop = self._stop.is_set
                follow(self._settings, [self._topic], self._take_all, stop, caught_up=self._now_current)
            except Exception as error:  # noqa: BLE001 (the topic may not exist yet, or the broker be away)
                log.warning(
                    "dependency unavailable, retrying to follow a topic",
                    topic=self._topic.name,
                    error=str(error),
                )
                self._clock.sleep(1.0)

    def _take_all(self, records: Sequence[Record]) -> None:
        for record in records:
            self._take(record)

    def _now_current(self) -> None:
        self.caught_up.set()
        self._on_caught_up()
