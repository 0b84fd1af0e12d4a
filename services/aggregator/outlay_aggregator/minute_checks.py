"""After each recomputation, records identity conflicts and high-cardinality producers.

The latter send more different values in a minute than its rollup should have cells. Users past the limit are `(other)`
in the rollup and exact in the ledger. The other dimensions are not folded: a producer that sends a new project with
every event makes a cell of every event, and only the producer can fix that.
"""

from collections import Counter, OrderedDict
from collections.abc import Iterable, Sequence
from datetime import datetime

import msgspec

from outlay_aggregator import metrics
from outlay_aggregator.adapters.ledger_store import LedgerStore
from outlay_aggregator.domain.rollup_sql import HighCardinalitySource
from outlay_aggregator.domain.windows import Window, window_of
from outlay_kit.telemetry import get_logger
from outlay_schemas.dimensions import OTHER_USERS

log = get_logger(__name__)
MOST_NAMED = 100
"""Producers with a label of their own in the metric; the others share one."""


class CardinalityWatch:
    """Remembers how many events a minute had when its producer was determined, which reads the minute once more.

    It is done again when the minute has twice the events.
    """

    def __init__(self, bound: int, most: int = 10_000) -> None:
        """`bound`: cells that a minute may have. At most `most` minutes are remembered."""
        self._bound, self._most = bound, most
        self._seen: OrderedDict[Window, int] = OrderedDict()

    def due(self, window: Window, users: Iterable[str], events: Sequence[int]) -> bool:
        """Return whether to determine the producer of a minute, by the users and the events of its cells."""
        if len(events) <= self._bound and OTHER_USERS not in users:
            return False
        total = sum(events)
        if total < 2 * self._seen.get(window, 0):
            return False
        self._seen[window] = total
        self._seen.move_to_end(window)
        if len(self._seen) > self._most:
            self._seen.popitem(last=False)
        return True


class MinuteChecks:
    """Checks each minute after it was recomputed."""

    def __init__(self, store: LedgerStore, cells: int) -> None:
        """`cells`: above so many in a minute, its largest producer is named."""
        self._store = store
        self._watch = CardinalityWatch(cells)
        self._named: set[tuple[str, str]] = set()

    def check(self, lines: Sequence[bytes]) -> Counter[str]:
        """Store conflicts before the engine merges them to one row, and name producers; return the events
        of each tenant.

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
        events = Counter[str]()
        for window, count in counted.items():
            events[window.tenant] += count
        return events

    def _name(self, found: HighCardinalitySource) -> None:
        label = (found.tenant, found.source[:200])
        if label not in self._named and len(self._named) >= MOST_NAMED:
            label = (OTHER_USERS, OTHER_USERS)
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
