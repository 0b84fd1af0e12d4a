"""Sees to it that an identity counts once, also where it comes again with another time (docs/adr/0016).

After the rows of a batch are in the ledger, and with them in the index:

1. identities that the filter knew before are looked for in the index
2. where one has several places, the ledger says which of its rows counts: the one accepted last
3. each other place gets a row that retracts it, and the minutes of all of its places are computed again

All events of an identity come by one partition of `cost.events`, so that whoever reads it has them all: those before in
the index, those after in its batch. A crash after any step repeats all of them. What a replica writes that has lost the
partition is what its successor writes too, or loses by its version.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

from outlay_aggregator import metrics
from outlay_aggregator.domain.identities import Place, Seen, Suspect, contested, retraction
from outlay_aggregator.domain.windows import Window
from outlay_kit.broker import Partition, Record
from outlay_kit.telemetry import get_logger

log = get_logger(__name__)


class Ledger(Protocol):
    """Where the identities are kept: `adapters.identities.Index` and `adapters.books.Books`."""

    def words(self, shift: int) -> Iterable[tuple[int, int]]:
        """Return what the filter needs of all identities. Raises Retryable."""
        ...

    def places(self, identities: Iterable[int]) -> Mapping[int, set[int]]:
        """Return the seconds in which each identity has rows. Raises Retryable."""
        ...

    def rows(self, suspects: Iterable[Suspect], seconds: Mapping[int, set[int]]) -> Sequence[Place]:
        """Return what the ledger has of identities. Raises Retryable."""
        ...

    def retract(self, lines: bytes) -> None:
        """Write retractions. Raises Retryable."""
        ...

    def keep_moved(self, places: Sequence[Place]) -> None:
        """Write down, as conflicts, the events in `places`. Raises Retryable."""
        ...


class Identities:
    """The identities of the partitions that this process reads."""

    def __init__(self, ledger: Ledger, bits: int = 29) -> None:
        """`bits`: the filter has 2^bits bits."""
        self._ledger = ledger
        self.seen = Seen(bits)
        self._next: dict[Partition, int] = {}

    def follow(self, records: Sequence[Record]) -> None:
        """Read the index where a partition does not go on where it ended: another replica may have read it since.

        Raises Retryable.
        """
        expected = dict(self._next)
        for record in records:
            place = (record.topic, record.partition)
            if expected.get(place) != record.offset:
                self.seen.add_words(self._ledger.words(self.seen.word_shift))
                break
            expected[place] = record.offset + 1

    def done(self, records: Sequence[Record]) -> None:
        """Remember that `records` are in the ledger, and what came of them."""
        for record in records:
            self._next[record.topic, record.partition] = record.offset + 1


def settle(ledger: Ledger, suspects: Sequence[Suspect], oldest: int) -> set[Window]:
    """Retract what counts elsewhere; return the minutes to compute again. Raises Retryable.

    `suspects` must be in the ledger. `oldest`: Unix seconds before which nothing is written.
    """
    if not suspects:
        return set()
    seconds = ledger.places(suspect.identity for suspect in suspects)
    several = [suspect for suspect in suspects if len(seconds.get(suspect.identity, ())) > 1]
    if not several:
        return set()
    places, losers, beyond = contested(ledger.rows(several, seconds), oldest)
    if losers:
        ledger.keep_moved(places)
        ledger.retract(b"\n".join(retraction(place, version) for place, version in losers))
        metrics.MOVED.inc(len(losers))
        log.warning("events came again with another time; each counts once", events=len(losers))
    if beyond:
        metrics.BEYOND.inc(beyond)
        log.error("events came again after what the ledger keeps; they count twice", events=beyond)
    return {Window(place.second - place.second % 60, place.tenant) for place in places}
