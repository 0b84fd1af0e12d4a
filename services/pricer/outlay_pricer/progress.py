"""How far the pricer's group is, asked of Kafka by a client that is no member of it."""

from collections.abc import Sequence
from typing import Any

from outlay_kit.errors import Retryable
from outlay_kit.kafka import Partition  # first: it imports kafka-python with its warnings taken care of
from outlay_kit.settings import KafkaSettings
from outlay_schemas.topics import usage_topics

from kafka import KafkaConsumer, TopicPartition  # isort: skip
from kafka.errors import KafkaError  # isort: skip


class GroupProgress:
    """Asks for the committed offsets of a group and the ends of its topics."""

    def __init__(self, settings: KafkaSettings, group: str, topics: Sequence[str]) -> None:
        self._options = {**settings.client_options(), "group_id": group, "enable_auto_commit": False}
        self._topics = topics
        self._consumer: Any = None

    def ask(self) -> tuple[int, int]:
        """Return the sum of the committed offsets, and the records not committed. Raises Retryable."""
        try:
            committed, ends = self._offsets()
        except KafkaError as error:
            raise Retryable(f"Kafka does not tell how far the group is: {error}") from error
        return sum(committed.values()), sum(max(0, ends[p] - committed[p]) for p in ends)

    def topics(self) -> dict[str, str]:
        """Return the topics of usage that there are, each with the one tenant whose it is. Raises Retryable."""
        try:
            return usage_topics(self._client().topics())
        except KafkaError as error:
            raise Retryable(f"Kafka does not tell which topics there are: {error}") from error

    def close(self) -> None:
        """Ask no more."""
        if self._consumer is not None:
            self._consumer.close(autocommit=False)
            self._consumer = None

    def _offsets(self) -> tuple[dict[Partition, int], dict[Partition, int]]:
        self._client()
        partitions = [
            TopicPartition(topic, number)
            for topic in self._topics
            for number in self._consumer.partitions_for_topic(topic) or ()
        ]
        ends = self._consumer.end_offsets(partitions, timeout_ms=10_000)
        starts = self._consumer.beginning_offsets(partitions, timeout_ms=10_000)
        committed = {}
        for p in partitions:
            offset = self._consumer.committed(p, timeout_ms=10_000)
            committed[p.topic, p.partition] = starts[p] if offset is None else max(offset, starts[p])
        return committed, {(p.topic, p.partition): end for p, end in ends.items()}

    def _client(self) -> Any:
        if self._consumer is None:
            self._consumer = KafkaConsumer(**self._options, metrics_enabled=False)
        return self._consumer
