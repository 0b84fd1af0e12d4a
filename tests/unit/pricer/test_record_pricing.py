"""From a record's bytes to cost events and dead dead_letters."""

import json
from datetime import timedelta

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.storage_events import CATALOG, NOW, PLACE, costs, lines, usage

from outlay_pricer.domain.repricing import reprice
from outlay_pricer.record_pricing import RECORD_BYTES, PricedRecord, RecordPosition, Tenancy, price_record
from outlay_schemas.acceptance import UNSTAMPED_MS, Stamp
from outlay_schemas.events import cost_event_decoder, encoder


def run(value: bytes, default_tenant: str = "") -> PricedRecord:
    return price_record(value, PLACE, CATALOG, NOW, Tenancy(default_tenant))


def test_every_event_of_a_record_is_priced_in_order() -> None:
    priced = run(lines(*(usage(str(n)) for n in range(5))) + b"\n")
    assert [(e.id, e.cost, e.tenant, e.revision) for e in costs(priced)] == [
        (str(n), "1.5", "acme", 7) for n in range(5)
    ]
    assert (priced.events, priced.dead_letters) == (5, [])


@pytest.mark.parametrize("value", [b"", b"\n", b" \r\n\n"])
def test_an_empty_record_is_nothing(value: bytes) -> None:
    assert run(value) == PricedRecord([], 0, [])


def test_one_object_over_many_lines_is_one_event() -> None:
    assert [e.id for e in costs(run(json.dumps(usage("a"), indent=2).encode()))] == ["a"]


@pytest.mark.parametrize(
    ("line", "code", "path"),
    [
        (b"not json", "json_malformed", "$"),
        (b'{"id":"\xff"}', "not_utf8", "$"),
        (b'{"tenant":"acme","x":' + b"[" * 100_000 + b"]" * 100_000 + b"}", "event_invalid", "$"),
        (b"[]", "event_invalid", "$"),
        (lines(usage(kind="llms")), "event_invalid", "$.kind"),
        (lines(usage(colour="red")), "event_invalid", "$"),
        (lines(usage(usage={})), "usage_empty", "$.usage"),
        (lines(usage(usage={"gb": "-1"})), "usage_negative", "$.usage.gb"),
        (lines(usage(tenant=None)), "tenant_missing", "$.tenant"),
        (lines(usage(time="1999-12-31T23:59:59Z")), "time_out_of_range", "$.time"),
        (lines(usage(time="0001-01-01T00:00:00+14:00")), "time_out_of_range", "$.time"),
        (lines(usage(time="2100-01-01T00:00:00Z")), "time_out_of_range", "$.time"),
        (lines(usage(time="2026-11-24T11:00:00")), "event_invalid", "$.time"),
    ],
)
def test_a_poison_line_is_a_dead_letter_with_its_bytes_and_place(line: bytes, code: str, path: str) -> None:
    priced = run(lines(usage("a"), b"", line, usage("b")))
    assert [e.id for e in costs(priced)] == ["a", "b"]
    (dead,) = priced.dead_letters
    assert dead.body == line
    assert (dead.code, dead.path, dead.line) == (code, path, 2)
    assert (dead.topic, dead.partition, dead.offset) == ("usage.events", 3, 42)
    assert (dead.stage, dead.at) == ("pricer", NOW)
    assert dead.message
    assert encoder.encode(dead)


def test_a_dead_letter_is_the_same_however_often_it_is_read_and_another_elsewhere() -> None:
    value = lines(b"x", b"x")
    first, second = run(value).dead_letters
    assert first.id != second.id
    again = price_record(value, PLACE, CATALOG, NOW + timedelta(days=1))
    assert [dead.id for dead in again.dead_letters] == [first.id, second.id]
    elsewhere = price_record(value, RecordPosition("usage.events", 34, 2), CATALOG, NOW)
    assert elsewhere.dead_letters[0].id != first.id


def test_a_dead_letter_tells_the_tenant_if_the_line_does() -> None:
    dead_letters = run(lines(usage(kind="x"), {"tenant": 5}, {"tenant": "t" * 300})).dead_letters
    assert [dead.tenant for dead in dead_letters] == ["acme", "", "t" * 256]


def test_an_event_without_a_tenant_has_the_default_one_if_there_is_one() -> None:
    assert [e.tenant for e in costs(run(lines(usage(tenant=None), usage()), "house"))] == ["house", "acme"]


def test_times_are_reported_in_utc() -> None:
    value = run(lines(usage(time="2026-11-24T13:30:00+02:00"))).values[0][1]
    assert b'"time":"2026-11-24T11:30:00Z"' in value


def test_the_same_bytes_and_catalog_give_the_same_bytes_whenever() -> None:
    """P11."""
    value = lines(*(usage(str(n), usage={"gb": n, "unknown": 1}) for n in range(20)))
    later = NOW + timedelta(days=9)
    assert (
        price_record(value, PLACE, CATALOG, NOW).values == price_record(value, PLACE, CATALOG, later).values
    )
    mixed = price_record(lines(value, b"poison"), PLACE, CATALOG, NOW)
    assert mixed.values == price_record(value, PLACE, CATALOG, NOW).values


def test_line_order_record_order_and_ingest_decide_which_body_was_accepted_last() -> None:
    """P18. A record's own time and offset say when its lines were accepted, unless ingest says so in a header."""
    value = lines(usage("a"), b"", b"poison", usage("b"))
    place = RecordPosition("usage.events", 3, 42, 1000)
    apart = costs(price_record(value, place, CATALOG, NOW))
    assert [(e.accepted_ms, e.accepted_seq) for e in apart] == [(1000, 42 << 20), (1000, (42 << 20) + 2)]
    whole = costs(price_record(lines(usage("a"), usage("b"), usage("c")), place, CATALOG, NOW))
    assert [e.accepted_seq - (42 << 20) for e in whole] == [0, 1, 2]
    stamped = costs(
        price_record(lines(usage("a"), usage("b")), place, CATALOG, NOW, headers=[Stamp(7, 8).header()])
    )
    assert [(e.accepted_ms, e.accepted_seq) for e in stamped] == [(7, 8), (7, 9)]


def test_an_event_that_is_priced_again_keeps_its_stamp_and_its_content() -> None:
    """P18: pricing an older body again does not make it the newest."""
    (first,) = costs(
        price_record(lines(usage("a")), RecordPosition("usage.events", 3, 42, 1000), CATALOG, NOW)
    )
    (item,) = reprice([first], CATALOG)
    later = RecordPosition("usage.events", 0, 99, 999_999)
    (second,) = costs(price_record(encoder.encode(item.resent), later, CATALOG, NOW))
    assert second == first
    unstamped = msgspec.structs.replace(first, accepted_ms=0, accepted_seq=0)
    (item,) = reprice([unstamped], CATALOG)
    (second,) = costs(price_record(encoder.encode(item.resent), later, CATALOG, NOW))
    assert (second.accepted_ms, second.accepted_seq) == (UNSTAMPED_MS, 0)


def test_a_result_too_large_for_a_record_is_cut_between_lines() -> None:
    tags = {f"{n:02d}": "x" * 256 for n in range(60)}
    value = lines(*(usage(str(n), tags=tags) for n in range(600)))
    priced = run(value)
    assert len(priced.values) == 3
    assert max(len(piece) for _, piece in priced.values) <= RECORD_BYTES
    assert all(piece.endswith(b"}\n") for _, piece in priced.values)
    assert [e.id for e in costs(priced)] == [str(n) for n in range(600)]


def test_all_events_of_an_identity_go_to_one_partition() -> None:
    """P3: whoever reads the partition has them all, and finds those that come again with another time."""
    value = lines(*(usage(f"e{n % 50}", usage={"gb": n}) for n in range(200)))
    priced = price_record(value, PLACE, CATALOG, NOW, partitions=4)
    where: dict[str, set[int]] = {}
    for number, share in priced.values:
        for event in cost_event_decoder.decode_lines(share):
            where.setdefault(event.id, set()).add(number)
    assert len(where) == 50
    assert all(len(numbers) == 1 for numbers in where.values())
    assert {number for number, _ in priced.values} == {0, 1, 2, 3}
    assert len(costs(priced)) == priced.events == 200


@settings(max_examples=1500, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.integers(0, 400),
            st.integers(0, 12),
            st.sampled_from([b"", b"{", b"}", b'"', b"\n", b"-", b"1e999999", b"\xff"])
            | st.binary(max_size=4),
        ),
        max_size=4,
    )
)
def test_whatever_a_record_holds_no_line_is_lost_and_nothing_breaks(
    cuts: list[tuple[int, int, bytes]],
) -> None:
    """P9."""
    raw = lines(usage("a"), usage("b", tags={"é": "x"}), usage("c", reported_cost="1.5"))
    for at, length, bit in cuts:
        raw = raw[:at] + bit + raw[at + length :]
    priced = run(raw)
    found = costs(priced)
    assert len(found) == priced.events
    if priced.dead_letters:
        assert priced.events + len(priced.dead_letters) == len(
            [line for line in raw.split(b"\n") if line.strip()]
        )
    for dead in priced.dead_letters:
        assert dead.body in raw
        assert msgspec.json.decode(encoder.encode(dead))


@pytest.mark.parametrize("time", ["2098-01-01T00:00:00Z", "2026-11-25T12:00:01Z"])
def test_an_event_of_a_clock_far_ahead_is_a_dead_letter_also_over_kafka(time: str) -> None:
    for timestamp in (0, int(NOW.timestamp() * 1000), int(NOW.replace(year=2098).timestamp() * 1000)):
        found = price_record(
            lines(usage("a", time=time), usage("b")), RecordPosition("t", 1, 2, timestamp), CATALOG, NOW
        )
        assert [(dead.code, dead.path) for dead in found.dead_letters] == [("time_in_future", "$.time")]
        assert [cost.id for cost in costs(found)] == ["b"]


def test_what_was_refused_for_its_time_is_refused_when_it_is_read_again_later() -> None:
    accepted = RecordPosition("t", 1, 2, int(NOW.timestamp() * 1000))
    value = lines(usage("a", time="2026-11-26T12:00:00Z"))
    assert price_record(value, accepted, CATALOG, NOW + timedelta(days=30)).dead_letters
    assert not price_record(
        lines(usage("a", time="2026-11-25T11:00:00Z")), accepted, CATALOG, NOW
    ).dead_letters
