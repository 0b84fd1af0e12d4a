"""What is done to a pipeline. A promise and its negative control go through the same."""

import signal
import time
from collections.abc import Sequence
from datetime import timedelta

import msgspec
from tests.support.chaos.rig import Pipeline, Sender
from tests.support.processes import Service, Tail, tail
from tests.support.waiting import until

from outlay_kit.kafka import KafkaSink, deliver
from outlay_kit.settings import KafkaSettings
from outlay_schemas.events import UsageEvent, encoder, usage_event_decoder
from outlay_schemas.topics import COST_EVENTS, USAGE_EVENTS


def replay(pipeline: Pipeline, events: Sequence[UsageEvent]) -> int:
    """P5: read its part of cost.events a second time; return the wrong cells, and one if a byte changed."""
    Sender(pipeline.ingest, events, rate=10_000).join()
    pipeline.settle()
    before = export(pipeline)
    pipeline.settle(aggregator=pipeline.read_again("aggregator"))
    return pipeline.mismatches(events) + (export(pipeline) != before)


def correct(pipeline: Pipeline, events: Sequence[UsageEvent]) -> int:
    """P18, P3: correct all events, every third with another time; kill, replay both topics; return the wrong cells."""
    Sender(pipeline.ingest, events, rate=10_000).join()
    pipeline.settle()
    corrected = [
        msgspec.structs.replace(
            event,
            usage={meter: 2 * quantity for meter, quantity in event.usage.items()},
            time=event.time + (n % 3 == 0) * timedelta(seconds=1 + 89 * (n % 2)),
        )
        for n, event in enumerate(events)
    ]
    sender = Sender(pipeline.ingest, corrected, rate=3000)
    pipeline.die_at(pipeline.aggregator, "after_insert")
    sender.join()
    pipeline.settle()
    wrong = pipeline.mismatches(corrected)
    pipeline.settle(pricer=pipeline.read_again("pricer"))  # older bodies come again, after the newer ones
    return wrong + pipeline.mismatches(corrected)


def export(pipeline: Pipeline) -> bytes:
    """Every rollup of the tenant, byte for byte."""
    return b"".join(
        pipeline.clickhouse.raw(
            f"SELECT * EXCEPT written_at FROM {table} FINAL WHERE tenant = {{t:String}} ORDER BY window",  # noqa: S608
            {"t": pipeline.tenant},
        )
        for table in ("rollup_minute", "rollup_hour", "rollup_day")
    )


def paused_twin(pipeline: Pipeline, events: Sequence[UsageEvent]) -> int:
    """P6: stop the aggregator between ledger and rollup, let a twin take over, wake it; return the wrong cells."""
    half = len(events) // 2
    pipeline.kill(pipeline.aggregator)
    pipeline.aggregator.env["OUTLAY_FAILPOINT"] = "before_rollup=sleep:4"
    pipeline.aggregator.start()
    first = Sender(pipeline.ingest, events[:half], rate=10_000)
    until(lambda: rows(pipeline) > 0, 40, "a batch between ledger and rollup")
    pipeline.aggregator.running.send_signal(signal.SIGSTOP)
    twin = pipeline.service("aggregator").start()
    Sender(pipeline.ingest, events[half:], rate=10_000).join()
    first.join()
    pipeline.settle()
    before = pipeline.mismatches(events)
    pipeline.aggregator.running.send_signal(signal.SIGCONT)
    time.sleep(6)
    pipeline.settle()
    assert not pipeline.aggregator.ended(), pipeline.aggregator.log.read_text()[-2000:]
    assert twin.stop() == 0
    return before + pipeline.mismatches(events)


def rows(pipeline: Pipeline) -> int:
    """Rows of the tenant's ledger, those not merged yet included."""
    [row] = pipeline.clickhouse.rows(
        "SELECT count() AS n FROM ledger WHERE tenant = {t:String}", {"t": pipeline.tenant}
    )
    return int(row["n"])


def poison_of(pipeline: Pipeline, event: UsageEvent) -> tuple[list[bytes], list[bytes]]:
    """P9: unusable input for usage.events and cost.events; it names the tenant."""
    named = b'"tenant":"%s"' % pipeline.tenant.encode()
    line = encoder.encode(event)[:-1]
    usage = [b"{%s" % named, line + b"," + named + b',"what":1}', b"\xff\x00" + named, b"[" * 3000 + named]
    cost = [b"{%s,1" % named, b'{%s,"id":7}' % named, b"x" * 5_000_000 + named]
    return usage, cost


def feed(pipeline: Pipeline, usage: Sequence[bytes], cost: Sequence[bytes]) -> None:
    """Put records on Kafka directly, without ingest."""
    sink = KafkaSink(pipeline.stores.kafka)
    for topic, values in ((USAGE_EVENTS.name, usage), (COST_EVENTS.name, cost)):
        for value in values:
            deliver(sink, topic, [value])
    sink.close()


def kept(pipeline: Pipeline) -> list[dict[str, object]]:
    """The tenant's dead letters."""
    return pipeline.clickhouse.rows(
        "SELECT hex(original) AS body, topic, partition, offset, code FROM dead_letters FINAL"
        " WHERE position(original, {t:String}) > 0",
        {"t": pipeline.tenant},
    )


def away(pipeline: Pipeline, events: Sequence[UsageEvent], store: str, seconds: float) -> tuple[int, int]:
    """P10: a store is away under load; return the wrong cells, and by how much a service grew meanwhile (bytes)."""
    sender = Sender(pipeline.ingest, events, rate=len(events) / (seconds + 20))
    until(lambda: sender.accepted > len(events) // 10, 60, "events accepted")
    before = {id(service): service.rss() for service in pipeline.services}
    lost = pipeline.stores.broker if store == "kafka" else pipeline.stores.engine
    lost.kill()
    time.sleep(seconds)
    grown = max(service.rss() - before[id(service)] for service in pipeline.services)
    assert not any(service.ended() for service in pipeline.services)
    lost.start()
    until(sender.done, seconds + 120, "everything sent")
    assert (sender.refused > 0) == (store == "kafka")
    pipeline.settle(180)
    assert not any(service.ended() for service in pipeline.services)
    return pipeline.mismatches(events), grown


def rolling_restart(pipeline: Pipeline, sender: Sender, *others: Service) -> int:
    """P15: of each service a second one, a third for a while, and each restarted in turn; return the restarts."""
    restarts = 0
    for name, first in (("pricer", pipeline.pricer), ("aggregator", pipeline.aggregator)):
        second, third = pipeline.service(name).start(), pipeline.service(name).start()
        pipeline.others.append(second)
        for replica in (first, second):  # one after the other, as an orchestrator does
            end(replica)
            replica.start()
            restarts += 1
        end(third)
    for replica in others:
        end(replica)
        replica.start()
        restarts += 1
    until(sender.done, 240, "everything sent")
    pipeline.settle(180)
    return restarts


def end(service: Service) -> None:
    """Ask a service to end, as an orchestrator does."""
    assert service.stop(40) == 0, service.log.read_text()[-2000:]


def ids_on_kafka(kafka: KafkaSettings, tenant: str, wanted: set[str]) -> set[str]:
    """Return the ids of a tenant's events on usage.events, waiting for the wanted ones."""

    def found(reading: Tail) -> set[str]:
        events = (e for r in reading.records for e in usage_event_decoder.decode_lines(r.value))
        return {f"{event.source}/{event.id}" for event in events if event.tenant == tenant}

    with tail(kafka, USAGE_EVENTS.name, tenant) as reading:
        deadline = time.monotonic() + 40
        while not wanted <= found(reading) and time.monotonic() < deadline:
            reading.more()
        return found(reading)
