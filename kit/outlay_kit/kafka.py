"""Kafka behind the ports of `broker`, on kafka-python."""

import threading
import time
import warnings
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from typing import Any, TypeVar

from outlay_kit.broker import (
    Batch,
    Committable,
    OversizeError,
    Partition,
    Record,
    RecordSink,
    RecordSource,
    deliver,
)
from outlay_kit.errors import Refused, Retryable
from outlay_kit.settings import KafkaSettings
from outlay_kit.telemetry import get_logger
from outlay_schemas.topics import MAX_RECORD_BYTES, Topic

with warnings.catch_warnings():  # kafka-python 3.0.12 reads its schemas in a way that Python 3.11 warns of
    warnings.filterwarnings("ignore", r"(read|open)_text is deprecated", DeprecationWarning)
    from kafka import ConsumerRebalanceListener, KafkaConsumer, KafkaProducer, TopicPartition
    from kafka.errors import (
        CommitFailedError,
        IllegalArgumentError,
        IllegalGenerationError,
        IllegalStateError,
        KafkaConfigurationError,
        KafkaError,
        MessageSizeTooLargeError,
        RebalanceInProgressError,
        RecordListTooLargeError,
        SaslAuthenticationFailedError,
        UnknownMemberIdError,
        UnsupportedCodecError,
    )
    from kafka.net.inet import KafkaNetSocket
    from kafka.net.selector import NetworkSelector
    from kafka.net.transport import KafkaSSLTransport, KafkaTCPTransport
    from kafka.structs import OffsetAndMetadata

__all__ = [
    "Batch", "Committable", "KafkaSink", "KafkaSource", "OversizeError", "Partition", "Record", "RecordSink",
    "RecordSource", "deliver", "follow",
]  # fmt: skip

log = get_logger(__name__)

_LOST = (CommitFailedError, IllegalGenerationError, RebalanceInProgressError, UnknownMemberIdError)
_OURS = (IllegalArgumentError, IllegalStateError, KafkaConfigurationError)
"""Our own mistakes, which no retry fixes: they end the process."""
_BUSY_SECONDS, _BUSY_WAIT_MS, _IDLE_WAIT_MS = 5.0, 100, 2000
_FOLLOWING_WAIT_MS = 10_000
"""Longer than a group's: what a follower reads never moves to another."""
_BUSY_POLL_MS, _IDLE_POLL_MS = 300, 3000
READ: dict[str, object] = {
    "enable_auto_commit": False,
    "auto_offset_reset": "earliest",
    "allow_auto_create_topics": False,
    "max_partition_fetch_bytes": MAX_RECORD_BYTES,
    "fetch_max_wait_ms": _BUSY_WAIT_MS,
    "metrics_enabled": False,
}
"""Options of every consumer."""
_REBALANCE_MS = 10_000
"""How long one `poll` waits for the other members, which answer after their batch."""
_OVERSIZE = (MessageSizeTooLargeError, RecordListTooLargeError)


_T = TypeVar("_T")


def _or_close(
    step: Callable[..., Awaitable[_T]], close: Callable[..., object]
) -> Callable[..., Awaitable[_T]]:
    async def guarded(*args: Any, **options: Any) -> _T:
        try:
            return await step(*args, **options)
        except BaseException:
            close(*args)
            raise

    return guarded


def _close_now(transport: Any) -> None:
    """Send what the socket takes now, and close it: no loop is left to send the rest."""
    _close(transport)
    if transport._sock is not None:  # noqa: SLF001
        transport._sock_send()  # noqa: SLF001
        transport._close()  # noqa: SLF001


# kafka-python 3.0.12 leaves these sockets to the garbage collector: of a connection that was refused, took too long or
# is no longer wanted; of a TLS handshake that failed; and of a client that closes while a request waits to be sent.
KafkaNetSocket.sock_connect = _or_close(KafkaNetSocket.sock_connect, lambda _, __, sock, *___: sock.close())
KafkaSSLTransport.handshake = _or_close(KafkaSSLTransport.handshake, lambda transport: transport._close())  # noqa: SLF001
_close = KafkaTCPTransport.close
KafkaTCPTransport.close = _close_now
# It warns of each step that took 0.1 s by the wall clock: on a busy machine that says nothing of the program.
NetworkSelector.DEFAULT_CONFIG["slow_task_threshold_secs"] = 0


class _Assigned(ConsumerRebalanceListener):  # type: ignore[misc]
    """Calls `act` when partitions are assigned."""

    def __init__(self, act: Callable[[], object]) -> None:
        self._act = act

    def on_partitions_revoked(self, revoked: object) -> None:
        """Do nothing: what this member had is looked up again once partitions are assigned."""

    def on_partitions_assigned(self, assigned: object) -> None:
        """Call it."""
        self._act()


class _FetchWait:
    """How long Kafka holds back the answer to a fetch when there is nothing new: longer while nothing comes.

    A record ends the wait at once, but one of a partition whose records were just handed out is only asked for with the
    next fetch. While records come that must be soon; while none come it never happens. A partition that a group has
    just assigned waits for the end of the fetch under way.
    """

    def __init__(self, consumer: Any, idle_ms: int = _IDLE_WAIT_MS) -> None:
        self._config: dict[str, object] = consumer._fetcher.config  # noqa: SLF001 (kafka-python reads it for each fetch)
        self._idle_ms = idle_ms
        self._until = 0.0

    def note(self, *, came: bool) -> None:
        """Note whether the last poll brought records."""
        if came:
            self._until = time.monotonic() + _BUSY_SECONDS
        self._config["fetch_max_wait_ms"] = _BUSY_WAIT_MS if self.busy() else self._idle_ms

    def busy(self) -> bool:
        """Return whether records came a few seconds ago."""
        return time.monotonic() < self._until


class KafkaSource:
    """A member of a consumer group, on kafka-python; auto-commit off."""

    def __init__(self, settings: KafkaSettings, group: str, topics: Sequence[str], **options: object) -> None:
        defaults: dict[str, object] = {
            **READ,
            "max_poll_records": 1000,
            "session_timeout_ms": 10_000,
        }
        self._floors: dict[TopicPartition, int] = {}
        """By partition, what was committed when it was assigned, or by this member since."""
        self._dropped: Committable | None = None
        """What could not be committed during a rebalance."""
        with away(f"Kafka does not answer at {settings.bootstrap}"):
            self._consumer: Any = KafkaConsumer(
                group_id=group, **{**defaults, **settings.client_options(), **options}
            )
            self._wait = _FetchWait(self._consumer)
            try:
                self._subscribe(topics)
            except BaseException:
                self._consumer.close(autocommit=False, timeout_ms=1000)
                raise

    def _subscribe(self, topics: Sequence[str]) -> None:
        """Join once the partitions are known: a leader that joins before that assigns none."""
        require(self._consumer, topics)
        self._consumer.subscribe(list(topics), listener=_Assigned(self._floors.clear))

    def poll(self, timeout: float) -> Batch:
        """Return what arrives within `timeout` seconds."""
        with away("Kafka does not answer"):
            self._finish_rejoin()
        if self._dropped is not None:
            self.commit(self._dropped)
        with away("Kafka does not answer"):
            answer = self._consumer.poll(timeout_ms=int(timeout * 1000))
        self._wait.note(came=bool(answer))
        return Batch([record_of(r) for part in answer.values() for r in part])

    def _finish_rejoin(self) -> None:
        """Wait for the end of a rebalance, which kafka-python 3.0.12 otherwise forgets. If `poll` returns during a
        rejoin, the next one drops the answer and joins again, which disturbs all members, without end if polls are
        short; a leader that rejoins because its topic grew would own nothing, silently."""
        coordinator = self._consumer._coordinator  # noqa: SLF001 (there is no other way to know)
        if coordinator.rejoining and not coordinator.need_rejoin():
            coordinator.request_rejoin()
        if coordinator.need_rejoin():
            coordinator.ensure_active_group(timeout_ms=_REBALANCE_MS)

    def commit(self, committable: Committable) -> None:
        """Commit for the partitions still owned; if one was lost, its new owner repeats the work. During a rebalance,
        which only `poll` completes, nothing can be committed: the next `poll` does that first, for a partition that
        stays is not read again.

        No offset is moved back: work of before a partition was lost, which ends after it is regained, is behind what
        the owner between committed, and nothing would move it on again before the next record.
        """
        if self._dropped is not None:
            before = self._dropped
            committable = Committable(
                {**before.offsets, **committable.offsets}, {**before.handled, **committable.handled}
            )
        owned = self._consumer.assignment()
        places = {**committable.handled, **committable.offsets}
        with away("offsets could not be committed"):
            try:
                offsets = {
                    partition: found
                    for place in places
                    if (partition := TopicPartition(*place)) in owned
                    and places[place] > self._floor(partition)
                    and (found := self._committed(place, committable)) is not None
                }
                if offsets:
                    self._consumer.commit(offsets, timeout_ms=15_000)
                    self._floors |= {partition: found.offset for partition, found in offsets.items()}
                self._dropped = None
            except _LOST:
                self._dropped = committable
                log.info("the group is rebalancing: what stays with this member is committed after that")

    def _floor(self, partition: "TopicPartition") -> int:
        """Return what is committed for a partition that this member owns, asked for once; -1: nothing."""
        if partition not in self._floors:
            found = self._consumer.committed(partition, timeout_ms=15_000)
            self._floors[partition] = -1 if found is None else found
        return self._floors[partition]

    def _committed(self, place: Partition, committable: Committable) -> "OffsetAndMetadata | None":
        """Return what to commit for a partition; None if nothing was committed yet, and nothing is to be."""
        offset = committable.offsets.get(place, self._floor(TopicPartition(*place)))
        if offset < 0:
            return None
        handled = committable.handled.get(place)
        return OffsetAndMetadata(offset, "" if handled is None else str(handled), -1)

    def owned(self, topic: str) -> set[int]:
        """Return the partitions of a topic that this member owns, as far as it knows."""
        return {part.partition for part in self._consumer.assignment() if part.topic == topic}

    def lag(self) -> int:
        """Return the records still to be read, by the newest high-water marks seen."""
        total = 0
        with away("Kafka does not answer"):
            for partition in self._consumer.assignment():
                high = self._consumer.highwater(partition)
                if high is None:  # nothing was fetched yet, so that its position may have to be asked for
                    continue
                total += max(0, high - (self._consumer.position(partition, timeout_ms=1000) or 0))
        return total

    def close(self) -> None:
        """Leave the group, without committing."""
        try:
            self._consumer.close(autocommit=False, timeout_ms=5000)
        except KafkaError as error:
            log.warning("left the group without a goodbye", error=str(error))


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
        with away(f"Kafka does not answer at {settings.bootstrap}"):
            self._producer: Any = KafkaProducer(**{**defaults, **settings.client_options(), **options})

    def send(
        self,
        topic: str,
        value: bytes,
        key: bytes | None = None,
        headers: Sequence[tuple[str, bytes]] = (),
        partition: int | None = None,
    ) -> "Future[None]":
        """Start a delivery; the future is done when all in-sync replicas have it."""
        outcome: Future[None] = Future()
        try:
            sent = self._producer.send(
                topic, value=value, key=key, headers=list(headers), partition=partition
            )
        except KafkaError as error:
            outcome.set_exception(_as_ours(error))
            return outcome
        sent.add_callback(lambda _: outcome.set_result(None))
        sent.add_errback(lambda error: outcome.set_exception(_as_ours(error)))
        return outcome

    def require(self, topics: Sequence[str]) -> None:
        """Fetch the metadata of `topics`, so that no `send` has to wait for it. Raises Retryable."""
        with away("Kafka does not answer"):
            for topic in topics:
                self._producer.partitions_for(topic)

    def partitions(self, topic: str) -> int:
        """Return how many partitions a topic has. Raises Retryable."""
        with away("Kafka does not answer"):
            return len(self._producer.partitions_for(topic))

    def close(self) -> None:
        """Deliver the records under way, within 10 seconds."""
        try:
            self._producer.close(timeout=10)
        except KafkaError as error:
            log.warning("closed with records under way", error=str(error))


@contextmanager
def away(what: str) -> Iterator[None]:
    """Raise Retryable for the errors of Kafka's client, except for our own mistakes."""
    try:
        yield
    except _OURS:
        raise
    except UnsupportedCodecError as error:
        remedy = (
            "Install its library (pip install outlay-kit has all), or let the producer use gzip, lz4 or zstd"
        )
        raise Refused(f"a record cannot be read: {error}. {remedy}") from error
    except SaslAuthenticationFailedError as error:
        raise Refused(f"{what}: {error}. Check OUTLAY_KAFKA_USERNAME and OUTLAY_KAFKA_PASSWORD") from error
    except KafkaError as error:
        raise Retryable(f"{what}: {said(error)}") from error


def said(error: KafkaError) -> str:
    """Return what a client's error says, without the name of its class."""
    return Exception.__str__(error) or type(error).__name__


def record_of(found: Any) -> Record:
    """Return a record as kafka-python read it."""
    return Record(found.topic, found.partition, found.offset, found.value or b"", found.key, found.headers)


def _as_ours(error: BaseException) -> BaseException:
    if isinstance(error, _OVERSIZE):
        return OversizeError(str(error))
    if isinstance(error, _OURS) or not isinstance(error, KafkaError):
        return error
    return Retryable(f"Kafka did not take the record: {said(error)}")


def follow(
    settings: KafkaSettings, topics: Sequence[Topic], on_records: Callable[[Sequence[Record]], object],
    stop: Callable[[], bool], *, newest: bool = False, most: int | None = None,
    caught_up: Callable[[], object] = lambda: None,
) -> None:  # fmt: skip
    """Feed the records of topics to `on_records` until `stop()`: all, or with `newest` those that come from now on.
    Without a group: every process reads it all. `caught_up` is called once what is there now has been read. With
    `most` it is a sample for people, not for counting: a reader that falls behind (`most` records at once) skips to
    the end. Raises Retryable only at the start. `stop` is asked every few seconds while nothing comes."""
    options = {**settings.client_options(), **READ, "max_poll_records": most or 500}
    with away(f"Kafka does not answer at {settings.bootstrap}"):
        consumer: Any = KafkaConsumer(**options)
    wait = _FetchWait(consumer, _FOLLOWING_WAIT_MS)
    try:
        with away("Kafka does not answer"):
            require(consumer, topics)
            consumer.assign(
                [TopicPartition(topic.name, n) for topic in topics for n in range(topic.partitions)]
            )
            (consumer.seek_to_end if newest else consumer.seek_to_beginning)()
            left = dict(consumer.end_offsets(consumer.assignment()))
        behind = True
        while not stop():
            try:
                left = {
                    p: end for p, end in left.items() if (consumer.position(p, timeout_ms=1000) or 0) < end
                }
                if behind and not left:
                    behind = False
                    caught_up()
                patience = _BUSY_POLL_MS if behind or wait.busy() else _IDLE_POLL_MS
                found = consumer.poll(timeout_ms=patience)
                records = [record_of(r) for part in found.values() for r in part]
                wait.note(came=bool(records))
                if most and len(records) >= most:
                    consumer.seek_to_end()
            except KafkaError:
                log.warning(
                    "dependency unavailable, retrying to read", topics=[topic.name for topic in topics]
                )
                threading.Event().wait(0.5)
                continue
            if records:
                on_records(records)
    finally:
        consumer.close(autocommit=False)


def require(consumer: Any, topics: Iterable[Topic | str]) -> None:
    """Raise Retryable unless the topics exist."""
    for name in (topic if isinstance(topic, str) else topic.name for topic in topics):
        if not consumer.partitions_for_topic(name):
            raise Retryable(f"topic {name} does not exist yet; create it with: outlay setup")
