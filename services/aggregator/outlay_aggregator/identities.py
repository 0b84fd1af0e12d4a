"""Lets an identity count once even if it comes again with another time (docs/adr/0016).

After the rows of a batch are in the ledger, and with them in the index:

1. identities that the filter knew before are looked up in the index
2. where one has several places, the ledger says which of its rows counts: the one accepted last
3. each other place gets a row that retracts it, and the minutes of all of its places are recomputed

All events of an identity come by one partition of `cost.events`, so its reader has them all: the earlier ones in the
index, the later ones in its batch. A crash after any step repeats all of them. A replica that has lost the partition
writes the same rows as its successor, or loses by their version.
"""

from collections.abc import Sequence

from outlay_aggregator import metrics
from outlay_aggregator.adapters.ledger_store import LedgerStore
from outlay_aggregator.domain.identities import Seen, Suspect, contested, retraction
from outlay_aggregator.domain.windows import Window
from outlay_kit.broker import Partition, Record
from outlay_kit.telemetry import get_logger

log = get_logger(__name__)


class Identities:
    """The identities of the partitions that this process reads."""

    def __init__(self, ledger: LedgerStore, bits: int = 29) -> None:
        """`bits`: the filter has 2^bits bits."""
        self._ledger = ledger
        self.seen = Seen(bits)
        self._next: dict[Partition, int] = {}

    def follow(self, records: Sequence[Record]) -> None:
        """Read the index if a partition continues elsewhere than it ended: another replica may have read it since."""
        expected = dict(self._next)
        for record in records:
            place = (record.topic, record.partition)
            if expected.get(place) != record.offset:
                self.seen.add_words(self._ledger.words(self.seen.word_shift))
                break
            expected[place] = record.offset + 1

    def done(self, records: Sequence[Record]) -> None:
        """Note that `records` are in the ledger."""
        for record in records:
            self._next[record.topic, record.partition] = record.offset + 1


def settle(ledger: LedgerStore, suspects: Sequence[Suspect], oldest: int) -> set[Window]:
    """Retract events that count elsewhere; return the minutes to recompute. Raises Retryable.

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
        ledger.append("ledger", b"\n".join(retraction(place, version) for place, version in losers))
        metrics.MOVED.inc(len(losers))
        log.warning("events came again with another time; each counts once", events=len(losers))
    if beyond:
        metrics.BEYOND.inc(beyond)
        log.error("events came again after what the ledger keeps; they count twice", events=beyond)
    return {Window(place.second - place.second % 60, place.tenant) for place in places}
