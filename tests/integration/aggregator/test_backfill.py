"""A backfill of many old minutes, on the real engine: the live minute is counted before it is done."""

from datetime import timedelta
from decimal import Decimal

import pytest
from tests.support.aggregator_system import (
    GROUP,
    START,
    System,
    alone,
    cost_event,
    expected,
    lines,
    stored,
)
from tests.support.fake_broker import FakeBroker, FakeSink, FakeSource

from outlay_aggregator.adapters.ledger_store import LedgerStore
from outlay_aggregator.domain.windows import GRAINS
from outlay_aggregator.service import Aggregator
from outlay_aggregator.settings import Settings
from outlay_kit.clickhouse import ClickHouseClient
from outlay_kit.clock import FakeClock
from outlay_kit.health import Health
from outlay_kit.loop import Bounds, Loop, Stop
from outlay_schemas.topics import AGGREGATED

pytestmark = pytest.mark.stack


def test_a_backfill_does_not_starve_the_live_minute_and_commits_when_it_is_done(
    clickhouse: ClickHouseClient,
) -> None:
    system = System(clickhouse, FakeBroker(1))
    old = [
        cost_event("backfill", f"old{n}", START - timedelta(days=90) + timedelta(minutes=n))
        for n in range(3000)
    ]
    live = [cost_event("backfill", f"live{n}", START, "2") for n in range(3)]
    clock = FakeClock(START)
    source = FakeSource(system.broker, GROUP, [topic.name for topic in AGGREGATED], clock, max_records=1)
    service = Aggregator(
        LedgerStore(system.clickhouse, 1000),
        FakeSink(system.broker),
        clock,
        Settings(backfill_minutes_per_batch=400, window_chunk=400),
        owners=alone(FakeSink(system.broker)),
    )
    loop = Loop(
        source, service.handle, clock=clock, health=Health(clock, 60), stop=Stop(), settled=service.settled,
        bounds=Bounds(max_records=1),
    )  # fmt: skip
    system.send(lines(old))
    for event in live:
        system.send(lines([event]))
    loop.turn()
    seen = []
    for _ in live:
        loop.turn()
        seen.append(
            sum(m[0] for c, m in stored(system.clickhouse, "backfill", "minute").items() if c[0] == START)
        )
        assert system.broker.committed(GROUP) == {}  # the backfill is not done
    assert seen == [Decimal(2), Decimal(4), Decimal(6)]
    for _ in range(4):
        loop.turn()
    assert sum(system.broker.committed(GROUP).values()) == 4
    for grain in GRAINS:
        assert stored(system.clickhouse, "backfill", grain) == expected([*old, *live], grain)
