"""Kafka for pages: the newest cost events as they come, and how far each service is behind.

The events are a sample for whoever looks now, never a count. One consumer for the whole console, without a group, and
only while somebody listens. If it cannot keep up it jumps to the end: the page shows the newest events, and the ledger
counts all.
"""

import asyncio
import threading
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime

import msgspec

from outlay_kit.clock import Clock
from outlay_kit.errors import Retryable
from outlay_kit.kafka import Record, follow
from outlay_kit.offsets import committed_lag
from outlay_kit.settings import KafkaSettings
from outlay_kit.telemetry import get_logger
from outlay_schemas.topics import COST_EVENTS, READERS

log = get_logger(__name__)
_LINES = 200
"""Most lines of one poll that are read."""
_WAITING = 200
"""Most events that wait for one slow browser; the oldest are dropped."""


class TailEvent(msgspec.Struct):
    """What the live page shows of a cost event."""

    tenant: str
    id: str
    source: str
    time: datetime
    provider: str
    sku: str
    cost: str | None
    price_status: str
    team: str = ""
    project: str = ""
    user: str = ""


_decoder = msgspec.json.Decoder(TailEvent)
Listener = asyncio.Queue[TailEvent]


class EventTail:
    """Feeds the listeners of each tenant with that tenant's events, and with no other's."""

    def __init__(self, settings: KafkaSettings, clock: Clock) -> None:
        self._settings = settings
        self._clock = clock
        self._listeners: dict[str, set[Listener]] = {}
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    @asynccontextmanager
    async def listen(self, tenant: str) -> AsyncIterator[Listener]:
        """Yield a queue of a tenant's events from now on."""
        queue: Listener = asyncio.Queue(_WAITING)
        self._loop = asyncio.get_running_loop()
        with self._lock:
            self._listeners.setdefault(tenant, set()).add(queue)
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._follow, name="tail", daemon=True)
                self._thread.start()
        try:
            yield queue
        finally:
            with self._lock:
                self._listeners[tenant].discard(queue)
                if not self._listeners[tenant]:
                    del self._listeners[tenant]

    def take(self, records: Sequence[bytes]) -> None:
        """Hand on the newest lines of some records to who listens for their tenants."""
        most = max(1, _LINES // max(1, len(records)))
        for line in (line for record in records for line in record.splitlines()[-most:]):
            try:
                event = _decoder.decode(line)
            except msgspec.MsgspecError:
                continue  # the aggregator makes a dead letter of it
            with self._lock:
                listeners = list(self._listeners.get(event.tenant, ()))
            for queue in listeners:
                if self._loop is not None:
                    self._loop.call_soon_threadsafe(_offer, queue, event)

    def _follow(self) -> None:
        def take(records: Sequence[Record]) -> None:
            self.take([record.value for record in records])

        while self._wanted():
            try:
                follow(self._settings, [COST_EVENTS], take, lambda: not self._wanted(), newest=True, most=50)
            except Retryable as error:
                log.warning("dependency unavailable, retrying to follow cost events", error=str(error))
                self._clock.sleep(1.0)

    def _wanted(self) -> bool:
        with self._lock:
            return bool(self._listeners)


def _offer(queue: Listener, event: TailEvent) -> None:
    if queue.full():
        queue.get_nowait()
    queue.put_nowait(event)


_KEEP_SECONDS = 5.0


class ConsumerLag:
    """Service to Kafka records that it has still to do."""

    def __init__(self, settings: KafkaSettings, clock: Clock) -> None:
        self._settings = settings
        self._clock = clock
        self._lock = threading.Lock()
        self._known: Mapping[str, int | None] = dict.fromkeys(READERS)
        self._until = clock.monotonic()

    async def read(self) -> Mapping[str, int | None]:
        """Return what is known, at most 5 s old; None where Kafka does not say."""

        def known() -> Mapping[str, int | None]:
            with self._lock:
                if self._clock.monotonic() >= self._until:
                    self._known = {name: self._ask(*reads) for name, reads in READERS.items()}
                    self._until = self._clock.monotonic() + _KEEP_SECONDS
                return self._known

        return await asyncio.to_thread(known)

    def _ask(self, group: str, topics: Sequence[str]) -> int | None:
        try:
            return committed_lag(self._settings, group, topics)
        except Retryable:
            return None
