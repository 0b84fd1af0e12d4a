"""Creates topics as they must be; the broker never does."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from outlay_kit.failpoints import failpoint
from outlay_kit.kafka import away  # first: it imports kafka-python with its warnings taken care of
from outlay_kit.settings import KafkaSettings
from outlay_kit.telemetry import get_logger
from outlay_schemas.topics import Topic

from kafka.admin import ConfigResource, ConfigResourceType, KafkaAdminClient  # isort: skip
from kafka.errors import (  # isort: skip
    ClusterAuthorizationFailedError,
    TopicAlreadyExistsError,
    TopicAuthorizationFailedError,
)

log = get_logger(__name__)
_MAX_BYTES = "max.message.bytes"
_COPIES = 3
"""With three copies and two in sync, a record outlives any one broker and is still written while one is away."""


@dataclass(frozen=True)
class Durability:
    """How many copies of each record Kafka keeps. None, and -1: the broker's own default."""

    replication_factor: int = -1
    min_insync_replicas: int | None = None


def create_topics(
    settings: KafkaSettings, topics: Sequence[Topic], durability: Durability = Durability()
) -> list[str]:
    """Create missing topics, and let the others take our records. Returns a warning for each whose events a lost
    broker would lose, though the cluster could keep more copies. Raises Retryable if the broker is away."""
    with admin(settings) as client:
        for topic in topics:
            failpoint("store_step")
            _create(client, topic, durability)
        return _warnings(client, topics)


@contextmanager
def admin(settings: KafkaSettings) -> Iterator[Any]:
    """Connect Kafka's admin client for a while. Raises Retryable if the broker is away."""
    with away(f"Kafka does not answer at {settings.bootstrap}"):
        client: Any = KafkaAdminClient(**settings.client_options())
    try:
        with away("Kafka does not do what its admin client asks"):
            yield client
    finally:
        client.close()


def _create(admin: Any, topic: Topic, durability: Durability) -> None:
    new = {"num_partitions": topic.partitions, "replication_factor": durability.replication_factor}
    config = dict(topic.config)
    if durability.min_insync_replicas is not None:
        config["min.insync.replicas"] = str(durability.min_insync_replicas)
    try:
        admin.create_topics({topic.name: {**new, "configs": config}})
    except TopicAlreadyExistsError:
        _widen(admin, topic)


def _warnings(admin: Any, topics: Sequence[Topic]) -> list[str]:
    brokers = len(admin.describe_cluster()["brokers"])
    wanted = min(_COPIES, brokers)
    found = {topic["name"]: topic["partitions"] for topic in admin.describe_topics([t.name for t in topics])}
    copies = {
        name: min((len(p["replica_nodes"]) for p in parts), default=wanted) for name, parts in found.items()
    }
    return [
        f"topic {name} keeps {count} {'copy' if count == 1 else 'copies'} of each record on a cluster of {brokers}"
        f" brokers: a lost broker may lose accepted events. Raise its replication factor to {wanted}"
        " with kafka-reassign-partitions.sh and set min.insync.replicas to 2"
        for name, count in sorted(copies.items())
        if count < wanted
    ]


def _widen(admin: Any, topic: Topic) -> None:
    """Raise the limit of a topic of an older release, so that a large record does not block it."""
    wanted = int(topic.config.get(_MAX_BYTES, 0))
    asked = ConfigResource(ConfigResourceType.TOPIC, topic.name, [_MAX_BYTES])
    try:
        [found] = admin.describe_configs([asked], config_filter="all")["topic"][topic.name].items()
        if int(found[1]["value"]) < wanted:
            admin.alter_configs(
                [ConfigResource(ConfigResourceType.TOPIC, topic.name, {_MAX_BYTES: str(wanted)})]
            )
    except (TopicAuthorizationFailedError, ClusterAuthorizationFailedError) as error:
        log.warning(
            "may not see to it that the topic takes large records", topic=topic.name, error=str(error)
        )
