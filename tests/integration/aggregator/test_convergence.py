"""P4 and P5 and the heart of P1, on the real engine: whatever happens on the way, the totals are right."""

import itertools
from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.support.aggregator_system import (
    GROUP,
    START,
    TRUNCATE,
    VIEWS,
    CrashError,
    CrashingStore,
    System,
    cost_event,
    expected,
    lines,
    stored,
)
from tests.support.fake_broker import FakeBroker, FakeSource

from outlay_aggregator.adapters.ledger_store import LedgerStore
from outlay_aggregator.domain.windows import GRAINS, Window, widen, window_of
from outlay_kit.clickhouse import ClickHouseClient
from outlay_kit.kafka import Batch
from outlay_schemas.events import CostEvent, Grain
from outlay_schemas.topics import COST_EVENTS

pytestmark = pytest.mark.stack

_tenants = (f"tenant-{n}" for n in itertools.count())
_TIMES = [START + timedelta(seconds=s) for s in (0, 1, 59, 61, 3600, 86_400)]


@st.composite
def _events(draw: st.DrawFn) -> list[CostEvent]:
    """Bodies of a few identities, corrected and with other times, some without a stamp; each priced once or again."""
    body = st.tuples(
        st.sampled_from(["a", "b", "c", "d"]), st.sampled_from(_TIMES), st.integers(0, 3), st.integers(0, 6)
    )
    bodies = draw(st.lists(body, min_size=1, max_size=8))
    priced = draw(st.lists(st.tuples(st.sampled_from(bodies), st.integers(1, 3)), min_size=1, max_size=12))
    return [
        cost_event(
            "T",
            name,
            time,
            None if (revision + tokens) % 4 == 0 else f"{revision}.{tokens:012d}",
            revision=revision,
            # price and owner are functions of the body and the revision, as the pricer's are
            team=f"team-{revision % 2}",
            user=f"u-{tokens % 2}",
            tokens=tokens,
            accepted=accepted,
        )
        for (name, time, tokens, accepted), revision in priced
    ]


def _of(tenant: str, events: Sequence[CostEvent]) -> list[CostEvent]:
    return [type(e)(**{f: getattr(e, f) for f in e.__struct_fields__} | {"tenant": tenant}) for e in events]


def _chunks(events: Sequence[CostEvent], size: int) -> list[bytes]:
    return [lines(events[n : n + size]) for n in range(0, len(events), size)]


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    events=_events(),
    shuffles=st.lists(st.randoms(use_true_random=False), min_size=1, max_size=2),
    crashes=st.lists(st.tuples(st.integers(1, 10), st.booleans()), max_size=4),
    size=st.integers(1, 4),
    stale=st.lists(st.integers(0, 100), max_size=3),
    members=st.integers(1, 3),
)
def test_any_schedule_gives_the_totals_of_the_oracle(
    clickhouse: ClickHouseClient,
    events: list[CostEvent],
    shuffles: list["st.DrawFn"],
    crashes: list[tuple[int, bool]],
    size: int,
    stale: list[int],
    members: int,
) -> None:
    system = System(clickhouse, FakeBroker())
    tenant = next(_tenants)
    events = _of(tenant, events)
    zombie = _Zombie(clickhouse, events)
    for number, shuffle in enumerate(shuffles):
        order = events[:]
        shuffle.shuffle(order)  # type: ignore[attr-defined]
        for body in _chunks(order[: len(order) if number else (len(order) + 1) // 2], size):
            system.send(body)
        system.run_through(crashes, members=members)
        zombie.look()
    for body in _chunks(events, size):
        system.send(body)
    system.run_through(crashes[::-1], members=members)
    zombie.write(stale)
    for grain in GRAINS:
        assert stored(clickhouse, tenant, grain) == expected(events, grain)
        windows = sorted({widen(window_of(tenant, e.time, "minute"), grain) for e in events})
        assert LedgerStore(clickhouse, 1000).differences(grain, windows) == []


class _Zombie(LedgerStore):
    """A stale writer: it read events and computed windows long ago, and writes them now."""

    def __init__(self, clickhouse: ClickHouseClient, events: Sequence[CostEvent]) -> None:
        super().__init__(clickhouse, 1000)
        self._events = events
        self._minutes = {window_of(e.tenant, e.time, "minute") for e in events}
        self._old: list[tuple[Grain, bytes]] = []

    def look(self) -> None:
        for grain in GRAINS:
            for window in sorted({widen(m, grain) for m in self._minutes}):
                answer = self.compute(grain, [window])
                if answer:
                    self._old.append((grain, answer))

    def write(self, choice: Sequence[int]) -> None:
        for number in choice:
            if self._old:
                self.store(*self._old[number % len(self._old)])
            self.append("ledger_input", lines([self._events[number % len(self._events)]]))


def test_a_replay_from_the_start_changes_nothing(system: System) -> None:
    tenant = next(_tenants)
    events = [cost_event(tenant, str(n), START + timedelta(seconds=7 * n), f"0.{n:04d}") for n in range(40)]
    for body in _chunks(events, 7):
        system.send(body)
    system.run_through([])
    before = {grain: _export(system.clickhouse, tenant, grain) for grain in GRAINS}
    system.broker.rewind(GROUP)
    system.run_through([(2, True), (3, False)])
    assert {grain: _export(system.clickhouse, tenant, grain) for grain in GRAINS} == before


def _export(clickhouse: ClickHouseClient, tenant: str, grain: Grain) -> bytes:
    return clickhouse.raw(
        f"SELECT * EXCEPT written_at FROM rollup_{grain} FINAL WHERE tenant = {{t:String}} ORDER BY window",  # noqa: S608
        {"t": tenant},
    )


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_two_bodies_under_one_identity_have_one_winner_in_any_order(
    system: System, order: tuple[int, ...]
) -> None:
    tenant = next(_tenants)
    bodies = [cost_event(tenant, "x", cost=f"{n + 1}", tokens=n) for n in range(3)]
    for n in order:
        system.send(lines([bodies[n]]))
        system.run_through([])
    assert stored(system.clickhouse, tenant, "minute") == expected(bodies, "minute")


def test_a_group_that_vanished_is_gone_even_if_a_stale_writer_comes_after(system: System) -> None:
    """The case that zero rows for vanished groups do not cover (docs/adr/0002)."""
    tenant = next(_tenants)
    old, new = cost_event(tenant, "x", team="a"), cost_event(tenant, "x", team="b", revision=2)
    zombie = _Zombie(system.clickhouse, [old])
    LedgerStore(system.clickhouse, 1000).append("ledger_input", lines([old]))
    zombie.look()  # computed, and paused before it wrote
    system.send(lines([old, new]))
    system.run_through([])
    zombie.write([0, 1, 2])
    for grain in GRAINS:
        cells = stored(system.clickhouse, tenant, grain)
        assert [(cell[2], m[0]) for cell, m in cells.items()] == [("b", Decimal("1.25"))]


def test_a_correction_lowers_a_total(system: System) -> None:
    tenant = next(_tenants)
    system.send(lines([cost_event(tenant, "x", cost="10"), cost_event(tenant, "y", cost="1")]))
    system.run_through([])
    system.send(lines([cost_event(tenant, "x", cost="0.5", revision=2)]))
    system.run_through([])
    assert sum(m[0] for m in stored(system.clickhouse, tenant, "day").values()) == Decimal("1.5")


class _CommitFirst(FakeSource):
    """The negative control: commits what it polls before anything was done with it."""

    def poll(self, timeout: float) -> Batch:
        batch = super().poll(timeout)
        self.commit(batch.committable)
        return batch


def test_negative_control_commit_before_insert_loses_events(system: System) -> None:
    tenant = next(_tenants)
    events = [cost_event(tenant, "x"), cost_event(tenant, "y")]
    system.send(lines(events))
    with pytest.raises(CrashError):
        system.run(CrashingStore(system.clickhouse, [(1, False)]), _CommitFirst)
    system.run(LedgerStore(system.clickhouse, 1000))
    assert stored(system.clickhouse, tenant, "minute") != expected(events, "minute")


def test_negative_control_increments_count_a_repeat_twice(system: System) -> None:
    tenant = next(_tenants)
    events = [cost_event(tenant, "x")]
    system.send(lines(events))
    system.send(lines(events))
    system.run_through([])
    increments = sum(Decimal("1.25") for record in system.broker.records(COST_EVENTS.name) if record.value)
    [(right, *_)] = stored(system.clickhouse, tenant, "minute").values()
    assert right == Decimal("1.25")
    assert increments != right


def test_windows_start_where_the_clock_says() -> None:
    for grain in GRAINS:
        start = START.replace(**TRUNCATE[grain])  # type: ignore[arg-type]
        assert window_of("t", START, grain) == Window(int(start.timestamp()), "t")


@pytest.mark.parametrize("seed", range(3))
def test_p18_twenty_corrections_take_effect_in_any_order_and_under_any_price(
    system: System, seed: int
) -> None:
    """A content hash chose the winner: of 20 events corrected from 1,000 to 2,000 tokens, 10 took effect."""
    tenant = next(_tenants)
    first = [cost_event(tenant, str(n), cost="0.00125", tokens=1000, accepted=5) for n in range(20)]
    right = [cost_event(tenant, str(n), cost="0.0025", tokens=2000, accepted=9) for n in range(20)]
    again = [cost_event(tenant, str(n), cost="9", tokens=1000, accepted=5, revision=7) for n in range(20)]
    sent = [*first, *right, *again, *first]
    Random(seed).shuffle(sent)  # noqa: S311 (an order, no secret)
    for body in _chunks(sent, 9):
        system.send(body)
    system.run_through([])
    for grain in GRAINS:
        [(cost, events, _, usage, *_)] = stored(system.clickhouse, tenant, grain).values()
        assert (cost, events, usage["input_tokens"]) == (Decimal("0.05"), 20, Decimal(40_000))
        sql = f"SELECT DISTINCT version FROM {VIEWS[grain]} WHERE tenant = '{tenant}'"  # noqa: S608
        view = system.clickhouse.rows(sql)
        table = system.clickhouse.rows(f"SELECT version FROM rollup_{grain} FINAL WHERE tenant = '{tenant}'")  # noqa: S608
        assert view == table, "the view cuts the version"
