"""Reads a request's body: bounded in size, and in what it unpacks to. The kit's http_protocol bounds the time."""

import asyncio
import sys
import zlib
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from starlette.requests import ClientDisconnect
from starlette.types import Receive

from outlay_ingest import metrics
from outlay_kit.errors import Retryable
from outlay_kit.problems import Problem


class MemoryBudget:
    """Bytes of bodies being read, and of records that Kafka has not acknowledged."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._used = 0
        metrics.IN_FLIGHT.set_function(lambda: self._used)

    @property
    def used(self) -> int:
        """Bytes taken and not given back."""
        return self._used

    def take(self, size: int) -> None:
        """Take `size` bytes. Raises Retryable if they would be too many."""
        if self._used + size > self._limit:
            raise Retryable("too much is under way already", retry_after=1)
        self._used += size

    def force(self, size: int) -> None:
        """Take `size` bytes of what was admitted before in another form."""
        self._used += size

    def give(self, size: int) -> None:
        """Give `size` bytes back."""
        self._used -= size


if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

ENCODINGS = ("identity", "gzip", "zstd")
_IN_THREAD = 64 * 1024
"""Packed bodies from this size are unpacked beside the event loop."""
_MOST_MEMBERS = 100


class Body:
    """A body being read. What it holds is taken from the budget; `release` gives it back."""

    def __init__(self, budget: MemoryBudget, limit: int) -> None:
        self._budget = budget
        self._limit = limit
        self._held = 0

    def release(self) -> None:
        """Give back what was taken."""
        self._budget.give(self._held)
        self._held = 0

    async def read(self, headers: Mapping[str, str], receive: Receive) -> bytes:
        """Return the body, unpacked. Raises Problem, ClientDisconnect; and Retryable if too much is under way."""
        declared = headers.get("content-length", "")
        if declared.isdigit() and int(declared) > self._limit:
            raise self._too_large()
        encoding = headers.get("content-encoding", "identity").strip().lower()
        if encoding not in ENCODINGS:
            detail = f"{encoding} is not one of {', '.join(ENCODINGS)}"
            raise Problem(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "encoding", detail, close=True)
        packed = await self._receive(receive)
        if encoding == "identity":
            return packed
        if len(packed) < _IN_THREAD:
            plain = self._unpack(packed, encoding)
        else:
            plain = await asyncio.to_thread(self._unpack, packed, encoding)
        self._hold(len(plain))
        return plain

    async def _receive(self, receive: Receive) -> bytes:
        pieces: list[bytes] = []
        size, more = 0, True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise ClientDisconnect
            piece, more = message.get("body", b""), message.get("more_body", False)
            size += len(piece)
            if size > self._limit:
                raise self._too_large()
            self._hold(len(piece))
            pieces.append(piece)
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def _hold(self, size: int) -> None:
        self._budget.take(size)
        self._held += size

    def _unpack(self, packed: bytes, encoding: str) -> bytes:
        """Unpack every member (gzip) or frame (zstd), one after the other as the formats have it."""
        pieces: list[bytes] = []
        room = self._limit
        try:
            for _ in range(_MOST_MEMBERS):
                member: Any = zlib.decompressobj(wbits=31) if encoding == "gzip" else zstd.ZstdDecompressor()
                pieces.append(member.decompress(packed, room + 1))
                room -= len(pieces[-1])
                if room < 0:
                    raise self._too_large()
                if not member.eof:
                    raise _bad(encoding, "it ends too early")
                packed = member.unused_data
                if not packed:
                    return b"".join(pieces)
        except (zlib.error, zstd.ZstdError) as error:
            raise _bad(encoding, str(error)) from None
        raise _bad(encoding, f"it has more than {_MOST_MEMBERS} members")

    def _too_large(self) -> Problem:
        detail = f"a body may have {self._limit} bytes, unpacked; send fewer events at once"
        return Problem(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "body_too_large", detail, close=True)


def _bad(encoding: str, why: str) -> Problem:
    return Problem(HTTPStatus.BAD_REQUEST, encoding, f"the body is not {encoding} as it should be: {why}")
