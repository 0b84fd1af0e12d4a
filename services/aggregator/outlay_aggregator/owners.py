"""Decides which aggregator recomputes a window, and asks it to (docs/adr/0024).

The events of a minute come by all partitions of `cost.events`, and so to all aggregators. If each of them recomputed
the minute, four would do four times the work for the same result. So a window belongs to a partition of
`cost.recompute`, all windows of a tenant's day to the same one, and the aggregator that reads the partition recomputes
it. What this process owns it recomputes at once. The owner is asked for the rest, before the batch is committed.

An owner that has changed meanwhile does no harm: a window is a function of the ledger, whoever computes it.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Annotated
from zlib import crc32

import msgspec
from msgspec import Meta

from outlay_aggregator import metrics
from outlay_aggregator.domain.windows import Window, widen
from outlay_kit.broker import RecordSink
from outlay_kit.tracing import MOST_IN_BATCH, Header
from outlay_schemas.topics import RECOMPUTE

_MOST_MINUTES = 10_000
"""Minutes in a request: 110 KB."""
_RECORD_BYTES = 2**20


class Request(msgspec.Struct, frozen=True):
    """Minutes (Unix seconds) of a tenant to recompute, and how many bytes of events were written for the tenant."""

    tenant: Annotated[str, Meta(min_length=1)]
    minutes: list[Annotated[int, Meta(ge=0, lt=2**32, multiple_of=60)]]
    size: Annotated[int, Meta(ge=0)] = 0


_decoder = msgspec.json.Decoder(Request)


def read(body: bytes) -> list[Request]:
    """Return the requests of a record, one a line. Raises one of `outlay_schemas.errors.UNREADABLE`."""
    return _decoder.decode_lines(body)


def partition_of(window: Window, partitions: int) -> int:
    """Return the partition of `cost.recompute` that a window belongs to, with its hour and its day."""
    return crc32(f"{widen(window, 'day').start}\0{window.tenant}".encode()) % partitions


class Owners:
    """The windows of this aggregator and those of others."""

    def __init__(self, sink: RecordSink, owned: Callable[[str], Collection[int]], partitions: int) -> None:
        """`owned`: the partitions of a topic that this process reads; `partitions`: those of `cost.recompute`."""
        self._sink, self._owned, self._partitions = sink, owned, partitions

    def keep(
        self, minutes: Iterable[Window], sizes: Mapping[str, int], headers: Sequence[Header] = ()
    ) -> set[Window]:
        """Return the minutes that are this process's to recompute; ask the owners of the others. Raises Retryable.

        `sizes`: bytes of events by tenant; `headers`: the traces that the requests continue.
        """
        owned = self._owned(RECOMPUTE.name)
        mine, others = set[Window](), defaultdict[int, dict[str, list[int]]](dict)
        for window in minutes:
            number = partition_of(window, self._partitions)
            if number in owned:
                mine.add(window)
            else:
                others[number].setdefault(window.tenant, []).append(window.start)
        sent = [
            self._sink.send(RECOMPUTE.name, body, headers=headers[:MOST_IN_BATCH], partition=number)
            for number, tenants in others.items()
            for body in _bodies(tenants, sizes)
        ]
        for future in sent:
            future.result(timeout=120)
        metrics.ASKED.inc(sum(len(found) for tenants in others.values() for found in tenants.values()))
        return mine


def _bodies(tenants: Mapping[str, Sequence[int]], sizes: Mapping[str, int]) -> Iterable[bytes]:
    """Write requests, one a line, in as many records as their size asks for."""
    lines: list[bytes] = []
    length = 0
    for tenant, starts in tenants.items():
        for first in range(0, len(starts), _MOST_MINUTES):
            request = Request(
                tenant, list(starts[first : first + _MOST_MINUTES]), 0 if first else sizes.get(tenant, 0)
            )
            lines.append(msgspec.json.encode(request))
            length += len(lines[-1])
            if length > _RECORD_BYTES:
                yield b"\n".join(lines)
                lines, length = [], 0
    if lines:
        yield b"\n".join(lines)


def asked(requests: Iterable[Request]) -> tuple[set[Window], Counter[str]]:
    """Return the minutes that requests name, and the bytes of events that stand behind them, by tenant."""
    minutes, sizes = set[Window](), Counter[str]()
    for request in requests:
        minutes.update(Window(start, request.tenant) for start in request.minutes)
        sizes[request.tenant] += request.size
    return minutes, sizes
