"""Compressed bodies: the three encodings that ClickHouse's clients use."""

import sys
import zlib
from collections.abc import Iterable, Iterator
from typing import Any

import lz4.frame

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

PREFERRED = ("lz4", "zstd", "gzip")


class EncodingError(Exception):
    """A body is in an encoding we do not know, or is not what its header says."""


def decompressor(encoding: str) -> Any:
    """Return an object whose `decompress(bytes)` may be called piece by piece. Raises EncodingError."""
    match encoding:
        case "gzip" | "x-gzip":
            return zlib.decompressobj(wbits=31)
        case "deflate":
            return zlib.decompressobj()
        case "lz4":
            return lz4.frame.LZ4FrameDecompressor()
        case "zstd":
            return zstd.ZstdDecompressor()
    raise EncodingError(f"Unknown compression method: {encoding}; use gzip, lz4 or zstd")


def choose(accept: str) -> str:
    """Return the encoding to answer in, or an empty string for none."""
    offered = {part.split(";", 1)[0].strip().lower() for part in accept.split(",")}
    return next((name for name in PREFERRED if name in offered), "")


def compress(pieces: Iterable[bytes], encoding: str) -> Iterator[bytes]:
    """Compress a stream in `encoding`."""
    if encoding == "lz4":
        frame = lz4.frame.LZ4FrameCompressor()
        yield frame.begin()
        for piece in pieces:
            yield frame.compress(piece)
        yield frame.flush()
        return
    packer: Any = zstd.ZstdCompressor(level=1) if encoding == "zstd" else zlib.compressobj(1, wbits=31)
    for piece in pieces:
        packed: bytes = packer.compress(piece)
        if packed:
            yield packed
    yield packer.flush()
