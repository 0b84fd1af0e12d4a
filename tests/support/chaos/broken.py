"""Negative controls: services whose steps are broken, one way each, as naive ones are. OUTLAY_BROKEN says how.

`python -m tests.support.chaos.broken`. Production code has no switch for any of this: what is wired here is.
"""

import os
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future
from datetime import UTC, datetime

import msgspec

from outlay_aggregator.adapters.ledger_store import LedgerStore
from outlay_aggregator.domain.windows import Window, window_of
from outlay_aggregator.owners import Owners
from outlay_aggregator.service import Aggregator
from outlay_aggregator.settings import Settings
from outlay_alerter import main as alerter
from outlay_alerter.alerts.store import Store
from outlay_alerter.notify.channel import Channel
from outlay_alerter.notify.channel_registry import remote
from outlay_alerter.notify.notification import DeliveryResult, Notification
from outlay_ingest import main as ingest
from outlay_kit.broker import RecordSink
from outlay_kit.catalog_feed import CatalogFeed
from outlay_kit.clickhouse import ClickHouseClient
from outlay_kit.clock import Clock, SystemClock
from outlay_kit.errors import Retryable
from outlay_kit.failpoints import failpoint
from outlay_kit.health import Health, Watchdog, serve_health
from outlay_kit.kafka import Batch, KafkaSink, KafkaSource, deliver
from outlay_kit.loop import Loop, Stop
from outlay_kit.settings import load
from outlay_pricer.domain import CompiledCatalog
from outlay_pricer.main import compile_catalog
from outlay_pricer.record_pricing import RecordPosition, price_record
from outlay_schemas.events import (
    CostEvent,
    Grain,
    RollupGroup,
    RollupWindow,
    cost_event_decoder,
    encoder,
    rollup_window_decoder,
)
from outlay_schemas.money import Usd
from outlay_schemas.topics import AGGREGATED, COST_EVENTS, RECOMPUTE, USAGE_EVENTS

Handle = Callable[[Batch], None]


class CommitFirst(KafkaSource):
    """Commits, then works: what every naive consumer does."""

    def poll(self, timeout: float) -> Batch:
        batch = super().poll(timeout)
        self.commit(batch.committable)
        return batch


class Increments(LedgerStore):
    """Adds each batch to what the minutes hold, instead of computing them from the ledger."""

    def __init__(self, clickhouse: ClickHouseClient, cells: int) -> None:
        super().__init__(clickhouse, cells)
        self._new: dict[Window, list[CostEvent]] = defaultdict(list)

    def append(self, table: str, lines: bytes) -> None:
        super().append(table, lines)
        if table == "ledger_input":
            for event in cost_event_decoder.decode_lines(lines):
                self._new[window_of(event.tenant, event.time, "minute")].append(event)

    def recompute(self, grain: Grain, windows: Sequence[Window]) -> list[bytes]:
        if grain != "minute":
            return super().recompute(grain, windows)
        known = rollup_window_decoder.decode_lines(self.stored(grain, windows))
        sums = {window_of(w.tenant, w.window, "minute"): w for w in known}
        lines = [encoder.encode(_add(sums.get(w), w, self._new.pop(w, ()))) for w in windows]
        self.store(grain, b"\n".join(lines))
        return lines


class Unstamped(LedgerStore):
    """Forgets when events were accepted: their content decides between two bodies."""

    def append(self, table: str, lines: bytes) -> None:
        if table == "ledger_input":
            rows: list[dict[str, object]] = msgspec.json.Decoder().decode_lines(lines)
            lines = encoder.encode_lines([{**row, "accepted_ms": 0} for row in rows])
        super().append(table, lines)


class Unretracted(LedgerStore):
    """Takes the time of an event for a part of its identity."""

    def places(self, identities: Iterable[int]) -> dict[int, set[int]]:
        return {}


LEDGERS = {"increments": Increments, "no stamps": Unstamped, "no retractions": Unretracted}


def _add(window: RollupWindow | None, asked: Window, events: Sequence[CostEvent]) -> RollupWindow:
    minute = datetime.fromtimestamp(asked.start, UTC)
    window = window or RollupWindow(asked.tenant, "minute", minute, 0, [])
    for e in events:
        cell = (e.project, e.team, e.business_unit, e.use_case, e.provider, e.sku, e.kind, e.activity, e.user)
        window.groups.append(RollupGroup(*cell, Usd(e.cost or "0"), 1, int(e.cost is None)))
    window.version += len(events)
    return window


def goes_on(handle: Handle) -> Handle:
    """Logs that a store is away, and goes on with the next batch."""

    def handle_or_not(batch: Batch) -> None:
        try:
            handle(batch)
        except Retryable as error:
            print("not written:", error)  # noqa: T201 (a naive program's log)

    return handle_or_not


def aggregator(how: str) -> None:
    settings = load(Settings)
    clock, stop = SystemClock(), Stop().on_signals()
    health = Health(clock, settings.health.stall_seconds)
    serve_health(health, settings.health)
    if how != "no watchdog":
        Watchdog(health, clock).start()
    source = (CommitFirst if how == "commit first" else KafkaSource)(
        settings.kafka, settings.group, [topic.name for topic in AGGREGATED]
    )
    ledger = LEDGERS.get(how, LedgerStore)(ClickHouseClient(settings.clickhouse), 1000)
    sink = KafkaSink(settings.kafka)
    owners = Owners(sink, source.owned, sink.partitions(RECOMPUTE.name))
    work = Aggregator(ledger, sink, clock, owners=owners)
    handle = goes_on(work.handle) if how == "goes on" else work.handle
    Loop(source, handle, clock=clock, health=health, stop=stop).run()


class Hasty:
    """A producer that calls every record delivered as soon as it was asked to deliver it."""

    def __init__(self, sink: RecordSink) -> None:
        self._sink = sink

    def send(
        self,
        topic: str,
        value: bytes,
        key: bytes | None = None,
        headers: Sequence[tuple[str, bytes]] = (),
        partition: int | None = None,
    ) -> "Future[None]":
        self._sink.send(topic, value, key, headers, partition).add_done_callback(
            lambda done: done.exception()
        )
        delivered: Future[None] = Future()
        delivered.set_result(None)
        return delivered

    def close(self) -> None:
        self._sink.close()


class MarksFirst:
    """A channel whose messages are written down as sent, then sent."""

    def __init__(self, channel: Channel, store: Store, clock: Clock) -> None:
        self.name, self.target, self.pause = channel.name, channel.target, channel.pause
        self.updates = channel.updates
        self._channel, self._store, self._clock = channel, store, clock

    def send(self, notification: Notification) -> DeliveryResult:
        now = self._clock.now()
        result = DeliveryResult("sent", status=200)
        self._store.outbox.record(notification, self.name, result, due=now, began=now, ended=now)
        failpoint("before_ack")
        return self._channel.send(notification)


def pricer(how: str) -> None:
    """A pricer without dead letters: it skips poison, or falls over it."""
    settings = load(Settings)
    clock, stop = SystemClock(), Stop().on_signals()
    health = Health(clock, settings.health.stall_seconds)
    serve_health(health, settings.health)
    feed: CatalogFeed[CompiledCatalog] = CatalogFeed(settings.kafka, compile_catalog, clock).start()
    feed.wait(30)
    sink = KafkaSink(settings.kafka)

    def handle(batch: Batch) -> None:
        for record in batch.records:
            place = RecordPosition(record.topic, record.partition, record.offset)
            priced = price_record(record.value, place, feed.current(), clock.now())
            if priced.dead_letters and how == "falls over poison":
                raise ValueError(priced.dead_letters[0].message)
            deliver(sink, COST_EVENTS.name, [value for _, value in priced.values])

    source = KafkaSource(settings.kafka, settings.pricer_group, [USAGE_EVENTS.name])
    Loop(source, handle, clock=clock, health=health, stop=stop).run()


def main() -> None:
    how = os.environ["OUTLAY_BROKEN"]
    if how == "202 before the acknowledgement":
        ingest.main(lambda settings, clock: Hasty(ingest.connect(settings, clock)))
    elif how == "mark before the send":
        alerter.main(
            lambda settings, clock: [
                MarksFirst(channel, Store(ClickHouseClient(settings.clickhouse)), clock)
                for channel in remote(settings, clock)
            ]
        )
    elif how in {"skips poison", "falls over poison"}:
        pricer(how)
    else:
        aggregator(how)


if __name__ == "__main__":
    main()
