"""How Faust is set up, and its agent: raw bytes in, results delivered before the ack, end on the first error.

Faust may commit past a record that is still under way (docs/guarantees.md), so none is acked before all that were read
before it are durable. tests/integration/pricer/test_faust.py holds what we know of Faust.
"""

import asyncio
import os
import random
import ssl
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import faust
from aiokafka import AIOKafkaConsumer, codec, errors  # type: ignore[import-untyped]
from faust.exceptions import NotReady, ProducerSendError

from outlay_kit.backoff import Backoff
from outlay_kit.failpoints import failpoint
from outlay_kit.settings import KafkaSettings
from outlay_kit.telemetry import get_logger
from outlay_kit.tracing import Header, parents
from outlay_pricer import metrics
from outlay_pricer.record_pricing import RecordPosition
from outlay_pricer.settings import Settings
from outlay_schemas.cloudevents import Headers
from outlay_schemas.topics import MAX_DEAD_LETTER_BYTES, MAX_RECORD_BYTES

log = get_logger(__name__)

_BACKOFF = Backoff(most=5.0)
_AWAY = (errors.KafkaConnectionError, errors.KafkaTimeoutError)


# A fetcher looks five times a second whether there is anything to ask for, though all that could change it wakes it.
# Faust has no setting for it.
AIOKafkaConsumer.__init__.__kwdefaults__["consumer_timeout_ms"] = 5000


class UnreadableCodecError(Exception):
    """A library is missing, without which records in a codec that producers may use cannot be read."""


def require_codecs() -> None:
    """Raise UnreadableCodecError, which names the codecs, unless records in every codec can be read.

    Faust would find out at the first such record, and then end without saying why.
    """
    readable = {"snappy": codec.has_snappy(), "lz4": codec.has_lz4(), "zstd": codec.has_zstd()}
    missing = [name for name, there in readable.items() if not there]
    if missing:
        raise UnreadableCodecError(
            f"records in {', '.join(missing)} cannot be read: install cramjam (pip install 'aiokafka[lz4]')"
        )


class _App(faust.App):
    def _create_directories(self) -> None:
        """Create no directory: this app has no tables, and the working directory of a container is read-only.

        Faust would create `<id>-data` there, or end the process where it may not.
        """

    def _new_consumer(self) -> Any:
        """Return a consumer that does not look through all partitions for one that stalls: it would do so all the time,
        only to write a line in the log, and the watchdog ends a process that stalls."""
        consumer: Any = super()._new_consumer()
        consumer.verify_all_partitions_active = _nothing
        return consumer


async def _nothing() -> None:
    pass


def create_app(settings: Settings) -> faust.App:
    """Return the Faust app, with nothing attached yet. Raises UnreadableCodecError."""
    require_codecs()
    options: dict[str, Any] = {
        "id": settings.group,
        "broker": [f"aiokafka://{address}" for address in settings.kafka.bootstrap.split(",")],
        "broker_credentials": _credentials(settings.kafka),
        "broker_client_id": "outlay-pricer",
        "broker_max_poll_records": 64,
        "broker_max_poll_interval": 300.0,
        "broker_session_timeout": 10.0,
        "broker_request_timeout": 30.0,
        "broker_rebalance_timeout": 30.0,
        "broker_commit_interval": 0.25,
        "consumer_max_fetch_size": MAX_RECORD_BYTES,
        "consumer_auto_offset_reset": "earliest",
        "consumer_metadata_max_age_ms": 30_000,
        "producer_acks": -1,
        "producer_linger": 0.0,
        "producer_compression_type": "zstd",  # its lz4 is set to level 9, eight times slower
        "producer_max_batch_size": 2**20,
        "producer_max_request_size": MAX_DEAD_LETTER_BYTES,
        "producer_request_timeout": settings.deliver_seconds,
        "stream_buffer_maxsize": 256,  # Faust sleeps 1 s when it is full: what is left must last for that
        "stream_wait_empty": False,
        "topic_allow_declare": False,
        "topic_disable_leader": True,
        "web_enabled": False,
        "store": "memory://",
        "table_standby_replicas": 0,  # no tables: partitions are shared out by plain round robin
    }
    return _App(**options)


async def send(
    app: faust.App,
    topic: str,
    value: bytes,
    headers: Sequence[tuple[str, bytes]] = (),
    partition: int | None = None,
) -> None:
    """Return when all in-sync replicas have `value`; while Kafka is away, try again.

    Raises KafkaError if Kafka will never take it, CancelledError if the app stops before: nothing is acknowledged then.
    """
    attempt = 0
    while True:
        try:
            await (await app.producer.send(topic, None, value, partition, None, list(headers) or None))
        except NotReady:
            if not app.should_stop:
                raise
            raise asyncio.CancelledError from None  # its producer has stopped already
        except (errors.KafkaError, ProducerSendError) as error:
            cause = error.__cause__ if isinstance(error, ProducerSendError) else error
            if not is_temporary(cause):
                raise
            seconds = _BACKOFF.seconds(attempt, None, random.random())  # noqa: S311 (jitter)
            attempt += 1
            metrics.RETRIES.inc()
            log.warning(
                "dependency unavailable, retrying to send results", error=repr(cause), attempt=attempt
            )
            await asyncio.sleep(seconds)
        else:
            return


def is_temporary(error: BaseException | None) -> bool:
    """Whether the same delivery may work later."""
    if isinstance(error, errors.MessageSizeTooLargeError) or not isinstance(error, errors.KafkaError):
        return False
    return isinstance(error, _AWAY) or bool(getattr(error, "retriable", False))


def _credentials(kafka: KafkaSettings) -> object:
    context = None
    if kafka.security_protocol.endswith("SSL"):
        context = ssl.create_default_context(cafile=kafka.ca_file or None)
        if kafka.cert_file:
            context.load_cert_chain(kafka.cert_file, kafka.key_file or None)
    if not kafka.security_protocol.startswith("SASL"):
        return context
    return faust.SASLCredentials(
        username=kafka.username,
        password=kafka.password.get_secret_value(),
        mechanism=kafka.sasl_mechanism,
        ssl_context=context,
    )


class Output(NamedTuple):
    """A record to write."""

    topic: str
    value: bytes
    headers: Sequence[Header] = ()
    partition: int | None = None
    """None: any."""


class Ackable(Protocol):
    """A record that was read, and is to be acknowledged once."""

    def ack(self) -> bool:
        """Allow its offset to be committed."""
        ...


class Deliveries:
    """Bounded: `put` waits while `limit` records are under way."""

    def __init__(self, send: Callable[..., Awaitable[object]], limit: int) -> None:
        """`send(*output)` returns when the value is durable, however long that takes; what it raises ends `run`."""
        self._send = send
        self._queue: asyncio.Queue[tuple[Ackable, asyncio.Task[None]]] = asyncio.Queue(limit)

    async def put(self, record: Ackable, outputs: Sequence[Output]) -> None:
        """Start the delivery of what came of a record; the ack follows."""
        await self._queue.put((record, asyncio.create_task(self._deliver(outputs))))

    async def run(self) -> None:
        """Ack each record when it and all before it are durable. Raises what `send` raised."""
        while True:
            record, delivery = await self._queue.get()
            await delivery
            failpoint("before_ack")
            record.ack()

    async def _deliver(self, outputs: Sequence[Output]) -> None:
        await asyncio.gather(*(self._send(*output) for output in outputs))  # at once: they share a request
        failpoint("after_produce")


if TYPE_CHECKING:
    from outlay_kit.otel import Tracing

Work = Callable[[bytes, RecordPosition, Headers], list[Output]]


def traced(work: Work, tracing: "Tracing | None") -> Work:
    """Return `work` that puts a span into each trace of a record and hands the traces on; itself if tracing is off."""
    if tracing is None:
        return work

    def within(value: bytes, place: RecordPosition, headers: Headers) -> list[Output]:
        found = parents(headers)
        if not found:
            return work(value, place, headers)
        where: dict[str, str | int] = {
            "messaging.system": "kafka",
            "messaging.destination.name": place.topic,
            "messaging.destination.partition.id": str(place.partition),
            "messaging.kafka.offset": place.offset,
        }
        with tracing.spans("price", found, where) as onwards:
            outputs = work(value, place, headers)
        return [output._replace(headers=onwards) for output in outputs]

    return within


def end(error: BaseException) -> None:
    """End this process now: Faust would go on, and commit over what failed. Its successor repeats the work."""
    log.critical("the pricer ends; what it did not commit is done again", exc_info=error)
    os._exit(70)


def attach(
    app: faust.App,
    topics: Sequence[str],
    work: Callable[[bytes, RecordPosition, Headers], list[Output]],
    send: Callable[..., Awaitable[object]],
    in_flight: int,
) -> None:
    """Put each record of `topics` through `work(value, place, headers)`, and its results through `send`."""
    source = app.topic(*topics, key_serializer="raw", value_serializer="raw", value_type=bytes)
    deliveries = Deliveries(send, in_flight)

    @app.agent(source, name="pricer", concurrency=1)
    async def price(stream: Any) -> None:
        try:
            async for event in stream.noack().events():
                message = event.message
                timestamp = round(message.timestamp * 1000) if message.timestamp else 0
                place = RecordPosition(message.topic, message.partition, message.offset, timestamp)
                await deliveries.put(event, work(message.value or b"", place, message.headers))
        except Exception as error:  # noqa: BLE001 (whatever it is, this process ends)
            end(error)

    @app.task  # type: ignore[untyped-decorator]
    async def acknowledge() -> None:
        try:
            await deliveries.run()
        except Exception as error:  # noqa: BLE001 (whatever it is, this process ends)
            end(error)
