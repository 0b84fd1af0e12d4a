"""How requests share records, and what becomes of them when Kafka does not answer."""

import asyncio
from datetime import UTC, datetime

import pytest
from tests.support.ingest_rig import AWAY, HeldSink

from outlay_ingest.body import MemoryBudget
from outlay_ingest.domain.rejections import Rejection
from outlay_ingest.settings import Settings
from outlay_ingest.writer import DEAD_LETTER_BYTES, Writer
from outlay_kit.clock import FakeClock
from outlay_kit.errors import Retryable
from outlay_schemas.topics import DEAD_LETTER

NOW = datetime(2026, 11, 24, tzinfo=UTC)


class Desk:
    """A writer, its bus and its budget."""

    def __init__(self, linger: float = 0.005, limit: int = 10**6) -> None:
        self.sink = HeldSink()
        self.budget = MemoryBudget(limit)
        self.clock = FakeClock(NOW)
        settings = Settings.model_construct(linger_ms=linger * 1000, deliver_seconds=0.1, stuck_seconds=2.0)
        self.writer = Writer(self.sink, self.budget, settings, self.clock)

    async def sent(self) -> None:
        """Wait until the bus has what was written."""
        async with asyncio.timeout(30):
            while not self.sink.sent:  # noqa: ASYNC110 (it is filled in a call that no test sees)
                await asyncio.sleep(0.001)


async def test_small_requests_of_a_tenant_share_a_record() -> None:
    desk = Desk()
    await asyncio.gather(*(desk.writer.write("acme", b"%d" % n, 1) for n in range(50)))
    assert desk.sink.records() == [b"\n".join(b"%d" % n for n in range(50))]
    assert not desk.budget.used


async def test_tenants_never_share_a_record() -> None:
    desk = Desk()
    await asyncio.gather(*(desk.writer.write(f"t{n % 2}", b"t%d" % (n % 2), 1) for n in range(10)))
    assert sorted(desk.sink.records()) == [b"\n".join([b"t0"] * 5), b"\n".join([b"t1"] * 5)]


async def test_a_full_record_does_not_linger() -> None:
    desk = Desk(linger=60)
    await asyncio.wait_for(desk.writer.write("acme", b"x", 500), 1)
    await asyncio.wait_for(asyncio.gather(*(desk.writer.write("acme", b"y", 100) for _ in range(5))), 1)
    assert [value.count(b"\n") for value in desk.sink.records()] == [0, 4]


async def test_a_record_never_holds_more_than_500_events() -> None:
    desk = Desk()
    await asyncio.gather(*(desk.writer.write("acme", b"%d" % n, 300) for n in range(4)))
    assert desk.sink.records() == [b"0", b"1", b"2", b"3"]


async def test_a_record_is_bounded_in_bytes() -> None:
    desk = Desk(linger=60, limit=10**8)
    await asyncio.wait_for(desk.writer.write("acme", b"z" * 2**20, 1), 1)
    assert len(desk.sink.records()) == 1


async def test_all_who_share_a_record_share_its_fate() -> None:
    desk = Desk()
    desk.sink.failure = AWAY
    outcomes = await asyncio.gather(
        *(desk.writer.write("acme", b"1", 1) for _ in range(3)), return_exceptions=True
    )
    assert outcomes == [AWAY] * 3
    assert not desk.budget.used


async def test_who_stopped_waiting_changes_nothing_for_the_others() -> None:
    desk = Desk()
    desk.sink.hold = True
    gone = asyncio.create_task(desk.writer.write("acme", b"1", 1))
    stays = asyncio.create_task(desk.writer.write("acme", b"2", 1))
    await desk.sent()
    gone.cancel()
    await asyncio.sleep(0)
    desk.sink.acknowledge()
    await stays
    assert desk.sink.records() == [b"1\n2"]
    assert not desk.budget.used


async def test_past_the_budget_the_sender_is_asked_to_come_back() -> None:
    desk = Desk(limit=10)
    desk.sink.hold = True
    first = asyncio.create_task(desk.writer.write("acme", b"12345678", 1))
    await desk.sent()
    with pytest.raises(Retryable) as caught:
        await desk.writer.write("acme", b"123", 1)
    assert caught.value.retry_after == 1
    desk.sink.acknowledge()
    await first
    desk.sink.hold = False
    await desk.writer.write("acme", b"123", 1)


async def test_the_budget_holds_what_kafka_still_has_after_the_sender_was_reported() -> None:
    desk = Desk()
    desk.sink.hold = True
    with pytest.raises(Retryable, match="in time"):
        await desk.writer.write("acme", b"1234", 1)
    assert desk.budget.used == 4
    assert desk.writer.wedged()
    desk.clock.advance(60)
    desk.writer.check()  # others may try
    desk.sink.acknowledge()
    await asyncio.sleep(0.01)
    assert desk.budget.used == 0
    assert not desk.writer.wedged()


async def test_stuck_is_reported_until_an_acknowledgement_comes() -> None:
    desk = Desk()
    desk.writer.check()
    desk.sink.hold = True
    waiting = asyncio.create_task(desk.writer.write("acme", b"1", 1))
    await desk.sent()
    desk.clock.advance(1.9)
    desk.writer.check()
    desk.clock.advance(0.2)
    with pytest.raises(Retryable):
        desk.writer.check()
    desk.sink.acknowledge()
    await waiting
    desk.writer.check()


async def test_draining_sends_what_lingers_and_waits_for_it() -> None:
    desk = Desk(linger=60)
    desk.sink.hold = True
    waiting = asyncio.create_task(desk.writer.write("acme", b"1", 1))
    await asyncio.sleep(0.01)
    assert not desk.sink.sent
    draining = asyncio.create_task(desk.writer.drain())
    await asyncio.sleep(0.02)
    assert not draining.done()
    desk.sink.acknowledge()
    await draining
    await waiting


async def test_dead_letters_are_put_together_up_to_a_bound() -> None:
    desk = Desk(limit=10**8)
    large = b"x" * (DEAD_LETTER_BYTES // 2)
    refusals = [Rejection(n, "c", "$", "m", raw) for n, raw in enumerate([b"1", b"2", large, large, b"3"])]
    await desk.writer.refuse("acme", refusals, NOW)
    assert [value.count(b"\n") for value in desk.sink.records(DEAD_LETTER.name)] == [2, 1]
    assert [dead_letter.body for dead_letter in desk.sink.dead_letters()] == [b"1", b"2", large, large, b"3"]
    assert not desk.budget.used
