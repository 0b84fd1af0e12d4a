"""The newest catalog, followed in the background from the compacted topic `cost.catalog`."""

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

from outlay_kit.clock import Clock
from outlay_kit.kafka import Record
from outlay_kit.settings import KafkaSettings
from outlay_kit.telemetry import get_logger
from outlay_kit.topic_follower import TopicFollower
from outlay_schemas.topics import CATALOG

log = get_logger(__name__)
C = TypeVar("C")

KEY = b"catalog"
"""The one key of the topic: compaction keeps the newest catalog."""


class CatalogFeed(Generic[C]):
    """Keeps the newest catalog, as `compile` made it of its bytes. `compile` returns (revision, value); a revision
    that is not newer than the one known is dropped, so that no replay of the topic ever brings back an old price."""

    def __init__(
        self,
        settings: KafkaSettings,
        compile: Callable[[bytes], tuple[int, C]],  # noqa: A002 (what it does)
        clock: Clock,
        on_change: Callable[[C], None] = lambda _: None,
    ) -> None:
        self._compile = compile
        self._on_change = on_change
        self._revision = 0
        self._value: C | None = None
        self._arrived = threading.Event()
        self._follower = TopicFollower(settings, CATALOG, self.take, clock, self._caught_up)
        self.stop = self._follower.stop

    def start(self) -> "CatalogFeed[C]":
        """Follow the topic in a daemon thread."""
        self._follower.start()
        return self

    @property
    def revision(self) -> int:
        """The revision known, 0 before the first."""
        return self._revision

    def wait(self, seconds: float) -> bool:
        """Wait until the newest catalog of the start is here; False if none came in `seconds`. An older one that
        stands before it in the topic is not enough: it would price what comes first."""
        return self._arrived.wait(seconds)

    def current(self) -> C:
        """Return the newest catalog. Raises LookupError before the first one came."""
        if self._value is None:
            raise LookupError("no catalog was published yet; publish one: outlay catalog publish")
        return self._value

    def take(self, record: Record) -> None:
        """Take a record of the topic, if it is a newer catalog than the one known."""
        if record.key == KEY and record.value:
            self._take(record.value)
        if self._follower.caught_up.is_set():
            self._caught_up()

    def _caught_up(self) -> None:
        if self._value is not None:
            self._arrived.set()

    def _take(self, body: bytes) -> None:
        try:
            revision, value = self._compile(body)
        except ValueError:
            log.exception("a catalog cannot be used; the one before stays in force")
            return
        if revision <= self._revision:
            return
        self._value, self._revision = value, revision
        log.info("catalog in force", revision=revision)
        self._on_change(value)
