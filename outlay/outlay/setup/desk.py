"""The catalog as the pages of set-up use it: read, planned, published; with the functions of `outlay catalog`."""

import threading
from collections import deque
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from typing import TYPE_CHECKING

import msgspec
from pydantic import ValidationError

from outlay.catalog.diff import Change, changes
from outlay.catalog.publish import CatalogTopic
from outlay_console.domain.list_page import ListPage
from outlay_kit.catalog_feed import CatalogFeed
from outlay_kit.clickhouse import ClickHouseClient
from outlay_kit.clock import Clock
from outlay_kit.errors import Retryable
from outlay_kit.kafka import KafkaSink, Record, deliver
from outlay_kit.offsets import read_whole
from outlay_kit.settings import ClickHouseSettings, KafkaSettings, load
from outlay_schemas.catalog import Catalog, decode_catalog
from outlay_schemas.proposals import PREFIX, Proposal
from outlay_schemas.topics import CATALOG

if TYPE_CHECKING:  # imported where they are used: the console is ready sooner
    from outlay_alerter.notify.notification import DeliveryResult
    from outlay_pricer.domain.compare import CostDifference

DAYS = 30
"""Days on which budgets and rules are tried."""
_EVENTS = 50_000
"""Most events that are priced for a plan: of the last day, so that a page is there in seconds."""
_PRICED = frozenset({"owners"})
"""Parts that change what events cost, or whose they are."""
_PATIENCE = 5.0
REVISIONS = 100
"""Revisions of a page."""
_SEEN = 5
"""The newest revisions, which are there before the ledger keeps them."""


@dataclass(frozen=True)
class Plan:
    """What a change would do."""

    changes: Sequence[Change]
    impact: "CostDifference | None"
    """On the cost of the last day's events; None: the change does not affect costs."""
    groups: "Sequence[CostDifference]"
    rules: Sequence[dict[str, object]]
    """How often the budgets and rules that differ fired in the last days, and would have fired."""


@dataclass(frozen=True)
class Revision:
    """A revision as its list shows it."""

    revision: int
    at: datetime
    author: str
    note: str


class Desk:
    """The catalog in force and what can be done with it. Every method raises Retryable where a store is away."""

    def __init__(self, kafka: KafkaSettings, clickhouse: ClickHouseSettings, clock: Clock) -> None:
        self._kafka = kafka
        self._topic = CatalogTopic(kafka)
        self._seen: deque[Catalog] = deque(maxlen=_SEEN)
        self._feed = CatalogFeed(kafka, _numbered, clock, self._seen.append)
        self._clickhouse = ClickHouseClient(clickhouse)
        self._one_at_a_time = threading.Lock()
        self._clock = clock

    def start(self) -> "Desk":
        """Follow the catalog in the background."""
        self._feed.start()
        return self

    def current(self) -> Catalog | None:
        """Return the catalog in force; None before the first."""
        try:
            return self._feed.current()
        except LookupError:
            return None

    def known(self) -> Catalog:
        """Return the catalog in force. Raises Retryable before the first."""
        known = self.current()
        if known is None:
            raise Retryable("no catalog was published yet, or the console has not read it yet")
        return known

    def proposals(self) -> list[Proposal]:
        """Return every proposal. What was decided stays decided."""
        found: dict[bytes, Proposal] = {}

        def take(record: Record) -> None:
            if record.key and record.key.startswith(PREFIX) and record.value:
                known = found.get(record.key)
                if known is None or known.state == "open":
                    found[record.key] = msgspec.json.decode(record.value, type=Proposal)

        read_whole(self._kafka, CATALOG.name, take)
        return list(found.values())

    def keep(self, proposal: Proposal) -> None:
        """Return when a proposal, or what was decided of it, is durable."""
        with closing(KafkaSink(self._kafka)) as sink:
            key = PREFIX + proposal.id.encode()
            deliver(sink, CATALOG.name, [msgspec.json.encode(proposal)], key)

    def plan(self, old: Catalog, new: Catalog, part: str, tenant: str) -> Plan:
        """Return what publishing `new` would change, and would have changed; for one tenant, or all if empty."""
        from outlay.catalog.rule_history import last_days, planned
        from outlay_pricer.domain import CompiledCatalog
        from outlay_pricer.domain.compare import plan as compare
        from outlay_pricer.domain.repricing import usage_of
        from outlay_pricer.ledger import LedgerReader, Selection

        now = self._clock.now()
        with self._one_at_a_time:
            rules = planned(self._clickhouse, old, new, last_days(now, DAYS), [tenant] if tenant else [])
            found = None
            if part in _PRICED:
                selected = Selection(since=now - timedelta(days=1), tenant=tenant)
                events = islice(LedgerReader(self._clickhouse).events(selected), _EVENTS)
                found = compare(CompiledCatalog(old), CompiledCatalog(new), map(usage_of, events))
        groups = [one for one in found.groups if one.changed] if found else []
        return Plan(changes(old, new), found.total if found else None, groups, rules)

    def publish(self, new: Catalog, after: int, author: str, note: str) -> int:
        """Publish a catalog right after a revision, and wait until pages show it; return its number. Raises
        ConflictError."""
        from outlay_pricer.domain import CompiledCatalog

        CompiledCatalog(new)  # pricers would ignore a catalog that cannot be compiled
        content = new.model_copy(update={"author": author, "note": note})
        revision = self._topic.publish(content, self._clock, after)
        deadline = self._clock.monotonic() + _PATIENCE
        while self._feed.revision < revision and self._clock.monotonic() < deadline:
            self._clock.sleep(0.05)
        return revision

    def revisions(self, after: int = 0) -> ListPage[Revision]:
        """Return the revisions after the first `after`, the newest first; the first page where there are not so many.
        The one in force may not be stored for a second."""
        with self._one_at_a_time:
            rows = self._clickhouse.rows(
                "SELECT revision, created_at, note, JSONExtractString(body, 'author') AS author,"
                " (SELECT uniqExact(revision) FROM catalogs) AS stored"
                " FROM catalogs ORDER BY revision DESC LIMIT 1 BY revision LIMIT {most:UInt32} OFFSET {after:UInt64}",
                {"most": REVISIONS, "after": after},
            )
        if after and not rows:
            return self.revisions()
        found = [Revision(row["revision"], row["created_at"], row["author"], row["note"]) for row in rows]
        count, now = rows[0]["stored"] if rows else 0, self.current()
        if not after and now is not None and all(one.revision < now.revision for one in found[:1]):
            found = [Revision(now.revision, now.created_at, now.author, now.note), *found][:REVISIONS]
            count += 1
        return ListPage(found, after, count, REVISIONS, "the newest first")

    def revision(self, number: int) -> Catalog | None:
        """Return a revision as it was published; None if it is not kept, or this release cannot read it."""
        for seen in list(self._seen):
            if seen.revision == number:
                return seen
        from outlay_pricer.ledger import LedgerReader

        with self._one_at_a_time:
            body = LedgerReader(self._clickhouse).catalog(number)
        try:
            return None if body is None else decode_catalog(body)
        except ValidationError:
            return None

    def since(self, base: int) -> Sequence[Change]:
        """Return what others changed since a revision."""
        now, old = self.current(), self.revision(base)
        return changes(old, now) if old is not None and now is not None else []

    def send_test(self, name: str) -> "DeliveryResult | None":
        """Send a sample alert to a channel of the catalog; None if there is no such channel. Secrets are read from the
        environment of the console, as the alerter reads them from its own."""
        from outlay_alerter.notify.channel_registry import of_catalog
        from outlay_alerter.notify.sample import alert as sample
        from outlay_alerter.notify.sample import posted
        from outlay_alerter.settings import Settings as AlerterSettings

        known = self.current()
        spec = next((one for one in known.channels if one.id == name), None) if known else None
        if spec is None:
            return None
        channel = of_catalog(spec, load(AlerterSettings), self._clock)
        return channel.send(posted(sample(self._clock.now())))


def _numbered(body: bytes) -> tuple[int, Catalog]:
    catalog = decode_catalog(body)
    return catalog.revision, catalog
