"""Ingest on a real socket, and requests written byte by byte."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import uvicorn
from tests.support.ingest_rig import Rig

from outlay_kit.http_protocol import GuardedProtocol

Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]
Connect = Callable[[], Awaitable[Connection]]


class _Hasty(GuardedProtocol):
    head_seconds = 0.2
    body_seconds = 0.3


@asynccontextmanager
async def serving(rig: Rig) -> AsyncIterator[Connect]:
    config = uvicorn.Config(
        rig.endpoint.app(), http=_Hasty, port=0, log_config=None, lifespan="off", timeout_keep_alive=1
    )
    server = uvicorn.Server(config)
    task = asyncio.create_task(server._serve())
    while not server.started:  # noqa: ASYNC110 (uvicorn has no event for it)
        await asyncio.sleep(0.005)
    port = server.servers[0].sockets[0].getsockname()[1]
    try:
        yield lambda: asyncio.open_connection("127.0.0.1", port)
    finally:
        server.should_exit = True
        await task


def head(rig: Rig, *lines: str) -> bytes:
    return "\r\n".join(
        ["POST /v1/events HTTP/1.1", "Host: x", f"X-API-Key: {rig.key}", *lines, "", ""]
    ).encode()


async def all_of(reader: asyncio.StreamReader) -> bytes:
    try:
        return await asyncio.wait_for(reader.read(), 3)
    except ConnectionResetError:
        return b"reset"
