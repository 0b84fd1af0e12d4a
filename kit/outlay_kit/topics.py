"""Creates topics as they must be; the broker never does."""

from collections.abc import Sequence
from typing import Any

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


def create_topics(settings: KafkaSettings, topics: Sequence[Topic], replication: int = 1) -> None:
    """Create the topics that do not exist yet; let those that do take records as large as ours.

    Raises Retryable if the broker is away.
    """
    with away(f"Kafka does not answer at {settings.bootstrap}"):
        admin: Any = KafkaAdminClient(**settings.client_options())
    try:
        with away("topics could not be created"):
            for topic in topics:
                new = {"num_partitions": topic.partitions, "replication_factor": replication}
                try:
                    admin.create_topics({topic.name: {**new, "configs": topic.config}})
                except TopicAlreadyExistsError:
                    _widen(admin, topic)
    finally:
        admin.close()


def _widen(admin: Any, topic: Topic) -> None:
    """Raise the limit of a topic of an older release, where a record would not fit and block the line for ever."""
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
