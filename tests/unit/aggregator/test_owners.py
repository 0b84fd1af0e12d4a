"""A window is recomputed by the aggregator that owns it, whoever wrote its events."""

import msgspec
import pytest
from prometheus_client import REGISTRY
from tests.support.aggregator_rig import NOW, Rig, batch, line
from tests.support.fake_broker import FakeBroker, FakeSink

from outlay_aggregator.domain.windows import Window
from outlay_aggregator.owners import Owners, Request, asked, partition_of, read
from outlay_kit.errors import Retryable
from outlay_kit.tracing import HEADER
from outlay_schemas.topics import RECOMPUTE

LIVE = int(NOW.timestamp()) - 120
DAY = 86_400


def rig_of(*owned: int, partitions: int = 4) -> Rig:
    """An aggregator that owns some of the partitions."""
    rig = Rig()
    rig.broker.partitions = partitions
    rig.aggregator._owners = Owners(rig.sink, lambda _: owned, partitions)
    return rig


def requests(broker: FakeBroker) -> list[Request]:
    return [request for record in broker.records(RECOMPUTE.name) for request in read(record.value)]


def test_what_another_owns_is_written_and_asked_for_but_not_recomputed() -> None:
    rig = rig_of()
    body = line(time="2026-11-24T11:59:30Z")
    rig.handle(body)
    assert rig.log == ["append ledger_input", "send cost.recompute"]
    [record] = rig.broker.records(RECOMPUTE.name)
    minute = Window(int(NOW.timestamp()) - 60, "acme")
    assert record.partition == partition_of(minute, 4)
    assert read(record.value) == [Request("acme", [minute.start], len(body))]
    assert rig.aggregator.settled() == 1


def test_the_owner_recomputes_what_it_is_asked_for() -> None:
    other, owner = rig_of(), rig_of(0, 1, 2, 3)
    other.handle(line(time="2026-11-24T11:59:30Z"))
    [record] = other.broker.records(RECOMPUTE.name)
    owner.aggregator.handle(batch(record.value, topic=RECOMPUTE.name))
    assert [grain for grain, _ in owner.store.recomputed] == ["minute", "hour", "day"]
    assert owner.store.recomputed[0][1] == [Window(int(NOW.timestamp()) - 60, "acme")]
    assert owner.store.ledger == []


def test_a_request_and_events_of_one_minute_are_one_recomputation() -> None:
    rig = rig_of(0, 1, 2, 3)
    request = msgspec.json.encode(Request("acme", [int(NOW.timestamp()) - 60], 9))
    asking = batch(request, topic=RECOMPUTE.name)
    own = batch(line(time="2026-11-24T11:59:30Z"))
    rig.aggregator.handle(type(own)([*own.records, *asking.records]))
    assert [len(windows) for _, windows in rig.store.recomputed] == [1, 1, 1]


def test_nothing_is_settled_if_the_owner_cannot_be_asked() -> None:
    rig = rig_of()
    rig.broker.away = True
    with pytest.raises(Retryable):
        rig.handle(line(time="2026-11-24T11:59:30Z"))
    assert rig.aggregator.settled() == 0


def test_all_windows_of_a_tenants_day_have_one_owner() -> None:
    midnight = LIVE - LIVE % DAY
    minutes = [Window(midnight + 60 * n, "acme") for n in range(1440)]
    assert len({partition_of(minute, 16) for minute in minutes}) == 1
    days = {partition_of(Window(midnight + DAY * n, "acme"), 4) for n in range(40)}
    assert days == {0, 1, 2, 3}, "the days of a tenant are spread"


def test_requests_name_every_minute_once_and_the_bytes_of_a_tenant_once() -> None:
    broker = FakeBroker(4)
    owners = Owners(FakeSink(broker), lambda _: (), 4)
    minutes = {
        Window(LIVE - LIVE % 60 - 60 * n, tenant) for n in range(25_000) for tenant in ("acme", "globex")
    }
    assert owners.keep(minutes, {"acme": 7, "globex": 5}) == set()
    found, sizes = asked(requests(broker))
    assert found == minutes
    assert sum(len(request.minutes) for request in requests(broker)) == len(minutes)
    assert max(len(request.minutes) for request in requests(broker)) <= 10_000
    parts = {tenant: len({partition_of(m, 4) for m in minutes if m.tenant == tenant}) for tenant in sizes}
    assert sizes == {"acme": 7 * parts["acme"], "globex": 5 * parts["globex"]}


def test_the_owner_continues_the_traces_of_the_events() -> None:
    broker = FakeBroker(1)
    headers = [(HEADER, f"00-{n:032x}-{n:016x}-01".encode()) for n in range(1, 200)]
    Owners(FakeSink(broker), lambda _: (), 1).keep([Window(60, "acme")], {}, headers)
    [record] = broker.records(RECOMPUTE.name)
    assert list(record.headers) == headers[:64]


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"\xff",
        b"[" * 100_000,
        b'{"tenant":"acme"}',
        b'{"tenant":"","minutes":[60]}',
        b'{"tenant":"acme","minutes":[61]}',
        b'{"tenant":"acme","minutes":[-60]}',
        b'{"tenant":"acme","minutes":["2026-11-24"]}',
    ],
)
def test_p9_a_request_that_cannot_be_read_is_a_dead_letter_and_the_others_count(body: bytes) -> None:
    rig = rig_of(0, 1, 2, 3)
    good = msgspec.json.encode(Request("acme", [60], 0))
    rig.aggregator.handle(batch(body, good, topic=RECOMPUTE.name))
    [refused] = rig.refused()
    assert (refused.body, refused.code, refused.topic) == (body, "recompute_unreadable", RECOMPUTE.name)
    assert rig.store.recomputed[0] == ("minute", [Window(60, "acme")])


def test_minutes_that_were_asked_for_are_counted() -> None:
    def count() -> float:
        return REGISTRY.get_sample_value("outlay_minutes_asked_total") or 0

    before = count()
    Owners(FakeSink(FakeBroker(1)), lambda _: (), 1).keep([Window(60, "a"), Window(120, "a")], {})
    Owners(FakeSink(FakeBroker(1)), lambda _: (0,), 1).keep([Window(60, "a")], {})
    assert count() == before + 2
