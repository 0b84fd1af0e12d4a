"""The one grammar: what ingest accepts, the pricer prices and the aggregator's parser takes, or all refuse it."""

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tests.support.catalogs import PLAIN, book, catalog, rates, rule

from outlay_aggregator.domain import record_parser
from outlay_ingest.domain.reading import Rules, read
from outlay_pricer.record_pricing import RecordPosition, Tenancy, price_record
from outlay_schemas.errors import Invalid
from outlay_schemas.events import cost_event_decoder
from outlay_schemas.grammar import check_quantity, check_reported_cost, check_time

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
RULES = Rules("acme", NOW, timedelta(hours=1), timedelta(days=1100))
CATALOG = catalog(rates(PLAIN), price_books=[book(rule({"gb": {"price": "0.000000000001"}}, "box"))])

digits = st.text("0123456789", min_size=1, max_size=20)
numbers = st.one_of(
    st.builds(lambda whole, part: f"{int(whole)}.{part}", digits, digits),
    st.builds(lambda whole, e: f"{int(whole)}e{e}", digits, st.integers(-12_000, 12_000)),
    st.builds(lambda text: f'"{text}"', st.text("0123456789.eE+-_ Na\u0661", max_size=8)),
    st.sampled_from(
        ["0e9999", "0e-9999", "1e15", "1000000000000001", "-0", "-0.0", "1e999999999", "true", "null"]
    ),
)
zones = st.sampled_from(["Z", "z", "+05:00", "-23:59", "+0500", "", "+05:00Z", "+24:00"])
fractions = st.one_of(st.just(""), digits.map(lambda text: f".{text}"))
times = st.builds(
    lambda ago, fraction, zone: f"{NOW - timedelta(seconds=ago):%Y-%m-%dT%H:%M:%S}{fraction}{zone}",
    st.integers(-10**6, 10**8), fractions, zones,
)  # fmt: skip
text = st.text(st.characters(codec="utf-8"), min_size=1, max_size=300)


def body(number: str, cost: str, time: str, name: str) -> bytes:
    event = {"id": name, "source": "s", "time": time, "kind": "storage", "provider": "acme", "sku": "box"}
    return f'{json.dumps(event)[:-1]},"usage":{{"gb":{number}}},"reported_cost":{cost}}}'.encode()


@settings(max_examples=400, deadline=None)
@given(numbers, numbers, times, text)
@example("0e9999", "0", "2026-11-24T01:02:03Z", "a")
@example("1", "0e9999", "2026-11-24T01:02:03Z", "a")
@example("1", "1", "2026-11-24T01:02:03+05:00Z", "a")
@example("1", "1", "2026-11-24T01:02:03.1234567891Z", "a\x00\ud7ff")
def test_all_readers_agree_about_an_event(number: str, cost: str, time: str, name: str) -> None:
    (chunk,) = read(body(number, cost, time, name), "json", RULES)
    assert chunk.events + len(chunk.rejections) == 1
    if not chunk.events:
        return
    place = RecordPosition("usage.events", 0, 0, int(NOW.timestamp() * 1000))
    priced = price_record(chunk.lines, place, CATALOG, NOW, Tenancy())
    assert (priced.events, priced.dead_letters) == (1, [])
    ((_, value),) = priced.values
    reading = record_parser.read(value)
    assert (reading.events, list(reading.bad)) == (1, [])
    quantity = Decimal(cost_event_decoder.decode(value).usage["gb"])
    assert abs(quantity.adjusted()) <= 15 or not quantity
    assert "E+" not in str(quantity) or quantity.as_tuple().exponent <= 15  # type: ignore[operator]


@pytest.mark.parametrize("depth", [100, 500_000])
def test_nesting_is_refused_and_ends_no_process(depth: int) -> None:
    def outcome(deep: bytes) -> str:
        try:
            (chunk,) = read(deep, "json", RULES)
        except Invalid as why:
            return why.code
        return chunk.rejections[0].code

    codes = {outcome(deep) for deep in (b"[" * depth, b'{"a":' * depth, b'{"usage":' + b'{"a":' * depth)}
    assert codes <= {"json_too_deep", "json_malformed", "wrong_type", "unknown_field"}


@pytest.mark.parametrize(
    ("number", "code"),
    [
        ("0e9999", "usage_out_of_range"),
        ("1E+16", "usage_out_of_range"),
        ("1000000000000000.1", "usage_out_of_range"),
        ("0e-9999", "usage_too_fine"),
        ("1e-10", "usage_too_fine"),
        ("-1e-9", "usage_negative"),
        ("NaN", "usage_not_a_number"),
        ("Infinity", "usage_not_a_number"),
    ],
)
def test_a_quantity_outside_the_grammar_is_refused(number: str, code: str) -> None:
    with pytest.raises(Invalid) as refused:
        check_quantity(Decimal(number), "$.usage.gb")
    assert (refused.value.code, refused.value.path) == (code, "$.usage.gb")
    assert len(refused.value.message) < 200


@given(st.integers(0, 10**15), st.integers(0, 9))
def test_a_quantity_inside_the_grammar_is_accepted(whole: int, places: int) -> None:
    check_quantity(Decimal(whole).scaleb(-places), "$.usage.gb")
    check_reported_cost(Decimal(whole).scaleb(-places))


@pytest.mark.parametrize("cost", ["0e9999", "-0.01", "1e16", "NaN", "1e-13"])
def test_a_cost_outside_the_grammar_is_refused(cost: str) -> None:
    with pytest.raises(Invalid, match="reported_cost"):
        check_reported_cost(Decimal(cost))


@pytest.mark.parametrize(
    "time", ["1999-12-31T23:59:59.999999Z", "2100-01-01T00:00:00Z", "9999-12-31T23:59:59-01:00"]
)
def test_a_year_that_the_ledger_cannot_hold_is_refused(time: str) -> None:
    with pytest.raises(Invalid, match="time_out_of_range"):
        check_time(datetime.fromisoformat(time))
    check_time(datetime.fromisoformat("2000-01-01T00:00:00Z"))
    check_time(datetime.fromisoformat("2099-12-31T23:59:59Z"))
