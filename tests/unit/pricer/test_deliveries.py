"""A record is acknowledged after its results, and after all records before it."""

import asyncio
from dataclasses import dataclass, field

import pytest

from outlay_kit.errors import Retryable
from outlay_pricer.faust_app import Deliveries, Output


@dataclass
class Read:
    """A record that notes when it was acknowledged."""

    name: str
    acked: list[str]

    def ack(self) -> bool:
        self.acked.append(self.name)
        return True


@dataclass
class Desk:
    """Deliveries whose results arrive when the test says so."""

    limit: int = 4
    acked: list[str] = field(default_factory=list)
    sent: list[tuple[str, bytes]] = field(default_factory=list)
    waiting: dict[bytes, asyncio.Future[None]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.deliveries = Deliveries(self.send, self.limit)

    async def send(self, topic: str, value: bytes, headers: object, partition: int | None) -> None:
        assert (headers, partition) == ((), None)
        self.sent.append((topic, value))
        self.waiting[value] = asyncio.get_running_loop().create_future()
        await self.waiting[value]

    async def put(self, name: str, *values: bytes) -> None:
        await self.deliveries.put(Read(name, self.acked), [Output("t", value) for value in values])


async def settle() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


async def test_no_ack_before_every_result_is_durable() -> None:
    desk = Desk()
    run = asyncio.create_task(desk.deliveries.run())
    await desk.put("a", b"1", b"2")
    await settle()
    assert desk.sent == [("t", b"1"), ("t", b"2")], "at once, so that they share a request"
    desk.waiting[b"2"].set_result(None)
    await settle()
    assert desk.acked == []
    desk.waiting[b"1"].set_result(None)
    await settle()
    assert desk.acked == ["a"]
    run.cancel()


async def test_acks_keep_the_order_of_the_records_though_deliveries_do_not() -> None:
    desk = Desk()
    run = asyncio.create_task(desk.deliveries.run())
    for name in "abc":
        await desk.put(name, name.encode())
    await settle()
    desk.waiting[b"c"].set_result(None)
    desk.waiting[b"b"].set_result(None)
    await settle()
    assert desk.acked == []
    desk.waiting[b"a"].set_result(None)
    await settle()
    assert desk.acked == ["a", "b", "c"]
    run.cancel()


async def test_a_record_without_results_waits_for_its_turn_too() -> None:
    desk = Desk()
    run = asyncio.create_task(desk.deliveries.run())
    await desk.put("a", b"a")
    await desk.put("empty")
    await settle()
    assert desk.acked == []
    desk.waiting[b"a"].set_result(None)
    await settle()
    assert desk.acked == ["a", "empty"]
    run.cancel()


async def test_what_fails_ends_the_run_and_nothing_after_it_is_acknowledged() -> None:
    desk = Desk()
    run = asyncio.create_task(desk.deliveries.run())
    for name in "abc":
        await desk.put(name, name.encode())
    await settle()
    desk.waiting[b"a"].set_result(None)
    desk.waiting[b"c"].set_result(None)
    desk.waiting[b"b"].set_exception(Retryable("no"))
    with pytest.raises(Retryable):
        await run
    assert desk.acked == ["a"]


async def test_only_so_much_is_under_way() -> None:
    desk = Desk(limit=2)
    run = asyncio.create_task(desk.deliveries.run())

    async def put_all() -> None:
        for n in range(10):
            await desk.put(str(n), b"%d" % n)

    putting = asyncio.create_task(put_all())
    await settle()
    assert not putting.done()
    assert len(desk.sent) <= 4
    for n in range(10):
        await settle()
        desk.waiting[b"%d" % n].set_result(None)
    await putting
    await settle()
    assert desk.acked == [str(n) for n in range(10)]
    run.cancel()
