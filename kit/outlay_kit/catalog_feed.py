"""The newest catalog, followed in the background from the compacted topic `cost.catalog`."""

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

from outlay_kit.clock import Clock
from outlay_kit.kafka import Record, read_compacted
from outlay_kit.offsets import Offsets
from outlay_kit.settings import KafkaSettings
from outlay_kit.telemetry import get_logger
from outlay_schemas.topics import CATALOG

log = get_logger(__name__)
C = TypeVar("C")

KEY = b"catalog"
"""The one key of the topic: compaction keeps the newest catalog."""


class CatalogFeed(Generic[C]):
    """Keeps the newest catalog, as `compile` made it of its bytes.

    `compile` returns (revision, value); a revision that is not newer than the one known is dropped, so
    that no replay of the topic ever brings back an old price.
    """

    def __init__(
        self,
        settings: KafkaSettings,
        compile: Callable[[bytes], tuple[int, C]],  # noqa: A002 (what it does)
        clock: Clock,
        on_change: Callable[[C], None] = lambda _: None,
    ) -> None:
        self._settings = settings
        self._compile = compile
        self._clock = clock
        self._on_change = on_change
        self._revision = 0
        self._value: C | None = None
        self._end = 0
        self._arrived = threading.Event()
        self._stop = threading.Event()

    def start(self) -> "CatalogFeed[C]":
        """Follow the topic in a daemon thread."""
        threading.Thread(target=self._follow, name="catalog", daemon=True).start()
        return self

    def stop(self) -> None:
        """Stop following; what is known stays."""
        self._stop.set()

    @property
    def revision(self) -> int:
        """The revision known, 0 before the first."""
        return self._revision

    def wait(self, seconds: float) -> bool:
        """Wait until the newest catalog of the start is here; False if none came in `seconds`.

        An older one that stands before it in the topic is not enough: it would price what comes first.
        """
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
        if self._value is not None and record.offset + 1 >= self._end:
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

    def _follow(self) -> None:
        while not self._stop.is_set():
            try:
                self._end = _end_of(self._settings)
                read_compacted(self._settings, CATALOG.name, self.take, self._stop.is_set)
            except Exception as error:  # noqa: BLE001 (the topic may not exist yet, or the broker be away)
                log.warning("dependency unavailable, retrying to follow the catalog", error=str(error))
                self._clock.sleep(1.0)


def _end_of(settings: KafkaSettings) -> int:
    """Return the offset that the next record of the topic will have. Raises Retryable."""
    offsets = Offsets(settings)
    try:
        return offsets.ends(CATALOG.name)[0]
    finally:
        offsets.close()
