"""Prices as people read them, and the part of the catalog that a tenant sees."""

from datetime import UTC, datetime

import pytest
from tests.support.catalogs import book, catalog, rates, rule

from outlay.setup.price_list import CatalogPrices
from outlay_console.domain.model_prices import (
    ExactPrice,
    Price,
    PricesAt,
    PriceSet,
    changed,
    conditions_of,
    joined,
    readable,
)

NOW = datetime(2026, 11, 25, tzinfo=UTC)


@pytest.mark.parametrize(
    ("price", "shown"),
    [
        (readable("input_tokens", "1.25", "1000000"), Price("Input", "$1.25", "per million tokens")),
        (readable("cache_read_tokens", "0.00000007", "1"), Price("Cached input", "$0.07", "per million tokens")),
        (readable("output_tokens", "15", "1000000", above="200000", note="by input tokens"),
         Price("Output", "$15", "per million tokens", "above 200,000 input tokens")),
        (readable("compute_seconds", "55.04", "3600"), Price("Compute", "$55.04", "per hour")),
        (readable("web_searches", "10", "1000"), Price("Web searches", "$10", "per 1,000")),
        (readable("gb", "0.5", "1", currency="EUR", above="10", note="graduated"),
         Price("GB", "EUR 0.50", "each", "above 10; graduated")),
        (readable("gb_months", "1234.5", "1"), Price("GB months", "$1,234.50", "each")),
    ],
)  # fmt: skip
def test_a_price_is_shown_in_the_unit_that_people_compare(price: Price, shown: Price) -> None:
    assert price == shown


def test_a_price_keeps_what_the_catalog_says_and_is_the_same_for_any_count() -> None:
    found = readable("web_searches", "10", "1000", currency="EUR", above="5")
    assert found.exact == ExactPrice("web_searches", "10", "1000", "EUR", "5")
    by_one, by_million = (
        readable("input_tokens", price, per) for price, per in (("1", "1"), ("1000000", "1000000"))
    )
    assert by_one == by_million
    assert by_one.exact != by_million.exact


def test_equal_prices_of_one_list_are_shown_once() -> None:
    cheap, high = (Price("Input", amount, "each") for amount in ("$1", "$2"))
    sets = [PriceSet("a", "1", when, (price,)) for when, price in (
        ((), cheap), (("tier default",), cheap), (("tier priority",), high), (("tier fast",), high),
    )]  # fmt: skip
    assert [one.when for one in joined(sets)] == [(), ("tier priority", "tier fast")]


def test_conditions_are_words() -> None:
    assert (
        conditions_of({"region": ["eu", "us"], "service_tier": ["*"]}) == "region eu or us, service tier any"
    )


def test_a_history_holds_what_changed_a_price() -> None:
    old, new = (
        PriceSet("a", version, (), (Price("Input", amount, "each"),))
        for version, amount in (("1", "$1"), ("2", "$2"))
    )
    same, other = PriceSet("a", "3", (), new.prices), PriceSet("b", "1", (), new.prices)
    assert changed([PricesAt(NOW, [same]), PricesAt(NOW, [other, new]), PricesAt(None, [other, old])]) == [
        PricesAt(NOW, []), PricesAt(NOW, [new]), PricesAt(None, [other, old]),
    ]  # fmt: skip


def test_a_price_agreed_for_a_tenant_is_found_by_that_tenant_only() -> None:
    own = {**rule({"gb": {"price": "1"}}), "where": {"tenant": "globex*"}}
    content = catalog(rates(), price_books=[book(own)]).catalog
    prices = CatalogPrices(lambda: content, lambda _: content)
    (found,) = prices.search("globex-eu", "BOX")
    assert found[1] == "box"
    assert prices.prices("globex-eu", "x", "box", NOW)[0].prices == (Price("GB", "$1", "each"),)
    assert prices.search("acme", "box") == []
    assert all(not one.prices for one in prices.prices("acme", "x", "box", NOW))


def test_a_revision_that_cannot_be_read_is_no_part_of_a_history() -> None:
    content = catalog(rates()).catalog
    prices = CatalogPrices(lambda: content, lambda number: content if number == content.revision else None)
    assert prices.prices("acme", "openai", "gpt-5", NOW) is not None
    with pytest.raises(LookupError):
        prices.prices("acme", "openai", "gpt-5", NOW, content.revision + 1)
