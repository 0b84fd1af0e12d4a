"""P14: a member that owns nothing sees a partition without a working owner."""

from datetime import UTC, datetime

from outlay_kit.clock import FakeClock
from outlay_kit.errors import Retryable
from outlay_kit.health import Health
from outlay_kit.offsets import Places
from outlay_kit.stalled_partitions import GROUP_LAG, StalledPartitions


class Reported:
    """Ends and commits, as the test has them."""

    def __init__(self) -> None:
        self.end: dict[int, int] = {0: 0, 1: 0}
        self.at: dict[int, int] = {0: 0, 1: 0}
        self.away = False
        self.asked = 0

    def topics(self) -> list[str]:
        return ["t"]

    def ends(self, topic: str) -> Places:
        if self.away:
            raise Retryable("away")
        return self.end

    def committed(self, group: str, topic: str) -> Places:
        self.asked += 1
        return self.at


class Desk:
    """A process that owns nothing and does its work: it never stalls by itself."""

    def __init__(self) -> None:
        self.clock = FakeClock(datetime(2026, 11, 24, tzinfo=UTC))
        self.reported = Reported()
        self.store_away = False
        self.health = Health(self.clock, 60)
        self.orphans = StalledPartitions(
            self.reported, "g", ["t"], clock=self.clock, patience=400, reach=self.reach
        )
        self.health.suspect(lambda: self.orphans.found)

    def reach(self) -> None:
        if self.store_away:
            raise Retryable("the store is away")

    def stalled_after(self, seconds: int, step: int = 0) -> bool:
        """Let time pass; partition 1 is `step` records further every 5 seconds."""
        for _ in range(seconds // 5):
            self.clock.advance(5)
            self.health.progress()
            self.reported.at[1] += step
            self.orphans.look()
        return self.health.stalled()


def test_a_partition_that_no_member_works_on_is_a_stall_though_another_is_worked_on() -> None:
    desk = Desk()
    desk.reported.end = {0: 7, 1: 10_000}
    assert not desk.stalled_after(395, step=10)
    assert desk.stalled_after(15, step=10)
    assert GROUP_LAG._value.get() == 7 + 10_000 - 82 * 10


def test_a_slow_owner_and_a_partition_without_records_are_no_stall() -> None:
    desk = Desk()
    desk.reported.end = {0: 0, 1: 10_000}
    for _ in range(5):
        assert not desk.stalled_after(300)
        desk.reported.at[1] += 1


def test_while_the_broker_or_the_store_is_away_no_partition_is_stalled() -> None:
    desk = Desk()
    desk.reported.end[0] = 5
    desk.store_away = True
    assert not desk.stalled_after(3600)
    desk.store_away, desk.reported.away = False, True
    assert not desk.stalled_after(3600)
    desk.reported.away = False
    assert not desk.stalled_after(300)  # who works gets all of the time again
    assert desk.stalled_after(150)


def test_a_group_that_committed_everything_is_not_asked_again_until_something_comes() -> None:
    desk = Desk()
    assert not desk.stalled_after(60)
    assert desk.reported.asked == 1
    desk.reported.end = {0: 0, 1: 3}
    assert desk.stalled_after(410)
    desk.reported.at = {0: 0, 1: 3}
    assert not desk.stalled_after(5)
    asked = desk.reported.asked
    assert not desk.stalled_after(60)
    assert desk.reported.asked == asked
