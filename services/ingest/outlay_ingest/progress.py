"""How far the pipeline has counted what was accepted, by Kafka's offsets, and which tenants may send more by that."""

import threading
from collections.abc import Callable, Sequence
from datetime import datetime
from http import HTTPStatus

from outlay_ingest import metrics
from outlay_ingest.domain.fair_share import FairShare
from outlay_ingest.settings import Settings
from outlay_kit.clock import Clock
from outlay_kit.errors import Retryable
from outlay_kit.keys import KeyRing
from outlay_kit.offsets import Offsets, Places
from outlay_kit.problems import Problem
from outlay_kit.settings import KafkaSettings
from outlay_kit.telemetry import get_logger
from outlay_kit.watermark import Watermark
from outlay_schemas.topics import USAGE_EVENTS

log = get_logger(__name__)
_EVERY = 0.25
_REQUEST_BYTES = 4096
"""What a request weighs beside its bytes: each record takes some milliseconds to price, however small it is."""
_RETRY_SECONDS = 1.0
_STANDSTILL = 45.0
"""Seconds without a step of any group after which everyone is admitted: that is an outage, and no tenant's load."""


class _Handled(Offsets):
    """Positions up to which records were handled: old minutes, which wait in the aggregator, delay no one."""

    def __init__(self, settings: KafkaSettings, moved: Callable[[], None]) -> None:
        """`moved()` is called when a group has made a step."""
        super().__init__(settings)
        self._moved, self._seen = moved, dict[tuple[str, str], Places]()

    def topics(self) -> Sequence[str]:
        """Return the topic that ingest writes to."""
        return [USAGE_EVENTS.name]

    def committed(self, group: str, topic: str) -> Places:
        """Return the offset that `group` reads next. Raises Retryable."""
        found = self.handled(group, topic)
        if self._seen.get((group, topic)) != found:
            self._seen[group, topic] = found
            self._moved()
        return found


class Fairness:
    """Admits a tenant, or not, by what it and the others have waiting. Used on one event loop."""

    def __init__(self, settings: Settings, keys: KeyRing, clock: Clock) -> None:
        self._settings, self._keys, self._clock = settings, keys, clock
        self._share = FairShare(settings.fair_seconds, clock.now())
        self._counted = (clock.now(),) * 2
        self._moved_at = clock.monotonic()
        metrics.UNCOUNTED.set_function(lambda: self._share.total)
        metrics.WINDOW.set_function(lambda: self._share.window)

    def check(self, tenant: str) -> None:
        """Raise Problem if a tenant has too much waiting. With keys of one tenant only, no other can wait."""
        if not self._applies():
            return
        self.tick()
        if self._share.admits(tenant) or self._clock.monotonic() - self._moved_at > _STANDSTILL:
            return
        metrics.TURNED_AWAY.labels(tenant).inc()
        raise Problem(
            HTTPStatus.TOO_MANY_REQUESTS,
            "backlog_full",
            "this tenant has sent more than its share of what can be counted now; send the same after Retry-After",
            retry_after=_RETRY_SECONDS,
            close=True,
        )

    def take(self, tenant: str, size: int) -> None:
        """Note an accepted request of `size` bytes."""
        if self._applies():
            self._share.take(tenant, size + _REQUEST_BYTES, self._clock.now())

    def tick(self) -> None:
        """Take up what was counted since."""
        if self._settings.fair_seconds:
            self._share.count(*self._counted, self._clock.now())

    def follow(self) -> "Fairness":
        """Follow the groups, in a thread of its own, while anything waits to be counted."""
        if self._settings.fair_seconds:
            threading.Thread(target=self._run, name="progress", daemon=True).start()
        return self

    def _applies(self) -> bool:
        return bool(self._settings.fair_seconds) and self._keys.tenants > 1

    def _run(self) -> None:
        positions = _Handled(self._settings.kafka, self._moved)
        groups = self._settings.pricer_group, self._settings.aggregator_group
        watermark = Watermark(positions, self._count, self._clock, *groups)
        while True:
            self._clock.sleep(_EVERY)
            if not self._share.total:
                self._moved()
                continue
            try:
                watermark.step()
            except Retryable as error:
                log.debug("dependency unavailable, the backlog is not known", error=str(error))

    def _count(self, until: datetime) -> None:
        self._counted = until, self._clock.now()

    def _moved(self) -> None:
        self._moved_at = self._clock.monotonic()
