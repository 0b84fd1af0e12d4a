"""A broker in memory that behaves as Kafka does where it matters: groups, rebalances, commits, lag.

It passes the contract suite that the real one passes (tests/contract/test_broker.py).
"""

import zlib
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field

from outlay_kit.clock import Clock
from outlay_kit.errors import Retryable
from outlay_kit.kafka import Batch, Committable, OversizeError, Partition, Record
from outlay_schemas.topics import MAX_RECORD_BYTES


@dataclass
class _Group:
    generation: int = 0
    members: list["FakeSource"] = field(default_factory=list)
    committed: dict[Partition, int] = field(default_factory=dict)


class FakeBroker:
    """Topics, their records and their consumer groups."""

    def __init__(self, partitions: int = 2) -> None:
        self.partitions = partitions
        self._logs: dict[Partition, list[Record]] = {}
        self._groups: dict[str, _Group] = {}
        self._turn = 0
        self.away = False
        """While True every call raises Retryable, as with no broker."""

    def append(
        self,
        topic: str,
        value: bytes,
        key: bytes | None = None,
        headers: Sequence[tuple[str, bytes]] = (),
        partition: int | None = None,
    ) -> Record:
        """Write a record: to `partition`, to that of its key, or to each in turn."""
        if key is None and partition is None:
            self._turn += 1
        turn = self._turn if key is None else zlib.crc32(key)
        number = turn % self.partitions if partition is None else partition
        log = self._logs.setdefault((topic, number), [])
        record = Record(topic, number, len(log), value, key, headers)
        log.append(record)
        return record

    def records(self, topic: str) -> list[Record]:
        """Return all records of a topic, partition by partition."""
        return [r for number in range(self.partitions) for r in self._logs.get((topic, number), [])]

    def committed(self, group: str) -> dict[Partition, int]:
        """Return the next offset of each partition that the group committed."""
        return dict(self._group(group).committed)

    def behind(self, group: str, topics: Sequence[str]) -> int:
        """Return how many records of `topics` the group has not committed."""
        at = self.committed(group)
        return sum(len(log) - at.get(place, 0) for place, log in self._logs.items() if place[0] in topics)

    def rewind(self, group: str) -> None:
        """Forget the group's commits, as an operator does to replay; members join again."""
        state = self._group(group)
        state.committed.clear()
        state.members.clear()
        state.generation += 1

    def evict(self, source: "FakeSource") -> None:
        """Take a member out of its group, as the broker does with one that is silent for too long."""
        state = self._group(source.group)
        if source in state.members:
            state.members.remove(source)
            state.generation += 1

    def check(self) -> None:
        """Raise Retryable while away."""
        if self.away:
            raise Retryable("the fake broker is away")

    def _group(self, name: str) -> _Group:
        return self._groups.setdefault(name, _Group())

    def join(self, source: "FakeSource") -> tuple[int, list[Partition]]:
        """Return the generation of the group and what is `source`'s; who joins starts a new generation."""
        state = self._group(source.group)
        if source not in state.members:
            state.members.append(source)
            state.generation += 1
        everything = [(topic, n) for topic in source.topics for n in range(self.partitions)]
        mine = state.members.index(source)
        count = len(state.members)
        return state.generation, [p for i, p in enumerate(everything) if i % count == mine]

    def member(self, source: "FakeSource") -> bool:
        """Whether `source` is a member of its group: not, if it never joined or was put out."""
        return source in self._group(source.group).members

    def current(self, source: "FakeSource", generation: int) -> bool:
        """Whether `source` is a member of the group in its newest generation."""
        state = self._group(source.group)
        return source in state.members and state.generation == generation

    def commit(self, group: str, offsets: dict[Partition, int]) -> None:
        """Keep the offsets of a group."""
        self._group(group).committed.update(offsets)

    def log(self, partition: Partition) -> list[Record]:
        """Return the records of a partition."""
        return self._logs.get(partition, [])


class FakeSource:
    """A member of a group on a FakeBroker."""

    def __init__(
        self, broker: FakeBroker, group: str, topics: Sequence[str], clock: Clock, max_records: int = 100
    ) -> None:
        self.group = group
        self.topics = tuple(topics)
        self._broker = broker
        self._clock = clock
        self._max = max_records
        self._generation = -1
        self._positions: dict[Partition, int] = {}
        self._dropped: dict[Partition, int] = {}
        self.closed = False

    def poll(self, timeout: float) -> Batch:
        """Return what is there; if nothing is, let `timeout` seconds pass on the clock."""
        self._broker.check()
        if not self._broker.current(self, self._generation):
            self._rejoin()
            if self._dropped:
                self.commit(Committable(self._dropped))
        found: list[Record] = []
        for partition, position in self._positions.items():
            fresh = self._broker.log(partition)[position : position + self._max - len(found)]
            self._positions[partition] = position + len(fresh)
            found += fresh
        if not found:
            self._clock.sleep(timeout)
        return Batch(found)

    def commit(self, committable: Committable) -> None:
        """Commit for the partitions still owned, never back; from an old generation at the next `poll`."""
        self._broker.check()
        if not self._broker.current(self, self._generation):
            self._dropped |= committable.offsets
            return
        self._dropped = {}
        known = self._broker.committed(self.group)
        mine = {
            p: offset
            for p, offset in committable.offsets.items()
            if p in self._positions and offset > known.get(p, -1)
        }
        self._broker.commit(self.group, mine)

    def lag(self) -> int:
        """Return the records of the owned partitions still to be read."""
        self._broker.check()
        return sum(len(self._broker.log(p)) - position for p, position in self._positions.items())

    def owned(self, topic: str) -> set[int]:
        """Return the partitions of a topic that are owned, as far as this member knows."""
        return {number for name, number in self._positions if name == topic}

    def assignment(self) -> set[Partition]:
        """Return the partitions owned, as far as this member knows."""
        return set(self._positions)

    def close(self) -> None:
        """Leave the group, without committing."""
        self.closed = True
        self._broker.evict(self)

    def _rejoin(self) -> None:
        """Keep the place in partitions kept; begin at what was committed in those that are new."""
        kept = self._positions if self._broker.member(self) else {}
        self._generation, mine = self._broker.join(self)
        committed = self._broker.committed(self.group)
        self._positions = {p: kept.get(p, committed.get(p, 0)) for p in mine}


class FakeSink:
    """A producer to a FakeBroker."""

    def __init__(self, broker: FakeBroker, max_bytes: int = MAX_RECORD_BYTES) -> None:
        self._broker = broker
        self._max_bytes = max_bytes
        self.closed = False

    def send(
        self,
        topic: str,
        value: bytes,
        key: bytes | None = None,
        headers: Sequence[tuple[str, bytes]] = (),
        partition: int | None = None,
    ) -> "Future[None]":
        """Write at once."""
        outcome: Future[None] = Future()
        if len(value) > self._max_bytes:
            outcome.set_exception(OversizeError(f"{len(value)} bytes; at most {self._max_bytes}"))
        elif self._broker.away:
            outcome.set_exception(Retryable("the fake broker is away"))
        else:
            self._broker.append(topic, value, key, headers, partition)
            outcome.set_result(None)
        return outcome

    def close(self) -> None:
        """Do no more."""
        self.closed = True
