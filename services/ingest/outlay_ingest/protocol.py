"""What uvicorn leaves open: how long, and how large, the head of a request may be."""

import asyncio

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

MAX_HEAD_BYTES = 64 * 1024
MAX_DRAINED_BYTES = 2**20
"""What a refused sender may still send before its connection is cut."""
_TOO_LARGE = b"HTTP/1.1 431 Request Header Fields Too Large\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"


class GuardedProtocol(HttpToolsProtocol):
    """Closes connections that send no request, or one without end; drains refused bodies only so far."""

    header_seconds = 10.0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Expect a request soon."""
        super().connection_made(transport)
        self._head_bytes = 0
        self._drained = 0
        self._in_head = True
        self._timer: asyncio.TimerHandle | None = None
        self._expect()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the timer."""
        self._met()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Count what belongs to a head; give a new head some time."""
        self._head_bytes += len(data)
        super().data_received(data)
        if not self._in_head:
            return
        if self._head_bytes > MAX_HEAD_BYTES:
            self.transport.write(_TOO_LARGE)
            self.transport.close()
        elif self._timer is None and self.parser is not None:
            self._expect()

    def on_message_begin(self) -> None:
        """A head begins."""
        self._in_head = True
        self._drained = 0
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """The head is whole."""
        self._in_head = False
        self._head_bytes = 0
        self._met()
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Take a piece of the body; what nobody reads any more, only so much of it."""
        if self.cycle.response_complete:
            self._drained += len(body)
            if self._drained > MAX_DRAINED_BYTES:
                self.transport.abort()
                return
        super().on_body(body)

    def on_message_complete(self) -> None:
        """The next head may come; the keep-alive limit watches until then."""
        self._head_bytes = 0
        self._met()
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """A sender that was answered before its body ended has a moment to end it."""
        super().on_response_complete()
        if self.cycle.more_body and not self.transport.is_closing():
            self._expect()

    def _expect(self) -> None:
        self._timer = self.loop.call_later(self.header_seconds, self._late)

    def _met(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _late(self) -> None:
        self._timer = None
        if not self.transport.is_closing():
            self.transport.close()
