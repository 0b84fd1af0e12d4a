"""After each recomputation, records identity conflicts and high-cardinality producers."""

from collections.abc import Sequence
from datetime import datetime

import msgspec

from outlay_aggregator import metrics
from outlay_aggregator.adapters.ledger_store import LedgerStore
from outlay_aggregator.domain.cardinality import CardinalityWatch, HighCardinalitySource
from outlay_aggregator.domain.rollup_sql import OTHER
from outlay_aggregator.domain.windows import window_of
from outlay_kit.telemetry import get_logger

log = get_logger(__name__)
MOST_NAMED = 100
"""Producers with a label of their own in the metric; the others share one."""


class MinuteChecks:
    """Checks each minute after it was recomputed."""

    def __init__(self, store: LedgerStore, cells: int) -> None:
        """`cells`: above so many in a minute, its largest producer is named."""
        self._store = store
        self._watch = CardinalityWatch(cells)
        self._named: set[tuple[str, str]] = set()

    def check(self, lines: Sequence[bytes]) -> int:
        """Store conflicts before the engine merges them to one row, and name producers; return the events.

        `lines`: recomputed minutes. A minute without repeated events costs one count. Raises Retryable.
        """
        windows = _decoder.decode_lines(b"\n".join(lines))
        minutes = {window_of(w.tenant, w.window, "minute"): w.groups for w in windows}
        counted = {window: sum(g.events for g in groups) for window, groups in minutes.items()}
        repeated = self._store.repeated(counted)
        if repeated and (rows := self._store.keep_conflicts(repeated)):
            metrics.CONFLICTS.inc(rows)
            log.warning("events with one identity differ; see: outlay audit", rows=rows)
        wide = [
            window
            for window, groups in minutes.items()
            if self._watch.due(window, (g.user for g in groups), [g.events for g in groups])
        ]
        for found in self._store.keep_high_cardinality(wide) if wide else ():
            self._name(found)
        return sum(counted.values())

    def _name(self, found: HighCardinalitySource) -> None:
        label = (found.tenant, found.source[:200])
        if label not in self._named and len(self._named) >= MOST_NAMED:
            label = (OTHER, OTHER)
        self._named.add(label)
        metrics.HIGH_CARDINALITY.labels(*label).set(found.cells)
        log.warning(
            "a producer sends more values in a minute than its rollup lists",
            **{**msgspec.structs.asdict(found), "source": found.source[:200]},
        )


class _Group(msgspec.Struct):
    user: str
    events: int


class _Minute(msgspec.Struct):
    tenant: str
    window: datetime
    groups: list[_Group]


_decoder = msgspec.json.Decoder(_Minute)
