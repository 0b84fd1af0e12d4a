"""Wires the aggregator. Run as `python -m outlay_aggregator.main`; see settings.py for its environment."""

from datetime import timedelta

from outlay_aggregator.adapters.ledger_store import LedgerStore
from outlay_aggregator.service import Aggregator, Limits
from outlay_aggregator.settings import Settings
from outlay_aggregator.tracing import BatchTraces
from outlay_aggregator.watermark import Watermark
from outlay_kit.clickhouse import ClickHouseClient
from outlay_kit.clock import SystemClock
from outlay_kit.health import Health, end_when_stalled, serve_health
from outlay_kit.kafka import KafkaSink, KafkaSource
from outlay_kit.loop import Bounds, Loop, Stop, Stopped, persist
from outlay_kit.migrator import migrate
from outlay_kit.offsets import Offsets
from outlay_kit.settings import load
from outlay_kit.stalled_partitions import StalledPartitions
from outlay_kit.telemetry import configure_logging, get_logger
from outlay_kit.tracing import start
from outlay_schemas.topics import COST_EVENTS, DEAD_LETTER

log = get_logger(__name__)
TOPICS = (COST_EVENTS.name, DEAD_LETTER.name)


def main() -> None:
    """Migrate, then work until asked to stop."""
    settings = load(Settings)
    configure_logging("aggregator", settings.log_level)
    clock = SystemClock()
    health = Health(clock, settings.health.stall_seconds)
    stop = Stop().on_signals()
    serve_health(health, settings.health)
    end_when_stalled(health)
    try:
        applied = persist(lambda: migrate(settings.clickhouse), clock, health, stop)
        source, sink = persist(lambda: _connect(settings), clock, health, stop)
    except Stopped:
        return
    log.info("ready", migrations_applied=applied)
    books = LedgerStore(ClickHouseClient(settings.clickhouse), settings.user_cells)
    limits = Limits(
        chunk=settings.window_chunk,
        rollup_share=settings.rollup_share,
        throttle_above=settings.throttle_above_events,
        max_linger=settings.max_linger_seconds,
        cells=settings.user_cells,
        backfill_per_batch=settings.backfill_minutes_per_batch,
        identity_bits=settings.identity_filter_bits,
        retention=timedelta(days=settings.retention_days),
    )
    _follow_watermark(settings, clock)
    _watch_stalled_partitions(settings, clock, health)
    tracing = start("aggregator")
    traces = BatchTraces(tracing, clock) if tracing is not None else None
    aggregator = Aggregator(books, sink, clock, limits, health.progress, traces=traces)
    bounds = Bounds(linger=settings.linger_seconds, max_bytes=settings.max_batch_bytes)
    Loop(
        source,
        aggregator.handle,
        clock=clock,
        health=health,
        stop=stop,
        bounds=bounds,
        pace=aggregator.pace,
        settled=aggregator.settled,
    ).run()
    sink.close()
    if tracing is not None:
        tracing.close()


def _follow_watermark(settings: Settings, clock: SystemClock) -> None:
    """With connections of its own: it works in another thread."""
    books = LedgerStore(ClickHouseClient(settings.clickhouse), settings.user_cells)
    offsets = Offsets(settings.kafka)
    watermark = Watermark(offsets, books.complete, clock, settings.pricer_group, settings.group)
    watermark.follow(settings.watermark_seconds)


def _watch_stalled_partitions(settings: Settings, clock: SystemClock, health: Health) -> None:
    """With connections of its own: it works in another thread."""
    clickhouse = ClickHouseClient(settings.clickhouse)
    StalledPartitions(
        Offsets(settings.kafka),
        settings.group,
        TOPICS,
        clock=clock,
        patience=settings.health.partition_stall_seconds,
        reach=lambda: clickhouse.command("SELECT 1"),
    ).start(health)


def _connect(settings: Settings) -> tuple[KafkaSource, KafkaSink]:
    sink = KafkaSink(settings.kafka)
    return KafkaSource(settings.kafka, settings.group, TOPICS), sink


if __name__ == "__main__":
    main()
