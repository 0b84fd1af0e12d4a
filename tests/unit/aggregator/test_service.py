"""The order of the aggregator's steps, and what it does with what cannot be written."""

import pytest
from prometheus_client import REGISTRY
from tests.support.aggregator_rig import NOW, Rig, batch, group, line

from outlay_aggregator.domain.windows import BackfillQueue, Window
from outlay_aggregator.minute_checks import MOST_NAMED, CardinalityWatch
from outlay_aggregator.settings import Settings
from outlay_kit.errors import Retryable
from outlay_kit.kafka import OversizeError
from outlay_schemas.dead_letters import dead_letter
from outlay_schemas.dimensions import OTHER_USERS
from outlay_schemas.errors import Invalid
from outlay_schemas.events import RollupGroup, dead_letter_decoder, encoder, rollup_window_decoder
from outlay_schemas.money import Usd
from outlay_schemas.topics import DEAD_LETTER, ROLLUPS

MINUTE = 1_795_482_120
"""2026-11-24T01:02:00Z"""
LIVE = line(time="2026-11-24T11:59:30Z")


def test_the_ledger_then_minutes_hours_days_each_published() -> None:
    rig = Rig()
    rig.store.groups = lambda _: [group(events=3)]
    rig.handle(line("1"), line("2") + b"\n" + line("3"))
    assert rig.log == [
        "append ledger_input",
        "recompute minute", "send cost.rollups",
        "recompute hour", "send cost.rollups",
        "recompute day", "send cost.rollups",
    ]  # fmt: skip
    assert rig.store.ledger == [line("1"), line("2"), line("3")]
    hour, day = MINUTE - MINUTE % 3600, MINUTE - MINUTE % 86_400
    assert rig.store.recomputed == [
        ("minute", [Window(MINUTE, "acme")]),
        ("hour", [Window(hour, "acme")]),
        ("day", [Window(day, "acme")]),
    ]


def test_a_window_is_published_under_its_tenant() -> None:
    rig = Rig()
    rig.handle(line())
    assert {record.key for record in rig.broker.records(ROLLUPS.name)} == {b"acme"}


def test_p9_dead_letters_are_durable_before_anything_else() -> None:
    rig = Rig()
    rig.handle(line("1") + b"\n{bad\n" + line("2"))
    assert rig.log[:2] == ["send usage.dead-letter", "append ledger_input"]
    [each] = rig.refused()
    assert (each.body, each.code, each.line, each.at) == (b"{bad", "cost_event_invalid", 1, NOW)
    assert (each.topic, each.partition, each.offset) == ("cost.events", 0, 0)
    assert rig.store.ledger == [line("1"), line("2")]


def test_p9_a_dead_letter_that_cannot_be_kept_stops_the_line() -> None:
    rig = Rig()
    rig.broker.away = True
    with pytest.raises(Retryable):
        rig.handle(line("1") + b"\n{bad")
    assert rig.log == ["send usage.dead-letter"]


def test_a_batch_of_nothing_but_bad_lines_writes_no_ledger_and_no_window() -> None:
    rig = Rig()
    rig.handle(b"{bad", b"", b"\n\n")
    assert rig.log == ["send usage.dead-letter"]


def test_p9_one_line_that_the_engine_refuses_stands_alone() -> None:
    rig = Rig()
    rows = [line(str(n), sku="POISON" if n == 5 else "ok") for n in range(9)]
    rig.handle(b"\n".join(rows))
    [each] = rig.refused()
    assert (each.body, each.code, each.line) == (rows[5], "ledger_refused", 5)
    assert "cannot parse" in each.message
    assert rig.store.ledger == rows[:5] + rows[6:]


def test_p9_lines_that_the_contract_refuses_are_reported_with_their_place_when_the_engine_refuses_the_batch() -> (
    None
):
    rig = Rig()
    wrong = line("2", usage={"input_tokens": "many"})
    rig.store.poison = b"many"
    rig.handle(line("1") + b"\n" + wrong)
    [each] = rig.refused()
    assert (each.body, each.path) == (wrong, "$.usage[...]")
    assert rig.store.ledger == [line("1")]


def test_p9_a_minute_in_which_every_line_was_refused_is_not_asked_for() -> None:
    """It has no row, so that an answer for it would be waited for without end."""
    rig = Rig()
    rig.handle(line("1", time="2026-11-24T09:00:00Z", sku="POISON"), line("2"))
    assert rig.store.recomputed[0] == ("minute", [Window(MINUTE, "acme")])
    assert [each.code for each in rig.refused()] == ["ledger_refused"]


def test_p9_a_batch_that_is_refused_whole_publishes_nothing() -> None:
    rig = Rig()
    rig.handle(line("1", sku="POISON"))
    assert not rig.store.recomputed


def test_a_record_that_is_good_is_written_again_when_another_of_its_batch_was_refused() -> None:
    rig = Rig()
    rig.handle(line("1"), b"{bad", line("2", sku="POISON"))
    assert rig.store.ledger == [line("1")]
    assert [each.offset for each in rig.refused()] == [1, 1, 2]
    assert len({each.id for each in rig.refused()}) == 2


def test_what_is_older_than_the_ledger_keeps_is_a_dead_letter() -> None:
    """Its hour may have lost other minutes: a sum made of the rest would replace the right one."""
    rig = Rig(Settings(retention_days=100))
    old = line("old", time="2026-08-16T11:59:59Z")
    rig.handle(old + b"\n" + line("kept", time="2026-08-16T12:00:00Z"))
    assert [(each.body, each.code, each.path) for each in rig.refused()] == [
        (old, "past_retention", "$.time")
    ]
    assert len(rig.store.ledger) == 1
    rig.handle(line("x", time="2020-01-01T00:00:00Z", sku="POISON"), line("y", sku="POISON"))
    assert {(each.code, each.offset) for each in rig.refused()} == {
        ("past_retention", 0),
        ("ledger_refused", 1),
    }


def test_a_batch_with_many_refused_lines_costs_a_bounded_number_of_inserts_and_no_other_tenant() -> None:
    rig = Rig()
    poison = b"\n".join(line(f"p{n}", sku="POISON", tenant="hostile") for n in range(5000))
    good = [line(f"g{n}", tenant=f"t{n}") for n in range(20)]
    rig.handle(poison, *good)
    assert sorted(rig.store.ledger) == sorted(good)
    assert rig.log.count("append ledger_input") <= 201
    refused = rig.refused()
    assert len(refused) == 5000
    assert {each.tenant for each in refused} == {"hostile"}
    assert {each.code for each in refused} == {"ledger_refused"}


def test_a_dead_letter_that_the_engine_refuses_is_kept_as_bytes_with_the_others() -> None:
    rig = Rig()
    kept = [
        dead_letter("pricer", body, Invalid("c", body.decode()), NOW, line=0, place=("usage.events", 3, 14))
        for body in (b"fine", b"POISON")
    ]
    rig.aggregator.handle(batch(*map(encoder.encode, kept), topic=DEAD_LETTER.name))
    assert [each.code for each in rig.store.dead_letters] == ["dead_letter_invalid"] * 2
    assert [dead_letter_decoder.decode(each.body) for each in rig.store.dead_letters] == kept


def test_p9_a_line_too_large_for_a_dead_letter_is_kept_in_the_table() -> None:
    rig = Rig(max_bytes=2000)
    rig.handle(b"x" * 3000)
    [each] = rig.store.dead_letters
    assert each.body == b"x" * 3000
    assert rig.refused() == []


def test_dead_letters_of_every_stage_go_to_their_table_and_dirty_nothing() -> None:
    rig = Rig()
    kept = dead_letter(
        "pricer", b"{", Invalid("json_malformed", "no"), NOW, line=0, place=("usage.events", 3, 14)
    )
    rig.aggregator.handle(batch(encoder.encode(kept) + b"\n\nnot one", topic=DEAD_LETTER.name))
    assert rig.log == ["append dead_letters"]
    first, second = rig.store.dead_letters
    assert first == kept
    assert (second.body, second.code, second.line) == (b"not one", "dead_letter_invalid", 2)


def test_a_window_too_large_for_a_record_is_published_without_users_and_usage() -> None:
    rig = Rig(max_bytes=700)
    rig.store.groups = lambda _: [group(f"u{n}", cost=Usd("0.000000000001")) for n in range(50)]
    rig.handle(line())
    for record in rig.broker.records(ROLLUPS.name):
        [cell] = rollup_window_decoder.decode(record.value).groups
        assert (cell.user, cell.cost, cell.events) == ("(other)", "0.00000000005", 50)
    assert len(rig.broker.records(ROLLUPS.name)) == 3


def test_a_window_of_too_many_dimensions_is_published_as_its_total() -> None:
    rig = Rig(max_bytes=700)
    rig.store.groups = lambda _: [group(sku=f"s{n}", unpriced_events=1) for n in range(50)]
    rig.handle(line())
    for record in rig.broker.records(ROLLUPS.name):
        [cell] = rollup_window_decoder.decode(record.value).groups
        assert (cell.sku, cell.cost, cell.events, cell.unpriced_events) == ("(other)", "5", 50, 50)


def test_a_window_that_no_record_holds_ends_the_process() -> None:
    rig = Rig(max_bytes=10)
    with pytest.raises(OversizeError):
        rig.handle(line())


def test_a_window_that_cannot_be_published_is_no_success() -> None:
    rig = Rig()
    rig.broker.away = True
    with pytest.raises(Retryable):
        rig.handle(line())


def test_the_newest_minutes_first_and_no_more_than_a_chunk_at_once() -> None:
    rig = Rig(Settings(window_chunk=2))
    rig.handle(b"\n".join(line(str(n), time=f"2026-11-24T0{n}:00:00Z") for n in range(5)))
    sizes = [(grain, len(windows)) for grain, windows in rig.store.recomputed]
    assert sizes == [
        ("minute", 2),
        ("minute", 2),
        ("minute", 1),
        ("hour", 2),
        ("hour", 2),
        ("hour", 1),
        ("day", 1),
    ]
    starts = [w.start for grain, windows in rig.store.recomputed if grain == "minute" for w in windows]
    assert starts == sorted(starts, reverse=True)


def test_minutes_in_which_something_came_twice_are_searched_for_conflicts() -> None:
    rig = Rig()
    rig.handle(line("1"), line("1"), line("2", time="2026-11-24T02:00:00Z"))
    assert [entry for entry in rig.log if entry.startswith("conflicts")] == ["conflicts 1"]


def test_batches_gather_longer_where_recomputing_large_minutes_takes_more_than_its_share() -> None:
    rig = Rig(Settings(rollup_share=0.1, max_linger_seconds=5, throttle_above_events=100))
    assert rig.aggregator.pace() == 0
    rig.handle(LIVE)
    assert rig.aggregator.pace() == 0

    def pace(seconds: float, events: int) -> float:
        def groups(_: Window) -> list[RollupGroup]:
            rig.clock.advance(seconds / 3)  # a minute, its hour, its day
            return [group(events=events)]

        rig.store.groups = groups
        rig.handle(LIVE)
        return rig.aggregator.pace()

    assert pace(0.21, events=100) == pytest.approx(1.05 - 0.21)  # a fifth of the time
    assert pace(60, events=100) == 1
    assert pace(0.3, events=101) == pytest.approx(3 - 0.3)
    assert pace(60, events=101) == 5


def test_a_high_cardinality_producer_is_named_again_only_when_its_minute_doubled() -> None:
    rig = Rig(Settings(user_cells=2))
    rig.store.groups = lambda _: [group("a"), group("b")]
    rig.handle(line())
    assert "high cardinality 1" not in rig.log  # as many cells as it may have
    rig.store.groups = lambda _: [group("a"), group(OTHER_USERS)]
    rig.handle(line())
    rig.handle(line())
    assert rig.log.count("high cardinality 1") == 1
    rig.store.groups = lambda _: [group(str(n)) for n in range(4)]
    rig.handle(line())
    assert rig.log.count("high cardinality 1") == 2
    assert (
        REGISTRY.get_sample_value(
            "outlay_high_cardinality_cells", {"tenant": "acme", "source": "source-acme"}
        )
        == 5000
    )


def test_the_metric_of_high_cardinality_has_few_labels_however_many_producers_there_are() -> None:
    rig = Rig(Settings(user_cells=0))
    rig.handle(*(line(tenant=f"many-{n}") for n in range(MOST_NAMED + 5)))
    names = {
        sample.labels["tenant"]
        for metric in REGISTRY.collect()
        if metric.name == "outlay_high_cardinality_cells"
        for sample in metric.samples
    }
    assert len([name for name in names if name.startswith("many-")]) == MOST_NAMED
    assert OTHER_USERS in names


def test_of_minutes_looked_at_the_oldest_is_forgotten() -> None:
    watched = CardinalityWatch(0, most=2)
    windows = [Window(60 * n, "t") for n in range(3)]
    assert all(watched.due(window, ["u"], [1]) for window in windows)
    assert not watched.due(windows[2], ["u"], [1])
    assert watched.due(windows[0], ["u"], [1])


OLD = "2026-11-01T00:{:02}:00Z"


def test_old_minutes_are_put_off_and_the_live_one_is_not() -> None:
    rig = Rig(Settings(backfill_minutes_per_batch=2, window_chunk=50))
    rig.handle(*(line(str(n), time=OLD.format(n)) for n in range(5)), LIVE)
    assert [len(windows) for grain, windows in rig.store.recomputed if grain == "minute"] == [1, 2]
    assert rig.aggregator.settled() == 0
    rig.handle(LIVE)  # its batch waits for the one before it
    assert [len(windows) for grain, windows in rig.store.recomputed if grain == "minute"] == [1, 2, 1, 2]
    assert rig.aggregator.settled() == 0
    rig.handle()
    assert rig.aggregator.settled() == 2
    recomputed = [w.start for grain, windows in rig.store.recomputed if grain == "minute" for w in windows]
    assert len(set(recomputed)) == 6


def test_future_minutes_wait_like_old_ones() -> None:
    rig = Rig(Settings(backfill_minutes_per_batch=2, window_chunk=50))
    ahead = "2026-11-24T20:{:02}:00Z"
    rig.handle(*(line(str(n), time=ahead.format(n)) for n in range(5)), LIVE)
    assert [len(windows) for grain, windows in rig.store.recomputed if grain == "minute"] == [1, 2]
    assert rig.aggregator.settled() == 0
    rig.handle()
    rig.handle()
    assert rig.aggregator.settled() == 1


def test_fewer_minutes_that_wait_are_due_where_they_take_long() -> None:
    queue = BackfillQueue(1000, 10_000, 200)
    queue.put_off([Window(60 * n, "t") for n in range(9000)], 1)
    sizes = []
    for in_time in (True, True, True, False, False, False, True):
        sizes.append(len(queue.take()))
        queue.done(in_time)
    assert sizes == [200, 400, 800, 1000, 500, 250, 200]


def test_a_batch_with_minutes_that_take_long_is_followed_by_one_with_fewer() -> None:
    rig = Rig(Settings(backfill_minutes_per_batch=400))
    times = (
        f"2026-11-0{day}T{hour:02}:{minute:02}:00Z"
        for day in range(1, 3)
        for hour in range(24)
        for minute in range(60)
    )
    rig.handle(*(line(str(n), time=time) for n, time in enumerate(times)))
    rig.handle()

    def slow(_: Window) -> list[RollupGroup]:
        rig.clock.advance(0.1)
        return [group()]

    rig.store.groups = slow
    before = len(rig.store.recomputed)
    rig.handle()
    rig.handle()
    minutes = [len(w) for grain, w in rig.store.recomputed[before:] if grain == "minute"]
    assert sum(minutes) == 400 + 200


def test_a_minute_that_is_dirtied_again_while_it_waits_holds_back_only_the_first_batch() -> None:
    rig = Rig(Settings(backfill_minutes_per_batch=1))
    rig.handle(line("a", time=OLD.format(1)), line("b", time=OLD.format(2)))
    rig.handle(line("c", time=OLD.format(1)), line("d", time=OLD.format(3)))
    assert rig.aggregator.settled() == 1
    rig.handle()
    assert rig.aggregator.settled() == 2


def test_more_old_minutes_than_may_wait_are_recomputed_at_once() -> None:
    rig = Rig(Settings(backfill_minutes_per_batch=1, most_backfill_minutes=2))
    rig.handle(*(line(str(n), time=OLD.format(n)) for n in range(10)))
    assert sum(len(windows) for grain, windows in rig.store.recomputed if grain == "minute") == 8


def test_what_was_put_off_is_tried_again_after_the_engine_was_away() -> None:
    rig = Rig(Settings(backfill_minutes_per_batch=1))
    away = [True]

    def groups(window: Window) -> list[RollupGroup]:
        if away and away.pop():
            raise Retryable("away")
        return [group()]

    rig.store.groups = groups
    with pytest.raises(Retryable):
        rig.handle(line(time=OLD.format(1)))
    rig.handle(line(time=OLD.format(1)))
    assert rig.aggregator.settled() == 1
