"""Explaining, showing, comparing, splitting, and knowing how old the prices are."""

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from tests.support.catalogs import (
    BATCH,
    DATED,
    NOW,
    PLAIN,
    TIERED,
    book,
    catalog,
    event,
    model,
    rates,
    rule,
    source,
)

from outlay_pricer.domain.catalog_index import CompiledCatalog
from outlay_pricer.domain.compare import as_model, compare, only_book, plan
from outlay_pricer.domain.explain import Step, explain
from outlay_pricer.domain.price_listing import list_prices
from outlay_pricer.domain.pricing import price
from outlay_schemas.catalog.freshness import stale

EGRESS = rule(
    {"gb": {"tiers": [{"up_to": 10, "price": "0.09"}, {"price": "0.05"}], "position": "used", "free": 1}},
    "egress",
)


def test_explain_gives_the_arithmetic_line_by_line() -> None:
    explained = explain(event({"input_tokens": 100, "cache_read_tokens": 40, "output_tokens": 1}), catalog())
    assert explained.steps == [
        Step("input_tokens", "0.00018", "60", "3", "1000000"),
        Step("cache_read_tokens", "0.000012", "40", "0.3", "1000000"),
        Step("output_tokens", "0.000015", "1", "15", "1000000"),
    ]
    assert explained.event == price(
        event({"input_tokens": 100, "cache_read_tokens": 40, "output_tokens": 1}), catalog()
    )
    (where,) = explained.sources
    assert (where.book, where.version, where.rule, where.checked) == (
        "test-prices",
        "1",
        "acme/plain",
        "2026-11-01",
    )
    assert (explained.guesses, explained.reason) == ([], "")


def test_explain_shows_tiers_currency_and_what_was_assumed() -> None:
    euro = book(EGRESS, currency="EUR", source="https://example.org", checked="2026-02-03")
    ready = catalog(price_books=[euro], fx=[{"currency": "EUR", "usd": "1.5"}])
    explained = explain(event({"gb": 20}, "egress", kind="transfer", attributes={"used": "3"}), ready)
    assert [
        (step.quantity, step.price, step.amount, step.currency, step.note) for step in explained.steps
    ] == [
        ("8", "0.09", "0.72", "EUR", "tier 1"),
        ("12", "0.05", "0.6", "EUR", "tier 2"),
        ("", "", "1.98", "USD", "1 EUR = 1.5 USD"),
    ]
    assert explained.event.cost == "1.98"
    assert (explained.sources[0].source, explained.sources[0].checked) == (
        "https://example.org",
        "2026-02-03",
    )
    unknown = explain(event({"gb": 20}, "egress", kind="transfer"), ready)
    assert "is not known" in unknown.guesses[0]


def test_explain_names_terms_guesses_and_reasons() -> None:
    terms = [
        {"id": "a", "override": {"input_tokens": "2"}},
        {"id": "b", "discount_percent": 10},
        {"id": "c", "markup_percent": 5},
    ]
    ready = catalog(rates(PLAIN, BATCH), negotiated=terms)
    explained = explain(event({"input_tokens": 1_000_000}, attributes={"speed": "fast"}), ready)
    notes = [step.note for step in explained.steps if not step.price]
    assert notes == [
        "a: input_tokens at 2 per 1000000",
        "b: 10% discount",
        "c: 5% markup on the cost, charged internally",
        "after negotiated terms",
        "charged to the internal customer",
    ]
    guessed = explain(event({"input_tokens": 1}, "plain-latest", attributes={"processing": "turbo"}), ready)
    assert guessed.guesses == [
        "a suffix such as -latest was left out of the name",
        "no price is known for processing turbo: the standard price is used",
    ]
    assert explain(event({"input_tokens": 1}, "zip"), ready).reason.startswith("genai-prices has no model")
    assert explain(event({"input_tokens": 1, "crates": 2}), ready).reason == "nothing prices crates"
    assumed = catalog(price_books=[book(rule({"gb": {"price": "1"}}, assumes={"region": "us-1"}))])
    assert (
        "does not state its region"
        in explain(event({"gb": "0.3"}, "box", kind="storage"), assumed).guesses[0]
    )


def test_explain_of_a_fee_that_a_book_adds_and_of_amounts_that_never_end() -> None:
    own = book(
        rule({"web_searches": {"price": "10", "per": 1000}}, "plain"), rule({"gb": {"price": "1", "per": 3}})
    )
    ready = catalog(price_books=[own], owners=[{"key": "user", "value": "u", "sets": {"team": "t"}}])
    explained = explain(event({"input_tokens": 1, "web_searches": 3}, user="u"), ready)
    assert [step.meter for step in explained.steps] == ["input_tokens", "web_searches"]
    assert [source.book for source in explained.sources] == ["test-prices", "own"]
    third = explain(event({"gb": 1}, "box", kind="storage"), ready)
    assert third.steps[0].amount == "0.333333333333333333…"
    assert third.event.cost == "0.333333333333"


def test_explain_leaves_out_meters_that_cost_nothing_by_themselves() -> None:
    meters = {
        "compute_seconds": {"price": "1"},
        "gpu_seconds": {"price": "1", "included_in": "compute_seconds"},
    }
    explained = explain(
        event({"compute_seconds": 2, "gpu_seconds": 4}, "box", kind="compute"),
        catalog(price_books=[book(rule(meters))]),
    )
    assert [step.meter for step in explained.steps] == ["compute_seconds"]


def test_explain_of_contradictions() -> None:
    ready = catalog(usage={"contradictions": "unpriced"})
    explained = explain(event({"input_tokens": 1, "prompt_tokens": 2}), ready)
    assert explained.reason == "the numbers of the usage contradict each other"
    assert "cannot exceed" in explain(event({"input_tokens": 1, "cache_read_tokens": 2}), ready).reason


def test_show_says_what_a_sku_costs_when_and_from_where() -> None:
    ready = catalog(
        rates(PLAIN, TIERED, DATED, BATCH), price_books=[book(EGRESS, source="https://example.org")]
    )
    (tiered,) = list_prices(ready, "acme", "tiered", NOW)
    assert [(item.meter, item.price, item.above) for item in tiered.prices] == [
        ("input_tokens", "3", "0"),
        ("input_tokens", "6", "200000"),
        ("input_tokens", "9", "400000"),
        ("output_tokens", "15", "0"),
        ("output_tokens", "22.5", "200000"),
    ]
    before = list_prices(ready, "acme", "dated", datetime(2026, 10, 1, tzinfo=UTC))[0]
    assert (before.prices[0].price, before.since, before.until) == ("2", "", "2026-11-01T00:00:00+00:00")
    after = list_prices(ready, "acme", "dated", NOW)[0]
    assert (after.prices[0].price, after.since, after.until) == ("1", "2026-11-01T00:00:00+00:00", "")
    standard, batch = list_prices(ready, "acme", "batch", NOW)
    assert (standard.context, batch.context) == ({}, {"processing": "batch"})
    (egress,) = list_prices(ready, "any", "egress", NOW)
    assert [(item.price, item.above, item.note) for item in egress.prices] == [
        ("0.09", "0", "first 1 free; graduated"),
        ("0.05", "10", "first 1 free; graduated"),
    ]
    (unknown,) = list_prices(ready, "acme", "zip", NOW)
    assert unknown.reason.startswith("genai-prices has no model")


def test_show_of_a_book_rule_in_full() -> None:
    full = rule(
        {"gb": {"price": "1", "minimum": "2", "rounding": {"step": 60}, "included_in": "compute_seconds"}}
    )
    full["prices"][0] |= {"from": "2026-01-01", "to": "2026-12-01", "checked": "2026-01-01"}
    ready = catalog(price_books=[book({**full, "assumes": {"region": "us-1"}})])
    (shown,) = list_prices(ready, "x", "box", NOW)
    assert shown.prices[0].note == "at least 2 USD; in steps of 60, up; included in compute_seconds"
    assert (shown.checked, shown.where) == ("2026-01-01", {"region": ["us-1"]})
    (none,) = list_prices(ready, "x", "box", datetime(2027, 1, 1, tzinfo=UTC))
    assert (none.reason, none.prices) == ("no price at this time", [])


def test_plan_says_what_a_new_catalog_changes() -> None:
    events = [
        event({"input_tokens": 1_000_000}, id="1", team="a"),
        event({"input_tokens": 1_000_000}, id="2", team="b"),
        event({"gb": 1}, "zip", id="3", team="b", kind="storage"),
        event({"input_tokens": 1, "prompt_tokens": 2}, id="4"),
        event({"output_tokens": 1}, id="5"),
    ]
    old = catalog()
    new = catalog(
        rates(model("plain", {"input_mtok": "4", "output_mtok": "15"})),
        price_books=[book(rule({"gb": {"price": "7"}}, "zip"))],
        required_tags=[{"require": "team", "action": "dead_letter"}],
    )
    found = plan(old, new, events, by=("team",))
    assert [(group.group["team"], group.change, group.changed) for group in found.groups] == [
        ("b", "8", 2),
        ("a", "1", 1),
        ("", "-0.000015", 1),
    ]
    total = found.total
    assert (total.before, total.after, total.change) == ("6.000015", "15", "8.999985")
    assert (total.events, total.unpriced_before, total.unpriced_after, total.refused_after) == (5, 1, 0, 2)


def test_a_comparison_counts_estimated_events_on_both_sides() -> None:
    tokens = {"input_tokens": 1_000_000}
    guessed = [event(tokens, "plain-latest", id="1"), event(tokens, "plain-latest", id="2")]
    known = rates(PLAIN, model("plain-latest", {"input_mtok": "3", "output_mtok": "15"}))
    total = plan(catalog(), catalog(known), [*guessed, event(tokens, id="3")]).total
    assert (total.estimated_before, total.estimated_after, total.unpriced_after) == (2, 0, 0)
    assert (total.change, total.changed) == ("0", 2), "a price that is no longer a guess is a change"


def test_what_if_another_model_had_answered() -> None:
    ready = catalog(rates(PLAIN, model("cheap", {"input_mtok": "1"})))
    events = [event({"input_tokens": 1_000_000}), event({"gb": 1}, "x", kind="storage")]
    found = compare(lambda one: price(one, ready), as_model(ready, "acme", "cheap"), events)
    assert (found.total.before, found.total.after, found.total.unpriced_after) == ("3", "1", 1)


def test_what_if_a_book_came_first() -> None:
    own = book(rule({"input_tokens": {"price": "1", "per": 1_000_000}}, "plain"))
    base = source(price_books=[book(rule({} | {"gb": {"price": 1}}), name="first"), own])
    found = plan(CompiledCatalog(base), CompiledCatalog(only_book(base, "own")),
                 [event({"input_tokens": 1_000_000})])  # fmt: skip
    assert (found.total.before, found.total.after) == ("3", "1")
    with pytest.raises(ValueError, match="no price book is called 'x'; there are: first, own"):
        only_book(base, "x")


def test_old_prices_are_reported() -> None:
    fresh = book(rule({"gb": {"price": 1}}), name="fresh", checked="2026-11-01")
    old = book(rule({"gb": {"price": 1}}), name="old", checked="2025-01-01")
    undated = book(rule({"gb": {"price": 1}}), name="undated")
    found = stale(source(rates(), price_books=[fresh, old, undated]), datetime(2026, 12, 15, tzinfo=UTC))
    assert [(item.name, item.days) for item in found] == [
        ("test-prices 1", 44),
        ("price book old", 713),
        ("price book undated", -1),
    ]
    assert "1 of 1 prices were last compared with their source more than 365 days ago" in found[1].message
    patient = old.model_copy(update={"max_age_days": 800})
    assert stale(source(rates(), price_books=[patient]), datetime(2026, 12, 15, tzinfo=UTC))[1:] == []
    eager = fresh.model_copy(update={"max_age_days": 1})
    assert "price book fresh" in {item.name for item in stale(source(rates(), price_books=[eager]), NOW)}
    nothing = source(rates()).model_copy(update={"rates": None})
    assert stale(nothing, NOW) == []


def test_a_price_that_is_over_does_not_grow_old() -> None:
    spans = [
        {"to": "2025-01-01", "checked": "2024-01-01", "meters": {"gb": {"price": 2}}},
        {"from": "2025-01-01", "checked": "2026-11-01", "meters": {"gb": {"price": 1}}},
    ]
    kept = book({"id": "r", "sku": "x", "prices": spans}, name="kept")
    catalog = source(rates(), price_books=[kept])
    assert "kept" not in {item.name for item in stale(catalog, datetime(2026, 11, 24, tzinfo=UTC))}
    assert "price book kept" in {item.name for item in stale(catalog, datetime(2030, 1, 1, tzinfo=UTC))}
    assert date(2026, 11, 1) == rates().date


def test_a_reported_cost_that_counts_is_a_step_of_its_own() -> None:
    found = explain(event({"input_tokens": 1}, "unknown", reported_cost=Decimal("0.25")), catalog())
    assert [(step.amount, step.note) for step in found.steps] == [
        ("0.25", "reported by the producer; by the policy for reported costs it counts")
    ]


def test_the_tier_and_the_context_of_a_price_are_said() -> None:
    ready = catalog(rates(TIERED, BATCH))
    low, high = (explain(event({"input_tokens": count}, "tiered"), ready).steps[0] for count in (10, 300_000))
    assert (low.note, high.note) == ("", "above 200000 input tokens")
    batch = explain(event({"input_tokens": 10}, "batch", attributes={"processing": "batch"}), ready)
    assert batch.steps[0].note == "processing=batch"
