"""The broker as services see it. The rule for offsets is a type: `commit` takes a `Committable`, which only a `Batch`
that was read creates. A service commits after its work is durable: a crash repeats work and loses none."""

from collections.abc import Collection, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Protocol

from outlay_kit.errors import Retryable
from outlay_kit.failpoints import failpoint

Partition = tuple[str, int]
"""A topic and the number of one of its partitions."""


@dataclass(frozen=True, slots=True)
class Record:
    """One Kafka record: a place and its bytes (one JSON object, or many, one a line)."""

    topic: str
    partition: int
    offset: int
    value: bytes
    key: bytes | None = None
    headers: Sequence[tuple[str, bytes]] = ()


@dataclass(frozen=True, slots=True)
class Committable:
    """The next offset to read of each partition, once everything before it is durable."""

    offsets: Mapping[Partition, int]
    handled: Mapping[Partition, int] = field(default_factory=dict)
    """The next offset of partitions whose records were handled, though a part of the work waits: noted with the
    offset that is committed, which stays."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Records that are worked on together."""

    records: Sequence[Record]

    @property
    def committable(self) -> Committable:
        """The offsets to commit when the whole batch is durable."""
        offsets: dict[Partition, int] = {}
        for record in self.records:
            place = (record.topic, record.partition)
            offsets[place] = max(offsets.get(place, 0), record.offset + 1)
        return Committable(offsets)


class RecordSource(Protocol):
    """A member of a consumer group."""

    def poll(self, timeout: float) -> Batch:
        """Return the records that arrive within `timeout` seconds. Raises Retryable."""

    def commit(self, committable: Committable) -> None:
        """Commit, for the partitions still owned. Raises Retryable."""

    def owned(self, topic: str) -> Collection[int]:
        """Return the partitions of a topic that this member owns, as far as it knows."""

    def lag(self) -> int:
        """Return how many records of the owned partitions are not read yet, as far as known."""

    def close(self) -> None:
        """Leave the group, without committing."""


class RecordSink(Protocol):
    """A producer."""

    def send(
        self,
        topic: str,
        value: bytes,
        key: bytes | None = None,
        headers: Sequence[tuple[str, bytes]] = (),
        partition: int | None = None,
    ) -> "Future[None]":
        """Start a delivery to all in-sync replicas. The future fails with Retryable, or OversizeError."""

    def close(self) -> None:
        """Deliver the records under way, within a few seconds."""


class OversizeError(Exception):
    """A record is larger than the topic allows; no retry helps."""


def deliver(
    sink: RecordSink,
    topic: str,
    values: Sequence[bytes],
    key: bytes | None = None,
    partition: int | None = None,
) -> None:
    """Send `values` and wait until each is durable. Raises Retryable or OversizeError."""
    failpoint("store_step")
    try:
        for future in [sink.send(topic, value, key, (), partition) for value in values]:
            future.result(timeout=120)
    except TimeoutError as error:
        raise Retryable(f"Kafka did not take the records of {topic} within 120 s") from error
    failpoint("store_step")
