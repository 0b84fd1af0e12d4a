"""Reads offsets of topics and groups, and records between them, by a client outside of any group."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from typing import Any, Protocol

from outlay_kit.errors import Retryable
from outlay_kit.kafka import READ, Record, record_of, said
from outlay_kit.settings import KafkaSettings
from outlay_schemas.topics import USAGE_EVENTS, usage_topics

from kafka import KafkaConsumer, TopicPartition  # isort: skip (outlay_kit.kafka takes care of its warnings)
from kafka.errors import KafkaError, KafkaTimeoutError, UnknownTopicOrPartitionError  # isort: skip

Places = Mapping[int, int]
"""An offset for each partition of a topic."""

_TIMEOUT_MS = 10_000
_POLL_MS = 500
_PATIENCE_POLLS = 60


class Positions(Protocol):
    """Offsets of topics and groups. Every method raises Retryable if Kafka is unavailable."""

    def topics(self) -> Sequence[str]:
        """Return the names of the topics that this client may see."""

    def ends(self, topic: str) -> Places:
        """Return the offset that the next record will have."""

    def committed(self, group: str, topic: str) -> Places:
        """Return the offset that `group` reads next: the oldest if it committed none yet."""


class Offsets:
    """Reads offsets, and records between them. Every method raises Retryable if Kafka is unavailable."""

    def __init__(self, settings: KafkaSettings) -> None:
        self._settings = settings
        self._clients: dict[str, Any] = {}

    def topics(self) -> Sequence[str]:
        """Return the names of the topics that this client may see."""
        with self._client() as client:
            return sorted(client.topics())

    def starts(self, topic: str) -> Places:
        """Return the offset of the oldest record that is kept."""
        return self._ask(topic, "beginning_offsets")

    def ends(self, topic: str) -> Places:
        """Return the offset that the next record will have."""
        return self._ask(topic, "end_offsets")

    def committed(self, group: str, topic: str) -> Places:
        """Return the offset that `group` reads next: the oldest if it committed none yet."""
        starts = self.starts(topic)
        with self._client(group) as client:
            found = {p: client.committed(TopicPartition(topic, p), timeout_ms=_TIMEOUT_MS) for p in starts}
        return {p: max(starts[p], offset or 0) for p, offset in found.items()}

    def handled(self, group: str, topic: str) -> Places:
        """Return the offset up to which `group` handled records: past the committed one where a part of the work waits
        (docs/adr/0013)."""
        with self._client(group) as client:
            partitions = client.partitions_for_topic(topic) or ()
            found = {
                p: client.committed(TopicPartition(topic, p), metadata=True, timeout_ms=_TIMEOUT_MS)
                for p in partitions
            }
        return {p: _handled(at.offset, at.metadata) for p, at in found.items() if at is not None}

    def read(self, topic: str, low: Places, high: Places, on_record: Callable[[Record], None]) -> None:
        """Feed every record from `low` up to, not including, `high` to `on_record`. Raises Retryable also if nothing
        arrives for `_PATIENCE_POLLS` polls: a lost broker does not answer."""
        left = {TopicPartition(topic, p): end for p, end in high.items() if low[p] < end}
        if not left:
            return
        with self._client() as client:
            client.assign(list(left))
            for partition in left:
                client.seek(partition, low[partition.partition])
            silent = 0
            while left:
                answer = client.poll(timeout_ms=_POLL_MS)
                silent = 0 if answer else silent + 1
                if silent > _PATIENCE_POLLS:
                    raise KafkaTimeoutError(f"{topic} could not be read to its end")
                for partition, records in answer.items():
                    for r in records:
                        if partition in left and r.offset < left[partition]:
                            on_record(record_of(r))
                left = {p: end for p, end in left.items() if client.position(p, timeout_ms=_TIMEOUT_MS) < end}

    def close(self) -> None:
        """Close the clients."""
        for client in self._clients.values():
            client.close(autocommit=False)
        self._clients.clear()

    def _ask(self, topic: str, method: str) -> Places:
        with self._client() as client:
            partitions = [
                TopicPartition(topic, number) for number in client.partitions_for_topic(topic) or ()
            ]
            if not partitions:
                raise UnknownTopicOrPartitionError(f"{topic} does not exist yet")
            found = getattr(client, method)(partitions, timeout_ms=_TIMEOUT_MS)
        return {partition.partition: offset for partition, offset in found.items()}

    @contextmanager
    def _client(self, group: str = "") -> Iterator[Any]:
        """Yield the client of a group; after an error the next call connects again."""
        try:
            if group not in self._clients:
                options = {**READ, **self._settings.client_options(), "group_id": group or None}
                self._clients[group] = KafkaConsumer(**options)
            yield self._clients[group]
        except KafkaError as error:
            if client := self._clients.pop(group, None):
                client.close(autocommit=False)
            raise Retryable(f"Kafka did not answer: {said(error)}") from error


class Committed:
    """What a group has committed. Of a topic that it has read to the end it is asked again when records have come."""

    def __init__(self, positions: Positions, group: str) -> None:
        self._positions, self._group = positions, group
        self._done: dict[str, tuple[Places, Places]] = {}
        """By topic, the ends up to which all was committed, and what was."""

    def of(self, topic: str, ends: Places) -> Places:
        """Return the offset that the group reads next of a topic that ends at `ends`. Raises Retryable."""
        known, at = self._done.get(topic, ({}, {}))
        if ends == known:
            return at
        at = self._positions.committed(self._group, topic)
        if not behind(at, ends):
            self._done[topic] = (ends, at)
        return at


def _handled(offset: int, noted: str) -> int:
    """Return the offset that is noted beside a committed one; other programs may note anything."""
    return max(offset, int(noted)) if noted.isascii() and noted.isdigit() and len(noted) < 20 else offset


def read_whole(settings: KafkaSettings, topic: str, on_record: Callable[[Record], None]) -> None:
    """Feed every record that `topic` holds now to `on_record`. Raises Retryable, also if there is no such topic."""
    with closing(Offsets(settings)) as offsets:
        offsets.read(topic, offsets.starts(topic), offsets.ends(topic), on_record)


def behind(at: Places, end: Places) -> int:
    """Return how many records `at` is behind `end`."""
    return sum(max(0, offset - at.get(partition, 0)) for partition, offset in end.items())


def committed_lag(settings: KafkaSettings, group: str, topics: Sequence[str]) -> int:
    """Return how many records a group has not committed yet, those of tenants' topics too. Raises Retryable."""
    with closing(Offsets(settings)) as offsets:
        own = usage_topics(offsets.topics()) if USAGE_EVENTS.name in topics else {}
        return sum(behind(offsets.committed(group, t), offsets.ends(t)) for t in {*topics, *own})
