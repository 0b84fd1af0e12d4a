"""When keys end, on the compacted topic `keys.revocations`: every service refuses a revoked key within a second,
where a copied key file (a Secret of Kubernetes) changes a minute later. Who may write to it can lock users out, and
let no one in. In a container without the key file: `python -m outlay_kit.revocations KEY_ID`."""

import sys
from datetime import datetime

import msgspec

from outlay_kit.broker import Record, deliver
from outlay_kit.clock import Clock, SystemClock
from outlay_kit.kafka import KafkaSink
from outlay_kit.keys import KeyRing
from outlay_kit.settings import KafkaSettings
from outlay_kit.telemetry import get_logger
from outlay_kit.topic_follower import TopicFollower
from outlay_schemas.topics import REVOCATIONS

log = get_logger(__name__)


def publish_end(settings: KafkaSettings, key_id: str, ends: datetime) -> None:
    """Tell every service when a key ends. Raises Retryable if Kafka does not take it."""
    sink = KafkaSink(settings)
    try:
        deliver(sink, REVOCATIONS.name, [msgspec.json.encode(ends)], key_id.encode())
    finally:
        sink.close()


def follow_ends(settings: KafkaSettings, keys: KeyRing, clock: Clock) -> TopicFollower:
    """Keep `keys` informed of revocations."""

    def take(record: Record) -> None:
        try:
            keys.end((record.key or b"").decode(), msgspec.json.decode(record.value, type=datetime))
        except ValueError:
            log.exception("a revocation cannot be read", offset=record.offset)

    return TopicFollower(settings, REVOCATIONS, take, clock).start()


if __name__ == "__main__":
    publish_end(KafkaSettings(), sys.argv[1], SystemClock().now())
