"""Pricing in the traces that a record belongs to; only where traces are wanted."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from outlay_kit.tracing import parents
from outlay_pricer.deliveries import Output
from outlay_pricer.record_pricing import RecordPosition
from outlay_schemas.cloudevents import Headers

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
