"""The order in which events were accepted: of two under one identity the later counts. A stamp is a time in ms and a
number within it. Ingest stamps a record in a header, from which its lines count on. Without it (produced to Kafka
directly) it is the record's timestamp, offset and line. Reading again gives the same stamps."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

HEADER = "outlay-accepted"
"""The record header that holds the stamp of the record's first line, as `milliseconds.sequence`."""
LINE_BITS = 20
"""A record has fewer lines than 2^20: records are at most 16 MiB."""
UNSTAMPED_MS = 1
"""The stamp of events of releases that had none, when they are priced again: later than what they were, and
earlier than anything that was accepted since."""


class Stamp(NamedTuple):
    """When an event was accepted: milliseconds since 1970 (0: not known), and its place within them."""

    ms: int
    seq: int

    def after(self, lines: int) -> "Stamp":
        """Return the stamp of the line that is `lines` lines further on in the record."""
        return Stamp(self.ms, self.seq + lines)

    def header(self) -> tuple[str, bytes]:
        """Return the record header that says this."""
        return HEADER, b"%d.%d" % self


NO_STAMP = Stamp(0, 0)


class Stamper:
    """Gives stamps that only grow, also where the clock stands still or goes back."""

    def __init__(self) -> None:
        self._next = Stamp(0, 0)

    def take(self, now_ms: int, lines: int) -> Stamp:
        """Return the stamp of the first of `lines` lines, accepted at `now_ms`."""
        first = Stamp(now_ms, 0) if now_ms > self._next.ms else self._next
        self._next = first.after(lines)
        return first


def stamp_of(
    headers: Iterable[tuple[str, bytes]] | Mapping[str, bytes] | None, timestamp_ms: int, offset: int
) -> Stamp:
    """Return the stamp of a record's first line: what ingest says in its header, else when the record was produced."""
    pairs = headers.items() if isinstance(headers, Mapping) else headers or ()
    for name, value in pairs:
        if name == HEADER:
            ms, dot, seq = (value or b"").partition(b".")
            if dot and ms.isdigit() and seq.isdigit() and len(ms) < 15 and len(seq) < 19:
                return Stamp(int(ms), int(seq))
    return Stamp(max(0, timestamp_ms), offset << LINE_BITS)
