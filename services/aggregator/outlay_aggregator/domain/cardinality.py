"""Which producer sends more values in a minute than a rollup should have cells. Pure.

Users past the bound are `(other)` in the rollup and exact in the ledger. The other dimensions are not
folded, so that whoever sends a new project with every event makes a cell of every event: that is what a
window costs most by, and nobody but the producer can mend it. So the producer is named.
"""

from collections import OrderedDict
from collections.abc import Iterable, Sequence

import msgspec

from outlay_aggregator.domain.rollup_sql import OTHER, asked_minutes
from outlay_aggregator.domain.windows import Window
from outlay_schemas.dimensions import CELL


class HighCardinalitySource(msgspec.Struct, frozen=True):
    """A producer, and what it sent in a minute; `minute` is Unix seconds."""

    tenant: str
    minute: int
    source: str
    dimension: str
    """In what its events differ most."""
    distinct: int
    cells: int
    events: int


class CardinalityWatch:
    """Remembers of crowded minutes how many events they had when their producer was looked for.

    Looking reads the minute once more, so it is done when the minute has doubled: a few times in its life.
    """

    def __init__(self, bound: int, most: int = 10_000) -> None:
        """`bound`: cells that a minute may have. At most `most` minutes are remembered."""
        self._bound = bound
        self._most = most
        self._seen: OrderedDict[Window, int] = OrderedDict()

    def due(self, window: Window, users: Iterable[str], events: Sequence[int]) -> bool:
        """Whether to look who crowds a minute, by the users and the events of its cells."""
        if len(events) <= self._bound and OTHER not in users:
            return False
        total = sum(events)
        if total < 2 * self._seen.get(window, 0):
            return False
        self._seen[window] = total
        self._seen.move_to_end(window)
        if len(self._seen) > self._most:
            self._seen.popitem(last=False)
        return True


def high_cardinality_sources() -> str:
    """Return the statement that names, of each minute asked for, the producer that makes most cells."""
    counted = ", ".join(f"('{name}', uniq({name}))" for name in CELL)
    return f"""
SELECT tenant, toUnixTimestamp(minute) AS minute, source, widest.1 AS dimension, widest.2 AS distinct,
    cells, events
FROM (
    SELECT tenant, minute, source, count() AS events, uniq({", ".join(CELL)}) AS cells,
        arrayReverseSort(d -> d.2, [{counted}])[1] AS widest
    FROM ledger PREWHERE {asked_minutes()} WHERE NOT retracted GROUP BY tenant, minute, source
    ORDER BY cells DESC, source LIMIT 1 BY tenant, minute)"""  # noqa: S608 (constants of ours)
