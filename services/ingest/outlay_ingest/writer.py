"""Puts events on Kafka: small requests of a tenant share a record, and answers 202 only after Kafka has it."""

import asyncio
import itertools
import threading
from collections.abc import Callable, Coroutine, Iterable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from datetime import datetime

from outlay_ingest import metrics
from outlay_ingest.body import MemoryBudget
from outlay_ingest.domain.reading import CHUNK_EVENTS
from outlay_ingest.domain.rejections import Rejection
from outlay_ingest.settings import Settings
from outlay_kit.clock import Clock
from outlay_kit.errors import Retryable
from outlay_kit.kafka import RecordSink
from outlay_kit.tracing import MOST_IN_RECORD, Header
from outlay_schemas.acceptance import Stamp, Stamper
from outlay_schemas.dead_letters import dead_letter
from outlay_schemas.events import encoder
from outlay_schemas.topics import DEAD_LETTER, USAGE_EVENTS

RECORD_BYTES = 2**20
DEAD_LETTER_BYTES = 4 * 2**20
"""Most bytes of dead letters in one record, but for a single one that is larger."""


@dataclass
class _Pending:
    sent: "asyncio.Future[None]"
    lines: list[bytes] = field(default_factory=list)
    events: int = 0
    size: int = 0
    traces: list[Header] = field(default_factory=list)
    timer: asyncio.TimerHandle | None = None


class Writer:
    """Writes to Kafka, from one event loop. What waits for Kafka counts against the budget."""

    def __init__(self, sink: RecordSink, budget: MemoryBudget, settings: Settings, clock: Clock) -> None:
        self._sink = sink
        self._budget = budget
        self._settings = settings
        self._linger = settings.linger_ms / 1000
        self._clock = clock
        self._stamper = Stamper()
        self._pending: dict[str, _Pending] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._number = itertools.count()
        self._sent_at: dict[int, float] = {}
        self._overdue: set[int] = set()

    def check(self) -> None:
        """Raise Retryable, at once, while Kafka does not acknowledge."""
        oldest = next(iter(self._sent_at.values()), None)
        stuck = self._settings.stuck_seconds
        if oldest is not None and self._clock.monotonic() - oldest > stuck:
            raise Retryable("Kafka does not acknowledge now", retry_after=stuck)

    def wedged(self) -> bool:
        """Whether the client of Kafka left a record without any fate for longer than it may."""
        return bool(self._overdue)

    async def write(self, tenant: str, lines: bytes, events: int, trace: Header | None = None) -> None:
        """Return when `lines`, NDJSON of at most one record, are durable. Raises Retryable: if they are, is unknown.
        `trace`: the header by which the record goes on with the trace of the request."""
        self._budget.take(len(lines))
        loop = asyncio.get_running_loop()
        pending = self._pending.get(tenant)
        if pending is not None and pending.events + events > CHUNK_EVENTS:
            self._flush(tenant)
            pending = None
        if pending is None:
            pending = self._pending[tenant] = _Pending(loop.create_future())
        pending.lines.append(lines)
        pending.events += events
        pending.size += len(lines)
        if trace is not None and len(pending.traces) < MOST_IN_RECORD:
            pending.traces.append(trace)
        if pending.events >= CHUNK_EVENTS or pending.size >= RECORD_BYTES or not self._linger:
            self._flush(tenant)
        elif pending.timer is None:
            pending.timer = loop.call_later(self._linger, self._flush, tenant)
        await asyncio.shield(pending.sent)  # others wait for it too

    async def refuse(self, tenant: str, rejections: Sequence[Rejection], now: datetime) -> None:
        """Keep refused events, whole, as dead letters. Raises Retryable."""
        refused = (
            dead_letter("ingest", each.raw, each, now, line=each.index, tenant=tenant) for each in rejections
        )
        values = _records(map(encoder.encode, refused))
        self._budget.take(sum(map(len, values)))
        await asyncio.gather(*(self._spawn(self._deliver(DEAD_LETTER.name, value)) for value in values))

    async def drain(self) -> None:
        """Send what waits and see it delivered."""
        for tenant in list(self._pending):
            self._flush(tenant)
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=self._settings.deliver_seconds)

    def _flush(self, tenant: str) -> None:
        pending = self._pending.pop(tenant)
        if pending.timer is not None:
            pending.timer.cancel()
        stamp = self._stamper.take(int(self._clock.now().timestamp() * 1000), pending.events)
        self._spawn(self._send(pending, stamp))

    def _spawn(self, work: Coroutine[None, None, None]) -> "asyncio.Task[None]":
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _send(self, pending: _Pending, stamp: Stamp) -> None:
        value = pending.lines[0] if len(pending.lines) == 1 else b"\n".join(pending.lines)
        self._budget.force(len(value) - pending.size)
        pending.lines.clear()
        try:
            await self._deliver(USAGE_EVENTS.name, value, [stamp.header(), *pending.traces])
        except Exception as error:  # noqa: BLE001 (all who wait get it)
            pending.sent.set_exception(error)
        else:
            pending.sent.set_result(None)

    async def _deliver(self, topic: str, value: bytes, headers: Sequence[Header] = ()) -> None:
        """Send a value that the budget holds, which has it back when the value's fate is known."""
        number = next(self._number)
        self._sent_at[number] = self._clock.monotonic()
        fate = asyncio.wrap_future(self._sink.send(topic, value, headers=headers))

        def settled(_: object) -> None:
            self._sent_at.pop(number, None)
            self._overdue.discard(number)
            self._budget.give(len(value))

        fate.add_done_callback(settled)
        done, _ = await asyncio.wait([fate], timeout=self._settings.deliver_seconds + 1)
        if not done:
            del self._sent_at[number]  # so that others may try; the budget still holds it
            self._overdue.add(number)
            raise Retryable("Kafka did not acknowledge in time", retry_after=2)
        fate.result()
        metrics.RECORDS.inc()


def _records(lines: Iterable[bytes]) -> list[bytes]:
    records: list[list[bytes]] = [[]]
    size = 0
    for line in lines:
        if records[-1] and size + len(line) > DEAD_LETTER_BYTES:
            records.append([])
            size = 0
        records[-1].append(line)
        size += len(line) + 1
    return [b"\n".join(record) for record in records]


class ConnectingSink:
    """Connects in a thread of its own. Until it has connected, every delivery fails with Retryable."""

    def __init__(self, connect: Callable[[], RecordSink]) -> None:
        """`connect` returns when Kafka answers; an exception from it ends the process (`failure`)."""
        self._connect = connect
        self._sink: RecordSink | None = None
        self.failure: Exception | None = None
        """Why no connection will ever be made."""
        threading.Thread(target=self._run, name="connect", daemon=True).start()

    @property
    def connected(self) -> bool:
        """Whether Kafka has answered."""
        return self._sink is not None

    def send(
        self,
        topic: str,
        value: bytes,
        key: bytes | None = None,
        headers: Sequence[tuple[str, bytes]] = (),
        partition: int | None = None,
    ) -> "Future[None]":
        """Start a delivery; see RecordSink."""
        if self._sink is not None:
            return self._sink.send(topic, value, key, headers, partition)
        refused: Future[None] = Future()
        refused.set_exception(Retryable("Kafka does not answer yet", retry_after=2))
        return refused

    def close(self) -> None:
        """Deliver what was sent."""
        if self._sink is not None:
            self._sink.close()

    def _run(self) -> None:
        try:
            self._sink = self._connect()
        except Exception as error:  # noqa: BLE001 (the main loop ends the process with it)
            self.failure = error
