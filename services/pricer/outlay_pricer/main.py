"""Wires the pricer. Run as `python -m outlay_pricer.main`; see settings.py for its environment."""

import gc
import logging
import os
import sys
import threading
import time
from collections.abc import Callable, Mapping
from functools import partial

import faust

from outlay_kit.backoff import Backoff, retry
from outlay_kit.catalog_feed import CatalogFeed
from outlay_kit.clock import Clock
from outlay_kit.kafka import KafkaSink
from outlay_kit.offsets import Offsets
from outlay_kit.service import Service
from outlay_kit.telemetry import get_logger
from outlay_kit.tracing import start
from outlay_pricer import faust_app, metrics
from outlay_pricer.domain import CompiledCatalog
from outlay_pricer.faust_app import Output, traced
from outlay_pricer.record_pricing import RecordPosition, Tenancy, price_record
from outlay_pricer.settings import Settings
from outlay_pricer.watchdog import Watchdog
from outlay_schemas.catalog import decode_catalog
from outlay_schemas.cloudevents import Headers
from outlay_schemas.events import encoder
from outlay_schemas.topics import COST_EVENTS, DEAD_LETTER, USAGE_EVENTS, usage_topics

log = get_logger(__name__)
_BACKOFF = Backoff(most=1.0)
_STOP_SECONDS = 10.0


def main() -> None:
    """Price until SIGTERM. Ends at once, not committing, on the first error that waiting does not fix."""
    service = Service("pricer", Settings)
    settings, clock, health = service.settings, service.clock, service.health
    for chatty in ("faust", "mode", "aiokafka"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    # What comes of a record ends by itself. Looking for cycles in it took a thirtieth of this process's time.
    gc.set_threshold(50_000, 20, 20)
    feed = CatalogFeed(settings.kafka, compile_catalog, clock, _note_catalog).start()
    partitions = _wait_for_kafka(settings, clock)
    while not feed.wait(10.0):
        log.warning("waiting for a catalog; if none was ever published: outlay catalog publish")
    offsets = Offsets(settings.kafka)
    topics = retry(lambda: usage_topics(offsets.topics()), clock, _BACKOFF, log=log)
    Watchdog(offsets, settings.group, topics, health, faust_app.end).start()
    service.watch_partitions(settings.group, list(topics))
    app = faust_app.create_app(settings)
    tracing = start("pricer")
    shared = Tenancy(default=settings.default_tenant)
    tenancies = {name: Tenancy(only=tenant) if tenant else shared for name, tenant in topics.items()}
    work = _work(feed, clock, tenancies, partitions)
    faust_app.attach(
        app, list(topics), traced(work, tracing), partial(faust_app.send, app), settings.in_flight
    )

    async def assigned(*_: object, **__: object) -> None:
        health.ready = True

    app.on_partitions_assigned.connect(assigned, weak=False)
    _run(app, tracing.close if tracing is not None else lambda: None)


def _note_catalog(new: CompiledCatalog) -> None:
    metrics.REVISION.set(new.revision)
    gc.collect()  # the catalog before has cycles


def compile_catalog(value: bytes) -> tuple[int, CompiledCatalog]:
    """Return a catalog's revision and what prices by it. Raises ValueError if it is not a catalog."""
    compiled = CompiledCatalog(decode_catalog(value))
    return compiled.revision, compiled


def _work(
    feed: CatalogFeed[CompiledCatalog], clock: Clock, tenancies: Mapping[str, Tenancy], partitions: int
) -> Callable[[bytes, RecordPosition, Headers], list[Output]]:
    def work(value: bytes, place: RecordPosition, headers: Headers) -> list[Output]:
        started = time.thread_time()
        now, tenancy = clock.now(), tenancies[place.topic]
        priced = price_record(
            value, place, feed.current(), now, tenancy, headers=headers, partitions=partitions
        )
        metrics.SECONDS.observe(time.thread_time() - started)
        metrics.RECORDS.inc()
        metrics.EVENTS.labels("priced").inc(priced.events - priced.unpriced - priced.estimated)
        metrics.EVENTS.labels("estimated").inc(priced.estimated)
        metrics.EVENTS.labels("unpriced").inc(priced.unpriced)
        if priced.dead_letters:
            count, first = len(priced.dead_letters), priced.dead_letters[0]
            metrics.EVENTS.labels("dead_letter").inc(count)
            where = f"{place.topic}/{place.partition}/{place.offset}"
            log.warning("dead letters", count=count, code=first.code, dead_letter=first.id, record=where)
        outputs = [Output(COST_EVENTS.name, value, partition=number) for number, value in priced.values]
        return outputs + [Output(DEAD_LETTER.name, encoder.encode(dead)) for dead in priced.dead_letters]

    return work


def _wait_for_kafka(settings: Settings, clock: Clock) -> int:
    """Return, when Kafka answers and the topics are there, how many partitions `cost.events` has.

    So Faust never meets their absence.
    """

    def connect() -> int:
        sink = KafkaSink(settings.kafka)
        try:
            sink.require([USAGE_EVENTS.name, COST_EVENTS.name, DEAD_LETTER.name])
            return sink.partitions(COST_EVENTS.name)
        finally:
            sink.close()

    return retry(connect, clock, _BACKOFF, log=log)


class _Worker(faust.Worker):
    async def stop(self) -> None:
        """Stop, or end: Faust waits without limit for what may never come."""
        timer = threading.Timer(_STOP_SECONDS, os._exit, (0,))
        timer.daemon = True
        timer.start()
        await super().stop()


def _run(app: faust.App, close: Callable[[], None]) -> None:
    worker = _Worker(app, quiet=True, override_logging=False, redirect_stdouts=False)
    worker.spinner = None  # it writes to a log as if that were a terminal
    try:
        worker.execute_from_commandline()
    except SystemExit as ended:
        close()
        sys.stdout.flush()
        os._exit(ended.code if isinstance(ended.code, int) else 1)
    except BaseException as error:  # noqa: BLE001 (whatever it is, this process ends)
        faust_app.end(error)


if __name__ == "__main__":
    main()
