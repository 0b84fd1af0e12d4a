"""Wires the alerter. Run as `python -m outlay_alerter.main`; see settings.py for its environment."""

import os
import threading
from collections.abc import Callable, Sequence

from outlay_alerter.adapters.measures import Measures
from outlay_alerter.adapters.store import Store
from outlay_alerter.adapters.sums import Sums
from outlay_alerter.adapters.watchlist import Watchlist, compile_watchlist
from outlay_alerter.channels import channels
from outlay_alerter.couriers import Courier
from outlay_alerter.leading import LeadingSource
from outlay_alerter.service import Alerter
from outlay_alerter.settings import Settings
from outlay_kit.catalog_feed import CatalogFeed
from outlay_kit.clock import SystemClock
from outlay_kit.health import Health, end_when_stalled, serve_health
from outlay_kit.kafka import Batch, KafkaSink
from outlay_kit.loop import Bounds, Loop, Stop, Stopped, persist
from outlay_kit.migrator import migrate
from outlay_kit.settings import load
from outlay_kit.telemetry import configure_logging, get_logger
from outlay_kit.warehouse import Warehouse
from outlay_schemas.topics import ROLLUPS

log = get_logger(__name__)


def main() -> None:
    """Migrate, wait for a catalog, evaluate everything once, then work until asked to stop."""
    settings = load(Settings)
    configure_logging("alerter", settings.log_level)
    clock = SystemClock()
    health, stop = Health(clock, settings.health.stall_seconds), Stop().on_signals()
    serve_health(health, settings.health)
    end_when_stalled(health)
    feed = CatalogFeed(settings.kafka, compile_watchlist, clock).start()
    try:
        persist(lambda: migrate(settings.warehouse), clock, health, stop)
        sink = persist(lambda: KafkaSink(settings.kafka), clock, health, stop)
        while not feed.wait(0.5):
            if stop.asked():
                return
        couriers = [
            Courier(channel, Store(Warehouse(settings.warehouse)), clock)
            for channel in channels(settings, sink, clock)
        ]
        warehouse = Warehouse(settings.warehouse)
        alerter = Alerter(
            Sums(warehouse), Store(warehouse), clock,
            measures=Measures(warehouse), watchlist=feed.current, channels=[courier.name for courier in couriers],
            decided=lambda: _call(couriers), renotify=settings.renotify, console=settings.console_url,
        )  # fmt: skip
        persist(alerter.evaluate_all, clock, health, stop)
        source = persist(
            lambda: LeadingSource(settings.kafka, settings.group, [ROLLUPS.name]), clock, health, stop
        )
    except Stopped:
        return
    source.ticking(alerter.tick, settings.tick_seconds, clock)
    threads = _start(couriers, stop.asked, lambda: source.leads)
    handle = _following(alerter, feed)
    bounds = Bounds(linger=settings.linger_seconds)
    Loop(source, handle, clock=clock, health=health, stop=stop, bounds=bounds).run()
    for thread in threads:
        thread.join(timeout=settings.channel_seconds)
    sink.close()


def _call(couriers: Sequence[Courier]) -> None:
    for courier in couriers:
        courier.called.set()


def _following(alerter: Alerter, feed: CatalogFeed[Watchlist]) -> Callable[[Batch], None]:
    """Return what handles a batch: everything is evaluated anew under a new catalog."""
    seen = feed.revision

    def handle(batch: Batch) -> None:
        nonlocal seen
        if feed.revision != seen:
            alerter.evaluate_all()
            seen = feed.revision
        alerter.handle(batch)

    return handle


def _start(
    couriers: Sequence[Courier], stopped: Callable[[], bool], leads: Callable[[], bool]
) -> list[threading.Thread]:
    def work(courier: Courier) -> None:
        try:
            courier.run(stopped, leads)
        except Exception:
            log.exception("a courier failed; ending this process", channel=courier.name)
            os._exit(70)  # its successor tells what is left; a thread that ends alone would never be missed

    threads = [threading.Thread(target=work, args=(c,), name=c.name, daemon=True) for c in couriers]
    for thread in threads:
        thread.start()
    return threads


if __name__ == "__main__":
    main()
