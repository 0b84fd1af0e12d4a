"""Wires ingest. Run as `python -m outlay_ingest.main`; see settings.py for its environment."""

import asyncio
import contextlib
import gc
import os
import signal
import socket
from collections.abc import AsyncIterator, Callable

import uvicorn
from starlette.applications import Starlette

from outlay_ingest.api import IngestApi
from outlay_ingest.body import MemoryBudget
from outlay_ingest.progress import Fairness
from outlay_ingest.quotas import Quotas
from outlay_ingest.settings import Settings
from outlay_ingest.writer import ConnectingSink, Writer
from outlay_kit.backoff import Backoff, retry
from outlay_kit.broker import RecordSink
from outlay_kit.clock import Clock
from outlay_kit.health import forever
from outlay_kit.http_protocol import GuardedProtocol, serve
from outlay_kit.kafka import KafkaSink
from outlay_kit.keys import KeyFileError, KeyRing
from outlay_kit.revocations import follow_ends
from outlay_kit.service import Service
from outlay_kit.telemetry import get_logger
from outlay_kit.topic_follower import TopicFollower
from outlay_kit.tracing import start
from outlay_schemas.topics import DEAD_LETTER, QUOTAS, USAGE_EVENTS

log = get_logger(__name__)


def connect(settings: Settings, clock: Clock) -> RecordSink:
    """Return a producer that knows where the topics are, so that no request waits for that."""
    deliver_ms = int(settings.deliver_seconds * 1000)

    def attempt() -> RecordSink:
        sink = KafkaSink(
            settings.kafka,
            delivery_timeout_ms=deliver_ms,
            request_timeout_ms=deliver_ms // 2,
            # kafka-python 3.0.12 with idempotence never settles anything again once a batch has expired;
            # an event that is there twice counts once.
            enable_idempotence=False,
            linger_ms=0,  # the writer lingers
            max_block_ms=1000,  # `send` runs on the event loop; it waits only if a topic vanished
        )
        sink.require([USAGE_EVENTS.name, DEAD_LETTER.name, QUOTAS.name])
        return sink

    return retry(attempt, clock, Backoff(most=1.0), log=log)


def main(connect: Callable[[Settings, Clock], RecordSink] = connect) -> None:
    """Serve until SIGTERM; then finish the requests under way, and deliver what they brought."""
    service = Service("ingest", Settings)
    settings, clock, health = service.settings, service.clock, service.health
    keys = KeyRing(settings.keys_file, clock)
    quotas = Quotas(
        f"{socket.gethostname()}-{settings.port}",
        lambda key, value: sink.send(QUOTAS.name, value, key, partition=0),
        clock,
    )
    followers = (
        follow_ends(settings.kafka, keys, clock),
        TopicFollower(settings.kafka, QUOTAS, quotas.take, clock).start(),
    )

    def connect_informed() -> RecordSink:
        """Connect when it is known which keys ended and what they have sent: no request is accepted before."""
        for follower in followers:
            follower.caught_up.wait()
        return connect(settings, clock)

    sink = ConnectingSink(connect_informed)
    budget, fairness = MemoryBudget(settings.max_bytes_in_flight), Fairness(settings, keys, clock).follow()
    writer = Writer(sink, budget, settings, clock)
    tracing = start("ingest")
    GuardedProtocol.head_seconds = settings.header_seconds
    GuardedProtocol.body_seconds = settings.body_seconds

    async def every_second() -> None:
        """Take up new and revoked keys. Report progress while this loop turns and Kafka's client is well."""
        while True:
            await asyncio.sleep(1.0 if health.ready else 0.05)
            fairness.tick()
            if sink.failure is not None:
                log.error("cannot use Kafka", error=str(sink.failure))
                os._exit(1)
            health.ready = sink.connected
            if not writer.wedged():
                health.progress()
            quotas.sync()
            try:
                keys.refresh()
            except KeyFileError:
                log.exception("the keys known before stay in force")

    @contextlib.asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        refreshing = forever(every_second(), "every second")
        health.progress()
        health.watch(lambda: True)
        yield
        health.ready = False
        refreshing.cancel()
        await writer.drain()
        quotas.sync()
        await asyncio.to_thread(sink.close)
        if tracing is not None:
            await asyncio.to_thread(tracing.close)

    endpoint = IngestApi(settings, keys, writer, budget, clock, health, quotas, fairness, tracing)
    # What is here now lives as long as the process, and what requests make ends by itself: looking through all of
    # it again and again for cycles only makes requests wait.
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)
    # uvicorn stops in order, and then raises the signal again: that is not a failure.
    signal.signal(signal.SIGTERM, lambda *_: None)
    config = uvicorn.Config(
        endpoint.app(lifespan),
        host=settings.host,
        port=settings.port,
        loop="uvloop",
        http=GuardedProtocol,
        access_log=False,
        proxy_headers=False,
        log_config=None,
        server_header=False,
        timeout_keep_alive=settings.keep_alive_seconds,
        timeout_graceful_shutdown=int(settings.deliver_seconds) + 3,
        limit_concurrency=settings.max_connections,
        backlog=2048,
    )
    serve(config)


if __name__ == "__main__":
    main()
