"""Publishes a catalog on the compacted topic `cost.catalog`, as the next revision: one record, all or nothing."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Protocol

from outlay_kit.catalog_feed import KEY
from outlay_kit.clock import Clock
from outlay_kit.errors import Retryable
from outlay_kit.kafka import KafkaSink, deliver
from outlay_kit.settings import KafkaSettings
from outlay_schemas.catalog import Catalog, decode_catalog, encode_catalog
from outlay_schemas.topics import CATALOG, MAX_RECORD_BYTES

PATIENCE_SECONDS = 30.0
"""How long reading the topic to its end may take."""
_TRIES = 10


class CatalogTopic(Protocol):
    """The topic of catalogs."""

    def newest(self) -> Catalog | None:
        """Read to the end and return the newest catalog, of two with one number the first; None: there is none."""
        ...

    def append(self, catalog: Catalog) -> None:
        """Return when the catalog is durable."""
        ...


def newest(kafka: KafkaSettings, clock: Clock) -> Catalog | None:
    """Read the topic to its end and return the newest catalog; None if none was ever published.

    Raises Retryable if the end is not reached: guessing that there is no catalog would publish over one.
    """
    return KafkaTopic(kafka, clock).newest()


def publish(kafka: KafkaSettings, content: Catalog, clock: Clock) -> int:
    """Publish `content` as the next revision, unless it is what is in force; return the revision in force."""
    return publish_on(KafkaTopic(kafka, clock), content, clock)


def publish_if_absent(kafka: KafkaSettings, content: Catalog, clock: Clock) -> int:
    """Publish `content` as revision 1 if nothing was published yet; return the revision in force."""
    topic = KafkaTopic(kafka, clock)
    known = topic.newest()
    return known.revision if known is not None else publish_on(topic, content, clock)


def publish_on(topic: CatalogTopic, content: Catalog, clock: Clock) -> int:
    """Publish `content` as the next revision of a topic, unless it is what is in force; return the revision in force.

    Two who publish at once may choose the same number. Every reader takes the first, and whoever finds that it was
    not theirs publishes again: the number is never kept for two contents.
    """
    for _ in range(_TRIES):
        known = topic.newest()
        if known is not None and same_content(known, content):
            return known.revision
        revision = known.revision + 1 if known else 1
        topic.append(content.model_copy(update={"revision": revision, "created_at": clock.now()}))
    raise Retryable("others publish catalogs all the time; try again")


def same_content(one: Catalog, other: Catalog) -> bool:
    """Tell whether two catalogs say the same, whenever and as whatever they were published."""
    stamp = {"revision": one.revision, "created_at": one.created_at, "note": one.note}
    return encode_catalog(other.model_copy(update=stamp)) == encode_catalog(one)


class KafkaTopic:
    """The topic on the bus. Every method raises Retryable where Kafka is away."""

    def __init__(self, kafka: KafkaSettings, clock: Clock) -> None:
        self._kafka = kafka
        self._clock = clock

    def newest(self) -> Catalog | None:
        """Read to the end and return the newest catalog, of two with one number the first."""
        best: Catalog | None = None
        with _consumer(self._kafka) as (consumer, partition):
            end = consumer.end_offsets([partition])[partition]
            consumer.seek_to_beginning()
            deadline = self._clock.monotonic() + PATIENCE_SECONDS
            while consumer.position(partition) < end:
                if self._clock.monotonic() > deadline:
                    raise Retryable(
                        f"{CATALOG.name} could not be read to its end in {PATIENCE_SECONDS:.0f} s"
                    )
                for records in consumer.poll(timeout_ms=200).values():
                    for record in records:
                        if record.key == KEY and record.value:
                            catalog = decode_catalog(record.value)
                            best = catalog if best is None or catalog.revision > best.revision else best
        return best

    def append(self, catalog: Catalog) -> None:
        """Return when the catalog is durable."""
        sink = KafkaSink(self._kafka)
        try:
            deliver(sink, CATALOG.name, [encode_catalog(catalog)], KEY)
        finally:
            sink.close()


@contextmanager
def _consumer(kafka: KafkaSettings) -> Iterator[tuple[Any, Any]]:
    from kafka import KafkaConsumer, TopicPartition
    from kafka.errors import KafkaError

    partition = TopicPartition(CATALOG.name, 0)
    try:
        consumer = KafkaConsumer(
            **kafka.client_options(),
            enable_auto_commit=False,
            allow_auto_create_topics=False,
            max_partition_fetch_bytes=MAX_RECORD_BYTES,
            metrics_enabled=False,
        )
        try:
            consumer.assign([partition])
            yield consumer, partition
        finally:
            consumer.close(autocommit=False)
    except KafkaError as error:
        raise Retryable(f"{CATALOG.name} cannot be read at {kafka.bootstrap}: {error}") from error
