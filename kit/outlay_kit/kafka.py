"""The bus as the services see it: records in, records out, and the one rule for offsets.

The rule is a type: `RecordSource.commit` takes a `Committable`, and only a `Batch` that was read makes
one. A service commits it after its work is durable, so a crash repeats work and loses none.
"""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, Protocol

from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import KafkaAdminClient, NewTopic
from kafka.errors import (
    CommitFailedError,
    IllegalGenerationError,
    KafkaError,
    MessageSizeTooLargeError,
    RebalanceInProgressError,
    TopicAlreadyExistsError,
    UnknownMemberIdError,
)
from kafka.structs import OffsetAndMetadata

from outlay_kit.errors import Retryable
from outlay_kit.settings import KafkaSettings
from outlay_kit.telemetry import get_logger
from outlay_schemas.topics import MAX_RECORD_BYTES, Topic

log = get_logger(__name__)

Partition = tuple[str, int]


@dataclass(frozen=True, slots=True)
class Record:
    """One Kafka record: a place and its bytes (one JSON object, or many, one a line)."""

    topic: str
    partition: int
    offset: int
    value: bytes
    key: bytes | None = None


@dataclass(frozen=True, slots=True)
class Committable:
    """The next offset to read of each partition, once everything before it is durable."""

    offsets: Mapping[Partition, int]


@dataclass(frozen=True, slots=True)
class Batch:
    """Records that are worked on together."""

    records: Sequence[Record]

    @property
    def committable(self) -> Committable:
        """What may be committed when the whole batch is durable."""
        offsets: dict[Partition, int] = {}
        for record in self.records:
            place = (record.topic, record.partition)
            offsets[place] = max(offsets.get(place, 0), record.offset + 1)
        return Committable(offsets)


class RecordSource(Protocol):
    """Where records come from."""

    def poll(self, timeout: float) -> Batch:
        """Return what arrives within `timeout` seconds; empty if nothing does. Raises Retryable."""
        ...

    def commit(self, committable: Committable) -> None:
        """Commit, for the partitions still owned. Raises Retryable."""
        ...

    def lag(self) -> int:
        """Return how many records of the owned partitions are still to be read, as far as known."""
        ...

    def close(self) -> None:
        """Leave the group, without committing."""
        ...


class RecordSink(Protocol):
    """Where records go."""

    def send(self, topic: str, value: bytes, key: bytes | None = None) -> "Future[None]":
        """Start a delivery to all in-sync replicas. The future fails with Retryable, or OversizeError."""
        ...

    def close(self) -> None:
        """Deliver what is under way, within a few seconds."""
        ...


class OversizeError(Exception):
    """A record is larger than the topic takes; no retry helps."""


def deliver(sink: RecordSink, topic: str, values: Sequence[bytes], key: bytes | None = None) -> None:
    """Send `values` and wait until each is durable. Raises Retryable or OversizeError."""
    for future in [sink.send(topic, value, key) for value in values]:
        future.result(timeout=120)


class KafkaSource:
    """A member of a consumer group, on kafka-python; auto-commit off."""

    def __init__(self, settings: KafkaSettings, group: str, topics: Sequence[str], **options: object) -> None:
        defaults: dict[str, object] = {
            "enable_auto_commit": False,
            "auto_offset_reset": "earliest",
            "allow_auto_create_topics": False,
            "max_poll_records": 1000,
            "max_partition_fetch_bytes": MAX_RECORD_BYTES,
            "fetch_max_wait_ms": 100,
            "session_timeout_ms": 10_000,
            "metrics_enabled": False,
        }
        self._consumer: Any = KafkaConsumer(
            *topics, group_id=group, **{**defaults, **settings.client_options(), **options}
        )

    def poll(self, timeout: float) -> Batch:
        """Return what arrives within `timeout` seconds."""
        try:
            answer = self._consumer.poll(timeout_ms=int(timeout * 1000))
        except KafkaError as error:
            raise Retryable(f"Kafka does not answer: {error}") from error
        records = [
            Record(r.topic, r.partition, r.offset, r.value or b"", r.key)
            for part in answer.values()
            for r in part
        ]
        return Batch(records)

    def commit(self, committable: Committable) -> None:
        """Commit for the partitions still owned; if one was lost, its new owner repeats the work."""
        owned = self._consumer.assignment()
        offsets = {
            TopicPartition(topic, partition): OffsetAndMetadata(offset, "", -1)
            for (topic, partition), offset in committable.offsets.items()
            if TopicPartition(topic, partition) in owned
        }
        if not offsets:
            return
        try:
            self._consumer.commit(offsets)
        except (CommitFailedError, IllegalGenerationError, RebalanceInProgressError, UnknownMemberIdError):
            log.warning("not committed: the partitions have another owner, who repeats the work")
        except KafkaError as error:
            raise Retryable(f"offsets could not be committed: {error}") from error

    def lag(self) -> int:
        """Return the records still to be read, by the newest high-water marks seen."""
        total = 0
        for partition in self._consumer.assignment():
            high = self._consumer.highwater(partition)
            if high is not None:
                total += max(0, high - self._consumer.position(partition, timeout_ms=1000))
        return total

    def close(self) -> None:
        """Leave the group, without committing."""
        self._consumer.close(autocommit=False, timeout_ms=5000)


class KafkaSink:
    """A producer on kafka-python that waits for all in-sync replicas; idempotent: no duplicates, no gaps."""

    def __init__(self, settings: KafkaSettings, **options: object) -> None:
        defaults: dict[str, object] = {
            "acks": "all",
            "linger_ms": 2,
            "batch_size": 512 * 1024,
            "compression_type": "lz4",
            "max_request_size": MAX_RECORD_BYTES,
            "allow_auto_create_topics": False,
            "metrics_enabled": False,
            "max_block_ms": 10_000,
            "delivery_timeout_ms": 30_000,
            "request_timeout_ms": 10_000,
        }
        self._producer: Any = KafkaProducer(**{**defaults, **settings.client_options(), **options})

    def send(self, topic: str, value: bytes, key: bytes | None = None) -> "Future[None]":
        """Start a delivery; the future is done when all in-sync replicas have it."""
        outcome: Future[None] = Future()
        try:
            sent = self._producer.send(topic, value=value, key=key)
        except MessageSizeTooLargeError as error:
            outcome.set_exception(OversizeError(str(error)))
            return outcome
        except KafkaError as error:
            outcome.set_exception(Retryable(f"Kafka does not answer: {error}"))
            return outcome
        sent.add_callback(lambda _: outcome.set_result(None))
        sent.add_errback(lambda error: outcome.set_exception(_as_ours(error)))
        return outcome

    def close(self) -> None:
        """Deliver what is under way, within 10 seconds."""
        self._producer.close(timeout=10)


def _as_ours(error: BaseException) -> Exception:
    if isinstance(error, MessageSizeTooLargeError):
        return OversizeError(str(error))
    return Retryable(f"Kafka did not take the record: {error}")


def create_topics(settings: KafkaSettings, topics: Sequence[Topic], replication: int = 1) -> None:
    """Create the topics that do not exist yet. Raises Retryable if the broker is away."""
    try:
        admin: Any = KafkaAdminClient(**settings.client_options())
    except KafkaError as error:
        raise Retryable(f"Kafka does not answer at {settings.bootstrap}: {error}") from error
    try:
        for topic in topics:
            new = NewTopic(topic.name, topic.partitions, replication, topic_configs=topic.config)
            try:
                admin.create_topics([new])
            except TopicAlreadyExistsError:
                continue
    except KafkaError as error:
        raise Retryable(f"topics could not be created: {error}") from error
    finally:
        admin.close()


def read_compacted(
    settings: KafkaSettings, topic: str, on_record: Callable[[Record], None], stop: Callable[[], bool]
) -> None:
    """Feed every record of a topic's only partition to `on_record`, from the start and then for ever.

    No group: every process reads it all. Returns when `stop()` says so.
    """
    consumer: Any = KafkaConsumer(
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        allow_auto_create_topics=False,
        max_partition_fetch_bytes=MAX_RECORD_BYTES,
        fetch_max_wait_ms=500,
        metrics_enabled=False,
        **settings.client_options(),
    )
    try:
        consumer.assign([TopicPartition(topic, 0)])
        consumer.seek_to_beginning()
        while not stop():
            try:
                answer = consumer.poll(timeout_ms=500)
            except KafkaError:
                log.warning("the catalog topic cannot be read now; trying again")
                continue
            for records in answer.values():
                for r in records:
                    on_record(Record(r.topic, r.partition, r.offset, r.value or b"", r.key))
    finally:
        consumer.close(autocommit=False)
