"""Price books: tiers, free units, minimum, steps, dates, conditions, currency."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from pydantic import ValidationError
from tests.support.catalogs import PLAIN, book, catalog, event, model, rates, rule

from outlay_pricer.domain.pricing import price
from outlay_schemas.catalog import MeterPrice, PriceBook
from outlay_schemas.events import CostEvent

GRADUATED = {"tiers": [{"up_to": 10, "price": "1"}, {"up_to": 20, "price": "0.5"}, {"price": "0.1"}]}


def _cost(meters: dict[str, Any], usage: dict[str, Any], **more: Any) -> CostEvent:
    return price(event(usage, "box", kind="compute", **more), catalog(price_books=[book(rule(meters))]))


@pytest.mark.parametrize(
    ("meter", "quantity", "position", "expected"),
    [
        ({"price": "0.09"}, "0.85", None, "0.0765"),
        ({"price": "55.04", "per": 3600}, 60, None, "0.917333333333"),
        (GRADUATED, 10, "0", "10"),
        (GRADUATED, 25, "0", "15.5"),
        (GRADUATED, 5, "8", "3.5"),
        (GRADUATED, 5, "100", "0.5"),
        ({**GRADUATED, "mode": "volume"}, 10, "0", "10"),
        ({**GRADUATED, "mode": "volume"}, 11, "0", "5.5"),
        ({**GRADUATED, "mode": "volume"}, 25, "0", "2.5"),
        ({"price": "1", "free": 100}, 30, "90", "20"),
        ({"price": "1", "free": 100}, 30, "50", "0"),
        ({**GRADUATED, "free": 5}, 10, "0", "5"),
        ({"price": "1", "minimum": "10"}, 3, None, "10"),
        ({"price": "1", "minimum": "10"}, 30, None, "30"),
        ({"price": "1", "minimum": "10"}, 0, None, "0"),
        ({"price": "1", "rounding": {"step": 60}}, 61, None, "120"),
        ({"price": "1", "rounding": {"step": 60, "mode": "down"}}, 119, None, "60"),
        ({"price": "1", "rounding": {"step": "0.5", "mode": "half_up"}}, "1.25", None, "1.5"),
        ({"price": "1", "rounding": {"step": "0.5", "mode": "half_up"}}, "1.24", None, "1"),
    ],
)
def test_a_meters_price(meter: dict[str, Any], quantity: Any, position: str | None, expected: str) -> None:
    attributes = {} if position is None else {"used": position}
    cost = _cost({"gb": {**meter, "position": "used"}}, {"gb": quantity}, attributes=attributes)
    assert cost.cost == expected
    assert cost.price_ref == "own@1#box"


def test_a_tier_without_a_known_position_starts_at_the_event_and_says_so() -> None:
    assert _cost({"gb": GRADUATED}, {"gb": 25}).price_ref == "own@1#box~position"
    assert _cost({"gb": GRADUATED}, {"gb": 25}).cost == "15.5"
    for nonsense in ("many", "-3", "NaN", ""):
        meters = {"gb": {**GRADUATED, "position": "used"}}
        assert _cost(meters, {"gb": 25}, attributes={"used": nonsense}).price_ref.endswith("~position")
    assert _cost({"gb": {"price": "1"}}, {"gb": 25}).price_ref == "own@1#box"


def test_a_meter_that_another_pays_for_costs_nothing_more() -> None:
    meters = {
        "compute_seconds": {"price": "36", "per": 3600},
        "gpu_seconds": {"price": "4.5", "per": 3600, "included_in": "compute_seconds"},
    }
    assert _cost(meters, {"compute_seconds": 100, "gpu_seconds": 800}).cost == "1"
    assert _cost(meters, {"gpu_seconds": 800}).cost == "1"
    both = _cost(meters, {"compute_seconds": 100, "gpu_seconds": 800})
    assert (both.price_status, both.unpriced_meters) == ("priced", [])


def test_a_meter_the_rule_does_not_know_leaves_the_event_unpriced_with_the_part_that_is_known() -> None:
    cost = _cost({"gb": {"price": "1"}}, {"gb": 2, "crates": 1, "pallets": 0})
    assert (cost.cost, cost.price_status, cost.unpriced_meters) == ("2", "unpriced", ["crates"])
    nothing = _cost({"gb": {"price": "1"}}, {"crates": 1})
    assert (nothing.cost, nothing.price_ref) == (None, "own@1#!meter_unknown")


def test_free_is_what_the_book_says_is_free() -> None:
    assert _cost({"gb": {"price": "0"}}, {"gb": 2}).price_status == "free"
    assert _cost({"gb": {"tiers": [{"price": "0"}]}}, {"gb": 2}).price_status == "free"
    assert _cost({"gb": {"price": "0", "minimum": "1"}}, {"gb": 2}).price_status == "priced"
    assert (
        _cost({"gb": {"tiers": [{"up_to": 1, "price": "0"}, {"price": "1"}]}}, {"gb": 1}).price_status
        == "estimated"
    ), "which step it is depends on what was used before, which the event does not say"


def test_the_most_special_rule_wins() -> None:
    rules = book(
        {**rule({"gb": {"price": "1"}}, "*"), "id": "any"},
        {**rule({"gb": {"price": "2"}}), "id": "exact"},
        {**rule({"gb": {"price": "3"}}, where={"region": ["eu-*", "us-1"]}), "id": "region"},
        {**rule({"gb": {"price": "4"}}, where={"team": "ml"}, provider="acme"), "id": "team"},
        {
            **rule({"gb": {"price": "5"}}, kind="storage", where={"tags.tier": "*", "region": "*"}),
            "id": "tag",
        },
    )
    ready = catalog(price_books=[rules])

    def ref(sku: str = "box", **more: Any) -> str:
        return price(event({"gb": 1}, sku, **{"kind": "compute", **more}), ready).price_ref

    assert ref("crate") == "own@1#any"
    assert ref() == "own@1#exact"
    assert ref(attributes={"region": "eu-3"}) == "own@1#region"
    assert ref(attributes={"region": "us-2"}) == "own@1#exact"
    assert ref(team="ml", attributes={"region": "us-1"}) == "own@1#team"
    assert ref(kind="storage", tags={"tier": "hot"}, attributes={"region": "x"}) == "own@1#tag"
    assert ref(team="ml", provider_name="other") == "own@1#exact"


def test_a_price_says_what_it_is_for_and_is_marked_where_the_event_does_not() -> None:
    ready = catalog(
        price_books=[book(rule({"gb": {"price": "1"}}, assumes={"region": "us-1", "lease": "on-demand"}))]
    )

    def cost(**attributes: str) -> CostEvent:
        return price(event({"gb": 1}, "box", kind="compute", attributes=attributes), ready)

    assert cost(region="us-1", lease="on-demand").price_ref == "own@1#box"
    assert cost(region="us-1").price_ref == "own@1#box~lease"
    assert cost(region="eu-1").price_ref == "catalog@7#!sku_unknown"


def test_prices_are_dated_and_refuse_where_there_is_none() -> None:
    dated = rule({"gb": {"price": "1"}})
    dated["prices"] = [
        {"from": "2026-01-01", "to": "2026-06-01", "meters": {"gb": {"price": "1"}}},
        {"from": "2026-06-01", "to": "2026-12-01T00:00:00+02:00", "meters": {"gb": {"price": "2"}}},
    ]
    ready = catalog(price_books=[book(dated)])

    def at(*moment: int) -> CostEvent:
        return price(event({"gb": 1}, "box", kind="compute", time=datetime(*moment, tzinfo=UTC)), ready)  # type: ignore[misc,arg-type]

    assert at(2026, 5, 31, 23, 59).cost == "1"
    assert at(2026, 6, 1).cost == "2"
    assert at(2026, 11, 30, 21, 59).cost == "2"
    assert at(2026, 11, 30, 22).price_ref == "own@1#!price_not_in_force"
    assert at(2025, 1, 1).cost is None


@pytest.mark.parametrize(
    ("prices", "complaint"),
    [
        ([("2026-01-01", None), ("2026-06-01", None)], "overlap at 2026-06-01"),
        ([("2026-01-01", "2026-07-01"), ("2026-06-01", None)], "overlap at 2026-06-01"),
        ([("2026-01-01", "2026-05-01"), ("2026-06-01", None)], "no price from 2026-05-01 to 2026-06-01"),
        ([("2026-06-01", "2026-07-01"), ("2026-01-01", None)], "in order of `from`"),
        ([("2026-06-01", "2026-07-01"), (None, None)], "in order of `from`"),
    ],
)
def test_gaps_and_overlaps_in_dates_are_named(
    prices: list[tuple[str | None, str | None]], complaint: str
) -> None:
    spans = [{"from": start, "to": end, "meters": {"gb": {"price": 1}}} for start, end in prices]
    with pytest.raises(ValidationError, match=complaint):
        book({"id": "x", "sku": "x", "prices": spans})


@pytest.mark.parametrize(
    ("meter", "complaint"),
    [
        ({}, "either price or tiers"),
        ({"price": 1, "tiers": [{"price": 1}]}, "either price or tiers"),
        ({"tiers": [{"up_to": 1, "price": 1}]}, "last tier must have no up_to"),
        ({"tiers": [{"up_to": 5, "price": 1}, {"up_to": 5, "price": 1}, {"price": 1}]}, "growing up_to"),
        ({"tiers": [{"price": 1}, {"price": 1}]}, "growing up_to"),
        ({"price": "NaN"}, "finite number"),
        ({"price": -1}, "greater than or equal to 0"),
    ],
)
def test_prices_that_make_no_sense_are_named(meter: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ValidationError, match=complaint):
        MeterPrice.model_validate(meter)


def test_two_rules_with_one_name_are_refused() -> None:
    with pytest.raises(ValidationError, match="two rules are called box"):
        book(rule({"gb": {"price": 1}}), rule({"gb": {"price": 1}}))


def test_a_yaml_float_is_read_as_it_was_written() -> None:
    assert MeterPrice(price=0.1).price == Decimal("0.1")  # type: ignore[arg-type]


def test_another_currency_by_the_rate_of_the_events_day() -> None:
    fx = [
        {"currency": "EUR", "usd": "1.10", "from": "2026-01-01", "to": "2026-11-01"},
        {"currency": "EUR", "usd": "1.25", "from": "2026-11-01", "source": "ECB"},
    ]
    ready = catalog(price_books=[book(rule({"gb": {"price": "2"}}), currency="EUR")], fx=fx)
    now = price(event({"gb": 3}, "box", kind="transfer"), ready)
    assert (now.cost, now.price_ref) == ("7.5", "own@1#box+fx-EUR")
    then = event({"gb": 3}, "box", kind="transfer", time=datetime(2026, 10, 31, tzinfo=UTC))
    assert price(then, ready).cost == "6.6"
    older = event({"gb": 3}, "box", kind="transfer", time=datetime(2025, 10, 31, tzinfo=UTC))
    assert price(older, ready).price_ref == "own@1#!fx_missing"


def test_a_book_can_come_before_the_llm_rates_and_fall_back_to_them() -> None:
    own = book(
        rule(
            {"input_tokens": {"price": "1", "per": 1_000_000}}, "plain", where={"attributes.hosting": "self"}
        ),
        rule({"gpu_seconds": {"price": "3.6", "per": 3600}}, "llama-*"),
        before_rates=True,
    )
    ready = catalog(rates(PLAIN), price_books=[own])
    assert price(event({"input_tokens": 10}), ready).price_ref == "test-prices@1#acme/plain"
    hosted = price(event({"input_tokens": 10}, attributes={"hosting": "self"}), ready)
    assert (hosted.price_ref, hosted.cost) == ("own@1#plain", "0.00001")
    gpu = price(event({"gpu_seconds": 2}, "llama-3"), ready)
    assert (gpu.price_ref, gpu.cost) == ("own@1#llama-any", "0.002")
    empty = price(event({"input_tokens": 2}, "llama-3"), ready)
    assert empty.price_ref == "own@1#!meter_unknown", "the book that claims the model says what is missing"


def test_a_book_completes_what_the_rates_do_not_know() -> None:
    own = book(rule({"web_searches": {"price": "10", "per": 1000}, "input_tokens": {"price": "9"}}, "plain"))
    ready = catalog(rates(PLAIN, model("other", {"input_mtok": "1"})), price_books=[own])
    cost = price(event({"input_tokens": 1_000_000, "web_searches": 5}), ready)
    assert cost.cost_parts == {"input_tokens": "3", "web_searches": "0.05"}
    assert cost.price_ref == "test-prices@1#acme/plain+own/plain"
    more = price(event({"input_tokens": 1_000_000, "crates": 5}), ready)
    assert (more.price_status, more.price_ref) == ("unpriced", "test-prices@1#acme/plain")
    alone = price(event({"input_tokens": 1, "web_searches": 5}, "other"), ready)
    assert (alone.price_status, alone.cost) == ("unpriced", "0.000001")
    unknown = price(event({"input_tokens": 1}, "no-model"), ready)
    assert unknown.price_ref == "test-prices@1#!model_unknown"


def test_no_price_data_at_all_is_a_state_too() -> None:
    from tests.support.catalogs import source

    from outlay_pricer.domain.catalog_index import CompiledCatalog

    ready = CompiledCatalog(source().model_copy(update={"rates": None}))
    assert price(event({"input_tokens": 1}), ready).price_ref == "no-rates@0#!provider_unknown"


def test_a_book_name_is_a_word() -> None:
    with pytest.raises(ValidationError, match="pattern"):
        PriceBook(name="my book@1", version="1", rules=())
