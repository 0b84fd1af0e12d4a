"""Negative controls: the same chaos over services whose steps are broken must leave the totals wrong.

A control that does not fail says that its test proves nothing. What is broken: tests/support/chaos/broken.py.
"""

from pathlib import Path

import pytest
from tests.support.chaos.rig import Pipeline, Sender, make
from tests.support.chaos.scenarios import (
    away,
    correct,
    feed,
    kept,
    paused_twin,
    poison_of,
    replay,
    rolling_restart,
)
from tests.support.chaos.stores import Stores, Thief
from tests.support.promises import Tally
from tests.support.waiting import until

from outlay_kit.offsets import Offsets, behind
from outlay_schemas.topics import USAGE_EVENTS

pytestmark = [pytest.mark.stack, pytest.mark.chaos]


def test_p1_negative_control_commit_before_insert_loses_events(
    stores: Stores, tmp_path: Path, tally: Tally
) -> None:
    pipeline = Pipeline(stores, tmp_path / "run", {"aggregator": "commit first"}).start()
    events = make(1000)
    pipeline.kill(pipeline.aggregator)
    Sender(pipeline.ingest, events, rate=10_000).join()
    pipeline.aggregator.env["OUTLAY_FAILPOINT"] = "after_poll"
    pipeline.aggregator.launch()
    until(pipeline.aggregator.ended, 40, "death after a commit")
    pipeline.aggregator.env["OUTLAY_FAILPOINT"] = ""
    pipeline.aggregator.start()
    pipeline.settle()
    wrong = pipeline.mismatches(events)
    tally.control("P1", "commit before insert", len(events), pipeline.kills + 1, wrong)
    assert wrong > 0


def test_p2_negative_control_202_before_the_acknowledgement_loses_events(
    stores: Stores, tmp_path: Path, tally: Tally
) -> None:
    pipeline = Pipeline(stores, tmp_path / "run", {"ingest": "202 before the acknowledgement"}).start()
    events = make(500, seed=2)
    stores.broker.kill()
    Sender(pipeline.ingest, events, rate=10_000).join()  # all of it is answered 202
    pipeline.kill(pipeline.ingest)
    stores.broker.start()
    pipeline.settle()
    wrong = pipeline.mismatches(events)
    tally.control("P2", "202 before Kafka acknowledges", len(events), 2, wrong)
    assert wrong > 0


@pytest.mark.parametrize(("promise", "how"), [("P18", "no stamps"), ("P3", "no retractions")])
def test_p18_negative_control_without_stamps_or_retractions_corrections_are_lost(
    stores: Stores, tmp_path: Path, tally: Tally, promise: str, how: str
) -> None:
    pipeline = Pipeline(stores, tmp_path / "run", {"aggregator": how}).start()
    events = make(600, seed=18)
    wrong = correct(pipeline, events)
    tally.control(promise, how, 2 * len(events), pipeline.kills, wrong)
    assert wrong > 0


def test_p5_negative_control_increments_change_with_a_replay(
    stores: Stores, tmp_path: Path, tally: Tally
) -> None:
    pipeline = Pipeline(stores, tmp_path / "run", {"aggregator": "increments"}).start()
    events = make(1000, seed=5)
    wrong = replay(pipeline, events)
    tally.control("P5", "increments instead of recomputing", len(events), 0, wrong)
    assert wrong > 0


def test_p6_negative_control_increments_of_a_woken_twin_count_twice(
    stores: Stores, tmp_path: Path, tally: Tally
) -> None:
    pipeline = Pipeline(stores, tmp_path / "run", {"aggregator": "increments"}).start()
    events = make(2000, seed=6)
    wrong = paused_twin(pipeline, events)
    tally.control("P6", "increments instead of recomputing", len(events), 1, wrong)
    assert wrong > 0


def test_p7_negative_control_increments_count_what_was_sent_again(
    stores: Stores, tmp_path: Path, tally: Tally
) -> None:
    thief = Thief(stores.writer.url, 0.3)
    pipeline = Pipeline(stores, tmp_path / "run", {"aggregator": "increments"}, url=thief.url).start()
    events = make(3000, seed=7)
    Sender(pipeline.ingest, events, rate=1500).join()
    pipeline.settle()
    thief.close()
    wrong = pipeline.mismatches(events)
    tally.control("P7", f"increments, {thief.stolen} answers to inserts lost", len(events), 0, wrong)
    assert wrong > 0


def test_p9_negative_control_poison_that_is_skipped_vanishes(
    stores: Stores, tmp_path: Path, tally: Tally
) -> None:
    pipeline = Pipeline(stores, tmp_path / "run", {"pricer": "skips poison"}).start()
    events = make(500, seed=9)
    usage, cost = poison_of(pipeline, events[0])
    feed(pipeline, usage, cost)
    Sender(pipeline.ingest, events, rate=10_000).join()
    pipeline.settle()
    found = {bytes.fromhex(str(row["body"])) for row in kept(pipeline)}
    vanished = {*usage, *cost} - found
    tally.control("P9", "poison skipped", len(events), 0, len(vanished))
    assert vanished == set(usage)  # the aggregator is not broken: it keeps what came over cost.events


def test_p9_negative_control_a_worker_that_falls_over_poison_blocks_the_line(
    stores: Stores, tmp_path: Path, tally: Tally
) -> None:
    pipeline = Pipeline(stores, tmp_path / "run", {"pricer": "falls over poison"}).start()
    events = make(500, seed=9)
    feed(pipeline, poison_of(pipeline, events[0])[0], [])
    Sender(pipeline.ingest, events, rate=10_000).join()
    for _ in range(2):
        until(pipeline.pricer.ended, 40, "the end over poison")
        pipeline.pricer.launch()
    until(pipeline.pricer.ended, 40, "the end over poison")
    offsets = Offsets(stores.kafka)
    blocked = behind(offsets.committed("outlay-pricer", USAGE_EVENTS.name), offsets.ends(USAGE_EVENTS.name))
    offsets.close()
    tally.control("P9", "a worker that falls over poison: records that wait", len(events), 3, blocked)
    pipeline.pricer.module, pipeline.pricer.env = "outlay_pricer.main", pipeline.env
    pipeline.pricer.start()  # for the tests after this one, whose events are behind the poison
    pipeline.settle()
    assert blocked > 0


def test_p10_negative_control_a_worker_that_goes_on_without_its_store_loses_events(
    stores: Stores, tmp_path: Path, tally: Tally
) -> None:
    pipeline = Pipeline(stores, tmp_path / "run", {"aggregator": "goes on"}).start()
    events = make(2000, seed=10)
    wrong, _ = away(pipeline, events, "clickhouse", 10)
    tally.control("P10", "clickhouse away, the aggregator logs it and goes on", len(events), 1, wrong)
    assert wrong > 0


def test_p14_negative_control_without_a_watchdog_a_stuck_aggregator_stays_stuck(
    stores: Stores, tmp_path: Path, tally: Tally
) -> None:
    pipeline = Pipeline(stores, tmp_path / "run", {"aggregator": "no watchdog"}).start()
    pipeline.kill(pipeline.aggregator)
    pipeline.aggregator.env |= {
        "OUTLAY_FAILPOINT": "after_ledger=sleep:600",
        "OUTLAY_HEALTH_STALL_SECONDS": "3",
    }
    pipeline.aggregator.start()
    events = make(500, seed=14)
    Sender(pipeline.ingest, events, rate=10_000).join()
    with pytest.raises(AssertionError, match="did not happen"):
        until(pipeline.aggregator.ended, 20, "the end of the stuck aggregator")
    wrong = pipeline.mismatches(events)
    tally.control("P14", "aggregator wedged, no watchdog", len(events), 0, wrong)
    assert wrong > 0
    pipeline.kill(pipeline.aggregator)


def test_p15_negative_control_increments_of_two_replicas_overwrite_each_other(
    stores: Stores, tmp_path: Path, tally: Tally
) -> None:
    pipeline = Pipeline(stores, tmp_path / "run", {"aggregator": "increments"}).start()
    events = make(10_000, seed=15)
    sender = Sender(pipeline.ingest, events, rate=200)
    restarts = rolling_restart(pipeline, sender)
    wrong = pipeline.mismatches(events)
    tally.control("P15", f"increments instead of recomputing, {restarts} restarts", len(events), 0, wrong)
    assert wrong > 0
