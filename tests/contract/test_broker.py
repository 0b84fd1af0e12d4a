"""What every broker does, the one in memory and Kafka itself: the fake is as good as its passing here."""

import os
import threading
import time
import uuid
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime

import pytest
from tests.support.fake_broker import FakeBroker, FakeSink, FakeSource

from outlay_kit.clock import FakeClock
from outlay_kit.errors import Retryable
from outlay_kit.kafka import (
    Batch,
    Committable,
    KafkaSink,
    KafkaSource,
    OversizeError,
    Record,
    RecordSink,
    RecordSource,
    deliver,
)
from outlay_kit.offsets import Offsets
from outlay_kit.settings import KafkaSettings
from outlay_kit.topics import Durability, create_topics
from outlay_schemas.topics import Topic

from kafka import KafkaProducer  # isort: skip (outlay_kit.kafka takes care of its warnings)
from kafka.admin import KafkaAdminClient  # isort: skip


@dataclass
class Broker:
    """A broker with one topic of two partitions."""

    topic: str
    group: str
    source: Callable[[], RecordSource]
    sink: Callable[[], RecordSink]
    patience: float
    """Seconds after which nothing more is expected."""
    opened: list[RecordSource | RecordSink] = field(default_factory=list)

    def join(self) -> RecordSource:
        source = self.source()
        self.opened.append(source)
        return source

    def producer(self) -> RecordSink:
        sink = self.sink()
        self.opened.append(sink)
        return sink

    def send(self, *values: bytes, key: bytes | None = b"k") -> None:
        deliver(self.producer(), self.topic, values, key)

    def close(self) -> None:
        for each in self.opened:
            each.close()


@pytest.fixture(params=["memory", pytest.param("kafka", marks=pytest.mark.stack)])
def broker(request: pytest.FixtureRequest) -> Iterator[Broker]:
    made = _in_memory() if request.param == "memory" else _on_kafka(_settings(request))
    yield made
    made.close()


def _settings(request: pytest.FixtureRequest) -> KafkaSettings:
    """A broker that the environment names, or the stack's."""
    named = os.environ.get("OUTLAY_TEST_KAFKA")
    if named:
        return KafkaSettings(bootstrap=named)
    settings: KafkaSettings = request.getfixturevalue("stack").kafka
    return settings


def _in_memory() -> Broker:
    broker = FakeBroker(partitions=2)
    clock = FakeClock(datetime(2026, 11, 24, tzinfo=UTC))
    return Broker(
        "t", "g", lambda: FakeSource(broker, "g", ["t"], clock), lambda: FakeSink(broker, 2**20), 0.1
    )


def _on_kafka(settings: KafkaSettings) -> Broker:
    topic, group = f"contract-{uuid.uuid4().hex}", f"group-{uuid.uuid4().hex}"
    create_topics(settings, [Topic(topic, 2, {"max.message.bytes": str(2**20)})])
    create_topics(settings, [Topic(topic, 2)])  # again: an existing topic is not an error
    return Broker(
        topic,
        group,
        lambda: KafkaSource(settings, group, [topic], heartbeat_interval_ms=300, metadata_max_age_ms=2000),
        lambda: KafkaSink(settings, max_request_size=2**20),
        4.0,
    )


def read(source: RecordSource, count: int, seconds: float = 20) -> list[Record]:
    """Poll until `count` records came, or it takes too long."""
    records: list[Record] = []
    until = time.monotonic() + seconds
    while len(records) < count and time.monotonic() < until:
        records += source.poll(0.1).records
    return records


def test_what_is_sent_is_read_whole_and_in_the_order_of_its_key(broker: Broker) -> None:
    values = [b'{"n":%d}\n{"n":%d}' % (n, n + 1) for n in range(20)]
    broker.send(*values)
    records = read(broker.join(), 20)
    assert [record.value for record in records] == values
    assert {record.key for record in records} == {b"k"}
    assert [record.offset for record in records] == list(range(20))
    assert len({record.partition for record in records}) == 1


def test_what_was_not_committed_is_read_again(broker: Broker) -> None:
    broker.send(b"1", b"2")
    first = broker.join()
    assert len(read(first, 2)) == 2
    first.close()
    assert [r.value for r in read(broker.join(), 2)] == [b"1", b"2"]


def test_what_was_committed_is_not_read_again(broker: Broker) -> None:
    broker.send(b"1", b"2")
    first = broker.join()
    records = read(first, 2)
    first.commit(Batch(records[:1]).committable)
    first.close()
    assert [r.value for r in read(broker.join(), 1)] == [b"2"]


def test_a_commit_of_a_batch_is_the_offset_after_its_last_record() -> None:
    records = [Record("t", 0, 7, b""), Record("t", 0, 8, b""), Record("t", 1, 3, b"")]
    assert Batch(records).committable == Committable({("t", 0): 9, ("t", 1): 4})


def test_a_commit_for_a_partition_of_another_topic_is_left_out(broker: Broker) -> None:
    broker.send(b"1")
    source = broker.join()
    records = read(source, 1)
    source.commit(Committable({("elsewhere", 0): 5, **Batch(records).committable.offsets}))
    source.close()
    assert read(broker.join(), 1, seconds=broker.patience) == []


class Member:
    """A member of a group that polls all the time, as a service does; each in a thread of its own."""

    def __init__(self, source: RecordSource) -> None:
        self.source = source
        self.records: list[Record] = []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        while not self._stop.is_set():
            self.records += self.source.poll(0.1).records
            time.sleep(0.001)  # the one in memory does not wait

    def stop(self) -> None:
        self._stop.set()
        self._thread.join(timeout=30)


def wait(true: Callable[[], bool], seconds: float = 40) -> None:
    until = time.monotonic() + seconds
    while not true() and time.monotonic() < until:
        time.sleep(0.02)
    assert true()


@pytest.fixture
def pair(broker: Broker) -> Iterator[tuple[Member, Member, list[Record]]]:
    """Two members, each with one partition, after the first had both and read 20 records; and these."""
    for n in range(20):
        broker.send(b"%d" % n, key=b"%d" % n)
    first = broker.join()
    held = read(first, 20)
    members = Member(first), Member(broker.join())
    yield *members, held
    for member in members:
        member.stop()


def moved_to(second: Member, held: list[Record]) -> tuple[set[int], list[Record]]:
    """Wait until the second member has read again all that the first held of its partitions; return these and that."""
    wait(lambda: len(second.records) >= 1)
    moved = {record.partition for record in second.records}
    lost = [record for record in held if record.partition in moved]
    wait(lambda: {record.value for record in second.records} >= {record.value for record in lost})
    return moved, lost


def test_after_a_rebalance_a_partition_that_moved_is_read_from_what_was_committed(
    broker: Broker, pair: tuple[Member, Member, list[Record]]
) -> None:
    """By its new owner: repeated, not lost. And each new record is read by one of the two."""
    first, second, held = pair
    moved, _ = moved_to(second, held)
    broker.send(*(b"new%d" % n for n in range(20)), key=None)
    new = {b"new%d" % n for n in range(20)}
    wait(lambda: {record.value for record in (*first.records, *second.records)} >= new)
    assert {record.partition for record in second.records} == moved


def test_a_member_that_lost_a_partition_cannot_move_its_offset(
    broker: Broker, pair: tuple[Member, Member, list[Record]]
) -> None:
    first, second, held = pair
    wait(lambda: len(second.records) >= 1)
    first.stop()
    moved = {record.partition for record in second.records}
    lost = [record for record in held if record.partition in moved]
    first.source.commit(Batch(lost).committable)
    first.source.close()
    second.stop()
    second.source.close()
    assert {r.value for r in lost} <= {r.value for r in read(broker.join(), 20, seconds=broker.patience)}


def test_work_from_before_a_partition_was_lost_does_not_move_its_offset_back_once_it_is_regained(
    broker: Broker, pair: tuple[Member, Member, list[Record]]
) -> None:
    """Nothing would move it on again until a record comes, and the lag would stay."""
    first, second, held = pair
    moved, lost = moved_to(second, held)
    second.stop()
    second.source.commit(Batch(second.records).committable)
    second.source.close()
    broker.send(b"new", key=lost[0].key)
    wait(lambda: b"new" in {record.value for record in first.records})
    first.stop()
    first.source.commit(Batch(lost[:1]).committable)
    first.source.close()
    left = read(broker.join(), 20, seconds=broker.patience)
    assert [record.value for record in left if record.partition in moved] == [b"new"]


def test_what_cannot_be_committed_during_a_rebalance_is_committed_after_it(broker: Broker) -> None:
    """A partition that stays with its member is not read again: its lag would stay until the next record."""
    broker.send(*(b"%d" % n for n in range(20)), key=None)
    first = broker.join()
    held = read(first, 20)
    second = Member(broker.join())
    wait(lambda: bool(second.records) or _rebalances(first))
    first.commit(Batch(held).committable)
    wait(lambda: first.poll(0.05) == Batch([]) and len(_owned(first)) == 1)
    kept = {place[1] for place in _owned(first)}
    first.poll(0.1)
    second.stop()
    for source in (first, second.source):
        source.close()
    again = {record.partition for record in read(broker.join(), 20, seconds=broker.patience)}
    assert again.isdisjoint(kept)


def _owned(source: RecordSource) -> Collection[tuple[str, int]]:
    found = source._consumer.assignment() if isinstance(source, KafkaSource) else source.assignment()  # type: ignore[attr-defined]
    return set(found)


def _rebalances(source: RecordSource) -> bool:
    """Poll shortly, as within a poll, and tell whether a rebalance is under way that is not complete."""
    if not isinstance(source, KafkaSource):
        return False
    source._consumer.poll(timeout_ms=0)
    return bool(source._consumer._coordinator.rebalance_in_progress())


@pytest.mark.stack
def test_a_topic_that_grows_is_read_whole(request: pytest.FixtureRequest) -> None:
    """Also where a leader's short polls end in the middle of its rejoin."""
    broker = _on_kafka(_settings(request))
    members = [Member(broker.join()) for _ in range(2)]
    broker.send(*(b"old%d" % n for n in range(10)), key=None)
    wait(lambda: sum(len(member.records) for member in members) >= 10)
    admin = KafkaAdminClient(**_settings(request).client_options())
    admin.create_partitions({broker.topic: 4})
    admin.close()
    sink = KafkaProducer(**_settings(request).client_options(), metrics_enabled=False)
    for partition in range(4):
        sink.send(broker.topic, b"%d" % partition, partition=partition)
    sink.close()
    wait(lambda: {b"%d" % n for n in range(4)} <= {r.value for m in members for r in m.records})
    for member in members:
        member.stop()
    broker.close()


def test_lag_is_what_is_still_to_be_read(broker: Broker) -> None:
    source = broker.join()
    assert read(source, 1, seconds=broker.patience) == []
    assert source.lag() == 0
    broker.send(b"1", b"2", b"3")
    assert len(read(source, 3)) == 3
    assert source.lag() == 0


def test_a_record_larger_than_the_topic_takes_is_reported_and_the_next_goes_through(broker: Broker) -> None:
    sink = broker.producer()
    with pytest.raises(OversizeError):
        deliver(sink, broker.topic, [b"x" * (2 * 2**20)])
    deliver(sink, broker.topic, [b"small"])
    assert [record.value for record in read(broker.join(), 1)] == [b"small"]


def test_records_without_a_key_are_all_read(broker: Broker) -> None:
    broker.send(*[b"%d" % n for n in range(50)], key=None)
    assert {record.value for record in read(broker.join(), 50)} == {b"%d" % n for n in range(50)}


def test_closing_without_having_joined_is_no_error(broker: Broker) -> None:
    broker.join().close()


def test_a_topic_has_the_brokers_own_replication_and_one_broker_is_no_reason_to_warn(
    request: pytest.FixtureRequest,
) -> None:
    settings = _settings(request)
    assert create_topics(settings, [Topic(f"contract-{uuid.uuid4().hex}", 2)]) == []
    with pytest.raises(Retryable, match="replication factor"):
        create_topics(settings, [Topic(f"contract-{uuid.uuid4().hex}", 1)], Durability(replication_factor=2))


def test_a_topic_of_an_older_release_is_made_to_take_larger_records(request: pytest.FixtureRequest) -> None:
    settings = _settings(request)
    name = f"contract-{uuid.uuid4().hex}"
    create_topics(settings, [Topic(name, 1, {"max.message.bytes": str(2**20)})])
    create_topics(settings, [Topic(name, 1, {"max.message.bytes": str(3 * 2**20)})])
    create_topics(settings, [Topic(name, 1, {"max.message.bytes": str(2**20)})])  # never smaller
    sink = KafkaSink(settings, compression_type=None)
    deliver(sink, name, [b"x" * 2 * 2**20])
    sink.close()


def test_what_is_only_noted_as_handled_is_read_again(broker: Broker) -> None:
    broker.send(b"1", b"2", b"3")
    first = broker.join()
    records = read(first, 3)
    first.commit(Batch(records[:1]).committable)
    first.commit(Committable({}, Batch(records).committable.offsets))
    first.close()
    assert [r.value for r in read(broker.join(), 2)] == [b"2", b"3"]


@pytest.mark.stack
def test_others_see_what_is_handled_and_what_is_committed(request: pytest.FixtureRequest) -> None:
    settings = _settings(request)
    broker, offsets = _on_kafka(settings), Offsets(settings)
    broker.send(b"1", b"2", b"3")
    source = broker.join()
    records = read(source, 3)
    number = records[0].partition
    source.commit(Committable({}, Batch(records).committable.offsets))
    assert (
        offsets.handled(broker.group, broker.topic) == {}
    )  # beside what no one committed yet nothing is noted
    source.commit(Batch(records[:1]).committable)
    assert offsets.handled(broker.group, broker.topic) == {number: 1}
    source.commit(Committable({}, Batch(records).committable.offsets))
    assert offsets.handled(broker.group, broker.topic) == {number: 3}
    assert offsets.committed(broker.group, broker.topic)[number] == 1
    source.commit(Batch(records).committable)
    assert offsets.committed(broker.group, broker.topic)[number] == 3
    broker.close()
    offsets.close()
