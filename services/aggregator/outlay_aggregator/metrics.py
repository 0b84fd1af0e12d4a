"""Every metric of the aggregator, each with its sentence."""

from prometheus_client import Counter, Gauge, Histogram

EVENTS = Counter("outlay_ledger_events_total", "Cost events written to the ledger, repeats counted each time")
BYTES = Counter("outlay_ledger_bytes_total", "Bytes of cost events written to the ledger")
POISON = Counter("outlay_aggregator_dead_letters_total", "Lines of cost.events that became dead letters")
REFUSALS = Counter("outlay_dead_letters_stored_total", "Dead letters written to the table dead_letters")
LEDGER_SECONDS = Histogram("outlay_ledger_seconds", "Seconds to write a batch to the ledger")
ROLLUP_SECONDS = Histogram("outlay_rollup_seconds", "Seconds to recompute and publish what a batch dirtied")
WINDOWS = Counter("outlay_windows_total", "Windows recomputed", ["grain"])
DIRTY = Histogram(
    "outlay_dirty_minutes", "Minutes that a batch dirtied", buckets=(1, 2, 5, 10, 50, 100, 500, 1000, 10_000)
)
BACKFILL_WAITING = Gauge(
    "outlay_backfill_minutes_waiting",
    "Old minutes that wait to be recomputed, so that the live ones need not",
)
CONFLICTS = Counter(
    "outlay_conflicts_total", "Rows found that differ under one identity, each time they are found"
)
MOVED = Counter(
    "outlay_events_moved_total",
    "Events that came again with another time and were retracted where they were: each counts once",
)
BEYOND = Counter(
    "outlay_events_counted_twice_total",
    "Events that came again with another time when the first was older than the ledger may change: both count",
)
OVERSIZE = Counter(
    "outlay_windows_oversize_total", "Windows too large to publish, published without user and usage"
)
HIGH_CARDINALITY = Gauge(
    "outlay_high_cardinality_cells",
    "Cells that a producer's events make in a minute, where that is past the bound, when last found",
    ["tenant", "source"],
)
PACE = Gauge(
    "outlay_pace_seconds", "Seconds that a batch gathers, so that recomputing stays a small share of time"
)
