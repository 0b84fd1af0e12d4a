"""What a record dirties, which of its lines are bad, and what windows hold it."""

from datetime import UTC, datetime

import msgspec
import pytest
from tests.support.aggregator_rig import NOW, group, line, window

from outlay_aggregator.domain import dead_letters, rollup_sql
from outlay_aggregator.domain.record_parser import read, why
from outlay_aggregator.domain.windows import (
    GRAINS,
    Window,
    chunks,
    end_of,
    is_span,
    widen,
    window_of,
)
from outlay_schemas.dead_letters import MOST_BAD, dead_letter
from outlay_schemas.errors import Invalid
from outlay_schemas.events import encoder, rollup_window_decoder

MINUTE = Window(1_795_482_120, "acme")


def test_a_good_record_is_passed_on_as_it_came() -> None:
    value = line("1") + b"\n\n  " + line("2") + b"\n"
    reading = read(value)
    assert (reading.body, reading.events, reading.minutes, reading.bad) == (value, 2, frozenset({MINUTE}), [])


def test_minutes_are_reported_by_tenant_and_utc() -> None:
    rows = [
        line("1", time="2026-11-24T01:02:59.999999Z"),
        line("2", time="2026-11-24T03:02:00+02:00"),
        line("3", tenant="other"),
    ]
    assert read(b"\n".join(rows)).minutes == {MINUTE, Window(MINUTE.start, "other")}


@pytest.mark.parametrize(
    ("bad", "code", "path"),
    [
        (b"{bad", "cost_event_invalid", "$"),
        (b"7", "cost_event_invalid", "$"),
        (b"[" * 100_000, "cost_event_invalid", "$"),
        (b'{"id":"\xff"}', "cost_event_invalid", "$"),
        (line(time="2026-11-24T01:02:60Z"), "cost_event_invalid", "$.time"),
        (line(time="2026-11-24T01:02:03"), "time_naive", "$.time"),
        (line(time="1999-12-31T23:59:59Z"), "time_out_of_range", "$.time"),
        (line(time="2100-01-01T00:00:00Z"), "time_out_of_range", "$.time"),
        (line(time="2026-11-24T01:02Z"), "cost_event_invalid", "$.time"),
        (line(tenant=""), "identity_missing", "$"),
        (line(""), "identity_missing", "$"),
        (line(source=""), "identity_missing", "$"),
        (line(revision="x"), "cost_event_invalid", "$.revision"),
    ],
)
def test_a_bad_line_is_reported_with_its_place_and_the_good_ones_go_on(
    bad: bytes, code: str, path: str
) -> None:
    good = line("good")
    explained = why(bad, 1)
    assert explained is not None
    assert (explained.code, explained.path, explained.body) == (code, path, bad)
    reading = read(good + b"\n" + bad + b"\n\n")
    assert (reading.body, reading.events, reading.minutes) == (good, 1, frozenset({MINUTE}))
    assert [(b.code, b.line) for b in reading.bad] == [(code, 1)]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("time", "2026-11-24T01:02:03z"),
        ("time", "2026-11-24T01:02:03+05:00Z"),
        ("time", "2026-11-24T01:02:03.1234567890Z"),
        ("time", "2026-11-24T01:02:03.Z"),
        ("time", "2026-11-24T24:00:00Z"),
        ("time", "2026-11-24T01:02:03+24:00"),
        ("time", "2026-11-24T01:02:0\u0663Z"),
        ("cost", "0e9999"),
        ("cost", ""),
        ("cost", "1.0000000000001"),
        ("cost", "1e5"),
        ("list_cost", "NaN"),
        ("charged", " 5"),
        ("accepted_ms", 2**64),
        ("accepted_seq", -1),
        ("revision", 2**63),
    ],
)
def test_what_the_engine_would_read_in_another_way_is_a_bad_line_before_any_insert(
    field: str, value: object
) -> None:
    odd = line("odd", **{field: value})
    reading = read(odd + b"\n" + line("good"))
    assert [(bad.code, bad.path, bad.body) for bad in reading.bad] == [
        ("cost_event_invalid", f"$.{field}", odd)
    ]
    assert (reading.body, reading.minutes) == (line("good"), frozenset({MINUTE}))


@pytest.mark.parametrize(
    ("text", "path"),
    [
        (b'"usage": {"input_tokens": 0e9999}', "$.usage.input_tokens"),
        (b'"usage": {"input_tokens": 1e-10}', "$.usage.input_tokens"),
        (
            b'"usage": {"input_tokens": 10}, "cost_parts": {"input_tokens": "0e9999"}',
            "$.cost_parts.input_tokens",
        ),
        (b'"usage": {"input_tokens": 10}, "list_parts": {"input_tokens": "x"}', "$.list_parts.input_tokens"),
        (b'"usage": {"input_tokens": 10}, "reported_cost": "Infinity"', "$.reported_cost"),
    ],
)
def test_numbers_that_the_ledger_cannot_hold_are_found_without_the_engine(text: bytes, path: str) -> None:
    bad = why(line().replace(b'"usage": {"input_tokens": 10}', text), 3)
    assert bad is not None
    assert (bad.code, bad.path, bad.line) == ("number_out_of_range", path, 3)


def test_a_record_of_garbage_becomes_a_bounded_number_of_dead_letters_and_loses_no_byte() -> None:
    record = b"\n".join(b"%d}" % n for n in range(50_000))
    bad = read(record).bad
    assert len(bad) == MOST_BAD + 1
    assert (bad[-1].code, bad[-1].line) == ("record_unreadable", MOST_BAD)
    assert b"\n".join(each.body for each in bad) == record
    dead = dead_letters.read(record, ("usage.dead-letter", 0, 7), NOW)
    assert len(dead) == MOST_BAD + 1
    assert b"\n".join(each.body for each in dead) == record


@pytest.mark.parametrize(
    "changes",
    [{"line": -1}, {"line": 2**32}, {"partition": 2**31}, {"offset": -2}, {"at": NOW.replace(year=2100)}],
)
def test_a_dead_letter_that_the_table_cannot_hold_becomes_one_that_it_can(changes: dict[str, object]) -> None:
    kept = dead_letter("pricer", b"{", Invalid("c", "m"), NOW, line=0, place=("usage.events", 0, 0))
    wrong = encoder.encode(msgspec.structs.replace(kept, **changes))
    [each] = dead_letters.read(wrong, ("usage.dead-letter", 0, 7), NOW)
    assert (each.code, each.body, each.line) == ("dead_letter_invalid", wrong, 0)


def test_windows_hold_times_and_each_other() -> None:
    time = datetime(2026, 11, 24, 1, 2, 59, 999_999, tzinfo=UTC)
    assert window_of("acme", time, "minute") == MINUTE
    assert MINUTE.start == datetime(2026, 11, 24, 1, 2, tzinfo=UTC).timestamp()
    assert widen(MINUTE, "day").start == datetime(2026, 11, 24, tzinfo=UTC).timestamp()
    assert [end_of(widen(MINUTE, grain), grain) - widen(MINUTE, grain).start for grain in GRAINS] == [
        60,
        3600,
        86_400,
    ]


def test_chunks_are_newest_first_bounded_by_count_and_by_the_bytes_of_names() -> None:
    windows = [Window(n, "t") for n in range(5)]
    assert [[w.start for w in c] for c in chunks(windows, 2)] == [[4, 3], [2, 1], [0]]
    named = [Window(n, "ü" * 50) for n in range(3)]
    assert [len(c) for c in chunks(named, 100, name_bytes=205)] == [2, 1]
    assert [len(c) for c in chunks(named, 100, name_bytes=1)] == [1, 1, 1]
    assert list(chunks([], 10)) == []


def test_windows_are_a_span_if_none_between_the_first_and_the_last_is_left_out() -> None:
    both = [Window(start, tenant) for start in (60, 120, 180) for tenant in ("a", "b")]
    assert is_span(both, "minute")
    assert is_span(both[:1], "day")
    assert not is_span(both[:-1], "minute")  # b's last
    assert not is_span([Window(60, "a"), Window(180, "a")], "minute")
    assert not is_span([Window(60, "a"), Window(120, "b")], "minute")


def test_a_dead_letter_has_one_id_for_one_place_and_bytes() -> None:
    def made(
        topic: str = "t", partition: int = 0, offset: int = 1, number: int = 2, body: bytes = b"x"
    ) -> str:
        place = (topic, partition, offset)
        return dead_letter("pricer", body, Invalid("c", "m"), NOW, line=number, place=place).id

    assert made() == made()
    others = {made("u"), made(partition=1), made(offset=2), made(number=3), made(body=b"y")}
    assert len(others | {made()}) == 6
    assert made(partition=1, offset=12) != made(partition=11, offset=2)


def test_a_dead_letter_names_its_tenant_where_the_bytes_tell_it() -> None:
    def tenant(body: bytes) -> str:
        return dead_letter("pricer", body, Invalid("c", "m"), NOW, line=0, place=("t", 0, 0)).tenant

    assert tenant(line()[:-1] + b',"what":1}') == "acme"
    assert [tenant(body) for body in (b"{", b"[" * 100_000, b"\xff", b'{"tenant":7}', b"{}")] == [""] * 5
    assert tenant(b'{"data":{"tenant":"inside"}}') == "inside"


def test_a_thin_window_keeps_its_sums() -> None:
    whole = window([group("a"), group("b"), group("c", sku="other", unpriced_events=1)])
    thin = rollup_window_decoder.decode(dead_letters.thin(encoder.encode(whole)))
    assert (thin.tenant, thin.version, thin.window) == (whole.tenant, whole.version, whole.window)
    assert [(g.sku, g.user, g.cost, g.events, g.unpriced_events) for g in thin.groups] == [
        ("x", "(other)", "0.2", 2, 0),
        ("other", "(other)", "0.1", 1, 1),
    ]
    [bare] = rollup_window_decoder.decode(dead_letters.thin(encoder.encode(whole), ())).groups
    assert (bare.team, bare.user, bare.cost, bare.events, bare.unpriced_events) == (
        "(other)",
        "(other)",
        "0.3",
        3,
        1,
    )


def test_statements_paste_nothing_that_comes_from_outside() -> None:
    for grain in GRAINS:
        for text in (rollup_sql.recompute(grain), rollup_sql.difference(grain)):
            assert "{tenants:Array(String)}" in text
            assert "{windows:Array(UInt32)}" in text
            assert "FINAL" in text
