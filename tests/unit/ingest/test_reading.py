"""Where an error is, what it is called, and how a body is cut."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.ingest_rig import NOW, enveloped, ndjson, usage

from outlay_ingest.domain.reading import CHUNK_BYTES, Chunk, Format, Rules, TooManyEventsError, read
from outlay_schemas.errors import Invalid
from outlay_schemas.events import usage_event_decoder

RULES = Rules("acme", NOW, timedelta(hours=24), timedelta(days=1100))


def one(event: object, form: Format = "json") -> Chunk:
    (chunk,) = read(json.dumps(event).encode(), form, RULES)
    return chunk


def refusal(event: object, form: Format = "json") -> tuple[str, str]:
    chunk = one(event, form)
    assert not chunk.events
    (refused,) = chunk.rejections
    assert refused.message
    return refused.code, refused.where


@pytest.mark.parametrize(
    ("change", "code", "path"),
    [
        ({"id": None}, "missing_field", "$.id"),
        ({"id": ""}, "wrong_type", "$.id"),
        ({"id": "x" * 257}, "wrong_type", "$.id"),
        ({"time": "2026-11-24T11:00:00"}, "time_zone_missing", "$.time"),
        ({"time": "yesterday"}, "wrong_type", "$.time"),
        ({"time": "2016-12-31T23:59:60Z"}, "wrong_type", "$.time"),
        ({"time": "2026-11-25T12:00:01Z"}, "time_in_future", "$.time"),
        ({"time": "2020-01-01T00:00:00Z"}, "time_too_old", "$.time"),
        ({"time": "0001-01-01T00:00:00+14:00"}, "time_too_old", "$.time"),
        ({"time": "9999-12-31T23:59:59-14:00"}, "time_in_future", "$.time"),
        ({"kind": "llms"}, "wrong_type", "$.kind"),
        ({"usage": {}}, "usage_empty", "$.usage"),
        ({"usage": {"output_tokens": 1, "input_tokens": -1}}, "wrong_type", "$.usage.input_tokens"),
        ({"usage": {"output_tokens": 1, "input_tokens": "-1.5"}}, "usage_negative", "$.usage.input_tokens"),
        ({"usage": {"output_tokens": 1, "input_tokens": True}}, "wrong_type", "$.usage.input_tokens"),
        ({"usage": {"Input-Tokens": 1}}, "meter_name", "$.usage.Input-Tokens"),
        ({"usage": [1]}, "wrong_type", "$.usage"),
        ({"tags": {"env": 1}}, "wrong_type", "$.tags.env"),
        ({"tennant": "acme"}, "unknown_field", "$.tennant"),
        ({"tenant": "globex"}, "tenant_mismatch", "$.tenant"),
        ({"reported_cost": "NaN"}, "reported_cost_range", "$.reported_cost"),
    ],
)
def test_the_place_and_the_code_of_each_error(change: dict[str, Any], code: str, path: str) -> None:
    assert refusal(usage(**change)) == (code, path)
    if "id" in change or "time" in change:
        return
    inside = {k: v for k, v in usage(**change).items() if k not in ("id", "source", "time")}
    assert refusal(enveloped(data=inside), "cloudevent") == (code, path.replace("$", "$.data"))


@pytest.mark.parametrize(
    ("change", "code", "path"),
    [
        ({"specversion": "0.3"}, "specversion", "$.specversion"),
        ({"type": "com.example"}, "event_type", "$.type"),
        ({"data_base64": "e30="}, "data_encoding", "$.data_base64"),
        ({"data": {"id": "1"}}, "unknown_field", "$.data.id"),
        ({"data": None}, "wrong_type", "$.data"),
        ({"time": None}, "missing_field", "$.time"),
        ({"time": "2026-11-24T11:00:00"}, "time_zone_missing", "$.time"),
        ({"time": "2026-11-26T11:00:00Z"}, "time_in_future", "$.time"),
        ({"source": 1}, "wrong_type", "$.source"),
    ],
)
def test_the_place_and_the_code_of_errors_of_an_envelope(
    change: dict[str, Any], code: str, path: str
) -> None:
    event = {**enveloped(), **change}
    if change.get("data", 1) is None:
        code = "missing_field"
    assert refusal(event, "cloudevent") == (code, path)


def test_what_is_missing_from_an_envelope_is_named() -> None:
    event = enveloped()
    del event["data"]
    assert refusal(event, "cloudevent") == ("missing_field", "$.data")


def test_an_envelope_may_carry_a_subject_and_extensions() -> None:
    event = enveloped(subject="s", datacontenttype="application/json", traceparent="00-0", dataschema="u:x")
    assert one(event, "cloudevent").events == 1


@pytest.mark.parametrize(
    ("wrong", "fix"),
    [
        ({"sku": None, "model": "gpt-5"}, "did you mean sku?"),
        ({"time": "24/11/2026"}, "write it as in 2026-11-24T01:02:03Z"),
        ({"usgae": {}}, "did you mean usage?"),
        ({"department": "x"}, "tags or attributes"),
        ({"time": "2026-11-24T11:00:00"}, "as in 2026-11-24T01:02:03Z"),
        ({"tenant": "globex"}, "leave the field out"),
    ],
)
def test_a_message_says_how_to_fix_it(wrong: dict[str, Any], fix: str) -> None:
    (refused,) = one(usage(**wrong)).rejections
    assert fix in refused.message


def test_the_place_in_a_body_of_many() -> None:
    bad = usage("b", sku=None)
    (array,) = read(json.dumps([usage(), bad]).encode(), "json", RULES)
    assert [(r.index, r.where, r.path, r.id) for r in array.rejections] == [(1, "$[1].sku", "$.sku", "b")]
    (lines,) = read(b"\n" + ndjson(usage()) + b"\n\r\n" + ndjson(bad), "ndjson", RULES)
    assert [(r.index, r.where) for r in lines.rejections] == [(1, "line 4: $.sku")]
    (batch,) = read(json.dumps([enveloped(), enveloped(type="x")]).encode(), "cloudevents", RULES)
    assert [(r.index, r.where) for r in batch.rejections] == [(1, "$[1].type")]


def test_bytes_that_are_no_text_are_refused_alone() -> None:
    body = ndjson(usage()) + b'\n{"id":"\xff"}\n\x00\n' + b'{"id":' + b"[" * 50_000
    (chunk,) = read(body, "ndjson", RULES)
    assert chunk.events == 1
    assert [r.code for r in chunk.rejections] == ["not_utf8", "json_malformed", "wrong_type"]


def test_times_are_written_in_utc() -> None:
    (event,) = usage_event_decoder.decode_lines(one(usage(time="2026-11-24T13:30:00.5+02:00")).lines)
    assert event.time == datetime(2026, 11, 24, 11, 30, 0, 500_000, UTC)
    assert b"2026-11-24T11:30:00.500000Z" in one(usage(time="2026-11-24T13:30:00.5+02:00")).lines


def test_a_large_body_is_cut_into_records_in_order() -> None:
    events = [usage(str(n)) for n in range(1201)]
    for body, form in ((ndjson(*events), "ndjson"), (json.dumps(events, indent=1).encode(), "json")):
        chunks = list(read(body, form, RULES))  # type: ignore[arg-type]
        assert [chunk.events for chunk in chunks] == [500, 500, 201]
        found = [e.id for chunk in chunks for e in usage_event_decoder.decode_lines(chunk.lines)]
        assert found == [str(n) for n in range(1201)]


def test_a_chunk_is_bounded_in_bytes_too() -> None:
    events = [usage(str(n), tags={f"{k:02d}": "x" * 256 for k in range(60)}) for n in range(100)]
    chunks = list(read(ndjson(*events), "ndjson", RULES))
    assert sum(chunk.events for chunk in chunks) == 100
    assert max(len(chunk.lines) for chunk in chunks) <= CHUNK_BYTES * 1.1
    assert len(chunks) == 2


def test_one_bad_event_of_many_costs_its_chunk_only_and_nothing_else() -> None:
    events = [usage(str(n)) for n in range(1001)]
    events[700]["sku"] = 7
    chunks = list(read(ndjson(*events), "ndjson", RULES))
    assert [(chunk.events, len(chunk.rejections)) for chunk in chunks] == [(500, 0), (499, 1), (1, 0)]
    assert chunks[1].rejections[0].where == "line 701: $.sku"


def test_two_events_on_one_line_are_not_lines() -> None:
    line = ndjson(usage("a")) + b" " + ndjson(usage("b"))
    (chunk,) = read(line + b"\n" + b"{}", "ndjson", RULES)
    assert [r.code for r in chunk.rejections] == ["json_malformed", "missing_field"]


def test_too_many_events() -> None:
    with pytest.raises(TooManyEventsError):
        list(read(b"1\n" * 11, "ndjson", replace(RULES, max_events=10)))


_bodies = st.sampled_from(
    [
        (json.dumps(usage()).encode(), "json"),
        (json.dumps([usage("a"), usage("b", tags={"é": "x"})]).encode(), "json"),
        (ndjson(usage("a"), usage("b", usage={"gb": 0.5})), "ndjson"),
        (json.dumps(enveloped()).encode(), "cloudevent"),
        (json.dumps([enveloped("a"), enveloped("b")]).encode(), "cloudevents"),
    ]
)
_bits = st.sampled_from(
    [b"", b"[", b"]", b"{", b"}", b'"', b",", b"\n", b"\\", b"-", b"1e999999", b"\xff", b"null"]
)


@settings(max_examples=1500, deadline=None)
@given(
    _bodies,
    st.lists(st.tuples(st.integers(0, 400), st.integers(0, 12), _bits | st.binary(max_size=4)), max_size=4),
)
def test_whatever_comes_is_read_or_refused_and_never_breaks(
    body: tuple[bytes, Format], cuts: list[tuple[int, int, bytes]]
) -> None:
    raw, form = body
    for at, length, bit in cuts:
        raw = raw[:at] + bit + raw[at + length :]
    try:
        chunks = list(read(raw, form, RULES))
    except Invalid:
        return
    for chunk in chunks:
        events = usage_event_decoder.decode_lines(chunk.lines)
        assert len(events) == chunk.events
        assert all(event.tenant == "acme" for event in events)
        assert all(r.code and r.message and r.where for r in chunk.rejections)
