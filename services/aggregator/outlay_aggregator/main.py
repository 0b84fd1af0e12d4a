"""Wires the aggregator. Run as `python -m outlay_aggregator.main`; see settings.py for its environment."""

from outlay_aggregator.adapters.ledger_store import LedgerStore
from outlay_aggregator.aside import Aside
from outlay_aggregator.owners import Owners
from outlay_aggregator.rollups import Rollups
from outlay_aggregator.service import Aggregator
from outlay_aggregator.settings import Settings
from outlay_kit.clickhouse import ClickHouseClient
from outlay_kit.kafka import Batch, KafkaSink, KafkaSource
from outlay_kit.loop import Bounds, Loop, Stopped
from outlay_kit.migrator import migrate
from outlay_kit.offsets import Offsets
from outlay_kit.service import Service
from outlay_kit.telemetry import get_logger
from outlay_kit.tracing import start
from outlay_kit.watermark import Watermark
from outlay_schemas.topics import AGGREGATED, RECOMPUTE

log = get_logger(__name__)
TOPICS = tuple(topic.name for topic in AGGREGATED)


def main() -> None:
    """Migrate, then work until asked to stop."""
    service = Service("aggregator", Settings)
    settings, clock, health = service.settings, service.clock, service.health
    service.stop.on_signals()
    try:
        applied = service.persist(lambda: migrate(settings.clickhouse))
        sink = service.persist(lambda: KafkaSink(settings.kafka))
        source = service.persist(lambda: KafkaSource(settings.kafka, settings.group, TOPICS))
        owners = Owners(sink, source.owned, service.persist(lambda: sink.partitions(RECOMPUTE.name)))
    except Stopped:
        return
    log.info("ready", migrations_applied=applied)
    offsets, store = Offsets(settings.kafka), _store(settings)  # of its own: it works in another thread
    watermark = Watermark(offsets, store.complete, clock, settings.pricer_group, settings.group)
    watermark.follow(settings.watermark_seconds)
    clickhouse = ClickHouseClient(settings.clickhouse)
    service.watch_partitions(settings.group, TOPICS, lambda: clickhouse.command("SELECT 1"))
    tracing = start("aggregator")
    # A thread of its own, and so a store and checks of its own, for what may wait.
    aside = Aside(Rollups(_store(settings), sink, settings), clock, settings).start()
    aggregator = Aggregator(
        _store(settings), sink, clock, settings, health.progress, owners=owners, tracing=tracing, aside=aside
    )

    def handle(batch: Batch) -> None:
        aggregator.handle(batch)
        watermark.wake()

    Loop(
        source,
        handle,
        clock=clock,
        health=health,
        stop=service.stop,
        bounds=Bounds(linger=settings.linger_seconds, max_bytes=settings.max_batch_bytes),
        pace=aggregator.pace,
        settled=aggregator.settled,
        handled=aggregator.handled,
    ).run()
    sink.close()
    if tracing is not None:
        tracing.close()


def _store(settings: Settings) -> LedgerStore:
    return LedgerStore(ClickHouseClient(settings.clickhouse), settings.user_cells)


if __name__ == "__main__":
    main()
