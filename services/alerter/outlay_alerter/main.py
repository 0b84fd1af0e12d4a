"""Wires the alerter. Run as `python -m outlay_alerter.main`; see settings.py for its environment."""

from outlay_alerter.adapters.store import Store
from outlay_alerter.adapters.sums import Sums
from outlay_alerter.adapters.watchlist import compile_watchlist
from outlay_alerter.service import Alerter
from outlay_alerter.settings import Settings
from outlay_kit.catalog_feed import CatalogFeed
from outlay_kit.clock import SystemClock
from outlay_kit.health import Health, end_when_stalled, serve_health
from outlay_kit.kafka import Batch, KafkaSink, KafkaSource
from outlay_kit.loop import Bounds, Loop, Stop, Stopped, persist
from outlay_kit.migrator import migrate
from outlay_kit.settings import load
from outlay_kit.telemetry import configure_logging, get_logger
from outlay_kit.warehouse import Warehouse
from outlay_schemas.alerts import Alert
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
        warehouse = Warehouse(settings.warehouse)
        alerter = Alerter(Sums(warehouse), Store(warehouse), sink, clock, watchlist=feed.current, show=_show)
        persist(alerter.evaluate_all, clock, health, stop)
        source = persist(
            lambda: KafkaSource(settings.kafka, settings.group, [ROLLUPS.name]), clock, health, stop
        )
    except Stopped:
        return
    seen = feed.revision

    def handle(batch: Batch) -> None:
        nonlocal seen
        if feed.revision != seen:
            alerter.evaluate_all()
            seen = feed.revision
        alerter.handle(batch)

    bounds = Bounds(linger=settings.linger_seconds)
    Loop(source, handle, clock=clock, health=health, stop=stop, bounds=bounds).run()
    sink.close()


def _show(alert: Alert) -> None:
    log.warning(
        alert.title, state=alert.state, severity=alert.severity, alert=alert.id, summary=alert.summary
    )


if __name__ == "__main__":
    main()
