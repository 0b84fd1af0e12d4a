"""Wires the console. Run as `python -m outlay_console.main`; see settings.py for its environment."""

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from typing import TYPE_CHECKING

import uvicorn
from clickhouse_connect.driver.exceptions import DatabaseError
from starlette.applications import Starlette

from outlay_console.actions import Actions, ActionWriter
from outlay_console.adapters.catalog import CatalogHistory, CatalogView, read_catalog_view
from outlay_console.adapters.forecasts import Forecasts
from outlay_console.adapters.kafka import ConsumerLag, EventTail
from outlay_console.adapters.readers import Readers
from outlay_console.app import Console, Extension
from outlay_console.pages.request import Dependencies
from outlay_console.sessions import Sessions, read_secret
from outlay_console.settings import OidcSettings, Settings
from outlay_kit.audit import AuditLog
from outlay_kit.audit_store import AuditShipper
from outlay_kit.catalog_feed import CatalogFeed
from outlay_kit.clickhouse import ClickHouseClient
from outlay_kit.clock import Clock
from outlay_kit.errors import Retryable
from outlay_kit.health import Health, forever
from outlay_kit.http_protocol import GuardedProtocol, serve
from outlay_kit.keys import KeyFileError, KeyRing
from outlay_kit.revocations import follow_ends
from outlay_kit.service import Service
from outlay_kit.settings import ClickHouseSettings
from outlay_kit.telemetry import get_logger

if TYPE_CHECKING:
    from outlay_console.adapters.oidc import OidcClient

log = get_logger(__name__)


def main(extend: Callable[[Dependencies], Extension] | None = None) -> None:
    """Serve until SIGTERM, with an extension if one is given. Neither ClickHouse nor Kafka need be there: pages say
    what is away."""
    service = Service("console", Settings)
    settings, clock, health = service.settings, service.clock, service.health
    keys = KeyRing(settings.keys_file, clock)
    follow_ends(settings.kafka, keys, clock)
    feed = CatalogFeed(settings.kafka, read_catalog_view, clock).start()
    readers = Readers(settings.clickhouse, settings.readers, settings.query_seconds, settings.ping_seconds)
    deps = Dependencies(
        settings=settings,
        sessions=Sessions(
            keys, read_secret(settings.secret_file), settings.session_hours, settings.oidc.grants
        ),
        readers=readers,
        catalog=lambda: _current(feed),
        tail=EventTail(settings.kafka, clock),
        consumer_lag=ConsumerLag(settings.kafka, clock),
        forecasts=Forecasts(readers),
        history=CatalogHistory(readers, settings.operator),
        actions=Actions(
            ActionWriter(settings.writer, settings.ping_seconds) if settings.writer else None,
            AuditLog(settings.audit),
        ),
        clock=clock,
        oidc=_oidc(settings.oidc, clock) if settings.oidc.issuer else None,
    )

    @contextlib.asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        turning = forever(_every_second(keys, health), "every second")
        shipping = forever(_ship(deps.actions.audit, settings.writer), "audit") if settings.writer else None
        health.watch(lambda: True)
        health.ready = True
        yield
        health.ready = False
        turning.cancel()
        if shipping is not None:
            shipping.cancel()
        readers.close()

    # uvicorn stops gracefully and then raises the signal again; ignore it, so that the exit status is 0.
    signal.signal(signal.SIGTERM, lambda *_: None)
    config = uvicorn.Config(
        _console(extend, deps).app(lifespan),
        host=settings.host,
        port=settings.port,
        loop="uvloop",
        http=GuardedProtocol,
        access_log=False,
        proxy_headers=False,
        log_config=None,
        server_header=False,
        timeout_graceful_shutdown=1,  # streams never end by themselves
        limit_concurrency=2000,
    )
    serve(config)


def _console(extend: Callable[[Dependencies], Extension] | None, deps: Dependencies) -> Console:
    try:
        extension = extend(deps) if extend is not None else None
    except Exception:
        log.exception("more pages cannot be shown; the others are")
        extension = None
    if extension is None:
        return Console(deps)
    return Console(replace(deps, price_list=extension.price_list), extension.more)


def _oidc(settings: OidcSettings, clock: Clock) -> "OidcClient":
    from outlay_console.adapters.oidc import OidcClient

    return OidcClient(settings, clock)


def _current(feed: CatalogFeed[CatalogView]) -> CatalogView | None:
    try:
        return feed.current()
    except LookupError:
        return None


async def _every_second(keys: KeyRing, health: Health) -> None:
    """Take up new and revoked keys, and tell the watchdog that this loop turns."""
    while True:
        await asyncio.sleep(1.0)
        health.progress()
        try:
            keys.refresh()
        except KeyFileError:
            log.exception("the keys known before stay in force")


async def _ship(audit: AuditLog, writer: ClickHouseSettings) -> None:
    """Store in ClickHouse what is appended to the audit file."""
    shipper = AuditShipper(audit, ClickHouseClient(writer))
    while True:
        try:
            await asyncio.to_thread(shipper.ship)
        except (Retryable, OSError, DatabaseError) as error:
            log.warning("audit entries wait for ClickHouse", error=str(error))
            await asyncio.sleep(28.0)
        except Exception:
            log.exception("audit entries wait, and are tried again: pages do not need them")
            await asyncio.sleep(28.0)
        await asyncio.sleep(2.0)


if __name__ == "__main__":
    main()
