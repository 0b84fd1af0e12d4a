"""Puts events on the bus: small requests of a tenant share a record, and nobody is told 202 before Kafka has it."""

import asyncio
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from outlay_ingest import metrics
from outlay_ingest.domain.refusals import Refusal
from outlay_kit.errors import Retryable
from outlay_kit.kafka import RecordSink
from outlay_schemas.events import DeadLetter, UsageEvent, encoder
from outlay_schemas.topics import DEAD_LETTER, USAGE_EVENTS

RECORD_EVENTS = 500
RECORD_BYTES = 1 << 20


@dataclass
class _Pending:
    """Lines of one tenant that wait for company."""

    lines: list[bytes] = field(default_factory=list)
    events: int = 0
    size: int = 0
    waiters: list["asyncio.Future[None]"] = field(default_factory=list)
    timer: asyncio.TimerHandle | None = None


class Writer:
    """Writes to the bus from one event loop. Bounded: past `max_bytes` in flight it refuses."""

    def __init__(self, sink: RecordSink, linger: float, deliver_seconds: float, max_bytes: int) -> None:
        self._sink = sink
        self._linger = linger
        self._deliver_seconds = deliver_seconds
        self._max_bytes = max_bytes
        self._in_flight = 0
        self._pending: dict[str, _Pending] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def write(self, tenant: str, events: Sequence[UsageEvent]) -> None:
        """Return when every event is durable. Raises Retryable: then nothing may be taken for granted."""
        parts = [events[i : i + RECORD_EVENTS] for i in range(0, len(events), RECORD_EVENTS)]
        lines = [(encoder.encode_lines(part)[:-1], len(part)) for part in parts]
        self._admit(sum(len(line) for line, _ in lines))
        await self._within(asyncio.gather(*(self._join(tenant, line, count) for line, count in lines)))

    async def refuse(self, tenant: str, refusals: Sequence[Refusal], now: datetime) -> None:
        """Keep refused events, whole, as dead letters. Raises Retryable."""
        letters = [encoder.encode(_letter(tenant, refusal, now)) for refusal in refusals]
        self._admit(sum(map(len, letters)))
        await self._within(asyncio.gather(*(self._deliver(DEAD_LETTER.name, letter) for letter in letters)))

    async def drain(self) -> None:
        """Send what waits and see it delivered."""
        for tenant in list(self._pending):
            self._flush(tenant)
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=self._deliver_seconds)

    def _admit(self, size: int) -> None:
        if self._in_flight + size > self._max_bytes:
            raise Retryable("too much waits for Kafka already", retry_after=1)

    async def _within(self, work: "asyncio.Future[list[None]]") -> None:
        try:
            await asyncio.wait_for(work, self._deliver_seconds)
        except TimeoutError:
            raise Retryable("Kafka did not acknowledge in time", retry_after=2) from None

    async def _join(self, tenant: str, lines: bytes, events: int) -> None:
        """Wait with others of the tenant for a record to be full, or for the linger to pass."""
        pending = self._pending.setdefault(tenant, _Pending())
        loop = asyncio.get_running_loop()
        waiter: asyncio.Future[None] = loop.create_future()
        pending.lines.append(lines)
        pending.events += events
        pending.size += len(lines)
        pending.waiters.append(waiter)
        if pending.events >= RECORD_EVENTS or pending.size >= RECORD_BYTES or not self._linger:
            self._flush(tenant)
        elif pending.timer is None:
            pending.timer = loop.call_later(self._linger, self._flush, tenant)
        await waiter

    def _flush(self, tenant: str) -> None:
        pending = self._pending.pop(tenant, None)
        if pending is None:
            return
        if pending.timer is not None:
            pending.timer.cancel()
        task = asyncio.ensure_future(self._send(pending))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _send(self, pending: _Pending) -> None:
        try:
            await self._deliver(USAGE_EVENTS.name, b"\n".join(pending.lines))
        except Exception as error:  # noqa: BLE001 (each waiter is told, whatever it was)
            for waiter in pending.waiters:
                if not waiter.done():
                    waiter.set_exception(error)
            return
        for waiter in pending.waiters:
            if not waiter.done():
                waiter.set_result(None)

    async def _deliver(self, topic: str, value: bytes) -> None:
        self._in_flight += len(value)
        metrics.IN_FLIGHT.set(self._in_flight)
        try:
            await asyncio.wrap_future(self._sink.send(topic, value))
            metrics.RECORDS.inc()
        finally:
            self._in_flight -= len(value)
            metrics.IN_FLIGHT.set(self._in_flight)


def _letter(tenant: str, refusal: Refusal, now: datetime) -> DeadLetter:
    identity = hashlib.sha256(b"ingest\0" + tenant.encode() + b"\0" + refusal.raw).hexdigest()[:32]
    return DeadLetter(
        id=identity,
        tenant=tenant,
        stage="ingest",
        code=refusal.code,
        message=refusal.message,
        path=refusal.path,
        at=now,
        body=refusal.raw,
        line=refusal.index,
    )
