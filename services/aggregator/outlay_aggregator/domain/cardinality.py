"""Which producer sends more different values in a minute than its rollup should have cells. Pure.

Users past the limit are `(other)` in the rollup and exact in the ledger. The other dimensions are not folded: a
producer that sends a new project with every event makes a cell of every event, and only the producer can fix that.
"""

from collections import OrderedDict
from collections.abc import Iterable, Sequence

import msgspec

from outlay_aggregator.domain.rollup_sql import OTHER, asked_minutes
from outlay_aggregator.domain.windows import Window
from outlay_schemas.dimensions import CELL


class HighCardinalitySource(msgspec.Struct, frozen=True):
    """A producer and its events of a minute; `minute` is Unix seconds."""

    tenant: str
    minute: int
    source: str
    dimension: str
    """The dimension with most different values."""
    distinct: int
    cells: int
    events: int


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
    """Return the statement that finds the producer with most cells of each minute asked for."""
    counted = ", ".join(f"('{name}', uniq({name}))" for name in CELL)
    return f"""
SELECT tenant, toUnixTimestamp(minute) AS minute, source, widest.1 AS dimension, widest.2 AS distinct,
    cells, events
FROM (
    SELECT tenant, minute, source, count() AS events, uniq({", ".join(CELL)}) AS cells,
        arrayReverseSort(d -> d.2, [{counted}])[1] AS widest
    FROM ledger PREWHERE {asked_minutes()} WHERE NOT retracted GROUP BY tenant, minute, source
    ORDER BY cells DESC, source LIMIT 1 BY tenant, minute)"""  # noqa: S608 (constants of ours)
