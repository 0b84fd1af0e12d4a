"""What takes minutes: `make chaos`. OUTLAY_CHAOS_EVENTS and OUTLAY_CHAOS_AWAY (seconds) make them longer."""

import os
import random
import time
from pathlib import Path

import pytest
from tests.support.chaos.rig import Pipeline, Sender, make
from tests.support.chaos.scenarios import away, ids_on_kafka, rolling_restart
from tests.support.chaos.stores import Stores
from tests.support.chaos.watching import Watch
from tests.support.processes import Ingest
from tests.support.promises import Tally
from tests.support.receiver import receiving
from tests.support.waiting import until

pytestmark = [pytest.mark.stack, pytest.mark.chaos]

EVENTS = int(os.environ.get("OUTLAY_CHAOS_EVENTS", "100000"))
AWAY = float(os.environ.get("OUTLAY_CHAOS_AWAY", "30"))
PLACES = {
    "aggregator": (
        "after_poll",
        "after_insert:2",
        "after_ledger:2",
        "after_asking:2",
        "before_rollup",
        "after_rollup:2",
        "after_commit",
    ),
    "pricer": ("after_produce:3", "before_ack:2"),
}


@pytest.mark.timeout(1800)
def test_p1_killed_fifty_times_at_random_and_at_every_failpoint(pipeline: Pipeline, tally: Tally) -> None:
    """Ingest, pricer, aggregator and alerter; of the alerter also: each level is sent once (P13)."""
    events = make(EVENTS)
    with receiving() as receiver:
        watch = Watch(pipeline, receiver, events)
        pipeline.others.append(watch.alerter().start())
        sender = Sender(pipeline.ingest, events, rate=EVENTS / 300)
        for name, places in PLACES.items():
            [victim] = [each for each in pipeline.services if each.module == f"outlay_{name}.main"]
            for place in places:
                pipeline.die_at(victim, place)
        _kill_at_random(pipeline, sender)
        pipeline.settle(300)
        wrong = pipeline.mismatches(events)
        until(watch.notified, 60, "a message for every level")
        missed = watch.mismatches()
    what = "ingest, pricer, aggregator, alerter: at random and at 9 failpoints"
    tally("P1", what, len(events), pipeline.kills, wrong)
    tally("P13", f"alerter among them: 3 levels, {len(receiver.got)} messages", len(events), 0, missed)
    assert (wrong, missed) == (0, 0)
    pipeline.stop()


def _kill_at_random(pipeline: Pipeline, sender: Sender) -> None:
    dice = random.Random(1)  # noqa: S311 (a test's dice)
    while pipeline.kills < 55 or not sender.done():
        victim = dice.choice(pipeline.services)
        time.sleep(dice.random() * 3)
        pipeline.kill(victim)
        victim.launch()
        until(lambda: victim.ended() or victim.ready(), 60, "another life")  # noqa: B023
        assert not victim.ended(), victim.log.read_text()[-2000:]


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
    missing = accepted - ids_on_kafka(stores.kafka, ingest.tenant, accepted)
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


@pytest.mark.timeout(1800)
@pytest.mark.parametrize("store", ["kafka", "clickhouse"])
def test_p10_a_store_that_is_away_loses_nothing_and_is_waited_for(
    pipeline: Pipeline, tally: Tally, store: str
) -> None:
    events = make(20_000, seed=10)
    wrong, grown = away(pipeline, events, store, AWAY)
    what = f"{store} away for {AWAY:.0f} s under load, +{grown / 2**20:.0f} MB at most"
    tally("P10", what, len(events), 1, wrong)
    assert wrong == 0
    assert grown < 250 * 2**20
    pipeline.stop()


@pytest.mark.timeout(900)
def test_p15_two_replicas_a_third_and_a_rolling_restart_under_load(pipeline: Pipeline, tally: Tally) -> None:
    """Two of ingest, pricer, aggregator and alerter. A sender takes the other ingest where one does not answer."""
    events = make(30_000, seed=15)
    second = pipeline.ingest.twin()
    second.start()
    with receiving() as receiver:
        watch = Watch(pipeline, receiver, events)
        alerters = [watch.alerter().start(), watch.alerter().start()]
        pipeline.others += [second, *alerters]
        sender = Sender([pipeline.ingest, second], events, rate=250)
        restarts = rolling_restart(pipeline, sender, pipeline.ingest, second, *alerters)
        wrong = pipeline.mismatches(events)
        until(watch.notified, 60, "a message for every level")
        wrong += watch.mismatches()
    tally(
        "P15", f"2 → 3 → 2 replicas, {restarts} restarts one by one, 0 requests failed", len(events), 0, wrong
    )
    assert sender.failed == 0
    assert sender.refused == 0
    assert wrong == 0
    pipeline.stop()
