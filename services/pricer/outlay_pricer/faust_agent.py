"""The Faust shell. One agent, raw bytes, deliver before ack, end on the first error; nothing else of Faust.

What may not be changed here, and why, is in docs/guarantees.md; tests/integration/pricer/test_faust.py
holds what we know of Faust.
"""

import os
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import faust

from outlay_kit.telemetry import get_logger
from outlay_pricer.deliveries import Deliveries, Output
from outlay_pricer.record_pricing import RecordPosition
from outlay_schemas.cloudevents import Headers

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
