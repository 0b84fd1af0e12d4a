"""Publishes a catalog on the compacted topic `cost.catalog`, as the next revision."""

from outlay_kit.catalog_feed import KEY
from outlay_kit.clock import Clock
from outlay_kit.kafka import KafkaSink, Record, deliver, read_compacted
from outlay_kit.settings import KafkaSettings
from outlay_schemas.catalog import Catalog, decode_catalog, encode_catalog
from outlay_schemas.topics import CATALOG

QUIET_SECONDS = 3.0
"""Reading is over when the topic stays silent for this long."""


def newest(kafka: KafkaSettings, clock: Clock) -> Catalog | None:
    """Read the newest published catalog; None if there is none."""
    best: list[Catalog] = []
    heard = [clock.monotonic()]

    def take(record: Record) -> None:
        heard[0] = clock.monotonic()
        if record.key == KEY and record.value:
            catalog = decode_catalog(record.value)
            if not best or catalog.revision > best[0].revision:
                best[:] = [catalog]

    read_compacted(kafka, CATALOG.name, take, lambda: clock.monotonic() - heard[0] > QUIET_SECONDS)
    return best[0] if best else None


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
    return encode_catalog(other.model_copy(update=_stamp(one))) == encode_catalog(one)


def _stamp(catalog: Catalog) -> dict[str, object]:
    return {"revision": catalog.revision, "created_at": catalog.created_at, "note": catalog.note}


def _send(kafka: KafkaSettings, content: Catalog, clock: Clock, revision: int) -> int:
    stamped = content.model_copy(update={"revision": revision, "created_at": clock.now()})
    sink = KafkaSink(kafka)
    try:
        deliver(sink, CATALOG.name, [encode_catalog(stamped)], KEY)
    finally:
        sink.close()
    return revision
