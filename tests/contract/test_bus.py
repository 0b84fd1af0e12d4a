"""What every broker does, the one in memory and Kafka itself: the fake is as good as its passing here."""

import os
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

import pytest

from outlay_kit.clock import FakeClock
from outlay_kit.fakes import FakeBroker, FakeSink, FakeSource
from outlay_kit.kafka import (
    Batch,
    Committable,
    KafkaSink,
    KafkaSource,
    OversizeError,
    Record,
    RecordSink,
    RecordSource,
    create_topics,
    deliver,
)
from outlay_kit.settings import KafkaSettings
from outlay_schemas.topics import Topic


@dataclass
class Bus:
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
def bus(request: pytest.FixtureRequest) -> Iterator[Bus]:
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


def _in_memory() -> Bus:
    broker = FakeBroker(partitions=2)
    clock = FakeClock(datetime(2026, 11, 24, tzinfo=UTC))
    return Bus("t", "g", lambda: FakeSource(broker, "g", ["t"], clock), lambda: FakeSink(broker, 2**20), 0.1)


def _on_kafka(settings: KafkaSettings) -> Bus:
    topic, group = f"contract-{uuid.uuid4().hex}", f"group-{uuid.uuid4().hex}"
    create_topics(settings, [Topic(topic, 2, {"max.message.bytes": str(2**20)})])
    create_topics(settings, [Topic(topic, 2)])  # again: that it is there is no error
    return Bus(
        topic,
        group,
        lambda: KafkaSource(settings, group, [topic], heartbeat_interval_ms=300),
        lambda: KafkaSink(settings, max_request_size=2**20),
        4.0,
    )


def read(
    source: RecordSource, count: int, others: Sequence[RecordSource] = (), seconds: float = 20
) -> list[Record]:
    """Poll until `count` records came, or it takes too long. `others` are polled too, as their processes would."""
    records: list[Record] = []
    until = time.monotonic() + seconds
    while len(records) < count and time.monotonic() < until:
        records += source.poll(0.1).records
        for other in others:
            assert not other.poll(0.05).records
    return records


def test_what_is_sent_is_read_whole_and_in_the_order_of_its_key(bus: Bus) -> None:
    values = [b'{"n":%d}\n{"n":%d}' % (n, n + 1) for n in range(20)]
    bus.send(*values)
    records = read(bus.join(), 20)
    assert [record.value for record in records] == values
    assert {record.key for record in records} == {b"k"}
    assert [record.offset for record in records] == list(range(20))
    assert len({record.partition for record in records}) == 1


def test_what_was_not_committed_is_read_again(bus: Bus) -> None:
    bus.send(b"1", b"2")
    first = bus.join()
    assert len(read(first, 2)) == 2
    first.close()
    assert [r.value for r in read(bus.join(), 2)] == [b"1", b"2"]


def test_what_was_committed_is_not_read_again(bus: Bus) -> None:
    bus.send(b"1", b"2")
    first = bus.join()
    records = read(first, 2)
    first.commit(Batch(records[:1]).committable)
    first.close()
    assert [r.value for r in read(bus.join(), 1)] == [b"2"]


def test_a_commit_of_a_batch_is_the_offset_after_its_last_record() -> None:
    records = [Record("t", 0, 7, b""), Record("t", 0, 8, b""), Record("t", 1, 3, b"")]
    assert Batch(records).committable == Committable({("t", 0): 9, ("t", 1): 4})


def test_a_commit_for_a_partition_of_another_topic_is_left_out(bus: Bus) -> None:
    bus.send(b"1")
    source = bus.join()
    records = read(source, 1)
    source.commit(Committable({("elsewhere", 0): 5, **Batch(records).committable.offsets}))
    source.close()
    assert read(bus.join(), 1, seconds=bus.patience) == []


def test_after_a_rebalance_a_partition_that_moved_is_read_from_what_was_committed(bus: Bus) -> None:
    """By its new owner: repeated, not lost. A member keeps its place in a partition that it keeps."""
    for n in range(20):
        bus.send(b"%d" % n, key=b"%d" % n)
    first = bus.join()
    held = read(first, 20)
    second = bus.join()
    again: list[Record] = []
    until = time.monotonic() + 30
    while len(again) < 10 and time.monotonic() < until:
        assert first.poll(0.1).records == []
        again += second.poll(0.1).records
    moved = {record.partition for record in again}
    assert len(moved) == 1
    assert {r.value for r in again} == {r.value for r in held if r.partition in moved}
    bus.send(*(b"new" for _ in range(20)), key=None)
    fresh: list[Record] = []
    while len(fresh) < 20 and time.monotonic() < until:
        fresh += [*first.poll(0.1).records, *second.poll(0.1).records]
    assert [record.value for record in fresh] == [b"new"] * 20


def test_a_member_that_lost_a_partition_cannot_move_its_offset(bus: Bus) -> None:
    for n in range(20):
        bus.send(b"%d" % n, key=b"%d" % n)
    first = bus.join()
    held = read(first, 20)
    second = bus.join()
    until = time.monotonic() + 30
    fresh: list[Record] = []
    while not fresh and time.monotonic() < until:
        fresh = [*second.poll(0.1).records]
        first.poll(0.1)
    moved = {record.partition for record in fresh}
    first.commit(Batch([r for r in held if r.partition in moved]).committable)
    first.close()
    second.close()
    third = bus.join()
    assert {r.value for r in held if r.partition in moved} <= {
        r.value for r in read(third, 20, seconds=bus.patience)
    }


def test_lag_is_what_is_still_to_be_read(bus: Bus) -> None:
    source = bus.join()
    assert read(source, 1, seconds=bus.patience) == []
    assert source.lag() == 0
    bus.send(b"1", b"2", b"3")
    assert len(read(source, 3)) == 3
    assert source.lag() == 0


def test_a_record_larger_than_the_topic_takes_is_told_and_the_next_goes_through(bus: Bus) -> None:
    sink = bus.producer()
    with pytest.raises(OversizeError):
        deliver(sink, bus.topic, [b"x" * (2 * 2**20)])
    deliver(sink, bus.topic, [b"small"])
    assert [record.value for record in read(bus.join(), 1)] == [b"small"]


def test_records_without_a_key_are_all_read(bus: Bus) -> None:
    bus.send(*[b"%d" % n for n in range(50)], key=None)
    assert {record.value for record in read(bus.join(), 50)} == {b"%d" % n for n in range(50)}


def test_closing_without_having_joined_is_no_error(bus: Bus) -> None:
    bus.join().close()
