"""The topics: created by us, never by the broker."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

MAX_RECORD_BYTES = 16 * 2**20
"""Largest record any topic takes but that of dead letters; the catalog is the largest."""
MAX_DEAD_LETTER_BYTES = 24 * 2**20
"""Largest dead letter: the largest record there is, in base64, which no compression makes smaller than it was."""


@dataclass(frozen=True)
class Topic:
    """A topic as it must exist: name, partitions, and settings that differ from the broker's."""

    name: str
    partitions: int
    config: dict[str, str] = field(default_factory=dict)


_KEEP_WEEK = {"retention.ms": str(7 * 86_400_000), "max.message.bytes": str(MAX_RECORD_BYTES)}
_COMPACT = {"cleanup.policy": "compact", "max.message.bytes": str(MAX_RECORD_BYTES)}

USAGE_EVENTS = Topic("usage.events", 4, {**_KEEP_WEEK, "message.timestamp.type": "LogAppendTime"})
"""The broker's time, not a producer's, says when an event was accepted that was produced to Kafka directly."""
DEAD_LETTER = Topic(
    "usage.dead-letter",
    1,
    {"retention.ms": str(30 * 86_400_000), "max.message.bytes": str(MAX_DEAD_LETTER_BYTES)},
)
COST_EVENTS = Topic("cost.events", 4, _KEEP_WEEK)
RECOMPUTE = Topic("cost.recompute", 4, _KEEP_WEEK)
"""Minutes that the aggregator which owns them should recompute (docs/adr/0024)."""
ROLLUPS = Topic("cost.rollups", 1, {**_KEEP_WEEK, "retention.ms": str(86_400_000)})
ALERTS = Topic("cost.alerts", 1, _KEEP_WEEK)
CATALOG = Topic("cost.catalog", 1, _COMPACT)
REVOCATIONS = Topic("keys.revocations", 1, _COMPACT)
"""When keys end, by their id: services refuse them at once, whatever their copy of the key file says."""
QUOTAS = Topic(
    "keys.quotas",
    1,
    {
        "cleanup.policy": "compact,delete",
        "retention.ms": str(35 * 86_400_000),
        "segment.ms": "600000",
        "max.message.bytes": str(MAX_RECORD_BYTES),
    },
)
"""What each ingest has counted of keys with a quota this month. Short segments, so that a start reads little."""

AGGREGATED = (COST_EVENTS, DEAD_LETTER, RECOMPUTE)
"""What the aggregator's group reads."""
READERS = {
    "pricer": ("outlay-pricer", (USAGE_EVENTS.name,)),
    "aggregator": ("outlay-aggregator", tuple(topic.name for topic in AGGREGATED)),
    "alerter": ("outlay-alerter", (ROLLUPS.name,)),
}
"""The consumer group of each service, by its default name, and the topics it reads (tenants' topics not included)."""
INTERNAL = (REVOCATIONS, QUOTAS, RECOMPUTE)
"""Only Outlay's services write and read them; their messages may change with any release."""
ALL = (USAGE_EVENTS, DEAD_LETTER, COST_EVENTS, ROLLUPS, ALERTS, CATALOG, *INTERNAL)


_OF_A_TENANT = re.compile(re.escape(USAGE_EVENTS.name) + r"\.([A-Za-z0-9._-]{1,200})\Z")


def usage_topic(tenant: str) -> Topic:
    """Return the topic that `tenant` alone may write to, by the broker's access rules: Kafka does not tell who wrote
    a record, so the topic does. Raises ValueError if the name cannot be part of a topic's."""
    name = f"{USAGE_EVENTS.name}.{tenant}"
    if not _OF_A_TENANT.match(name):
        raise ValueError(f"{tenant!r}: a topic's name has only a-z, A-Z, 0-9, '.', '_' and '-', at most 200")
    return Topic(name, USAGE_EVENTS.partitions, USAGE_EVENTS.config)


def usage_topics(names: Iterable[str]) -> dict[str, str]:
    """Return the topics among `names` that hold usage, each with the one tenant whose it is ("": all tenants')."""
    own = {name: found[1] for name in sorted(names) if (found := _OF_A_TENANT.match(name))}
    return {USAGE_EVENTS.name: "", **own}
