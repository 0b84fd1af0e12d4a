"""Compressed bodies: the encodings that ClickHouse's clients use."""

import sys
import zlib
from collections.abc import Iterator
from typing import Any

import lz4.frame

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

PREFERRED = ("lz4", "zstd", "gzip", "deflate")
_PIECE = 1 << 20
"""Bytes that come out at once: a small body cannot become a large one before anybody counts it."""


class EncodingError(Exception):
    """A body is in an encoding we do not know, or is not what its header says."""


class Unpacker:
    """Unpacks a body that arrives in pieces; one stream after another, as the encodings allow."""

    def __init__(self, encoding: str) -> None:
        self._encoding = encoding
        self._codec: Any = _decompressor(encoding)
        self._whole = True

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Yield what comes of `data`, at most a megabyte at once. Raises EncodingError."""
        try:
            while data:
                if self._codec.eof:
                    self._codec = _decompressor(self._encoding)
                yield self._codec.decompress(data, _PIECE)
                while not self._codec.eof and (more := self._more()):
                    yield more
                self._whole = bool(self._codec.eof)
                data = self._codec.unused_data if self._codec.eof else b""
        except (zlib.error, zstd.ZstdError, RuntimeError, EOFError) as error:
            raise EncodingError(f"the body is not {self._encoding}: {error}") from None

    def end(self) -> None:
        """Raise EncodingError if the body ended in the middle of its stream."""
        if not self._whole:
            raise EncodingError(f"the body ends in the middle of its {self._encoding} stream")

    def _more(self) -> bytes:
        """Return what the codec still holds back, nothing if it waits for more input."""
        tail = getattr(self._codec, "unconsumed_tail", None)
        if tail is not None:
            return bytes(self._codec.decompress(tail, _PIECE)) if tail else b""
        return b"" if self._codec.needs_input else bytes(self._codec.decompress(b"", _PIECE))


def _decompressor(encoding: str) -> Any:
    match encoding:
        case "gzip" | "x-gzip":
            return zlib.decompressobj(wbits=31)
        case "deflate":
            return zlib.decompressobj()
        case "lz4":
            return lz4.frame.LZ4FrameDecompressor()
        case "zstd":
            return zstd.ZstdDecompressor()
    raise EncodingError(f"Unknown compression method: {encoding}; use gzip, deflate, lz4 or zstd")


def choose(accept: str) -> str:
    """Return the encoding to answer in, or an empty string for none."""
    offered = {part.split(";", 1)[0].strip().lower() for part in accept.split(",")}
    return next((name for name in PREFERRED if name in offered), "")


class Packer:
    """Packs an answer that is sent in pieces. `encoding` as `choose` returned it."""

    def __init__(self, encoding: str) -> None:
        self._lz4 = lz4.frame.LZ4FrameCompressor() if encoding == "lz4" else None
        self._begun = False
        if encoding == "zstd":
            self._codec: Any = zstd.ZstdCompressor(level=1)
        elif encoding in ("gzip", "deflate"):
            self._codec = zlib.compressobj(1, wbits=31 if encoding == "gzip" else 15)

    def pack(self, data: bytes) -> bytes:
        """Return what can be sent of `data` now."""
        if self._lz4 is None:
            return bytes(self._codec.compress(data))
        head = b"" if self._begun else self._lz4.begin()
        self._begun = True
        return bytes(head + self._lz4.compress(data))

    def end(self) -> bytes:
        """Return the end of the stream."""
        return bytes((self._lz4 or self._codec).flush())
