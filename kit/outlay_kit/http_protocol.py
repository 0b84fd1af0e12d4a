"""What uvicorn leaves open: how large the head of a request may be, and how long a request may take to arrive."""

import asyncio

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
