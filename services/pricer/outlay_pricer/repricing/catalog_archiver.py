"""Archives each catalog that arrives, and re-prices unpriced and estimated events by it."""

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from itertools import islice

import msgspec
from prometheus_client import Counter, Gauge

from outlay_kit.clickhouse import ClickHouseClient
from outlay_kit.clock import Clock
from outlay_kit.kafka import RecordSink, deliver
from outlay_kit.telemetry import get_logger
from outlay_pricer.domain import CompiledCatalog
from outlay_pricer.domain.repricing import reprice
from outlay_pricer.ledger import LedgerReader, Selection
from outlay_schemas.catalog.freshness import stale
from outlay_schemas.events import AcceptedUsage, encoder
from outlay_schemas.retention import first_kept
from outlay_schemas.topics import USAGE_EVENTS

RECORD_EVENTS = 500
"""Events in one record."""
RECORDS = 20
"""Records under way at once."""


def resend(sink: RecordSink, usages: Iterable[AcceptedUsage]) -> int:
    """Return how many events were sent, when all are durable. Raises Retryable; to send some twice does no harm."""
    sent = 0
    rest = iter(usages)
    while chunk := list(islice(rest, RECORD_EVENTS * RECORDS)):
        parts = (chunk[first : first + RECORD_EVENTS] for first in range(0, len(chunk), RECORD_EVENTS))
        deliver(sink, USAGE_EVENTS.name, [encoder.encode_lines(part) for part in parts])
        sent += len(chunk)
    return sent


log = get_logger(__name__)

LOOKED = Counter(
    "outlay_repricing_looked_total", "Unpriced and estimated events of the ledger that were priced again"
)
SENT = Counter(
    "outlay_repricing_sent_total", "Of them, those that came out differently and were put on Kafka"
)
STALE = Gauge(
    "outlay_prices_stale", "Sources of prices that were not renewed for too long: model prices, price books"
)


class Arrived(msgspec.Struct, frozen=True):
    """A catalog as it came."""

    revision: int
    created_at: datetime
    note: str
    body: str


class CatalogArchiver:
    """Stateless: what is still to do is in the ledger."""

    def __init__(
        self,
        clickhouse: ClickHouseClient,
        sink: RecordSink,
        clock: Clock,
        *,
        settle_seconds: float = 600.0,
        progress: Callable[[], None] = lambda: None,
    ) -> None:
        """`settle_seconds`: how long pricers that do not have a new catalog yet may still price by an old one."""
        self._clickhouse, self._ledger = clickhouse, LedgerReader(clickhouse)
        self._sink, self._clock, self._progress = sink, clock, progress
        self._settle = settle_seconds
        self._revision, self._until = 0, 0.0
        self._logged: set[str] = set()

    def keep(self, catalog: Arrived) -> None:
        """Write a catalog down. Safe to repeat. Raises Retryable."""
        self._clickhouse.insert_json_lines("catalogs", msgspec.json.encode(catalog))

    def look(self, catalog: CompiledCatalog) -> int:
        """Price unpriced and estimated events by a catalog that is new; return how many were sent on. Raises Retryable.

        It looks again for a while: what an older revision prices in the meantime is still to come into the ledger.
        """
        now = self._clock.monotonic()
        if catalog.revision == self._revision and now >= self._until:
            return 0
        sent = resend(self._sink, self._better(catalog))
        SENT.inc(sent)
        if sent:
            log.info(
                "unpriced and estimated events are priced by a new catalog",
                events=sent,
                revision=catalog.revision,
            )
        if catalog.revision != self._revision:
            self._revision, self._until = catalog.revision, now + self._settle
        return sent

    def watch_age(self, catalog: CompiledCatalog) -> None:
        """Report prices that are too old: by a metric while they are, in the log once each."""
        old = stale(catalog.catalog, self._clock.now())
        STALE.set(len(old))
        for item in old:
            if item.name not in self._logged:
                log.warning("prices are old", source=item.name, checked=item.checked, days=item.days)
        self._logged = {item.name for item in old}

    def _better(self, catalog: CompiledCatalog) -> Iterator[AcceptedUsage]:
        since = first_kept(self._clock.now())  # older ones the ledger would refuse
        wanted = Selection(since=since, unsure=True, before_revision=catalog.revision)
        for item in reprice(self._ledger.events(wanted), catalog):
            LOOKED.inc()
            self._progress()
            if item.improves:
                yield item.resent
