"""Looks at minutes just recomputed for what people should know: events that differ, producers that crowd."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Protocol

import msgspec

from outlay_aggregator import metrics
from outlay_aggregator.domain.cardinality import CardinalityWatch, HighCardinalitySource
from outlay_aggregator.domain.rollup_sql import OTHER
from outlay_aggregator.domain.windows import Window, window_of
from outlay_kit.telemetry import get_logger

log = get_logger(__name__)
MOST_NAMED = 100
"""Producers that the metric of crowded minutes tells apart."""


class Finder(Protocol):
    """What the books tell of minutes."""

    def repeated(self, counted: Mapping[Window, int]) -> list[Window]:
        """Return the minutes that have more rows than the events `counted`. Raises Retryable."""
        ...

    def keep_conflicts(self, minutes: Sequence[Window]) -> int:
        """Write down what differs under one identity; return how many rows that are. Raises Retryable."""
        ...

    def keep_high_cardinality(self, minutes: Sequence[Window]) -> list[HighCardinalitySource]:
        """Write down, and return, who makes most cells of minutes that have too many. Raises Retryable."""
        ...


class MinuteChecks:
    """Looks at each minute after it was recomputed."""

    def __init__(self, books: Finder, cells: int) -> None:
        """`cells`: past so many in a minute, its largest producer is named."""
        self._books = books
        self._watched = CardinalityWatch(cells)
        self._named: set[tuple[str, str]] = set()

    def look(self, lines: Sequence[bytes]) -> int:
        """Keep what came twice and differs, before the engine merges it to one row; name who crowds a minute.

        Return how many events the minutes have.

        `lines`: minutes as they were recomputed. Those in which nothing came twice, nearly all, cost one count.
        Raises Retryable.
        """
        windows = [_decoder.decode(line) for line in lines]
        minutes = {window_of(w.tenant, w.window, "minute"): w.groups for w in windows}
        counted = {window: sum(g.events for g in groups) for window, groups in minutes.items()}
        repeated = self._books.repeated(counted)
        if repeated and (rows := self._books.keep_conflicts(repeated)):
            metrics.CONFLICTS.inc(rows)
            log.warning("events under one identity differ; see: outlay audit", rows=rows)
        crowded = [
            window
            for window, groups in minutes.items()
            if self._watched.due(window, (g.user for g in groups), [g.events for g in groups])
        ]
        for crowd in self._books.keep_high_cardinality(crowded) if crowded else ():
            self._name(crowd)
        return sum(counted.values())

    def _name(self, crowd: HighCardinalitySource) -> None:
        """Say who it is. A metric has few labels, so that the hundredth producer shares one with all after it."""
        who = (crowd.tenant, crowd.source[:200])
        if who not in self._named and len(self._named) >= MOST_NAMED:
            who = (OTHER, OTHER)
        self._named.add(who)
        metrics.HIGH_CARDINALITY.labels(*who).set(crowd.cells)
        log.warning(
            "a producer sends more values in a minute than its rollup names",
            tenant=crowd.tenant, source=crowd.source[:200], dimension=crowd.dimension, distinct=crowd.distinct,
            cells=crowd.cells, events=crowd.events,
        )  # fmt: skip


class _Group(msgspec.Struct):
    user: str
    events: int


class _Counted(msgspec.Struct):
    tenant: str
    window: datetime
    groups: list[_Group]


_decoder = msgspec.json.Decoder(_Counted)
