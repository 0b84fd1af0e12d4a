"""P3 and P18 on the real engine: source and id are the identity, whatever time an event says."""

import itertools
from collections.abc import Iterator, Sequence
from datetime import timedelta
from decimal import Decimal

import pytest
from tests.support.aggregator_system import START, System, alone, cost_event, expected, lines, stored
from tests.support.fake_broker import FakeBroker, FakeSink

from outlay_aggregator.adapters.identities import Index
from outlay_aggregator.adapters.ledger_store import LedgerStore
from outlay_aggregator.domain.identities import Suspect
from outlay_aggregator.domain.windows import GRAINS, Window
from outlay_aggregator.identities import Identities
from outlay_aggregator.service import Aggregator
from outlay_aggregator.settings import Settings
from outlay_kit.broker import Batch, Record
from outlay_kit.clickhouse import ClickHouseClient
from outlay_kit.clock import FakeClock
from outlay_schemas.events import CostEvent
from outlay_schemas.identity import identity
from outlay_schemas.topics import COST_EVENTS

pytestmark = pytest.mark.stack

_tenants = (f"identity-{n}" for n in itertools.count())
AFTER = (timedelta(seconds=1), timedelta(seconds=90), timedelta(days=40))
SETTINGS = Settings(identity_filter_bits=20)


def _retries(tenant: str) -> list[CostEvent]:
    """One call of 1.25 USD, sent four times, each time with the time of the try."""
    times = [START, *(START + after for after in AFTER)]
    return [cost_event(tenant, "x", time, accepted=n + 1) for n, time in enumerate(times)]


def _replica(clickhouse: ClickHouseClient) -> Aggregator:
    sink = FakeSink(FakeBroker())
    return Aggregator(LedgerStore(clickhouse, 1000), sink, FakeClock(START), SETTINGS, owners=alone(sink))


def _batch(offset: int, events: Sequence[CostEvent]) -> Batch:
    return Batch([Record(COST_EVENTS.name, 0, offset, lines(events))])


def _spent(clickhouse: ClickHouseClient, tenant: str) -> Iterator[tuple[Decimal, int]]:
    for grain in GRAINS:
        cells = stored(clickhouse, tenant, grain).values()
        yield sum((m[0] for m in cells), Decimal(0)), sum(m[1] for m in cells)


@pytest.mark.parametrize("order", [(0, 1, 2, 3), (3, 2, 1, 0), (1, 3, 0, 2)])
@pytest.mark.parametrize("together", [True, False])
def test_p3_a_retry_that_stamps_a_new_time_counts_once(
    system: System, order: tuple[int, ...], together: bool
) -> None:
    """It counted three times: 3.75 USD for 1.25."""
    tenant = next(_tenants)
    tries = [_retries(tenant)[n] for n in order]
    for part in [tries] if together else [[one] for one in tries]:
        system.send(lines(part))
        if not together:
            system.run_through([])  # each by a process of its own
    system.run_through([])
    assert set(_spent(system.clickhouse, tenant)) == {(Decimal("1.25"), 1)}
    assert stored(system.clickhouse, tenant, "minute") == expected(tries, "minute")
    [shown] = system.clickhouse.rows(f"SELECT time FROM costs WHERE tenant = '{tenant}'")  # noqa: S608
    assert shown["time"].date() == (START + AFTER[-1]).date(), "the try accepted last counts"


def test_p3_what_came_again_with_another_time_is_reported_as_a_conflict(system: System) -> None:
    tenant = next(_tenants)
    for one in _retries(tenant)[:2]:
        system.send(lines([one]))
        system.run_through([])
    found = system.clickhouse.rows(f"SELECT time, cost FROM conflicts FINAL WHERE tenant = '{tenant}'")  # noqa: S608
    assert len(found) == 2


def test_p3_a_replica_that_gets_a_partition_back_knows_what_the_other_wrote(
    clickhouse: ClickHouseClient,
) -> None:
    tenant = next(_tenants)
    first, second = _replica(clickhouse), _replica(clickhouse)
    one, two = _retries(tenant)[:2]
    first.handle(_batch(0, [cost_event(tenant, "before")]))
    second.handle(_batch(1, [one]))
    first.handle(_batch(2, [two]))
    assert set(_spent(clickhouse, tenant)) == {(Decimal("2.50"), 2)}


def test_negative_control_a_replica_that_keeps_its_filter_counts_a_retry_twice(
    clickhouse: ClickHouseClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    tenant = next(_tenants)
    first, second = _replica(clickhouse), _replica(clickhouse)
    one, two = _retries(tenant)[:2]
    first.handle(_batch(0, [cost_event(tenant, "before")]))
    second.handle(_batch(1, [one]))
    monkeypatch.setattr(Identities, "follow", lambda *_: None)
    first.handle(_batch(2, [two]))
    assert set(_spent(clickhouse, tenant)) == {(Decimal("3.75"), 3)}


def test_p18_a_correction_of_the_time_empties_the_minute_that_it_left(system: System) -> None:
    tenant = next(_tenants)
    early, late = _retries(tenant)[0], _retries(tenant)[2]
    for one in (early, late):
        system.send(lines([one]))
        system.run_through([])
    left = Window(int(START.timestamp()), tenant)
    store = LedgerStore(system.clickhouse, 1000)
    assert b'"groups":[]' in store.stored("minute", [left]).replace(b" ", b"")
    assert store.differences("minute", [left]) == []
    back = cost_event(tenant, "x", START, "7", accepted=9, tokens=3)
    system.send(lines([back]))
    system.run_through([])
    assert stored(system.clickhouse, tenant, "minute") == expected([early, late, back], "minute")
    assert set(_spent(system.clickhouse, tenant)) == {(Decimal(7), 1)}


def test_p18_an_older_body_priced_again_stays_retracted(system: System) -> None:
    tenant = next(_tenants)
    early, late = _retries(tenant)[0], _retries(tenant)[2]
    system.send(lines([early, late]))
    system.run_through([])
    system.send(lines([cost_event(tenant, "x", START, "99", accepted=1, revision=50)]))
    system.run_through([])
    assert set(_spent(system.clickhouse, tenant)) == {(Decimal("1.25"), 1)}


@pytest.mark.parametrize("name", ["a", "é", "\0", "naïve/世界", "x" * 256])
def test_the_index_and_the_aggregator_number_an_identity_alike(
    clickhouse: ClickHouseClient, name: str
) -> None:
    tenant = next(_tenants)
    event = cost_event(tenant, name)
    event.source = name[::-1]
    LedgerStore(clickhouse, 1000).append("ledger_input", lines([event]))
    number = identity(tenant, event.source, name)
    assert Index(clickhouse).places([number]) == {number: {int(START.timestamp())}}
    [place] = Index(clickhouse).rows(
        [Suspect(number, tenant, event.source, name)], {number: {int(START.timestamp())}}
    )
    assert (place.id, place.source, place.retracted) == (name, event.source, False)


def test_a_filter_is_filled_from_the_index(clickhouse: ClickHouseClient) -> None:
    tenant = next(_tenants)
    events = [cost_event(tenant, str(n)) for n in range(300)]
    LedgerStore(clickhouse, 1000).append("ledger_input", lines(events))
    for bits in (20, 29):
        identities = Identities(LedgerStore(clickhouse, 1000), bits)
        identities.follow(_batch(7, events).records)
        assert {suspect.id for suspect in identities.seen.suspects(events)} == {e.id for e in events}
        new = [cost_event(tenant, f"new-{n}") for n in range(300)]
        assert len(identities.seen.suspects(new)) < 30
