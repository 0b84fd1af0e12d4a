"""Wires re-pricing. Run as `python -m outlay_pricer.repricing.main`; see settings.py for its environment."""

from collections import deque

from outlay_kit.catalog_feed import CatalogFeed
from outlay_kit.clickhouse import ClickHouseClient
from outlay_kit.clock import Clock
from outlay_kit.kafka import KafkaSink
from outlay_kit.loop import Stop, Stopped
from outlay_kit.migrator import migrate
from outlay_kit.service import Service
from outlay_pricer.domain import CompiledCatalog
from outlay_pricer.opportunities.search import OpportunityScanner
from outlay_pricer.repricing.catalog_archiver import Arrived, CatalogArchiver
from outlay_pricer.repricing.price_changes import PriceChangeScanner
from outlay_pricer.repricing.settings import Settings
from outlay_schemas.catalog import decode_catalog

_Catalog = tuple[Arrived, CompiledCatalog]


def main() -> None:
    """Keep catalogs and price what had no price, until asked to stop."""
    service = Service("repricer", Settings)
    settings, clock, health = service.settings, service.clock, service.health
    stop = service.stop.on_signals()
    arrived: deque[Arrived] = deque()
    feed = CatalogFeed(settings.kafka, _compile, clock, lambda new: arrived.append(new[0])).start()
    try:
        service.persist(lambda: migrate(settings.clickhouse))
        sink = service.persist(lambda: KafkaSink(settings.kafka))
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
            service.persist(lambda: _turn(archiver, feed, arrived))
            if feed.revision:
                service.persist(lambda: looks.turn(feed.current()[1].catalog))
                service.persist(lambda: ahead.turn(feed.current()[1]))
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
    return catalog.revision, (arrived, CompiledCatalog(catalog))


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
