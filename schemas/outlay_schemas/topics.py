"""The topics: created by us, never by the broker."""

from dataclasses import dataclass, field

MAX_RECORD_BYTES = 16 * 2**20
"""Largest record any topic takes; the catalog is the largest."""


@dataclass(frozen=True)
class Topic:
    """A topic as it must exist: name, partitions, and settings that differ from the broker's."""

    name: str
    partitions: int
    config: dict[str, str] = field(default_factory=dict)


_KEEP_WEEK = {"retention.ms": str(7 * 86_400_000), "max.message.bytes": str(MAX_RECORD_BYTES)}
_COMPACT = {"cleanup.policy": "compact", "max.message.bytes": str(MAX_RECORD_BYTES)}

USAGE_EVENTS = Topic("usage.events", 4, _KEEP_WEEK)
DEAD_LETTER = Topic("usage.dead-letter", 1, {**_KEEP_WEEK, "retention.ms": str(30 * 86_400_000)})
COST_EVENTS = Topic("cost.events", 4, _KEEP_WEEK)
ROLLUPS = Topic("cost.rollups", 1, {**_KEEP_WEEK, "retention.ms": str(86_400_000)})
ALERTS = Topic("cost.alerts", 1, _KEEP_WEEK)
CATALOG = Topic("cost.catalog", 1, _COMPACT)

ALL = (USAGE_EVENTS, DEAD_LETTER, COST_EVENTS, ROLLUPS, ALERTS, CATALOG)
