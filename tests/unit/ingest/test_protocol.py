"""Senders that are slow, endless or too large, on a real socket."""

import asyncio
import json
from collections.abc import AsyncIterator

import pytest
from tests.support.ingest_rig import MakeRig, Rig, usage
from tests.support.raw_http import Connect, all_of, head, serving

from outlay_kit.http_protocol import MAX_HEAD_BYTES


@pytest.fixture
async def connect(rig: Rig) -> AsyncIterator[Connect]:
    async with serving(rig) as connect:
        yield connect


async def test_a_whole_request_passes_and_the_connection_stays(rig: Rig, connect: Connect) -> None:
    reader, writer = await connect()
    body = json.dumps(usage()).encode()
    for _ in range(3):
        writer.write(head(rig, f"Content-Length: {len(body)}") + body)
        assert b" 202 " in await reader.readline()
        await reader.readuntil(b'"rejected":0}')
    writer.close()


async def test_a_request_in_small_pieces_passes(rig: Rig, connect: Connect) -> None:
    reader, writer = await connect()
    body = json.dumps(usage()).encode()
    whole = head(rig, f"Content-Length: {len(body)}") + body
    for at in range(0, len(whole), 100):
        writer.write(whole[at : at + 100])
        await asyncio.sleep(0.01)
    assert b" 202 " in await reader.readline()
    writer.close()


@pytest.mark.parametrize("sent", [b"", b"POST /v1/events HTTP/1.1\r\nHost: x\r\nX-A"])
async def test_a_head_that_does_not_come_is_408(connect: Connect, sent: bytes) -> None:
    reader, writer = await connect()
    writer.write(sent)
    assert (await all_of(reader)).startswith(b"HTTP/1.1 408 ")
    writer.close()


async def test_a_head_that_trickles_is_408(connect: Connect) -> None:
    reader, writer = await connect()
    writer.write(b"POST /v1/events HTTP/1.1\r\n")
    answer = asyncio.create_task(all_of(reader))
    while not answer.done():
        writer.write(b"X-A: b\r\n")
        await asyncio.sleep(0.02)
    assert (await answer).startswith((b"HTTP/1.1 408 ", b"reset"))
    writer.close()


async def test_a_body_that_trickles_is_408_and_gives_its_bytes_back(rig: Rig, connect: Connect) -> None:
    reader, writer = await connect()
    writer.write(head(rig, "Content-Length: 100000"))
    answer = asyncio.create_task(all_of(reader))
    while not answer.done():
        writer.write(b" " * 100)
        await asyncio.sleep(0.02)
    assert (await answer).startswith((b"HTTP/1.1 408 ", b"reset"))
    await asyncio.sleep(0.05)
    assert not rig.budget.used
    writer.close()


async def test_a_head_without_end_is_431(connect: Connect) -> None:
    reader, writer = await connect()
    writer.write(b"POST /v1/events HTTP/1.1\r\nX: " + b"x" * (MAX_HEAD_BYTES + 1))
    assert (await all_of(reader)).startswith((b"HTTP/1.1 431 ", b"reset"))
    writer.close()


async def test_a_declared_body_that_is_too_large_is_413_before_it_is_sent(rig: Rig, connect: Connect) -> None:
    reader, writer = await connect()
    writer.write(head(rig, f"Content-Length: {10**12}"))
    answer = await all_of(reader)
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert b"connection: close" in answer.lower()
    writer.close()


async def test_a_refused_sender_cannot_go_on_for_ever(make_rig: MakeRig) -> None:
    rig = make_rig(max_body_bytes=1024)
    async with serving(rig) as connect:
        _, writer = await connect()
        writer.write(head(rig, "Transfer-Encoding: chunked"))

        async def flood() -> None:
            for _ in range(1000):
                writer.write(b"10000\r\n" + b" " * 65536 + b"\r\n")
                await writer.drain()

        with pytest.raises((ConnectionResetError, BrokenPipeError)):
            await flood()
        assert not rig.budget.used
        writer.close()


async def test_what_is_no_http_is_400(connect: Connect) -> None:
    reader, writer = await connect()
    writer.write(b"\x16\x03\x01\x02\x00\x01")
    assert (await all_of(reader)).startswith(b"HTTP/1.1 400 ")
    writer.close()
