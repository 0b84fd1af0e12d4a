"""Publishes a catalog on the compacted topic `cost.catalog`, as the next revision."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from outlay_kit.catalog_feed import KEY
from outlay_kit.clock import Clock
from outlay_kit.errors import Retryable
from outlay_kit.kafka import KafkaSink, deliver
from outlay_kit.settings import KafkaSettings
from outlay_schemas.catalog import Catalog, decode_catalog, encode_catalog
from outlay_schemas.topics import CATALOG, MAX_RECORD_BYTES

PATIENCE_SECONDS = 30.0
"""How long reading the topic to its end may take."""


def newest(kafka: KafkaSettings, clock: Clock) -> Catalog | None:
    """Read the topic to its end and return the newest catalog; None if none was ever published.

    Raises Retryable if the end is not reached: guessing that there is no catalog would publish over one.
    """
    best: Catalog | None = None
    with _consumer(kafka) as (consumer, partition):
        end = consumer.end_offsets([partition])[partition]
        consumer.seek_to_beginning()
        deadline = clock.monotonic() + PATIENCE_SECONDS
        while consumer.position(partition) < end:
            if clock.monotonic() > deadline:
                raise Retryable(f"{CATALOG.name} could not be read to its end in {PATIENCE_SECONDS:.0f} s")
            for records in consumer.poll(timeout_ms=200).values():
                for record in records:
                    if record.key == KEY and record.value:
                        catalog = decode_catalog(record.value)
                        best = catalog if best is None or catalog.revision > best.revision else best
    return best


def publish(kafka: KafkaSettings, content: Catalog, clock: Clock) -> int:
    """Publish `content` as the next revision, unless it is what is in force; return the revision in force."""
    known = newest(kafka, clock)
    if known is not None and same_content(known, content):
        return known.revision
    return _send(kafka, content, clock, known.revision + 1 if known else 1)


def publish_if_absent(kafka: KafkaSettings, content: Catalog, clock: Clock) -> int:
    """Publish `content` as revision 1 if nothing was published yet; return the revision in force."""
    known = newest(kafka, clock)
    return known.revision if known is not None else _send(kafka, content, clock, 1)


def same_content(one: Catalog, other: Catalog) -> bool:
    """Tell whether two catalogs say the same, whenever and as whatever they were published."""
    stamp = {"revision": one.revision, "created_at": one.created_at, "note": one.note}
    return encode_catalog(other.model_copy(update=stamp)) == encode_catalog(one)


def _send(kafka: KafkaSettings, content: Catalog, clock: Clock, revision: int) -> int:
    stamped = content.model_copy(update={"revision": revision, "created_at": clock.now()})
    sink = KafkaSink(kafka)
    try:
        deliver(sink, CATALOG.name, [encode_catalog(stamped)], KEY)
    finally:
        sink.close()
    return revision


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
