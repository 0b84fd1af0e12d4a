"""P8: offsets are committed only after the work, only for owned partitions. One test for each way to fail."""

import itertools
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from tests.support.fake_broker import FakeBroker, FakeSource

from outlay_kit.backoff import Backoff
from outlay_kit.clock import FakeClock
from outlay_kit.errors import Retryable
from outlay_kit.health import Health
from outlay_kit.kafka import Batch, Committable
from outlay_kit.loop import Bounds, Loop, Stop, Stopped, Timer, persist

START = datetime(2026, 11, 24, tzinfo=UTC)


class Rig:
    """A loop on a fake broker."""

    def __init__(self, partitions: int = 1) -> None:
        self.clock = FakeClock(START)
        self.broker = FakeBroker(partitions)
        self.stop = Stop()
        self.health = Health(self.clock, 60)
        self.source = FakeSource(self.broker, "g", ["t"], self.clock)
        self.seen: list[bytes] = []

    def loop(self, handle: Callable[[Batch], None] | None = None, **options: object) -> Loop:
        return Loop(
            self.source,
            handle or self.handle,
            clock=self.clock,
            health=self.health,
            stop=self.stop,
            **options,  # type: ignore[arg-type]
        )

    def handle(self, batch: Batch) -> None:
        self.seen += [record.value for record in batch.records]
        self.stop.ask()

    def committed(self) -> int:
        return sum(self.broker.committed("g").values())


def test_a_handled_batch_is_committed_and_the_group_left() -> None:
    rig = Rig()
    rig.broker.append("t", b"1")
    rig.loop().run()
    assert rig.seen == [b"1"]
    assert rig.broker.committed("g") == {("t", 0): 1}
    assert rig.source.closed


def test_nothing_is_committed_while_the_work_is_under_way() -> None:
    rig = Rig()
    rig.broker.append("t", b"1")

    def handle(batch: Batch) -> None:
        assert rig.committed() == 0
        rig.handle(batch)

    rig.loop(handle).run()
    assert rig.committed() == 1


def test_a_bug_in_the_work_commits_nothing_and_ends_the_process() -> None:
    rig = Rig()
    rig.broker.append("t", b"1")

    def handle(batch: Batch) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        rig.loop(handle).run()
    assert rig.committed() == 0
    assert rig.source.closed


def test_a_dependency_that_is_away_is_waited_for_and_the_same_batch_tried_again() -> None:
    rig = Rig()
    rig.broker.append("t", b"1")
    tries: list[float] = []

    def handle(batch: Batch) -> None:
        tries.append(rig.clock.monotonic())
        if len(tries) < 5:
            raise Retryable("away")
        rig.handle(batch)

    rig.loop(handle, backoff=Backoff(base=1, most=4)).run()
    assert rig.seen == [b"1"]
    gaps = [b - a for a, b in itertools.pairwise(tries)]
    assert all(
        low <= gap <= high
        for gap, (low, high) in zip(gaps, [(0.5, 1.1), (1, 2.1), (2, 4.1), (2, 4.1)], strict=True)
    )
    assert rig.committed() == 1


def test_waiting_for_the_dependency_is_not_a_stall() -> None:
    rig = Rig()
    rig.broker.append("t", b"1")
    stalls: list[bool] = []
    tries = 0

    def handle(batch: Batch) -> None:
        nonlocal tries
        tries += 1
        stalls.append(rig.health.stalled())
        if tries < 60:
            raise Retryable("away", retry_after=30)
        rig.handle(batch)

    rig.loop(handle).run()
    assert rig.clock.monotonic() > 600
    assert not any(stalls)


def test_work_that_hangs_is_a_stall() -> None:
    rig = Rig()
    rig.broker.append("t", b"1")

    def handle(batch: Batch) -> None:
        rig.clock.advance(61)
        assert rig.health.stalled()
        rig.handle(batch)

    rig.loop(handle).run()


def test_silence_without_lag_is_not_a_stall() -> None:
    rig = Rig()
    loop = rig.loop()
    loop.turn()
    rig.clock.advance(3600)
    assert not rig.health.stalled()


def test_lag_that_no_one_reads_is_a_stall() -> None:
    rig = Rig()
    for n in range(300):
        rig.broker.append("t", str(n).encode())
    rig.loop(lambda batch: None, bounds=Bounds(max_records=1)).turn()
    assert rig.source.lag() > 0
    rig.clock.advance(61)
    assert rig.health.stalled()


def test_asked_to_stop_while_the_dependency_is_away_it_stops_without_a_commit() -> None:
    rig = Rig()
    rig.broker.append("t", b"1")

    def handle(batch: Batch) -> None:
        rig.stop.ask()
        raise Retryable("away")

    rig.loop(handle).run()
    assert rig.committed() == 0
    assert rig.source.closed


def test_a_partition_lost_during_the_work_is_not_committed() -> None:
    rig = Rig(partitions=2)
    other = FakeSource(rig.broker, "g", ["t"], rig.clock)
    for n in range(10):
        rig.broker.append("t", str(n).encode())

    def handle(batch: Batch) -> None:
        other.poll(0)  # joins: a new generation, and this member does not know of it yet
        rig.handle(batch)

    rig.loop(handle).run()
    assert rig.committed() == 0


def test_a_member_put_out_of_the_group_commits_nothing_and_its_successor_repeats_the_work() -> None:
    rig = Rig()
    rig.broker.append("t", b"1")

    def handle(batch: Batch) -> None:
        rig.broker.evict(rig.source)
        rig.handle(batch)

    rig.loop(handle).run()
    assert rig.committed() == 0
    successor = FakeSource(rig.broker, "g", ["t"], rig.clock)
    assert [record.value for record in successor.poll(0).records] == [b"1"]


def test_a_commit_the_broker_is_away_for_is_tried_again() -> None:
    rig = Rig()
    rig.broker.append("t", b"1")

    class Flaky(FakeSource):
        fails = 2

        def commit(self, committable: Committable) -> None:
            if self.fails:
                self.fails -= 1
                raise Retryable("away")
            super().commit(committable)

    rig.source = Flaky(rig.broker, "g", ["t"], rig.clock)
    handled = 0

    def handle(batch: Batch) -> None:
        nonlocal handled
        handled += 1

    loop = rig.loop(handle)
    loop.turn()
    assert (handled, rig.committed()) == (1, 1)


def test_the_commit_covers_the_whole_batch_and_no_more() -> None:
    rig = Rig(partitions=2)
    for n in range(9):
        rig.broker.append("t", str(n).encode())
    rig.source = FakeSource(rig.broker, "g", ["t"], rig.clock, max_records=4)
    rig.loop(bounds=Bounds(max_records=5, linger=10)).run()
    assert rig.committed() == len(rig.seen) == 8  # two polls of four: the bound ends the gathering


def test_a_batch_gathers_until_it_is_old_enough_and_longer_if_paced() -> None:
    rig = Rig()
    rig.broker.append("t", b"1")
    rig.loop(bounds=Bounds(linger=1)).gather()
    assert rig.clock.monotonic() == pytest.approx(1, abs=0.11)
    rig.broker.append("t", b"2")
    rig.loop(bounds=Bounds(linger=1), pace=lambda: 3.0).gather()
    assert rig.clock.monotonic() == pytest.approx(4, abs=0.22)


def test_a_batch_ends_when_it_holds_enough_bytes() -> None:
    rig = Rig()
    rig.source = FakeSource(rig.broker, "g", ["t"], rig.clock, max_records=1)
    for _ in range(5):
        rig.broker.append("t", b"x" * 100)
    assert len(rig.loop(bounds=Bounds(max_bytes=250, linger=60)).gather().records) == 3


def test_persist_gives_the_answer_and_lets_other_errors_through() -> None:
    rig = Rig()
    assert persist(lambda: 7, rig.clock, rig.health, rig.stop) == 7
    with pytest.raises(KeyError):
        persist(lambda: dict[str, int]()["x"], rig.clock, rig.health, rig.stop)
    rig.stop.ask()

    def away() -> None:
        raise Retryable("away")

    with pytest.raises(Stopped):
        persist(away, rig.clock, rig.health, rig.stop)


def test_a_batch_that_is_put_off_is_committed_when_it_is_settled_and_not_before() -> None:
    rig = Rig()
    settled, turns = [0], []

    def handle(batch: Batch) -> None:
        turns.append(len(batch.records))
        settled[0] = {1: 0, 2: 0, 3: 1, 4: 2}[len(turns)]

    loop = rig.loop(handle, settled=lambda: settled[0])
    for n in range(2):
        rig.broker.append("t", b"%d" % n)
        loop.turn()
        assert rig.committed() == 0
    loop.turn()  # with no record: it works on what was put off
    assert rig.committed() == 1
    loop.turn()
    assert rig.committed() == 2
    loop.turn()
    assert turns == [1, 1, 0, 0]


def test_what_is_handled_but_not_settled_is_noted_when_it_is_and_not_before() -> None:
    rig = Rig()
    handled, commits = [0], list[Committable]()
    loop = rig.loop(lambda _: None, settled=lambda: 0, handled=lambda: handled[0])
    rig.source.commit = commits.append  # type: ignore[assignment, method-assign]
    for n in range(2):
        rig.broker.append("t", b"%d" % n)
        loop.turn()
    assert commits == []
    for handled[0] in (1, 2, 2):
        loop.turn()
    assert commits == [Committable({}, {("t", 0): 1}), Committable({}, {("t", 0): 2})]


def test_several_batches_that_are_settled_at_once_are_one_commit() -> None:
    rig = Rig()
    settled = [0]
    loop = rig.loop(lambda _: None, settled=lambda: settled[0])
    for n in range(3):
        rig.broker.append("t", b"%d" % n)
        loop.turn()
    settled[0] = 3
    loop.turn()
    assert rig.broker.committed("g") == {("t", 0): 3}


def test_the_timer_works_between_batches_though_nothing_arrives() -> None:
    rig, ticks, active = Rig(), list[datetime](), [False]
    asked = iter([False, False, True])
    timer = Timer(
        lambda: ticks.append(rig.clock.now()), 30, rig.clock,
        active=lambda: active[0], wanted=lambda: next(asked, False),
    )  # fmt: skip
    loop = rig.loop(timer=timer)
    rig.clock.advance(60)
    loop.turn()
    assert ticks == []  # another process leads
    active[0] = True
    for _ in range(4):
        loop.turn()
    due, at_once = ticks
    assert due == START + timedelta(seconds=62)  # a turn waits two seconds for a record
    assert at_once < due + timedelta(seconds=30)


def test_the_timer_is_tried_again_while_its_dependency_is_unavailable() -> None:
    rig, tries = Rig(), list[int]()

    def work() -> None:
        tries.append(1)
        if len(tries) < 3:
            raise Retryable("away")

    rig.loop(timer=Timer(work, 0, rig.clock)).turn()
    assert len(tries) == 3
