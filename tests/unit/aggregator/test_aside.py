"""Which tenants are recomputed apart, and the work on what waits."""

import threading
import time

import pytest
from tests.support.aggregator_rig import Rig, batch, group, line
from tests.support.aggregator_system import alone

from outlay_aggregator.aside import Aside
from outlay_aggregator.domain.windows import BackfillQueue, TenantCosts, Window
from outlay_aggregator.rollups import Rollups
from outlay_aggregator.service import Aggregator
from outlay_aggregator.settings import Settings
from outlay_kit.clock import SystemClock
from outlay_kit.errors import Retryable
from outlay_schemas.events import RollupGroup

MIB = 2**20
LIVE = "2026-11-24T11:59:30Z"


def test_a_tenant_with_large_windows_that_take_long_is_apart_while_others_send() -> None:
    costs = TenantCosts()
    assert costs.apart({"big": 10}, 0) == set()
    costs.note({"big": MIB}, 3.0)
    assert costs.apart({"big": 10}, 1) == set(), "alone"
    assert costs.apart({"small": 10}, 2) == set()
    assert costs.apart({"big": 10, "small": 10}, 3) == {"big"}
    assert costs.apart({"big": 10}, 602) == {"big"}, "the other one may come back"
    assert costs.apart({"big": 10}, 604) == set()


@pytest.mark.parametrize(("size", "seconds"), [(MIB, 0.1), (1000, 3.0)])
def test_a_tenant_is_not_apart_for_what_is_quick_or_small(size: int, seconds: float) -> None:
    costs = TenantCosts()
    costs.note({"a": MIB}, 3.0)
    costs.note({"a": size}, seconds)
    assert costs.apart({"a": 10, "b": 10}, 0) == set()


def test_seconds_are_attributed_by_size() -> None:
    costs = TenantCosts()
    costs.note({"big": 30 * MIB, "other": MIB}, 3.0)
    assert costs.apart({"big": 1, "other": 1}, 0) == {"big"}


def test_a_tenant_that_sends_much_at_once_is_apart_before_its_windows_are_known() -> None:
    assert TenantCosts().apart({"new": MIB, "small": 10}, 0) == {"new"}


def test_minutes_of_one_tenant_at_a_time_those_that_waited_longest_first() -> None:
    queue = BackfillQueue(10, 100, 10, apart=True)
    queue.put_off([Window(60, "a"), Window(0, "b")], 1)
    queue.put_off([Window(120, "a"), Window(0, "c")], 2)
    assert queue.take() == {Window(60, "a"), Window(120, "a")}
    assert (queue.settled(2), len(queue)) == (0, 4)
    queue.done()
    assert queue.take() == {Window(0, "b")}
    queue.done()
    assert queue.settled(2) == 1
    assert queue.take() == {Window(0, "c")}
    queue.done()
    assert queue.settled(2) == 2


def test_what_comes_for_a_minute_while_it_is_recomputed_is_recomputed_after() -> None:
    queue = BackfillQueue(10, 100)
    queue.put_off([Window(0, "a")], 1)
    queue.take()
    queue.put_off([Window(0, "a")], 2)
    queue.done()
    assert queue.settled(2) == 1
    assert queue.take() == {Window(0, "a")}
    queue.done()
    assert queue.settled(2) == 2


def test_what_was_not_recomputed_keeps_its_place_and_its_batch() -> None:
    queue = BackfillQueue(1, 100)
    queue.put_off([Window(0, "a")], 1)
    queue.put_off([Window(0, "b")], 2)
    queue.take()
    queue.put_off([Window(0, "a")], 3)
    queue.give_back()
    assert (queue.settled(3), len(queue)) == (0, 2)
    assert queue.take() == {Window(0, "a")}


def test_the_minutes_of_a_slow_tenant_come_after_those_of_the_others() -> None:
    rig = Rig(Settings(rollup_share=0.1))

    def groups(window: Window) -> list[RollupGroup]:
        rig.clock.advance(1 if window.tenant == "big" else 0)
        return [group(f"{n}" * 200) for n in range(3000)] if window.tenant == "big" else [group()]

    rig.store.groups = groups
    rig.handle(line(tenant="big", time=LIVE), line(tenant="small", time=LIVE))
    assert rig.aggregator.pace() > 0
    before = len(rig.store.recomputed)
    rig.handle(line(tenant="big", time=LIVE), line(tenant="small", time=LIVE))
    later = [(grain, [w.tenant for w in windows]) for grain, windows in rig.store.recomputed[before:]]
    grains = ("minute", "hour", "day")
    assert later == [*((grain, ["small"]) for grain in grains), *((grain, ["big"]) for grain in grains)]
    assert rig.aggregator.pace() == 0
    assert rig.aggregator.settled() == rig.aggregator.handled() == 2


class Threaded:
    """An aggregator whose `slow` tenants wait for a thread, which waits for `go`."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.rig, self.go = Rig(), threading.Event()
        self.error: Exception | None = None
        monkeypatch.setattr(TenantCosts, "apart", lambda _, sizes, now: {"big"} & sizes.keys())
        self.rig.store.groups = self._groups
        rollups, clock = Rollups(self.rig.store, self.rig.sink, Settings()), SystemClock()
        self.aside = Aside(rollups, clock, Settings()).start()
        self.aggregator = Aggregator(
            self.rig.store, self.rig.sink, self.rig.clock, owners=alone(self.rig.sink), aside=self.aside
        )

    def _groups(self, window: Window) -> list[RollupGroup]:
        if window.tenant == "big":
            self.go.wait(10)
            if self.error is not None:
                error, self.error = self.error, None
                raise error
        return [group()]

    def settle(self, batches: int) -> None:
        until = time.monotonic() + 10
        while self.aggregator.settled() < batches and time.monotonic() < until:
            self.aggregator.handle(batch())
        assert self.aggregator.settled() == batches


def test_a_thread_recomputes_what_waits_and_the_batches_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    it = Threaded(monkeypatch)
    it.aggregator.handle(batch(line(tenant="big", time=LIVE), line("old", time="2026-11-01T00:00:00Z")))
    it.aggregator.handle(batch(line(tenant="small", time=LIVE)))
    assert ("day", ["small"]) in [(g, [w.tenant for w in ws]) for g, ws in it.rig.store.recomputed]
    assert it.aggregator.settled() == it.aggregator.handled() == 0
    it.go.set()
    it.settle(2)
    assert it.aggregator.handled() == 2


def test_the_thread_tries_again_when_the_engine_was_away(monkeypatch: pytest.MonkeyPatch) -> None:
    it = Threaded(monkeypatch)
    it.error = Retryable("away")
    it.go.set()
    it.aggregator.handle(batch(line(tenant="big", time=LIVE)))
    it.settle(1)


def test_an_error_in_the_thread_ends_the_loop_and_commits_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    it = Threaded(monkeypatch)
    it.error = ValueError("a bug")
    it.aggregator.handle(batch(line(tenant="big", time=LIVE)))
    it.go.set()
    with pytest.raises(ValueError, match="a bug"):
        it.settle(1)
    assert it.aggregator.settled() == 0
