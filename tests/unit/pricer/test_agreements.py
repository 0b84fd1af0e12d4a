"""Negotiated prices and reported cost."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from tests.support.catalogs import book, catalog, event, rule

from outlay_pricer.domain.pricing import price
from outlay_schemas.catalog import Negotiated
from outlay_schemas.events import CostEvent

USAGE = {"input_tokens": 1_000_000, "cache_read_tokens": 400_000, "output_tokens": 100_000}
"""List: 600,000 at 3, 400,000 at 0.3, 100,000 at 15 = 1.8 + 0.12 + 1.5 = 3.42 USD."""

LIST = {"input_tokens": "1.8", "cache_read_tokens": "0.12", "output_tokens": "1.5"}


def _agreed(*terms: dict[str, Any], **more: Any) -> CostEvent:
    return price(event(USAGE, **more), catalog(negotiated=terms))


def test_list_price_alone_has_no_second_figure() -> None:
    cost = _agreed({"id": "other", "match": {"provider": "elsewhere"}, "discount_percent": 50})
    assert (cost.cost, cost.list_cost) == ("3.42", None)


@pytest.mark.parametrize(
    ("terms", "expected"),
    [
        ({"discount_percent": "12.5"}, "2.9925"),
        ({"override": {"input_tokens": "2"}}, "2.82"),
        ({"override": {"input_tokens": "0.002"}, "per": 1000}, "2.82"),
        ({"override": {"web_searches": "1"}}, "3.42"),
    ],
)
def test_one_agreement(terms: dict[str, Any], expected: str) -> None:
    cost = _agreed({"id": "t", **terms})
    assert (cost.cost, cost.list_cost, cost.price_ref) == (expected, "3.42", "test-prices@1#acme/plain+t")
    assert sum(map(Decimal, cost.cost_parts.values())) == Decimal(expected)
    same = Decimal(expected) == Decimal("3.42")
    assert cost.list_parts == ({} if same else LIST)


def test_each_meter_keeps_its_list_price_whatever_was_agreed() -> None:
    """A sum for the whole event said nothing of its meters: FOCUS showed cached tokens at a negative list cost."""
    raised = _agreed({"id": "premium", "override": {"input_tokens": "3.09", "cache_read_tokens": "0.309"}})
    assert (raised.list_cost, raised.list_parts) == ("3.42", LIST)
    assert raised.cost_parts == {
        "input_tokens": "1.854",
        "cache_read_tokens": "0.1236",
        "output_tokens": "1.5",
    }
    given_away = _agreed({"id": "gift", "override": {"cache_read_tokens": "0"}})
    assert "cache_read_tokens" not in given_away.cost_parts
    assert given_away.list_parts == LIST
    marked_up = _agreed({"id": "fee", "markup_percent": 3})
    assert (marked_up.cost, marked_up.list_cost, marked_up.list_parts) == ("3.42", None, {})


@given(st.integers(0, 100), st.lists(st.integers(0, 10**9), min_size=3, max_size=3))
def test_p12_list_parts_add_up_to_the_list_cost(percent: int, counts: list[int]) -> None:
    cached, fresh, out = counts
    usage = {"input_tokens": fresh + cached, "cache_read_tokens": cached, "output_tokens": out}
    cost = price(event(usage), catalog(negotiated=[{"id": "t", "discount_percent": percent}]))
    assert cost.list_cost is not None
    parts = cost.list_parts or cost.cost_parts
    assert sum(map(Decimal, parts.values())) == Decimal(cost.list_cost)
    assert all(Decimal(part) > 0 for part in parts.values())


def test_overrides_come_first_then_the_rest_in_order() -> None:
    cost = _agreed(
        {"id": "ten-off", "discount_percent": 10},
        {"id": "flat", "override": {"output_tokens": "10", "input_tokens": "2"}},
        {"id": "fee", "markup_percent": 5},
    )
    assert cost.cost == "2.088", "(1.2 + 0.12 + 1.0) with 10% off"
    assert cost.charged == "2.1924", "and 5% more for the internal customer"
    assert cost.price_ref.endswith("+flat+ten-off+fee")


def test_a_markup_is_charged_and_does_not_change_the_cost() -> None:
    cost = _agreed({"id": "fee", "markup_percent": 10}, {"id": "tax", "markup_percent": 5})
    assert (cost.cost, cost.list_cost, cost.charged) == ("3.42", None, "3.9501")
    assert sum(map(Decimal, cost.cost_parts.values())) == Decimal("3.42")
    assert cost.price_ref == "test-prices@1#acme/plain+fee+tax"


def test_a_markup_is_rounded_once_half_to_even() -> None:
    # 3.42 * 1.0000000000000125 is the cost again; 3.42 * 1.00000000000125 = 3.420000000004275
    assert _agreed({"id": "fee", "markup_percent": "0.00000000000125"}).charged is None
    assert _agreed({"id": "fee", "markup_percent": "0.000000000125"}).charged == "3.420000000004"
    assert _agreed({"id": "none", "markup_percent": 0}).charged is None


def test_what_the_producer_reports_is_marked_up_too() -> None:
    reported = _agreed({"id": "fee", "markup_percent": 10}, sku="unknown-1", reported_cost=Decimal(2))
    assert (reported.cost, reported.charged, reported.price_status) == ("2", "2.2", "reported")


def test_what_has_no_price_is_not_charged_either() -> None:
    cost = price(event({"gb": 1}, "zip"), catalog(negotiated=[{"id": "t", "markup_percent": 50}]))
    assert (cost.cost, cost.charged) == (None, None)


@pytest.mark.parametrize(
    ("match", "more", "applies"),
    [
        ({"provider": "ac*"}, {}, True),
        ({"sku": ["plain", "other"]}, {}, True),
        ({"team": "ml"}, {"team": "ml"}, True),
        ({"team": "ml"}, {}, False),
        ({"tags": {"env": "prod"}}, {"tags": {"env": "prod"}}, True),
        ({"tags": {"env": "prod"}}, {"tags": {"env": "dev"}}, False),
        ({"attributes": {"region": "eu-*"}}, {"attributes": {"region": "eu-1"}}, True),
        ({"attributes": {"region": "*"}}, {}, False),
        ({"kind": "compute"}, {}, False),
    ],
)
def test_an_agreement_is_about_a_provider_model_team_or_tag(
    match: dict[str, Any], more: dict[str, Any], applies: bool
) -> None:
    cost = _agreed({"id": "t", "match": match, "discount_percent": 50}, **more)
    assert cost.cost == ("1.71" if applies else "3.42")


def test_agreements_are_dated() -> None:
    terms = {"id": "t", "from": "2026-01-01", "to": "2026-07-01", "discount_percent": 50}
    assert _agreed(terms, time=datetime(2026, 6, 30, 23, 59, tzinfo=UTC)).cost == "1.71"
    assert _agreed(terms, time=datetime(2026, 7, 1, tzinfo=UTC)).cost == "3.42"


def test_a_full_discount_is_free_not_unpriced() -> None:
    cost = _agreed({"id": "credit", "discount_percent": 100})
    assert (cost.cost, cost.price_status, cost.list_cost) == ("0", "free", "3.42")


def test_what_has_no_price_has_no_discount_either() -> None:
    cost = price(event({"gb": 1}, "zip"), catalog(negotiated=[{"id": "t", "discount_percent": 50}]))
    assert (cost.cost, cost.list_cost, cost.price_status) == (None, None, "unpriced")


def test_price_books_are_negotiable_too() -> None:
    ready = catalog(
        price_books=[book(rule({"gpu_seconds": {"price": "36", "per": 3600}}))],
        negotiated=[{"id": "ri", "match": {"attributes": {"lease": "reserved"}}, "override": {"gpu_seconds": "18"},
                     "per": 3600}],
    )  # fmt: skip
    usage = {"gpu_seconds": "7200"}
    reserved = price(event(usage, "box", kind="compute", attributes={"lease": "reserved"}), ready)
    assert (reserved.cost, reserved.list_cost) == ("36", "72")


@pytest.mark.parametrize(
    "terms", [{}, {"discount_percent": 5, "markup_percent": 5}, {"discount_percent": 101}]
)
def test_terms_that_say_nothing_or_two_things(terms: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Negotiated(id="t", **terms)


def test_a_reported_cost_counts_by_default_only_where_nothing_else_is_known() -> None:
    known = price(event({"input_tokens": 1_000_000}, reported_cost=Decimal("3.1")), catalog())
    assert (known.cost, known.price_status, known.reported_cost) == ("3", "priced", "3.1")
    unknown = price(event({"input_tokens": 1}, "zip", reported_cost=Decimal("0.5")), catalog())
    assert (unknown.cost, unknown.price_status) == ("0.5", "reported")
    assert unknown.price_ref == "reported@event#reported_cost"
    half = price(event({"input_tokens": 1_000_000, "crates": 1}, reported_cost=Decimal(5)), catalog())
    assert (half.cost, half.price_status, half.list_cost) == ("5", "reported", "3")


def test_a_policy_can_let_the_reported_cost_count_or_not() -> None:
    policies = [
        {"match": {"team": "trusting"}, "use": "reported"},
        {"match": {"team": "strict"}, "use": "computed"},
    ]
    ready = catalog(reported=policies, negotiated=[{"id": "t", "discount_percent": 50}])

    def cost(team: str, sku: str = "plain") -> CostEvent:
        return price(event({"input_tokens": 1_000_000}, sku, team=team, reported_cost=Decimal(4)), ready)

    assert (cost("trusting").cost, cost("trusting").list_cost) == ("4", "3")
    assert cost("trusting").price_ref == "reported@event#reported_cost~drift"
    assert cost("strict", "zip").price_status == "unpriced"
    assert cost("other").cost == "1.5"


def test_drift_is_marked_past_the_policys_percentage() -> None:
    def ref(reported: str, **policy: Any) -> str:
        ready = catalog(reported=[policy])
        return price(event({"input_tokens": 1_000_000}, reported_cost=Decimal(reported)), ready).price_ref

    assert ref("3.15").endswith("plain")
    assert ref("3.150000000001").endswith("plain~drift")
    assert ref("2.84").endswith("~drift")
    assert ref("4", drift_percent=50).endswith("plain")
