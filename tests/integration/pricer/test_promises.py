"""The pricer on the real bus: killed, fed poison, given a new catalog, left without a bus. P1, P9, P10, P11, P14."""

import json
import os
import signal
import time
import uuid
from collections.abc import Sequence
from pathlib import Path

import pytest
from tests.support.processes import Broker, Service, Tail, tail
from tests.support.waiting import until

from outlay.catalog.publish import newest, publish
from outlay_kit.catalog_feed import KEY
from outlay_kit.clock import SystemClock
from outlay_kit.kafka import KafkaSink, deliver
from outlay_kit.offsets import committed_lag
from outlay_kit.settings import KafkaSettings
from outlay_schemas.catalog import encode_catalog
from outlay_schemas.events import CostEvent, DeadLetter, cost_event_decoder, dead_letter_decoder
from outlay_schemas.topics import CATALOG, COST_EVENTS, DEAD_LETTER, MAX_RECORD_BYTES, USAGE_EVENTS

pytestmark = pytest.mark.stack


class Pricer(Service):
    """A pricer of its own group, and a tenant to tell its results by."""

    def __init__(self, kafka: KafkaSettings, folder: Path, **env: str) -> None:
        self.kafka = kafka
        self.tenant = f"p-{uuid.uuid4().hex[:8]}"
        self.group = f"pricer-{self.tenant}"
        named = {"OUTLAY_KAFKA": kafka.bootstrap, "OUTLAY_PRICER_GROUP": self.group}
        super().__init__("outlay_pricer.main", folder / "pricer.log", {**named, **env})

    def usage(self, event_id: str, **changes: object) -> bytes:
        event = {
            "id": event_id,
            "source": "it",
            "time": "2026-11-24T11:00:00Z",
            "tenant": self.tenant,
            "kind": "llm",
            "provider": "anthropic",
            "sku": "claude-sonnet-4-5",
            "usage": {"input_tokens": 1000, "output_tokens": 100},
        }
        return json.dumps({**event, **changes}).encode()

    def feed(self, values: Sequence[bytes]) -> None:
        sink = KafkaSink(self.kafka)
        deliver(sink, USAGE_EVENTS.name, values)
        sink.close()

    def lag(self) -> int:
        return committed_lag(self.kafka, self.group, [USAGE_EVENTS.name])


def costs(reading: Tail, tenant: str) -> list[CostEvent]:
    found = (event for r in reading.records for event in cost_event_decoder.decode_lines(r.value))
    return [event for event in found if event.tenant == tenant]


def dead_letters_in(reading: Tail) -> list[DeadLetter]:
    return [one for r in reading.records for one in dead_letter_decoder.decode_lines(r.value)]


def test_a_pricer_needs_no_directory_that_it_may_write_to(kafka: KafkaSettings, tmp_path: Path) -> None:
    folder = tmp_path / "read-only"
    folder.mkdir(mode=0o555)
    pricer = Pricer(kafka, tmp_path)
    pricer.folder = folder
    if os.getuid() == 0:
        pricer.prefix = ("setpriv", "--bounding-set=-dac_override")  # else root may write anywhere
    pricer.start()
    with tail(kafka, COST_EVENTS.name, pricer.tenant) as costs:
        pricer.feed([pricer.usage("e-1")])
        costs.wait(lambda records: len(records) == 1)
    assert not list(folder.iterdir())
    pricer.kill()


def test_every_event_is_priced_and_poison_neither_blocks_nor_vanishes(
    kafka: KafkaSettings, tmp_path: Path
) -> None:
    """P9: the record with poison in it, one that is nothing else, and one larger than any result may be."""
    pricer = Pricer(kafka, tmp_path)
    pricer.start()
    poison = b'{"tenant":"%s","id":7}' % pricer.tenant.encode()
    huge = b"\xff" + pricer.tenant.encode() + os.urandom(MAX_RECORD_BYTES - 4096).replace(b"\n", b"_")
    padded = {f"{n:02d}": "x" * 256 for n in range(60)}
    large = b"\n".join(pricer.usage(f"large{n}", tags=padded) for n in range(800))
    pricer.feed(
        [
            pricer.usage("a") + b"\n" + poison + b"\n\n" + pricer.usage("b") + b"\n",
            huge,
            b"",
            large,
            pricer.usage("c"),
        ]
    )
    with (
        tail(kafka, COST_EVENTS.name, pricer.tenant) as reading,
        tail(kafka, DEAD_LETTER.name, "pricer") as dead,
    ):
        reading.wait(lambda _: len({e.id for e in costs(reading, pricer.tenant)}) == 803)
        found = {e.id: e for e in costs(reading, pricer.tenant)}
        assert found["a"].cost == "0.0045"
        assert set(found) == {"a", "b", "c", *(f"large{n}" for n in range(800))}
        dead.wait(lambda _: {poison, huge} <= {one.body for one in dead_letters_in(dead)})
        kept = {one.body: one for one in dead_letters_in(dead)}
        assert (kept[poison].line, kept[poison].tenant, kept[poison].topic) == (
            1,
            pricer.tenant,
            "usage.events",
        )
        assert kept[huge].code in ("json_malformed", "not_utf8")
    until(lambda: pricer.lag() == 0, 20, "everything committed")
    assert pricer.stop() == 0


@pytest.mark.parametrize("place", ["", "after_produce:3", "before_ack:2", "before_ack:30"])
def test_p1_killed_anywhere_every_event_has_its_cost_event(
    kafka: KafkaSettings, tmp_path: Path, place: str
) -> None:
    pricer = Pricer(kafka, tmp_path)
    expected = {f"{record}-{n}" for record in range(60) for n in range(50)}
    records = [b"\n".join(pricer.usage(f"{record}-{n}") for n in range(50)) for record in range(60)]
    pricer.start()
    until(lambda: pricer.lag() == 0, 30, "reading what other tests left")
    assert pricer.stop() == 0
    pricer.env["OUTLAY_FAILPOINT"] = place
    pricer.feed(records)
    pricer.launch()
    if place:
        until(pricer.ended, 40, "killed at the failpoint")
        assert pricer.running.returncode == -signal.SIGKILL
    else:
        with tail(kafka, COST_EVENTS.name, pricer.tenant) as reading:
            reading.wait(lambda _: len(reading.records) > 5)
        pricer.kill()
    pricer.env["OUTLAY_FAILPOINT"] = ""
    pricer.start()
    with tail(kafka, COST_EVENTS.name, pricer.tenant) as reading:
        reading.wait(lambda _: {e.id for e in costs(reading, pricer.tenant)} >= expected)
        bodies: dict[str, bytes] = {}
        for record in reading.records:
            for line in record.value.splitlines():
                event = cost_event_decoder.decode(line)
                assert bodies.setdefault(event.id, line) == line  # P11: repeated, it says the same
    assert pricer.stop() == 0


def test_a_new_catalog_is_taken_up_while_running_and_an_old_one_never(
    kafka: KafkaSettings, tmp_path: Path
) -> None:
    pricer = Pricer(kafka, tmp_path)
    pricer.start()
    before = newest(kafka)
    assert before is not None

    def revision_of(event_id: str) -> int:
        pricer.feed([pricer.usage(event_id)])
        with tail(kafka, COST_EVENTS.name, pricer.tenant) as reading:
            reading.wait(lambda _: event_id in {e.id for e in costs(reading, pricer.tenant)})
            return max(e.revision for e in costs(reading, pricer.tenant) if e.id == event_id)

    assert revision_of("old") == before.revision
    turned = "unpriced" if before.usage.contradictions == "dead_letter" else "dead_letter"
    policy = before.usage.model_copy(update={"contradictions": turned})
    published = publish(kafka, before.model_copy(update={"usage": policy}), SystemClock())
    assert published > before.revision
    until(lambda: f'"revision": {published}' in pricer.log.read_text(), 20, "the new catalog")
    assert revision_of("new") == published
    sink = KafkaSink(kafka)
    deliver(sink, CATALOG.name, [encode_catalog(before)], KEY)
    time.sleep(2)
    assert revision_of("newest") == published
    deliver(sink, CATALOG.name, [encode_catalog(before.model_copy(update={"revision": published + 1}))], KEY)
    sink.close()
    until(lambda: revision_of("last") == published + 1, 20, "the newest catalog")
    assert pricer.stop() == 0


def test_p10_a_bus_that_dies_is_outlived_without_restart(broker: Broker, tmp_path: Path) -> None:
    pricer = Pricer(broker.settings, tmp_path, OUTLAY_PRICER_DELIVER_SECONDS="5")
    pricer.start()
    pricer.feed([pricer.usage(f"before{n}") for n in range(300)])
    broker.kill()
    time.sleep(12)
    assert not pricer.ended(), pricer.log.read_text()[-2000:]
    broker.start()
    pricer.feed([pricer.usage(f"after{n}") for n in range(20)])
    expected = {f"before{n}" for n in range(300)} | {f"after{n}" for n in range(20)}
    with tail(broker.settings, COST_EVENTS.name, pricer.tenant) as reading:
        reading.wait(lambda _: {e.id for e in costs(reading, pricer.tenant)} >= expected, 60)
    assert not pricer.ended()
    until(lambda: pricer.lag() == 0, 30, "everything committed")
    assert pricer.stop() == 0


def test_p14_a_pricer_that_is_stuck_ends_to_be_started_again(kafka: KafkaSettings, tmp_path: Path) -> None:
    pricer = Pricer(kafka, tmp_path, OUTLAY_FAILPOINT="before_ack=sleep:600", OUTLAY_HEALTH_STALL_SECONDS="3")
    pricer.start()
    pricer.feed([pricer.usage("stuck")])
    until(pricer.ended, 40, "the end of the stuck pricer")
    assert pricer.running.returncode == 70


def test_events_without_a_tenant_are_whose_the_settings_say(kafka: KafkaSettings, tmp_path: Path) -> None:
    pricer = Pricer(kafka, tmp_path)
    pricer.env["OUTLAY_PRICER_DEFAULT_TENANT"] = pricer.tenant
    pricer.start()
    pricer.feed([pricer.usage("ownerless", tenant="")])
    with tail(kafka, COST_EVENTS.name, pricer.tenant) as reading:
        reading.wait(lambda _: [e.id for e in costs(reading, pricer.tenant)] == ["ownerless"])
    assert pricer.stop() == 0
