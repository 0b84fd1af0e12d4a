"""The Faust agent: raw bytes in, results delivered before the ack, end on the first error; nothing else of Faust.

Faust may commit past a record that is still under way (docs/guarantees.md), so none is acked before all that were read
before it are durable. tests/integration/pricer/test_faust.py holds what we know of Faust.
"""

import asyncio
import os
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import faust

from outlay_kit.failpoints import failpoint
from outlay_kit.telemetry import get_logger
from outlay_kit.tracing import Header, parents
from outlay_pricer.record_pricing import RecordPosition
from outlay_schemas.cloudevents import Headers


class Output(NamedTuple):
    """A record to write."""

    topic: str
    value: bytes
    headers: Sequence[Header] = ()
    partition: int | None = None
    """None: any."""


class Ackable(Protocol):
    """A record that was read, and is to be acknowledged once."""

    def ack(self) -> bool:
        """Allow its offset to be committed."""
        ...


class Deliveries:
    """Bounded: `put` waits while `limit` records are under way."""

    def __init__(self, send: Callable[..., Awaitable[object]], limit: int) -> None:
        """`send(*output)` returns when the value is durable, however long that takes; what it raises ends `run`."""
        self._send = send
        self._queue: asyncio.Queue[tuple[Ackable, asyncio.Task[None]]] = asyncio.Queue(limit)

    async def put(self, record: Ackable, outputs: Sequence[Output]) -> None:
        """Start the delivery of what came of a record; the ack follows."""
        await self._queue.put((record, asyncio.create_task(self._deliver(outputs))))

    async def run(self) -> None:
        """Ack each record when it and all before it are durable. Raises what `send` raised."""
        while True:
            record, delivery = await self._queue.get()
            await delivery
            failpoint("before_ack")
            record.ack()

    async def _deliver(self, outputs: Sequence[Output]) -> None:
        for output in outputs:
            await self._send(*output)
        failpoint("after_produce")


if TYPE_CHECKING:
    from outlay_kit.otel import Tracing

Work = Callable[[bytes, RecordPosition, Headers], list[Output]]


def traced(work: Work, tracing: "Tracing | None") -> Work:
    """Return `work` that puts a span into each trace of a record and hands the traces on; itself if tracing is off."""
    if tracing is None:
        return work

    def within(value: bytes, place: RecordPosition, headers: Headers) -> list[Output]:
        found = parents(headers)
        if not found:
            return work(value, place, headers)
        where: dict[str, str | int] = {
            "messaging.system": "kafka",
            "messaging.destination.name": place.topic,
            "messaging.destination.partition.id": str(place.partition),
            "messaging.kafka.offset": place.offset,
        }
        with tracing.spans("price", found, where) as onwards:
            outputs = work(value, place, headers)
        return [output._replace(headers=onwards) for output in outputs]

    return within


log = get_logger(__name__)


def end(error: BaseException) -> None:
    """End this process now: Faust would go on, and commit over what failed. Its successor repeats the work."""
    log.critical("the pricer ends; what it did not commit is done again", exc_info=error)
    os._exit(70)


def attach(
    app: faust.App,
    topics: Sequence[str],
    work: Callable[[bytes, RecordPosition, Headers], list[Output]],
    send: Callable[..., Awaitable[object]],
    in_flight: int,
) -> None:
    """Put each record of `topics` through `work(value, place, headers)`, and its results through `send`."""
    source = app.topic(*topics, key_serializer="raw", value_serializer="raw", value_type=bytes)
    deliveries = Deliveries(send, in_flight)

    @app.agent(source, name="pricer", concurrency=1)
    async def price(stream: Any) -> None:
        try:
            async for event in stream.noack().events():
                message = event.message
                timestamp = round(message.timestamp * 1000) if message.timestamp else 0
                place = RecordPosition(message.topic, message.partition, message.offset, timestamp)
                await deliveries.put(event, work(message.value or b"", place, message.headers))
        except Exception as error:  # noqa: BLE001 (whatever it is, this process ends)
            end(error)

    @app.task  # type: ignore[untyped-decorator]
    async def acknowledge() -> None:
        try:
            await deliveries.run()
        except Exception as error:  # noqa: BLE001 (whatever it is, this process ends)
            end(error)
