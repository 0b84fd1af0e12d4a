"""Sees the results of records delivered, and acknowledges the records in the order they were read.

Faust may commit past a record that is still under way (docs/guarantees.md), so none is acked before all
that were read before it are durable. Several deliveries are under way at once; the acks are not.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import NamedTuple, Protocol

from outlay_kit.failpoints import failpoint
from outlay_kit.tracing import Header


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
