"""Gives back memory that holds the engine's own code: 250 MiB are read once, when it is loaded and its tables are made.

Pages that are never written are the file's. Unmapped, they stay in the system's cache for as long as nothing else needs
the memory, and what is used again is mapped again without reading the disk.
"""

import ctypes
import re
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

_MADV_DONTNEED = 4
_MAPPING = re.compile(r"^([0-9a-f]+)-([0-9a-f]+) (\S+) \S+ \S+ \S+ +(\S.*)$")


def release(library: str) -> int:
    """Unmap what is in memory of the unwritten parts of a library of this process, by a part of its name; return their
    bytes. Does nothing where it is not known which parts were written, as outside Linux."""
    if sys.platform != "linux":
        return 0
    libc, released = ctypes.CDLL(None, use_errno=True), 0
    for begin, end in unwritten(Path("/proc/self/smaps"), library):
        if libc.madvise(ctypes.c_void_p(begin), ctypes.c_size_t(end - begin), _MADV_DONTNEED) == 0:
            released += end - begin
    return released


def unwritten(smaps: Path, library: str) -> Iterator[tuple[int, int]]:
    """Yield the addresses of the mappings of a library that cannot be written and never were: what the loader wrote
    and then protected would be lost."""
    lines: list[str] = []
    with suppress(OSError):
        lines = smaps.read_text().splitlines()
    found: tuple[int, int] | None = None
    for line in lines:
        if (mapping := _MAPPING.match(line)) is not None:
            readable = library in mapping[4] and mapping[3].startswith("r") and mapping[3][1] == "-"
            found = (int(mapping[1], 16), int(mapping[2], 16)) if readable else None
        elif "-" in line.split(maxsplit=1)[0] and ":" not in line.split(maxsplit=1)[0]:
            found = None  # a mapping without a file
        elif found is not None and line.startswith("Anonymous:") and line.split()[1] == "0":
            yield found
