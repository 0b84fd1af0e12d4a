"""Every metric of the aggregator."""

from prometheus_client import Counter, Gauge, Histogram

EVENTS = Counter("outlay_ledger_events_total", "Cost events written to the ledger, repeats counted each time")
BYTES = Counter("outlay_ledger_bytes_total", "Bytes of cost events written to the ledger")
POISON = Counter("outlay_aggregator_dead_letters_total", "Lines of cost.events that became dead letters")
REFUSALS = Counter("outlay_dead_letters_stored_total", "Dead letters written to the table dead_letters")
LEDGER_SECONDS = Histogram("outlay_ledger_seconds", "Seconds to write a batch to the ledger")
ROLLUP_SECONDS = Histogram("outlay_rollup_seconds", "Seconds to recompute and publish the windows of a batch")
WINDOWS = Counter("outlay_windows_total", "Windows recomputed", ["grain"])
ASKED = Counter(
    "outlay_minutes_asked_total", "Minutes that another aggregator was asked to recompute, as it owns them"
)
DIRTY = Histogram(
    "outlay_dirty_minutes", "Minutes that a batch changed", buckets=(1, 2, 5, 10, 50, 100, 500, 1000, 10_000)
)
BACKFILL_WAITING = Gauge(
    "outlay_backfill_minutes_waiting",
    "Minutes that wait to be recomputed: old ones and those of slow tenants",
)
CONFLICTS = Counter("outlay_conflicts_total", "Rows with one identity that differ, each time they are found")
MOVED = Counter(
    "outlay_events_moved_total", "Events that came again with another time and were retracted at the first"
)
BEYOND = Counter(
    "outlay_events_counted_twice_total",
    "Events that came again with another time after the first was too old to change: both count",
)
OVERSIZE = Counter(
    "outlay_windows_oversize_total", "Windows too large for a record, published without user and usage"
)
HIGH_CARDINALITY = Gauge(
    "outlay_high_cardinality_cells",
    "Cells of a producer's events in a minute that has too many, when last found",
    ["tenant", "source"],
)
PACE = Gauge("outlay_pace_seconds", "Seconds that a batch gathers to keep recomputation cheap")
