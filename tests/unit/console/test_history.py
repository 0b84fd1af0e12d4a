"""What the page of prices says of their past: what changed when, what is old, as the service that prices sees it."""

from datetime import UTC, datetime, timedelta

from outlay_console.adapters.catalog import CatalogView
from outlay_console.domain.history import Revision, changes, scheduled_prices
from outlay_schemas.catalog import PriceBook

NOW = datetime(2026, 11, 25, 14, 42, tzinfo=UTC)


def revision(number: int, rates: str, **versions: str) -> Revision:
    return Revision(number, NOW + timedelta(days=number), "", rates, versions)


def test_each_catalog_is_held_against_the_one_before() -> None:
    first = revision(1, "genai 1", aws="1", gone="1")
    second = revision(2, "genai 2", aws="2", own="1")
    found = changes([revision(3, "genai 2", aws="2", own="1"), second, first])
    assert [change.revision.revision for change in found] == [3, 2, 1]
    assert found[0].what == []
    assert found[1].what == [
        "model prices: genai 1 \u2192 genai 2",
        "price book aws: 1 \u2192 2",
        "price book gone removed",
        "price book own 1 added",
    ]
    assert changes([]) == []


def test_a_price_that_follows_another_is_reported_with_its_day() -> None:
    same = {"gb_hours": {"price": "2"}}
    before, after = {"gb": {"price": "0.1"}, **same}, {"gb": {"price": "0.05", "per": 1000}, **same}
    prices = [{"meters": before, "to": "2026-06-01"}, {"meters": after, "from": "2026-06-01"}]
    book = PriceBook.model_validate(
        {"name": "own", "version": "1", "rules": [{"id": "disk", "sku": "disk", "prices": prices}]}
    )
    (one,) = scheduled_prices([book])
    assert (one.book, one.sku, one.starts) == ("own", "disk", datetime(2026, 6, 1, tzinfo=UTC))
    assert one.prices == ["GB: $0.10 each \u2192 $0.05 per 1,000"]


def test_a_change_names_the_unit_once_and_the_currency_of_its_price_book() -> None:
    before = {"compute_seconds": {"price": "3.9", "per": 3600}, "input_tokens": {"price": "2"}}
    tiers = {"tiers": [{"up_to": "10", "price": "1"}, {"price": "0.5"}]}
    after = {
        "compute_seconds": {"price": "6.3", "per": 3600},
        "input_tokens": tiers,
        "gb_hours": {"price": "1"},
    }
    prices = [{"meters": before, "to": "2026-06-01"}, {"meters": after, "from": "2026-06-01"}]
    rules = [{"id": "a", "sku": "a", "prices": prices}]
    book = PriceBook.model_validate({"name": "own", "version": "1", "currency": "EUR", "rules": rules})
    assert scheduled_prices([book])[0].prices == [
        "Compute: EUR 3.90 \u2192 EUR 6.30 per hour",
        "Input: EUR 2,000,000 per million tokens \u2192 tiers",
        "GB hours: none \u2192 EUR 1 each",
    ]


def test_what_is_agreed_with_another_tenant_is_not_in_the_catalog_that_a_page_has() -> None:
    prices = [
        {"meters": {"gb": {"price": "2"}}, "to": "2026-06-01"},
        {"meters": {"gb": {"price": "1"}}, "from": "2026-06-01"},
    ]

    def book(name: str, **where: str) -> PriceBook:
        rules = [
            {"id": name, "sku": name, "prices": prices, "where": {key: [one] for key, one in where.items()}}
        ]
        return PriceBook.model_validate({"name": name, "version": "1", "rules": rules})

    price_books = (
        book("all"),
        book("own", tenant="ac*"),
        book("theirs", tenant="globex"),
        book("team", team="globex"),
    )
    known = CatalogView(1, NOW, "", None, price_books, ())
    for tenant, seen in (("acme", {"all", "own", "team"}), ("globex", {"all", "theirs", "team"})):
        of = known.of_tenant(tenant)
        assert {one.name for one in of.price_books} == seen
        assert {one.sku for one in scheduled_prices(of.price_books)} == seen
