"""Small texts of the console, and an event taken apart. Money has its own: tests/unit/reports/test_money.py."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

from outlay_console.domain.cost_breakdown import cost_breakdown
from outlay_console.templating import ago, quantity, to_json
from outlay_console.web import Throttle


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


def test_a_data_block_cannot_be_ended_by_what_is_in_it() -> None:
    assert "<" not in to_json({"name": "</script><script>alert(1)</script>&"})


def test_tries_come_back_with_time_and_each_address_has_its_own() -> None:
    throttle = Throttle(burst=2, seconds=10)
    assert [throttle.wait("a", 0.0) for _ in range(3)] == [0.0, 0.0, 10.0]
    assert throttle.wait("b", 0.0) == 0.0
    assert throttle.wait("a", 5.0) == 5.0
    assert throttle.wait("a", 10.0) == 0.0


def test_an_event_is_taken_apart() -> None:
    found = cost_breakdown(
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
    assert cost_breakdown(row).ref is None
