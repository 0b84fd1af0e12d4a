"""The SDK against a real ingest and a real bus: over HTTP, through an outage, and straight to Kafka."""

import threading
import time
from decimal import Decimal
from pathlib import Path

import pytest
from tests.support.processes import Broker, Ingest, tail
from tests.support.waiting import until

from outlay_kit.settings import KafkaSettings
from outlay_schemas.events import UsageEvent, usage_event_decoder
from outlay_sdk import HttpTransport, Meter, Outlay
from outlay_sdk.transport import KafkaTransport

pytestmark = pytest.mark.stack


def wait_for(kafka: KafkaSettings, tenant: str, count: int) -> list[UsageEvent]:
    """Every event of a tenant, repeats too, once there are `count` different ones."""
    with tail(kafka, "usage.events", tenant) as reading:

        def events() -> list[UsageEvent]:
            found = [event for r in reading.records for event in usage_event_decoder.decode_lines(r.value)]
            return [event for event in found if event.tenant == tenant]

        reading.wait(lambda _: len({event.id for event in events()}) >= count)
        return events()


def test_what_is_tracked_arrives_whole_and_once(kafka: KafkaSettings, tmp_path: Path) -> None:
    ingest = Ingest(kafka, tmp_path)
    ingest.start()
    url = ingest.url.removesuffix("/v1/events")
    outlay = Outlay(url, ingest.key, source="it", linger=0.05, flush_at_exit=0, team="growth")
    for number in range(1200):
        outlay.track(provider="openai", sku="gpt-4o-mini", usage={"input_tokens": number + 1})
    with Meter(outlay, sku="p5.48xlarge", provider="aws", job="job", every=0.1):
        time.sleep(0.25)
    assert outlay.close(20)
    assert (outlay.stats.dropped, outlay.stats.refused) == (0, 0)
    events = wait_for(kafka, ingest.tenant, outlay.stats.sent)
    calls = [event for event in events if event.kind == "llm"]
    assert sum(int(event.usage["input_tokens"]) for event in calls) == 1200 * 1201 // 2
    assert {event.team for event in events} == {"growth"}
    seconds = sum(Decimal(event.usage["compute_seconds"]) for event in events if event.kind == "compute")
    assert Decimal("0.25") <= seconds < 5
    assert ingest.stop() == 0


def test_an_outage_of_ingest_loses_and_doubles_nothing(kafka: KafkaSettings, tmp_path: Path) -> None:
    ingest = Ingest(kafka, tmp_path)
    ingest.start()
    transport = HttpTransport(ingest.url.removesuffix("/v1/events"), ingest.key, timeout=3)
    outlay = Outlay(transport=transport, source="it", linger=0.05, batch=50, flush_at_exit=0)
    stop = threading.Event()

    def work() -> None:
        while not stop.wait(0.002):
            outlay.track(sku="m", usage={"n": 1})

    working = threading.Thread(target=work)
    working.start()
    until(lambda: outlay.stats.sent > 200, what="events sent")
    ingest.kill()
    time.sleep(1)
    ingest.start()
    before = outlay.stats.sent
    until(lambda: outlay.stats.sent > before + 100, what="events sent again")
    stop.set()
    working.join()
    assert outlay.close(20)
    assert outlay.stats.dropped == outlay.stats.refused == 0
    events = wait_for(kafka, ingest.tenant, outlay.stats.tracked)
    assert len({event.id for event in events}) == outlay.stats.tracked
    assert len({(event.id, event.time) for event in events}) == outlay.stats.tracked
    assert ingest.stop() == 0


CHAT = {
    "id": "chatcmpl-1",
    "created": 1795600000,
    "model": "gpt-4o",
    "usage": {"prompt_tokens": 9, "completion_tokens": 3},
}


def test_straight_to_kafka(broker: Broker) -> None:
    transport = KafkaTransport(broker.settings.bootstrap)
    outlay = Outlay(transport=transport, source="it", tenant="direct", linger=0.05, flush_at_exit=0)
    for _ in range(700):
        outlay.track(sku="m", usage={"n": 1})
    outlay.record(CHAT, provider="openai")
    assert outlay.close(20)
    assert (outlay.stats.sent, outlay.stats.refused) == (700, 1)
    assert len(wait_for(broker.settings, "direct", 700)) == 700


def test_what_is_read_of_responses_goes_through_ingest(kafka: KafkaSettings, tmp_path: Path) -> None:
    ingest = Ingest(kafka, tmp_path)
    ingest.start()
    http = HttpTransport(ingest.url.removesuffix("/v1/events"), ingest.key)
    transport = KafkaTransport(kafka.bootstrap, ingest=http)
    outlay = Outlay(transport=transport, source="it", tenant=ingest.tenant, linger=0.05, flush_at_exit=0)
    outlay.record(CHAT, provider="openai")
    outlay.track(sku="m", usage={"n": 1})
    assert outlay.close(20)
    assert (outlay.stats.sent, outlay.stats.refused) == (2, 0)
    read = {event.sku: event.usage for event in wait_for(kafka, ingest.tenant, 2)}
    assert read == {"gpt-4o": {"input_tokens": 9, "output_tokens": 3}, "m": {"n": 1}}
    assert ingest.stop() == 0
