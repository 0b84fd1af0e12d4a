"""Wires re-pricing. Run as `python -m outlay_pricer.repricing.main`; see settings.py for its environment."""

from collections import deque

from outlay_kit.catalog_feed import CatalogFeed
from outlay_kit.clickhouse import ClickHouseClient
from outlay_kit.clock import Clock, SystemClock
from outlay_kit.health import Health, end_when_stalled, serve_health
from outlay_kit.kafka import KafkaSink
from outlay_kit.loop import Stop, Stopped, persist
from outlay_kit.migrator import migrate
from outlay_kit.settings import load
from outlay_kit.telemetry import configure_logging
from outlay_pricer.domain import CompiledCatalog
from outlay_pricer.opportunities.scanner import OpportunityScanner
from outlay_pricer.repricing.catalog_archiver import Arrived, CatalogArchiver
from outlay_pricer.repricing.price_changes import PriceChangeScanner
from outlay_pricer.repricing.settings import Settings
from outlay_schemas.catalog import decode_catalog

_Catalog = tuple[Arrived, CompiledCatalog]


def main() -> None:
    """Keep catalogs and price what had no price, until asked to stop."""
    settings = load(Settings)
    configure_logging("repricer", settings.log_level)
    clock = SystemClock()
    health = Health(clock, settings.health.stall_seconds)
    stop = Stop().on_signals()
    serve_health(health, settings.health)
    end_when_stalled(health)
    arrived: deque[Arrived] = deque()
    feed = CatalogFeed(settings.kafka, _compile, clock, lambda new: arrived.append(new[0])).start()
    try:
        persist(lambda: migrate(settings.clickhouse), clock, health, stop)
        sink = persist(lambda: KafkaSink(settings.kafka), clock, health, stop)
        archiver = CatalogArchiver(
            ClickHouseClient(settings.clickhouse),
            sink,
            clock,
            settle_seconds=settings.settle_seconds,
            progress=health.progress,
        )
        looks = OpportunityScanner(
            ClickHouseClient(settings.clickhouse),
            clock,
            every=settings.opportunities_seconds,
            most=settings.opportunities_events,
            progress=health.progress,
        )
        ahead = PriceChangeScanner(ClickHouseClient(settings.clickhouse), clock, health.progress)
        working = False
        health.watch(lambda: working)
        while not stop.asked():
            working = True
            persist(lambda: _turn(archiver, feed, arrived), clock, health, stop)
            if feed.revision:
                persist(lambda: looks.turn(feed.current()[1].catalog), clock, health, stop)
                persist(lambda: ahead.turn(feed.current()[1]), clock, health, stop)
            working = False
            health.ready = True
            _wait(settings.every_seconds, clock, stop)
        sink.close()
    except Stopped:
        pass
    finally:
        feed.stop()


def _compile(body: bytes) -> tuple[int, _Catalog]:
    catalog = decode_catalog(body)
    arrived = Arrived(catalog.revision, catalog.created_at, catalog.note, body.decode())
    return catalog.revision, (arrived, CompiledCatalog.from_catalog(catalog))


def _turn(archiver: CatalogArchiver, feed: CatalogFeed[_Catalog], arrived: "deque[Arrived]") -> None:
    while arrived:
        archiver.keep(arrived[0])
        arrived.popleft()  # only now: what cannot be written now is written later
    if feed.revision:
        archiver.watch_age(feed.current()[1])
        archiver.look(feed.current()[1])


def _wait(seconds: float, clock: Clock, stop: Stop) -> None:
    until = clock.monotonic() + seconds
    while not stop.asked() and (left := until - clock.monotonic()) > 0:
        clock.sleep(min(left, 0.25))


if __name__ == "__main__":
    main()
