"""Figures for people: short, and never free where something was paid."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from outlay_console.domain.explain import explain
from outlay_console.domain.figures import about, ago, change, exact, quantity, usd
from outlay_console.domain.throttle import Throttle
from outlay_console.site import named, percent, to_json


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        ("0", "$0.00"),
        ("1234567.891", "$1,234,567.89"),
        ("-3.5", "\u2212$3.50"),
        ("0.12345", "$0.1234"),
        ("0.000000123456", "$0.0000001235"),
        ("99999999999999999999999999.123456789012", "$99,999,999,999,999,999,999,999,999.12"),
    ],
)
def test_an_amount_is_short_and_not_rounded_to_nothing(amount: str, text: str) -> None:
    assert usd(Decimal(amount)) == text


def test_a_forecast_does_not_claim_cents() -> None:
    assert [about(Decimal(n)) for n in ("0.1234", "12.5", "1234.56")] == ["$0.1234", "$12.50", "$1,235"]


def test_an_amount_in_full() -> None:
    assert exact(Decimal("1.500000000000")) == "$1.5"
    assert exact(Decimal("0E-12")) == "$0"
    assert exact(None) == usd(None) == "not priced"


def test_a_change_in_percent_where_percent_says_something() -> None:
    assert change(Decimal(3), Decimal(2)) == "+50 %"
    assert change(Decimal(1), Decimal(2)) == "\u221250 %"
    assert change(Decimal(1), Decimal(0)) == "new"
    assert change(Decimal(0), Decimal(0)) == ""
    assert change(Decimal(500), Decimal(2)) == "250-fold"


def test_shares_do_not_claim_all_or_nothing() -> None:
    assert [percent(Decimal(n)) for n in ("0", "0.2", "12.4", "99.7", "100")] == [
        "0 %",
        "<1 %",
        "12 %",
        ">99 %",
        "100 %",
    ]


def test_small_words() -> None:
    now = datetime(2026, 11, 25, tzinfo=UTC)
    assert [ago(now - timedelta(seconds=s), now) for s in (1, 40, 90, 7200, 90_000, 200_000)] == [
        "just now",
        "40 s ago",
        "1 min ago",
        "2 h ago",
        "25 h ago",
        "2 d ago",
    ]
    assert quantity(Decimal("1234.500000000")) == "1,234.5"
    assert named("") == "(not attributed)"


def test_a_data_block_cannot_be_ended_by_what_is_in_it() -> None:
    assert "<" not in to_json({"name": "</script><script>alert(1)</script>&"})


def test_tries_come_back_with_time_and_each_address_has_its_own() -> None:
    throttle = Throttle(burst=2, seconds=10)
    assert [throttle.wait("a", 0.0) for _ in range(3)] == [0.0, 0.0, 10.0]
    assert throttle.wait("b", 0.0) == 0.0
    assert throttle.wait("a", 5.0) == 5.0
    assert throttle.wait("a", 10.0) == 0.0


def test_an_event_is_taken_apart() -> None:
    found = explain(
        {
            "usage": {
                "input_tokens": Decimal(4000),
                "cache_read_tokens": Decimal(10),
                "tool_calls": Decimal(2),
            },
            "cost_parts": {"input_tokens": Decimal("0.012")},
            "unpriced_meters": ["tool_calls"],
            "price_ref": "genai-prices@0.2.3#openai/gpt-5+deal~fallback~region~tier=flex~name-date",
        }
    )
    first, second = found.lines
    assert (first.rate, first.unit) == (Decimal(3), "1M")
    assert (second.meter, second.cost, second.rate) == ("tool_calls", None, None)
    assert found.included == ["cache_read_tokens"]
    assert found.ref is not None
    assert (found.ref.rule, found.ref.terms) == ("openai/gpt-5", ("deal",))
    assert len(found.guesses) == 4


def test_a_reference_that_is_none_is_shown_as_it_is() -> None:
    row = {"usage": {}, "cost_parts": {}, "unpriced_meters": [], "price_ref": "reported"}
    assert explain(row).ref is None
