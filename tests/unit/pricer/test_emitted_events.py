"""One grammar: whatever the pricer emits, the aggregator's parser and the ledger's columns accept."""

from datetime import UTC, datetime
from decimal import Decimal
from time import process_time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.catalogs import PLAIN, book, catalog, rates, rule
from tests.support.odd_events import odd_events

from outlay_aggregator.domain.record_parser import read
from outlay_pricer.record_pricing import RecordPosition, Tenancy, price_record
from outlay_schemas.dead_letters import MOST_BAD
from outlay_schemas.events import CostEvent, cost_event_decoder

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
PLACE = RecordPosition("usage.events", 3, 42)
CATALOG = catalog(rates(PLAIN), price_books=[book(rule({"gb": {"price": "0.000000000001"}}, "box"))])
GOOD = (
    b'{"id":"1","source":"s","time":"2026-11-24T11:00:00Z","tenant":"acme","kind":"storage","sku":"box",'
    b'"usage":{"gb":3}}'
)


def fits_the_columns(cost: CostEvent) -> bool:
    """Tell whether numbers fit Decimal(38, 9) and Decimal(38, 12), written with an exponent of 15 at most."""
    quantities = [Decimal(quantity) for quantity in cost.usage.values()]
    money = [cost.cost, cost.charged, cost.list_cost, cost.reported_cost, *cost.cost_parts.values()]
    amounts = [Decimal(amount) for amount in money if amount is not None]
    return all(_fits(number, 9, 29) for number in quantities) and all(_fits(n, 12, 26) for n in amounts)


def _fits(number: Decimal, places: int, digits: int) -> bool:
    exponent = number.as_tuple().exponent
    return isinstance(exponent, int) and -places <= exponent <= 15 and abs(number) < 10**digits


@settings(max_examples=400, deadline=None)
@given(st.lists(odd_events(), min_size=1, max_size=8))
def test_whatever_the_pricer_emits_the_aggregator_accepts(events: list[bytes]) -> None:
    priced = price_record(b"\n".join(events), PLACE, CATALOG, NOW, Tenancy())
    assert priced.events + len(priced.dead_letters) == len(events)
    for _, value in priced.values:
        reading = read(value)
        assert (reading.events, list(reading.bad)) == (len(value.splitlines()), [])
        assert all(map(fits_the_columns, cost_event_decoder.decode_lines(value)))


DEEP = 500_000


@pytest.mark.parametrize(
    "value",
    [
        b"[" * DEEP,
        b'{"a":' * DEEP,
        GOOD[:-1] + b',"tags":' + b'{"a":' * DEEP,
        b'{"specversion":"1.0","extension":' + b"[" * DEEP,
        b'{"specversion":"1.0","data":{"tenant":' + b'{"a":' * DEEP,
        GOOD.replace(b"3}", b"9" * DEEP + b"}"),
        GOOD.replace(b"3}", b"0e9999}"),
        GOOD.replace(b":00Z", b":00+05:00Z"),
        b"\xff" * DEEP,
    ],
    ids=lambda value: value[:40].decode(errors="replace"),
)
def test_a_poisonous_line_is_one_dead_letter_and_its_neighbours_are_priced(value: bytes) -> None:
    priced = price_record(b"\n".join([GOOD, value, GOOD]), PLACE, CATALOG, NOW, Tenancy())
    assert (priced.events, [(dead.line, dead.body) for dead in priced.dead_letters]) == (2, [(1, value)])


def test_two_million_bad_lines_are_bounded_work_and_nothing_of_them_is_lost() -> None:
    value = b"x\n" * 2_000_000 + GOOD
    started = process_time()
    priced = price_record(value, PLACE, CATALOG, NOW, Tenancy())
    assert process_time() - started < 5
    assert (priced.events, len(priced.dead_letters)) == (0, MOST_BAD + 1)
    rest = priced.dead_letters[-1]
    assert (rest.code, rest.line) == ("record_unreadable", MOST_BAD)
    assert b"\n".join(dead.body for dead in priced.dead_letters) == value
    assert price_record(value, PLACE, CATALOG, NOW, Tenancy()) == priced, "reading it again changes nothing"


def test_as_many_bad_lines_as_are_read_one_by_one_cost_no_good_line() -> None:
    priced = price_record(b"x\n" * (MOST_BAD - 1) + GOOD, PLACE, CATALOG, NOW, Tenancy())
    assert (priced.events, len(priced.dead_letters)) == (1, MOST_BAD - 1)
