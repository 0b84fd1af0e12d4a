"""Creates topics as they must be; the broker never does."""

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from outlay_kit.errors import Retryable
from outlay_kit.failpoints import failpoint
from outlay_kit.kafka import away  # first: it imports kafka-python with its warnings taken care of
from outlay_kit.settings import KafkaSettings
from outlay_kit.telemetry import get_logger
from outlay_schemas.topics import Topic

from kafka.admin import ConfigResource, ConfigResourceType, KafkaAdminClient  # isort: skip
from kafka.errors import (  # isort: skip
    ClusterAuthorizationFailedError,
    LeaderNotAvailableError,
    TopicAlreadyExistsError,
    TopicAuthorizationFailedError,
    UnknownTopicOrPartitionError,
)

log = get_logger(__name__)
_MAX_BYTES = "max.message.bytes"
_NOT_YET = (UnknownTopicOrPartitionError.errno, LeaderNotAvailableError.errno)
_KNOWN_SECONDS = 30.0
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
        return _warnings(_described(client, topics), len(client.describe_cluster()["brokers"]))


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


def _described(admin: Any, topics: Sequence[Topic]) -> list[Mapping[str, Any]]:
    """Return what Kafka says of topics, once the broker that is asked knows them: it may not yet when it has created
    them. Raises Retryable if that takes long."""
    names = [topic.name for topic in topics]
    deadline = time.monotonic() + _KNOWN_SECONDS
    while True:
        found = admin.describe_topics(names)
        unknown = [topic["name"] for topic in found if topic["error_code"] in _NOT_YET]
        if not unknown:
            return list(found)
        if time.monotonic() > deadline:
            raise Retryable(f"Kafka has created topics that it does not know yet: {', '.join(unknown)}")
        time.sleep(0.05)


def _warnings(found: Sequence[Mapping[str, Any]], brokers: int) -> list[str]:
    wanted = min(_COPIES, brokers)
    copies = {
        topic["name"]: min((len(p["replica_nodes"]) for p in topic["partitions"]), default=wanted)
        for topic in found
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
