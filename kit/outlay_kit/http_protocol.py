"""What uvicorn leaves open: how large the head of a request may be, how long a request may take to arrive, and that a
server without requests rests."""

import asyncio
import sys
from contextlib import suppress
from types import FrameType

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

MAX_HEAD_BYTES = 64 * 1024
MAX_DRAINED_BYTES = 2**20
"""What a refused sender may still send before its connection is cut."""
_END = b"connection: close\r\ncontent-length: 0\r\n\r\n"
_TOO_LARGE = b"HTTP/1.1 431 Request Header Fields Too Large\r\n" + _END
_TOO_SLOW = b"HTTP/1.1 408 Request Timeout\r\n" + _END


class GuardedProtocol(HttpToolsProtocol):
    """Closes connections that send no request, or one that does not end; drains refused bodies only so far. A request
    that arrives whole in one piece, as small ones do, costs no timer."""

    head_seconds = 10.0
    body_seconds = 30.0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Expect a request soon."""
        super().connection_made(transport)
        self._head_bytes = 0
        self._drained = 0
        self._in_head = True
        self._in_body = False
        self._timer: asyncio.TimerHandle | None = None
        self._expect(self.head_seconds)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the timer."""
        self._met()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Count what belongs to a head; give what has begun some time to end."""
        self._head_bytes += len(data)
        super().data_received(data)
        if self.transport.is_closing():
            return
        if self._in_head and self._head_bytes > MAX_HEAD_BYTES:
            self._refuse(_TOO_LARGE)
        elif self._timer is None and (self._in_head or self._in_body):
            self._expect(self.head_seconds if self._in_head else self.body_seconds)

    def on_message_begin(self) -> None:
        """A head begins."""
        self._in_head = True
        self._drained = 0
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """The head is whole; the body has its own time."""
        self._in_head, self._in_body = False, True
        self._head_bytes = 0
        self._met()
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Take a piece of the body; drain only a part of a refused one."""
        if self.cycle.response_complete:
            self._drained += len(body)
            if self._drained > MAX_DRAINED_BYTES:
                self.transport.abort()
                return
        super().on_body(body)

    def on_message_complete(self) -> None:
        """The request is whole; uvicorn's limit for resting connections watches until the next."""
        self._in_body = False
        self._head_bytes = 0
        self._met()
        super().on_message_complete()

    def _expect(self, seconds: float) -> None:
        self._timer = self.loop.call_later(seconds, self._late)

    def _met(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _late(self) -> None:
        self._timer = None
        if not self.transport.is_closing():
            self._refuse(_TOO_SLOW)

    def _refuse(self, answer: bytes) -> None:
        busy = self.cycle is not None and self.cycle.response_started and not self.cycle.response_complete  # type: ignore[redundant-expr]
        if not busy:
            self.transport.write(answer)
        self.transport.close()


class RestingServer(uvicorn.Server):
    """Looks once a second whether to end, and what the Date header is; uvicorn looks ten times. A signal wakes it."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.ended = asyncio.Event()
        """Set when this process was asked to end."""
        self._serving: asyncio.AbstractEventLoop | None = None

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """End soon. Called by a signal, between any two steps of the loop."""
        super().handle_exit(sig, frame)
        if self._serving is None:
            self.ended.set()
        else:
            self._serving.call_soon_threadsafe(self.ended.set)

    async def main_loop(self) -> None:
        """Serve until asked to end."""
        self._serving = asyncio.get_running_loop()
        while not await self.on_tick(0):
            with suppress(TimeoutError):
                await asyncio.wait_for(self.ended.wait(), 1.0)


def serve(config: uvicorn.Config) -> None:
    """Serve until SIGTERM or SIGINT. Ends the process if the server cannot start."""
    server = RestingServer(config)
    with suppress(KeyboardInterrupt):  # uvicorn raises the signal again when it has served
        server.run()
    if not server.started:
        sys.exit(3)
