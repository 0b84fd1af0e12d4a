"""Puts usage events on Kafka again: the pricer prices them by its newest catalog, and the newer revision wins."""

from collections.abc import Iterable, Iterator
from itertools import islice

from outlay_kit.kafka import RecordSink, deliver
from outlay_schemas.events import AcceptedUsage, encoder
from outlay_schemas.topics import USAGE_EVENTS

RECORD_EVENTS = 500
"""Events in one record."""
RECORDS = 20
"""Records under way at once."""


def resend(sink: RecordSink, usages: Iterable[AcceptedUsage]) -> int:
    """Return how many events were sent, when all are durable. Raises Retryable; to send some twice does no harm."""
    sent = 0
    rest = iter(usages)
    while chunk := list(islice(rest, RECORD_EVENTS * RECORDS)):
        deliver(sink, USAGE_EVENTS.name, list(_records(chunk)))
        sent += len(chunk)
    return sent


def _records(usages: list[AcceptedUsage]) -> Iterator[bytes]:
    for first in range(0, len(usages), RECORD_EVENTS):
        yield encoder.encode_lines(usages[first : first + RECORD_EVENTS])
