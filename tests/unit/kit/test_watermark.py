"""Complete means: accepted, priced and written; and the time is that of the acceptance."""

import time
from datetime import datetime

import pytest
from tests.support.aggregator_rig import NOW
from tests.support.waiting import until

from outlay_kit.clock import FakeClock, SystemClock
from outlay_kit.errors import Retryable
from outlay_kit.offsets import Places, behind
from outlay_kit.watermark import Watermark


class Broker:
    """Ends of topics and places of groups, by hand."""

    def __init__(self) -> None:
        self.end = {
            "usage.events": {0: 0, 1: 0},
            "cost.events": {0: 0},
            "usage.dead-letter": {0: 0},
            "cost.recompute": {0: 0},
        }
        self.at: dict[tuple[str, str], dict[int, int]] = {}
        self.away = False

    def topics(self) -> list[str]:
        return [*self.end, "cost.rollups"]

    def ends(self, topic: str) -> Places:
        if self.away:
            raise Retryable("away")
        return dict(self.end[topic])

    def committed(self, group: str, topic: str) -> Places:
        return dict(self.at.get((group, topic), dict.fromkeys(self.end[topic], 0)))


@pytest.fixture
def broker() -> Broker:
    return Broker()


def test_it_moves_only_when_all_that_was_accepted_is_priced_and_written(broker: Broker) -> None:
    clock, written = FakeClock(NOW), list[datetime]()
    watermark = Watermark(broker, written.append, clock, "p", "a")
    broker.end["usage.events"] = {0: 5, 1: 2}
    watermark.step()
    clock.advance(10)
    broker.end["usage.events"] = {0: 9, 1: 2}  # accepted later: not waited for
    broker.end["cost.events"] = {0: 3}
    broker.at["p", "usage.events"] = {0: 5, 1: 1}
    watermark.step()
    broker.at["p", "usage.events"] = {0: 6, 1: 2}
    watermark.step()
    assert written == []
    broker.at["a", "cost.events"] = {0: 3}
    broker.end["cost.events"] = {0: 4}
    watermark.step()
    assert written == [NOW]
    watermark.step()
    assert written == [NOW]  # the next one waits for the pricer


def test_while_nothing_is_accepted_it_moves_without_asking_the_groups(broker: Broker) -> None:
    clock, written = FakeClock(NOW), list[datetime]()
    watermark = Watermark(broker, written.append, clock, "p", "a")
    broker.end["usage.events"] = {0: 5, 1: 2}
    broker.at["p", "usage.events"] = {0: 5, 1: 2}
    watermark.step()
    assert (len(written), watermark.idle) == (1, False)
    broker.at.clear()  # were it asked, nothing would be counted
    clock.advance(10)
    watermark.step()
    assert (written[-1], watermark.idle) == (clock.now(), True)
    broker.end["usage.events"] = {0: 6, 1: 2}
    watermark.step()
    assert (len(written), watermark.idle) == (2, False)


def test_dead_letters_are_waited_for_too(broker: Broker) -> None:
    written = list[datetime]()
    watermark = Watermark(broker, written.append, FakeClock(NOW), "p", "a")
    broker.end["usage.dead-letter"] = {0: 1}
    watermark.step()
    assert written == []
    broker.at["a", "usage.dead-letter"] = {0: 1}
    watermark.step()
    assert written == [NOW]


def test_the_topics_of_single_tenants_are_waited_for_too(broker: Broker) -> None:
    written = list[datetime]()
    watermark = Watermark(broker, written.append, FakeClock(NOW), "p", "a")
    broker.end["usage.events.acme"] = {0: 1}
    watermark.step()
    assert written == []
    broker.at["p", "usage.events.acme"] = {0: 1}
    watermark.step()
    assert written == [NOW]


def test_a_bus_that_is_away_moves_nothing(broker: Broker) -> None:
    clock, written = FakeClock(NOW), list[datetime]()
    watermark = Watermark(broker, written.append, clock, "p", "a")
    broker.away = True
    with pytest.raises(Retryable):
        watermark.step()
    clock.advance(5)
    broker.away = False
    watermark.step()
    assert [(at - NOW).total_seconds() for at in written] == [5]


def test_behind_counts_what_is_left_of_each_partition() -> None:
    assert behind({0: 5, 1: 9}, {0: 7, 1: 3, 2: 4}) == 6


class Counted(Broker):
    """Notes when a step begins."""

    def __init__(self) -> None:
        super().__init__()
        self.steps: list[float] = []

    def topics(self) -> list[str]:
        self.steps.append(time.monotonic())
        return ["usage.events"]


def test_at_rest_it_waits_until_something_was_counted() -> None:
    broker, written, every = Counted(), list[datetime](), 0.05
    watermark = Watermark(broker, written.append, SystemClock(), "p", "a")
    watermark.follow(every)
    until(lambda: watermark.idle)
    time.sleep(every)
    before = broker.steps[-1]
    for _ in range(4):
        count = len(broker.steps)
        watermark.wake()
        until(lambda count=count: len(broker.steps) > count, 5)  # type: ignore[misc]
    assert broker.steps[-1] - before < 4 * 10 * every


def test_what_aggregators_asked_of_each_other_is_waited_for_too(broker: Broker) -> None:
    written = list[datetime]()
    watermark = Watermark(broker, written.append, FakeClock(NOW), "p", "a")
    broker.end["usage.events"] = {0: 1, 1: 0}
    broker.end["cost.recompute"] = {0: 1}
    broker.at["p", "usage.events"] = {0: 1, 1: 0}
    watermark.step()
    assert written == []
    broker.at["a", "cost.recompute"] = {0: 1}
    watermark.step()
    assert written == [NOW]


def test_requests_are_looked_at_once_the_events_are_written_and_not_before(broker: Broker) -> None:
    written = list[datetime]()
    watermark = Watermark(broker, written.append, FakeClock(NOW), "p", "a")
    broker.end["usage.events"], broker.end["cost.events"] = {0: 1, 1: 0}, {0: 1}
    broker.at["p", "usage.events"] = {0: 1, 1: 0}
    watermark.step()
    broker.at["a", "cost.events"] = {0: 1}
    broker.end["cost.recompute"] = {0: 1}  # asked before that was committed
    watermark.step()
    assert written == []
    broker.at["a", "cost.recompute"] = {0: 1}
    watermark.step()
    assert written == [NOW]
