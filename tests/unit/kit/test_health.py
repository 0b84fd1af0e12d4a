"""The watchdog counts silence by the CPU time that the machine gives: starved is not stalled, stuck is found."""

from datetime import UTC, datetime

import pytest

from outlay_kit.clock import FakeClock, cpu_share
from outlay_kit.health import Health, Watchdog


class Desk:
    """A process with work that makes no progress, on a machine that gives `share` of a core."""

    def __init__(self, share: float) -> None:
        self.clock = FakeClock(datetime(2026, 11, 24, tzinfo=UTC))
        self.health = Health(self.clock, 60)
        self.health.watch(lambda: True)
        self.probes = 0
        self.share = share
        self.watchdog = Watchdog(self.health, self.clock, 5, self.measure)

    def measure(self) -> float:
        self.probes += 1
        return self.share

    def seconds_to_a_stall(self, most: int = 3600, step: float = 5) -> float:
        began = self.clock.monotonic()
        while self.clock.monotonic() - began < most:
            self.clock.advance(step)
            if self.watchdog.look():
                return self.clock.monotonic() - began
        return float("inf")


def test_a_stuck_process_on_an_idle_machine_is_found_in_the_stall_seconds() -> None:
    assert Desk(1.0).seconds_to_a_stall() == 60


@pytest.mark.parametrize(("share", "seconds"), [(0.5, 105), (0.05, 600), (0.001, 600)])
def test_a_stall_on_a_starved_machine_takes_longer_and_is_bounded(share: float, seconds: float) -> None:
    assert Desk(share).seconds_to_a_stall() == pytest.approx(seconds, abs=20)


def test_a_starved_process_that_works_is_not_a_stall() -> None:
    desk = Desk(0.05)
    for _ in range(20):
        assert desk.seconds_to_a_stall(most=300) == float("inf")
        desk.health.progress()


def test_progress_starts_the_count_again() -> None:
    desk = Desk(0.05)
    desk.seconds_to_a_stall(most=300)
    desk.share = 1.0
    desk.health.progress()
    assert desk.seconds_to_a_stall() == 60


def test_a_process_that_was_frozen_is_not_a_stall() -> None:
    desk = Desk(1.0)
    desk.clock.advance(500)
    assert not desk.watchdog.look()
    assert desk.seconds_to_a_stall() == pytest.approx(50, abs=5)


def test_a_process_that_makes_progress_is_not_probed() -> None:
    desk = Desk(1.0)
    for _ in range(100):
        desk.health.progress()
        desk.seconds_to_a_stall(most=10)
    assert desk.probes == 0


def test_a_machine_gives_a_share_of_a_core() -> None:
    assert 0 < cpu_share() <= 1
