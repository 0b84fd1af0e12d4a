"""What takes minutes: `make chaos`. OUTLAY_CHAOS_EVENTS and OUTLAY_CHAOS_AWAY (seconds) make them longer."""

import os
import random
import time
from pathlib import Path

import pytest
from tests.chaos.conftest import Tally
from tests.chaos.rig import Pipeline, Sender, make
from tests.chaos.stores import Stores
from tests.processes import Ingest, Service, Tail, end_all, tail, until

from outlay_schemas.events import usage_event_decoder
from outlay_schemas.topics import USAGE_EVENTS

pytestmark = [pytest.mark.stack, pytest.mark.chaos]

EVENTS = int(os.environ.get("OUTLAY_CHAOS_EVENTS", "100000"))
AWAY = float(os.environ.get("OUTLAY_CHAOS_AWAY", "30"))
PLACES = {
    "aggregator": ("after_poll", "after_ledger:2", "before_rollup", "after_rollup:2", "after_commit"),
    "pricer": ("after_produce:3", "before_ack:2"),
}


@pytest.mark.timeout(1800)
def test_p1_killed_fifty_times_at_random_and_at_every_failpoint(pipeline: Pipeline, tally: Tally) -> None:
    events = make(EVENTS)
    sender = Sender(pipeline.ingest, events, rate=EVENTS / 300)
    for place in PLACES["aggregator"]:
        pipeline.die_at(pipeline.aggregator, place)
    for place in PLACES["pricer"]:
        pipeline.die_at(pipeline.pricer, place)
    dice = random.Random(1)  # noqa: S311 (a test's dice)
    while pipeline.kills < 55 or not sender.done():
        victim = dice.choice(pipeline.services)
        time.sleep(dice.random() * 3)
        pipeline.kill(victim)
        victim.launch()
        until(lambda: victim.ended() or victim.ready(), 60, "another life")  # noqa: B023
        assert not victim.ended(), victim.log.read_text()[-2000:]
    pipeline.settle(300)
    wrong = pipeline.mismatches(events)
    tally(
        "P1", "ingest, pricer, aggregator: at random and at 7 failpoints", len(events), pipeline.kills, wrong
    )
    assert wrong == 0
    pipeline.stop()


@pytest.mark.timeout(600)
def test_p2_what_was_accepted_is_on_the_bus_though_the_broker_was_killed_right_after(
    stores: Stores, tmp_path: Path, tally: Tally
) -> None:
    ingest = Ingest(stores.kafka, tmp_path, deliver_seconds=4)
    ingest.start()
    accepted: set[str] = set()
    refused: set[str] = set()
    lives = 5
    for life in range(lives):
        for turn in range(20):
            events = make(20, seed=life * 100 + turn, source=f"{life}-{turn}")
            _post(ingest, events, accepted)
        stores.broker.kill()
        lost = make(20, seed=life, source=f"away-{life}")
        _post(ingest, lost, refused)
        stores.broker.start()
        until(lambda: _post(ingest, make(1, source="up"), set()), 60, "202 again")
    missing = accepted - _ids(stores, ingest.tenant, accepted)
    tally("P2", "broker killed right after 202", len(accepted), lives, len(missing))
    assert not missing
    assert not refused  # with no broker nothing was accepted
    assert ingest.stop() == 0


def _post(ingest: Ingest, events: list, accepted: set[str]) -> bool:  # type: ignore[type-arg]
    from outlay_schemas.events import encoder

    answer = ingest.post(b"\n".join(map(encoder.encode, events)))
    assert answer.status_code in {202, 503}, answer.text
    if answer.status_code == 202:
        accepted |= {f"{event.source}/{event.id}" for event in events}
    return answer.status_code == 202


def _ids(stores: Stores, tenant: str, wanted: set[str]) -> set[str]:
    def found(reading: Tail) -> set[str]:
        events = (e for r in reading.records for e in usage_event_decoder.decode_lines(r.value))
        return {f"{event.source}/{event.id}" for event in events if event.tenant == tenant}

    with tail(stores.kafka, USAGE_EVENTS.name, tenant) as reading:
        deadline = time.monotonic() + 40
        while not wanted <= found(reading) and time.monotonic() < deadline:
            reading.more()
        return found(reading)


@pytest.mark.timeout(1800)
@pytest.mark.parametrize("store", ["kafka", "clickhouse"])
def test_p10_a_store_that_is_away_loses_nothing_and_is_waited_for(
    pipeline: Pipeline, tally: Tally, store: str
) -> None:
    events = make(20_000, seed=10)
    sender = Sender(pipeline.ingest, events, rate=20_000 / (AWAY + 20))
    until(lambda: sender.accepted > 2000, 60, "events accepted")
    before = {service.module: service.rss() for service in pipeline.services}
    away = pipeline.stores.broker if store == "kafka" else pipeline.stores.engine
    away.kill()
    time.sleep(AWAY)
    grown = max(service.rss() - before[service.module] for service in pipeline.services)
    assert grown < 250 * 2**20
    assert not any(service.ended() for service in pipeline.services)
    away.start()
    until(sender.done, AWAY + 120, "everything sent")
    assert (sender.refused > 0) == (store == "kafka")
    pipeline.settle(180)
    wrong = pipeline.mismatches(events)
    tally(
        "P10",
        f"{store} away for {AWAY:.0f} s under load, +{grown / 2**20:.0f} MB at most",
        len(events),
        1,
        wrong,
    )
    assert wrong == 0
    assert not any(service.ended() for service in pipeline.services)
    pipeline.stop()


@pytest.mark.timeout(600)
def test_p15_two_replicas_a_third_and_a_rolling_restart_under_load(pipeline: Pipeline, tally: Tally) -> None:
    events = make(30_000, seed=15)
    sender = Sender(pipeline.ingest, events, rate=300)
    replicas = {
        name: [service, pipeline.service(f"{name}2", f"outlay_{name}.main").start()]
        for name, service in (("pricer", pipeline.pricer), ("aggregator", pipeline.aggregator))
    }
    restarts = 0
    for name, running in replicas.items():
        third = pipeline.service(f"{name}3", f"outlay_{name}.main").start()
        for replica in running:  # one after the other, as an orchestrator does
            _end(replica)
            replica.start()
            restarts += 1
        _end(third)
    until(sender.done, 200, "everything sent")
    assert sender.refused == 0
    pipeline.settle(180)
    wrong = pipeline.mismatches(events)
    tally("P15", f"2 → 3 → 2 replicas, {restarts} restarts one by one", len(events), 0, wrong)
    assert wrong == 0
    for name in replicas:
        _end(replicas[name][1])
    pipeline.stop()
    end_all()


def _end(service: Service) -> None:
    assert service.stop(40) == 0, service.log.read_text()[-2000:]
