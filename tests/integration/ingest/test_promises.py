"""Ingest on the real bus. P2: 202 means durable; a bus that is away means 503, and nothing else."""

import gzip
import json
import threading
import time
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
from tests.support.processes import Broker, Ingest, Tail, prepare, tail
from tests.support.usage_lines import usage
from tests.support.waiting import until

from outlay_kit.settings import KafkaSettings
from outlay_schemas.events import dead_letter_decoder, usage_event_decoder

pytestmark = pytest.mark.stack


def ids(reading: Tail, tenant: str) -> set[str]:
    """The ids of a tenant on Kafka so far; every event there is valid."""
    found = (event for r in reading.records for event in usage_event_decoder.decode_lines(r.value))
    return {event.id for event in found if event.tenant == tenant}


class Senders:
    """Threads that post batches until stopped, and keep what was answered 202."""

    def __init__(self, ingest: Ingest, threads: int = 4, batch: int = 20) -> None:
        self._ingest = ingest
        self._batch = batch
        self._stop = threading.Event()
        self.accepted: set[str] = set()
        self.statuses: list[int] = []
        self._threads = [threading.Thread(target=self._send, args=(n,)) for n in range(threads)]
        for thread in self._threads:
            thread.start()

    def _send(self, number: int) -> None:
        with httpx.Client(headers={"X-API-Key": self._ingest.key}, timeout=20) as client:
            turn = 0
            while not self._stop.is_set():
                turn += 1
                names = [f"{number}-{turn}-{n}" for n in range(self._batch)]
                body = b"\n".join(usage(name) for name in names)
                try:
                    answer = client.post(
                        self._ingest.url, content=body, headers={"Content-Type": "application/x-ndjson"}
                    )
                except httpx.TransportError:
                    time.sleep(0.05)
                    continue
                self.statuses.append(answer.status_code)
                if answer.status_code == 202:
                    self.accepted |= set(names)
                else:
                    time.sleep(0.1)

    def stop(self) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(timeout=40)


def test_all_formats_and_refusals_arrive(kafka: KafkaSettings, tmp_path: Path) -> None:
    ingest = Ingest(kafka, tmp_path)
    ingest.start()
    enveloped = {
        "specversion": "1.0",
        "type": "com.outlay.usage",
        "id": "ce",
        "source": "it",
        "time": json.loads(usage("x"))["time"],
        "data": {"kind": "llm", "sku": "m", "usage": {"input_tokens": 1}},
    }
    poison = b'{"id":"poison",  "what": 1}'
    assert ingest.post(usage("json"), "application/json").status_code == 202
    assert ingest.post(b"[" + usage("a1") + b"," + usage("a2") + b"]", "application/json").status_code == 202
    partial = ingest.post(usage("n1") + b"\n" + poison + b"\n" + usage("n2"))
    assert (partial.status_code, partial.json()["accepted"], partial.json()["rejected"]) == (202, 2, 1)
    assert ingest.post(gzip.compress(usage("gz")), content_encoding="gzip").status_code == 202
    body = json.dumps(enveloped).encode()
    assert ingest.post(body, "application/cloudevents+json").status_code == 202
    batch = json.dumps([{**enveloped, "id": "ceb"}]).encode()
    assert ingest.post(batch, "application/cloudevents-batch+json").status_code == 202
    assert ingest.post(b"{}", authorization="Bearer out_live_no").status_code == 401
    expected = {"json", "a1", "a2", "n1", "n2", "gz", "ce", "ceb"}
    with (
        tail(kafka, "usage.events", ingest.tenant) as events,
        tail(kafka, "usage.dead-letter", ingest.tenant) as dead_letters,
    ):
        events.wait(lambda _: ids(events, ingest.tenant) == expected)
        dead_letters.wait(
            lambda found: (
                poison
                in [
                    dead_letter.body
                    for r in found
                    for dead_letter in dead_letter_decoder.decode_lines(r.value)
                ]
            )
        )
    assert ingest.stop() == 0
    assert ingest.key.rsplit("_", 1)[1] not in ingest.log.read_text()


def test_p2_what_was_answered_202_survives_kill_9(kafka: KafkaSettings, tmp_path: Path) -> None:
    ingest = Ingest(kafka, tmp_path)
    accepted: set[str] = set()
    for life in range(3):
        ingest.start()
        senders = Senders(ingest)
        until(lambda: len(senders.accepted) > 200 * (life + 1), what="events accepted")  # noqa: B023
        ingest.kill()
        senders.stop()
        accepted |= senders.accepted
    with tail(kafka, "usage.events", ingest.tenant) as events:
        events.wait(lambda _: accepted <= ids(events, ingest.tenant))


def test_a_term_signal_loses_nothing_and_every_request_is_answered(
    kafka: KafkaSettings, tmp_path: Path
) -> None:
    ingest = Ingest(kafka, tmp_path, linger_ms=100)
    ingest.start()
    answers: list[int] = []
    ready = threading.Barrier(21)

    def send(name: str) -> None:
        with httpx.Client(headers={"X-API-Key": ingest.key}) as client:
            client.post(ingest.url, content=usage("warm"))
            ready.wait()
            answers.append(client.post(ingest.url, content=usage(name)).status_code)

    threads = [threading.Thread(target=send, args=(f"d{n}",)) for n in range(20)]
    for thread in threads:
        thread.start()
    ready.wait()
    time.sleep(0.07)  # all are there, and linger
    assert ingest.stop() == 0
    for thread in threads:
        thread.join()
    assert answers.count(202) == len(answers) == 20
    with tail(kafka, "usage.events", ingest.tenant) as events:
        events.wait(lambda _: ids(events, ingest.tenant) == {"warm", *(f"d{n}" for n in range(20))})
    with pytest.raises(httpx.ConnectError):
        ingest.post(usage("late"))


def test_keys_made_and_revoked_count_within_moments(kafka: KafkaSettings, tmp_path: Path) -> None:
    ingest = Ingest(kafka, tmp_path)
    ingest.start()
    assert ingest.post(usage("k1")).status_code == 202
    ingest.keys.revoke(ingest.key.split("_")[2], datetime(2026, 11, 24, tzinfo=UTC))
    until(lambda: ingest.post(usage("k2")).status_code == 401, 5, "the key revoked")
    ingest.key = ingest.keys.create(ingest.tenant, ("ingest",), datetime(2026, 11, 24, tzinfo=UTC))
    until(lambda: ingest.post(usage("k3")).status_code == 202, 5, "the new key known")
    assert ingest.stop() == 0


def test_a_bus_that_dies_means_503_then_recovery_without_restart_and_p2_holds(
    broker: Broker, tmp_path: Path
) -> None:
    ingest = Ingest(broker.settings, tmp_path, deliver_seconds=4)
    ingest.start()
    senders = Senders(ingest)
    until(lambda: len(senders.accepted) > 500, what="events accepted")
    before = ingest.rss()
    broker.kill()
    until(lambda: 503 in senders.statuses, 20, "503")
    time.sleep(3)
    started = time.monotonic()
    answer = ingest.post(usage("away"))
    assert answer.status_code == 503
    assert int(answer.headers["retry-after"]) >= 1
    assert time.monotonic() - started < 6
    assert ingest.rss() < before + 80 * 2**20
    assert not ingest.ended()
    broker.start()
    before_count = len(senders.accepted)
    until(lambda: len(senders.accepted) > before_count + 200, 40, "202 again")
    senders.stop()
    assert set(senders.statuses) <= {202, 503}
    with tail(broker.settings, "usage.events", ingest.tenant) as events:
        events.wait(lambda _: senders.accepted <= ids(events, ingest.tenant))
    assert ingest.stop() == 0


def test_it_waits_for_a_bus_that_is_not_there_yet(broker: Broker, tmp_path: Path) -> None:
    broker.kill()
    ingest = Ingest(broker.settings, tmp_path)
    starting = threading.Thread(target=ingest.start)
    starting.start()
    time.sleep(3)
    assert not ingest.ready()
    broker.start()
    starting.join(timeout=40)
    assert ingest.post(usage("first")).status_code == 202
    assert ingest.stop() == 0


def test_ingest_listens_and_answers_503_until_kafka_is_there(tmp_path: Path) -> None:
    broker = Broker(tmp_path / "kafka")
    ingest = Ingest(broker.settings, tmp_path)
    ingest.launch()

    def answer() -> httpx.Response | None:
        try:
            return ingest.post(usage("e-1"))
        except httpx.TransportError:
            return None

    until(lambda: answer() is not None, what="ingest listens")
    refused = answer()
    assert refused is not None
    assert (refused.status_code, ingest.ready()) == (503, False)
    assert int(refused.headers["retry-after"]) > 0
    broker.start()
    prepare(broker.settings)
    until(ingest.ready, 40, "ingest is ready")
    accepted = answer()
    assert accepted is not None
    assert accepted.status_code == 202
    assert ingest.stop() == 0
    broker.kill()
