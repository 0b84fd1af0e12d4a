"""What takes seconds. Those that are not marked chaos run every time; what takes minutes is in test_long.py."""

from pathlib import Path

import pytest
from tests.support.chaos.rig import Pipeline, Sender, make
from tests.support.chaos.scenarios import correct, feed, kept, paused_twin, poison_of, replay
from tests.support.chaos.stores import Stores, Thief
from tests.support.promises import Tally
from tests.support.waiting import until

from outlay_kit.kafka import KafkaSink, deliver
from outlay_schemas.events import encoder
from outlay_schemas.topics import USAGE_EVENTS

pytestmark = pytest.mark.stack


def test_p1_killed_after_the_ledger_and_before_the_commit(pipeline: Pipeline, tally: Tally) -> None:
    events = make(3000)
    sender = Sender(pipeline.ingest, events, rate=2000)
    pipeline.die_at(pipeline.aggregator, "after_ledger")
    until(sender.done, 60, "everything sent")
    pipeline.settle()
    wrong = pipeline.mismatches(events)
    tally("P1", "aggregator killed after_ledger", len(events), pipeline.kills, wrong)
    assert wrong == 0
    pipeline.stop()


def test_p3_the_same_event_a_thousand_times_counts_once(pipeline: Pipeline, tally: Tally) -> None:
    [event, *others] = make(10_001, seed=3)
    event.tenant = pipeline.tenant
    for other in others:
        other.tenant = pipeline.tenant
    sink = KafkaSink(pipeline.stores.kafka)
    line = encoder.encode(event)
    deliver(sink, USAGE_EVENTS.name, [b"\n".join([line] * 100)] * 5 + [line] * 500)
    deliver(
        sink, USAGE_EVENTS.name, [encoder.encode_lines(others[n : n + 500]) for n in range(0, 10_000, 500)]
    )
    pipeline.settle()
    pipeline.clickhouse.command("OPTIMIZE TABLE ledger FINAL")
    deliver(sink, USAGE_EVENTS.name, [line] * 50)
    sink.close()
    pipeline.settle()
    wrong = pipeline.mismatches([event, *others])
    tally("P3", "one event sent 1,050 times, around OPTIMIZE", 11_050, 0, wrong)
    assert wrong == 0
    pipeline.stop()


def test_p18_the_last_accepted_body_wins_whatever_its_time_through_kills_and_replays(
    pipeline: Pipeline, tally: Tally
) -> None:
    events = make(1500, seed=18)
    wrong = correct(pipeline, events)
    tally("P18", "all events corrected, a third moved in time; killed, replayed", 3000, pipeline.kills, wrong)
    assert wrong == 0
    pipeline.stop()


def test_p5_a_replay_from_the_first_offset_changes_nothing(pipeline: Pipeline, tally: Tally) -> None:
    events = make(3000, seed=5)
    wrong = replay(pipeline, events)
    tally("P5", "all of cost.events read again from offset 0", len(events), 0, wrong)
    assert wrong == 0
    pipeline.stop()


def test_p15_a_minute_has_one_owner_and_another_when_that_dies(pipeline: Pipeline, tally: Tally) -> None:
    """Events of a minute come to both aggregators; one of them recomputes it."""
    twin = pipeline.service("aggregator").start()
    pipeline.others.append(twin)
    pair = [pipeline.aggregator, twin]
    events = make(9000, seed=15)
    day = [event for event in events if event.time.date() == events[0].time.date()]
    first, second, third = day[: len(day) // 3], day[len(day) // 3 : len(day) // 2], day[len(day) // 2 :]

    def asked() -> list[float]:
        return [one.metric("outlay_minutes_asked_total") for one in pair]

    def computed() -> list[float]:
        return [one.metric('outlay_windows_total{grain="minute"}') for one in pair]

    Sender(pipeline.ingest, first, rate=1000).join()
    pipeline.settle()
    until(lambda: sum(asked()) > 0, 60, "one that is not the owner")
    before = computed()
    Sender(pipeline.ingest, second, rate=1000).join()
    pipeline.settle()
    [owner] = [one for one, now, was in zip(pair, computed(), before, strict=True) if now > was]
    sender = Sender(pipeline.ingest, third, rate=1000)
    pipeline.kill(owner)
    sender.join()
    pipeline.settle()
    wrong = pipeline.mismatches(day)
    tally("P15", "two aggregators, the owner of the minutes killed", len(day), pipeline.kills, wrong)
    assert wrong == 0
    owner.start()
    pipeline.stop()


@pytest.mark.chaos
def test_p6_a_paused_twin_that_wakes_up_damages_nothing(pipeline: Pipeline, tally: Tally) -> None:
    events = make(4000, seed=6)
    wrong = paused_twin(pipeline, events)
    tally("P6", "aggregator stopped in a batch, its twin took over, woken", len(events), 1, wrong)
    assert wrong == 0


@pytest.mark.chaos
def test_p7_an_insert_whose_answer_was_lost_is_harmless(stores: Stores, tmp_path: Path, tally: Tally) -> None:
    thief = Thief(stores.writer.url, 0.3)
    pipeline = Pipeline(stores, tmp_path / "run", url=thief.url).start()
    events = make(3000, seed=7)
    Sender(pipeline.ingest, events, rate=1500).join()
    pipeline.settle()
    thief.close()
    wrong = pipeline.mismatches(events)
    tally("P7", f"{thief.stolen} answers to inserts lost", len(events), 0, wrong)
    assert thief.stolen > 3
    assert wrong == 0  # the control with increments shows that the inserts did come twice


def test_p9_poison_neither_blocks_nor_vanishes(pipeline: Pipeline, tally: Tally) -> None:
    events = make(2000, seed=9)
    usage, cost = poison_of(pipeline, events[0])
    sender = Sender(pipeline.ingest, events, rate=2000)
    feed(pipeline, usage, cost)
    until(sender.done, 60, "everything sent")
    pipeline.settle()
    dead_letters = kept(pipeline)
    bodies = {bytes.fromhex(str(row["body"])) for row in dead_letters}
    assert bodies == {*usage, *cost}
    assert all(
        row["topic"] and row["partition"] != -1 and row["offset"] != -1 and row["code"]
        for row in dead_letters
    )
    wrong = pipeline.mismatches(events)
    tally("P9", f"{len(bodies)} kinds of poison on both topics", len(events), 0, wrong)
    assert wrong == 0
    pipeline.stop()


@pytest.mark.chaos
def test_p14_an_aggregator_that_is_stuck_ends_to_be_started_again(pipeline: Pipeline, tally: Tally) -> None:
    stuck = {"OUTLAY_FAILPOINT": "after_ledger=sleep:600", "OUTLAY_HEALTH_STALL_SECONDS": "3"}
    pipeline.kill(pipeline.aggregator)
    pipeline.aggregator.env |= stuck
    pipeline.aggregator.start()
    events = make(500, seed=14)
    Sender(pipeline.ingest, events, rate=10_000).join()
    until(pipeline.aggregator.ended, 60, "the end of the stuck aggregator")
    assert pipeline.aggregator.running.returncode == 70
    pipeline.aggregator.env |= {"OUTLAY_FAILPOINT": ""}
    pipeline.aggregator.start()
    pipeline.settle()
    wrong = pipeline.mismatches(events)
    tally("P14", "aggregator wedged: it ended itself, its successor went on", len(events), 1, wrong)
    assert wrong == 0
    pipeline.stop()
