"""Publishes a catalog on the compacted topic `cost.catalog`, as the next revision: one record, all or nothing."""

from contextlib import closing

from outlay_kit.catalog_feed import KEY
from outlay_kit.clock import Clock
from outlay_kit.errors import Retryable
from outlay_kit.kafka import KafkaSink, Record, deliver
from outlay_kit.offsets import read_whole
from outlay_kit.settings import KafkaSettings
from outlay_schemas.catalog import Catalog, decode_catalog, encode_catalog
from outlay_schemas.topics import CATALOG

_TRIES = 10


def newest(kafka: KafkaSettings) -> Catalog | None:
    """Return the newest catalog; None if none was published. Raises Retryable if the topic's end is not reached."""
    return CatalogTopic(kafka).newest()


def publish(kafka: KafkaSettings, content: Catalog, clock: Clock) -> int:
    """Publish `content` as the next revision, unless it is what is in force; return the revision in force."""
    return CatalogTopic(kafka).publish(content, clock)


def publish_if_absent(kafka: KafkaSettings, content: Catalog, clock: Clock) -> int:
    """Publish `content` as revision 1 if nothing was published yet; return the revision in force."""
    known = newest(kafka)
    return known.revision if known is not None else publish(kafka, content, clock)


def same_content(one: Catalog, other: Catalog) -> bool:
    """Tell whether two catalogs say the same, whenever and as whatever they were published."""
    stamp = {
        "revision": one.revision, "created_at": one.created_at, "note": one.note, "author": one.author,
    }  # fmt: skip
    return encode_catalog(other.model_copy(update=stamp)) == encode_catalog(one)


class ConflictError(Exception):
    """Another revision was published since the one that a change began with."""

    def __init__(self, newest: Catalog, began: int) -> None:
        who = f" by {newest.author}" if newest.author else ""
        when = f"{newest.created_at:%Y-%m-%d %H:%M} UTC"
        super().__init__(
            f"revision {newest.revision} was published{who} at {when}, after revision {began} was read"
        )
        self.newest = newest


class CatalogTopic:
    """The topic of catalogs. Every method raises Retryable where Kafka is away."""

    def __init__(self, kafka: KafkaSettings) -> None:
        self._kafka = kafka

    def newest(self) -> Catalog | None:
        """Read to the end and return the newest catalog, of two with one number the first; None for an empty topic."""
        best: Catalog | None = None

        def take(record: Record) -> None:
            nonlocal best
            if record.key == KEY and record.value:
                catalog = decode_catalog(record.value)
                best = catalog if best is None or catalog.revision > best.revision else best

        read_whole(self._kafka, CATALOG.name, take)
        return best

    def append(self, catalog: Catalog) -> None:
        """Return when the catalog is durable."""
        with closing(KafkaSink(self._kafka)) as sink:
            deliver(sink, CATALOG.name, [encode_catalog(catalog)], KEY)

    def publish(self, content: Catalog, clock: Clock, after: int | None = None) -> int:
        """Publish `content` as the next revision, unless it is what is in force; return the revision in force.
        Of two with one number every reader takes the first, and whoever finds it was not theirs publishes again; or,
        if it may only come right `after` a revision, raises ConflictError."""
        for _ in range(_TRIES):
            known = self.newest()
            if known is not None and same_content(known, content):
                return known.revision
            revision = known.revision if known else 0
            if known is not None and after is not None and revision != after:
                raise ConflictError(known, after)
            self.append(content.model_copy(update={"revision": revision + 1, "created_at": clock.now()}))
        raise Retryable("others publish catalogs all the time; try again")
