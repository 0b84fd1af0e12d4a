"""The identity filter, and the retraction of an event that comes again with another time. Pure.

An identity has a *place* for each second in which it has a row. Of all rows the one with the greatest version counts;
each other place gets a row that retracts it, with the version of the one that counts. Retractions only follow from
events, and of two rows in a place the greater version wins, so the result does not depend on order, writer or repeats.
"""

import mmap
from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import NamedTuple, Protocol

import msgspec

from outlay_schemas.identity import identity, identity_crc, seed

_MOST_SEEDS = 10_000


class Identified(Protocol):
    """An event with an identity."""

    tenant: str
    source: str
    id: str


class Suspect(NamedTuple):
    """An identity that the ledger may have in another place."""

    identity: int
    tenant: str
    source: str
    id: str


class Place(msgspec.Struct, frozen=True):
    """A second of the ledger in which an identity has rows."""

    tenant: str
    source: str
    id: str
    second: int
    """Unix seconds."""
    top: int
    """The version that counts here."""
    live: int
    """The greatest version of an event here; 0: there was never one."""

    @property
    def retracted(self) -> bool:
        """Whether what counts here retracts the event."""
        return self.top != self.live


class Seen:
    """A filter of 2^`bits` bits: an identity that it does not know is new."""

    def __init__(self, bits: int = 29) -> None:
        self._shift = 32 - bits
        # Unlike a bytearray, its pages take memory only when they hold a bit: 64 MiB of nothing take none.
        self._bits = mmap.mmap(-1, 2**bits // 8, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        self._words = memoryview(self._bits).cast("Q")
        self._seeds: dict[tuple[str, str], int] = {}

    @property
    def word_shift(self) -> int:
        """Return the bits by which an identity is shifted to get the number of its word of 64 bits."""
        return 32 + self._shift + 6

    def add_words(self, words: Iterable[tuple[int, int]]) -> None:
        """Add words of the index: number and bits."""
        mine = self._words
        for at, word in words:
            mine[at] |= word

    def suspects(self, events: Sequence[Identified]) -> list[Suspect]:
        """Add events; return those that may have been known before."""
        found: list[Suspect] = []
        bits, seeds, shift = self._bits, self._seeds, self._shift
        if len(seeds) > _MOST_SEEDS:
            seeds.clear()
        key, begun = ("", ""), seed("", "")
        for event in events:
            if event.source != key[1] or event.tenant != key[0]:  # seldom: most records are of one producer
                key = (event.tenant, event.source)
                begun = seeds.get(key) or seeds.setdefault(key, seed(*key))
            at = identity_crc(event.id, begun) >> shift
            bit = 1 << (at & 7)
            byte = bits[at >> 3]
            if byte & bit:
                found.append(Suspect(identity(*key, event.id), *key, event.id))
            else:
                bits[at >> 3] = byte | bit
        return found


def contested(places: Iterable[Place], oldest: int) -> tuple[list[Place], list[tuple[Place, int]], int]:
    """Return the places of identities with several, those to retract with their version, and how many count twice.

    The places include retracted ones: a crash may have come before their minute was recomputed. Places before `oldest`
    (Unix seconds) stay as they are, since rows around them may be deleted: they go on counting.
    """
    by_name: dict[tuple[str, str, str], list[Place]] = defaultdict(list)
    for place in places:
        by_name[place.tenant, place.source, place.id].append(place)
    shared: list[Place] = []
    losers: list[tuple[Place, int]] = []
    beyond = 0
    for found in by_name.values():
        if len(found) < 2:
            continue
        winner = max(found, key=lambda place: (place.live, place.second))
        for place in found:
            if place.second < oldest:
                beyond += place is not winner and not place.retracted
                continue
            shared.append(place)
            if place is not winner and not place.retracted:
                losers.append((place, max(winner.live, place.live + 1)))
    return shared, losers, beyond


def retraction(place: Place, version: int) -> bytes:
    """Return the ledger row that retracts the event in `place`, as a line of JSON."""
    return msgspec.json.encode(
        {"tenant": place.tenant, "source": place.source, "id": place.id,
         "time": datetime.fromtimestamp(place.second, UTC), "cost": "0", "price_status": "retracted",
         "retracted": True, "row_version": str(version)}
    )  # fmt: skip
