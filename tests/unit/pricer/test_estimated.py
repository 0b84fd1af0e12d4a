"""How sure a cost is: a price that rests on a guess is `estimated`, with the guess named, and never `priced`."""

from datetime import date
from decimal import Decimal
from typing import Any, get_args

import pytest
from tests.support.catalogs import PLAIN, book, catalog, event, model, provider, rates, rule, source

from outlay.catalog import load_default
from outlay.catalog.model_prices import from_library
from outlay_pricer.domain.catalog_index import CompiledCatalog
from outlay_pricer.domain.explain import explain
from outlay_pricer.domain.pricing import price
from outlay_schemas.catalog import are_guesses, parse_price_ref
from outlay_schemas.catalog.price_ref import CERTAIN, GUESSES, sentences
from outlay_schemas.errors import Invalid
from outlay_schemas.events import CostEvent, PriceStatus

USAGE = {"input_tokens": 1_000_000}


@pytest.fixture(scope="module")
def ready() -> CompiledCatalog:
    return CompiledCatalog(source(from_library(date(2026, 11, 24))))


@pytest.mark.parametrize(
    ("provider_name", "sku"),
    [
        ("openai", "gpt-4.1"),
        ("openai", "gpt-4.1-2025-04-14"),
        ("openai", "gpt-5-nano-2025-08-07"),
        ("openai", "ft:gpt-4o-2024-08-06:acme::abc123"),
        ("openai", "ft:gpt-3.5-turbo-0125:acme::id"),
        ("azure", "gpt-4o"),
        ("anthropic", "claude-sonnet-4-5-20250929"),
        ("anthropic", "claude-sonnet-4.5"),
        ("vertex_ai", "claude-3-5-sonnet@20240620"),
        ("google", "publishers/google/models/gemini-2.5-flash"),
        ("google", "models/gemini-2.5-pro"),
        ("google", "gemini-2.5-pro-preview-06-05"),
        ("aws", "us.anthropic.claude-sonnet-4-5-20250929-v1:0"),
        ("aws", "us.meta.llama3-1-70b-instruct-v1:0"),
        ("bedrock", "arn:aws:bedrock:us-east-1::foundation-model/amazon.nova-lite-v1:0"),
        ("litellm", "anthropic/claude-sonnet-4-5"),
        ("", "openrouter/anthropic/claude-sonnet-4.5"),
        ("azure-openai", "gpt-4o"),
        ("google.vertex", "gemini-2.5-flash"),
        ("aws.bedrock", "amazon.nova-lite-v1:0"),
    ],
)
def test_names_that_providers_document_are_priced(
    ready: CompiledCatalog, provider_name: str, sku: str
) -> None:
    cost = price(event(USAGE, sku, provider_name), ready)
    assert (cost.price_status, are_guesses(parse_price_ref(cost.price_ref).guesses)) == ("priced", False)


@pytest.mark.parametrize(
    ("provider_name", "sku", "guess"),
    [
        ("openai", "ft:gpt-4.1-2025-04-14:acme::abc123", "name-fine_tune"),
        ("openai", "gpt-4.1-2027-01-31", "name-date"),
        ("openai", "gpt-5-nano-hyper", "name-like"),
        ("anthropic", "claude-sonnet-4-5-turbo", "name-like"),
        ("google", "gemini-2.5-pro-native", "name-like"),
        (
            "aws",
            "arn:aws:bedrock:us-east-1:123456789012:custom-model/amazon.nova-lite-v1:0/a1b2",
            "name-like",
        ),
        ("aws", "eu.mistral.acme.amazon.nova-lite-special", "name-like"),
        ("together", "openai/gpt-4.1", "other-provider"),
        ("openai-compatible", "gpt-4.1", "provider-like"),
        ("", "gpt-4.1", "provider"),
    ],
)
def test_a_price_that_was_guessed_is_estimated_and_says_the_guess(
    ready: CompiledCatalog, provider_name: str, sku: str, guess: str
) -> None:
    explained = explain(event(USAGE, sku, provider_name), ready)
    assert (explained.event.price_status, explained.event.unpriced_meters) == ("estimated", [])
    assert Decimal(explained.event.cost or 0) > 0
    assert guess in parse_price_ref(explained.event.price_ref).guesses
    assert GUESSES[guess] in explained.guesses


def test_a_tier_that_no_price_knows_is_never_silently_the_standard_price() -> None:
    cost = price(
        event(USAGE, attributes={"service_tier": "scale"}),
        catalog(rates(PLAIN, neutral_contexts={"service_tier": ("default",)})),
    )
    assert (cost.price_status, cost.cost, cost.price_ref) == (
        "estimated", "3", "test-prices@1#acme/plain~service_tier=scale",
    )  # fmt: skip


def test_a_price_book_that_is_about_the_sku_comes_before_a_guess() -> None:
    own = book(rule({"input_tokens": {"price": "9", "per": 1_000_000}}, "plain-latest"))
    ready = catalog(price_books=[own])
    assert price(event(USAGE, "plain-latest"), ready).price_ref == "own@1#plain-latest"
    assert (
        price(
            event(USAGE, "plain"),
            catalog(price_books=[book(rule({"input_tokens": {"price": "9"}}, "plain"))]),
        ).cost
        == "3"
    ), "a price that is certain stays"
    part = price(event({**USAGE, "output_tokens": 5}, "plain-latest"), ready)
    assert (part.price_status, part.price_ref) == ("estimated", "test-prices@1#acme/plain~name-alias"), (
        "a book that knows a part only does not replace a guess at all of it"
    )


@pytest.mark.parametrize(
    ("meters", "more", "status"),
    [
        ({"crates": {"price": "1"}}, {}, "priced"),
        ({"crates": {"price": "1"}}, {"assumes": {"region": "eu"}}, "estimated"),
        ({"crates": {"price": "0"}}, {}, "free"),
        ({"crates": {"tiers": [{"up_to": 5, "price": "2"}, {"price": "1"}]}}, {}, "estimated"),
        ({"crates": {"tiers": [{"up_to": 5, "price": "2"}, {"price": "1"}], "position": "at"}}, {}, "priced"),
        ({"boxes": {"price": "1"}}, {}, "unpriced"),
    ],
)
def test_every_status_of_a_price_book(meters: dict[str, Any], more: dict[str, Any], status: str) -> None:
    ready = catalog(price_books=[book(rule(meters, **more))])
    for usage in ({"crates": 2}, {"crates": 2, "boxes": 0}):  # the short way and the long way
        cost = price(event(usage, "box", kind="custom", attributes={"at": "1"}), ready)
        assert cost.price_status == status


def test_no_status_is_left_out() -> None:
    """Every status comes of some event: what reads them (SQL, reports, alerts) has to know all of them."""
    ready = catalog(rates(PLAIN, model("gift", {"input_mtok": "0"})))
    events = [
        event(USAGE),
        event(USAGE, "plain-latest"),
        event(USAGE, "gift"),
        event(USAGE, "nothing"),
        event(USAGE, "nothing", reported_cost=Decimal(1)),
    ]
    assert {price(one, ready).price_status for one in events} == set(get_args(PriceStatus))


def test_what_the_producer_was_billed_is_better_than_a_guess() -> None:
    guessed = price(event(USAGE, "plain-latest", reported_cost=Decimal("2.5")), catalog())
    assert (guessed.cost, guessed.price_status, guessed.price_ref) == (
        "2.5",
        "reported",
        "reported@event#reported_cost~drift",
    )
    sure = price(event(USAGE, "plain", reported_cost=Decimal("2.5")), catalog())
    assert (sure.cost, sure.price_status) == ("3", "priced")


def test_a_part_without_a_price_outweighs_a_guess() -> None:
    cost = price(event({**USAGE, "crates": 1}, "plain-latest"), catalog())
    assert (cost.price_status, cost.cost, cost.unpriced_meters) == ("unpriced", "3", ["crates"])


def test_a_free_model_that_was_guessed_is_estimated() -> None:
    free = catalog(rates(model("gift", {"input_mtok": "0"})))
    assert price(event(USAGE, "gift"), free).price_status == "free"
    guessed = price(event(USAGE, "gift-latest"), free)
    assert (guessed.price_status, guessed.cost) == ("estimated", "0")


def test_every_word_has_a_sentence_and_an_unknown_one_is_a_guess() -> None:
    assert not set(CERTAIN) & set(GUESSES)
    assert all(sentences([word])[0][0].islower() for word in (*CERTAIN, *GUESSES))
    assert are_guesses(("drift", "region"))
    assert not are_guesses(("drift", "name-dots"))
    assert not are_guesses(())
    assert sentences(["region", "service_tier=x"]) == [
        "the event does not state its region: the one that the published price is for is assumed",
        "no price is known for service_tier x: the standard price is used",
    ]


def test_the_same_provider_by_its_prefix_is_no_other_provider() -> None:
    ready = catalog(rates(providers=[provider("big", [model("grand", {"input_mtok": "1"})])]))
    assert price(event(USAGE, "big/grand", "big"), ready).price_status == "priced"
    assert price(event(USAGE, "big/grand", "acme"), ready).price_status == "estimated"


def test_the_starter_book_has_the_rates_of_fine_tuned_models() -> None:
    shipped = CompiledCatalog(load_default())
    usage = {"input_tokens": 1_000_000, "cache_read_tokens": 400_000, "output_tokens": 1_000_000}

    def tuned(sku: str, **attributes: str) -> CostEvent:
        return price(event(usage, sku, "openai", attributes=attributes), shipped)

    standard = tuned("ft:gpt-4.1-2025-04-14:acme::abc123")
    assert (standard.cost, standard.price_status) == ("14.1", "priced")  # 1.8 + 0.3 + 12
    assert standard.cost_parts == {"input_tokens": "1.8", "cache_read_tokens": "0.3", "output_tokens": "12"}
    for batch in ({"service_tier": "batch"}, {"processing": "batch"}):
        assert tuned("ft:gpt-4.1-2025-04-14:acme::abc123", **batch).cost == "7.1"  # 0.9 + 0.2 + 6
    assert tuned("ft:gpt-4.1-mini-2025-04-14:acme::x").cost == "3.76"
    assert tuned("ft:gpt-4o-2024-08-06:acme::x").cost == "18"
    assert tuned("ft:o4-mini-2025-04-16:acme::x").cost == "18.8"
    tier = tuned("ft:gpt-4.1-2025-04-14:acme::x", service_tier="priority")
    assert (tier.cost, tier.price_status) == ("14.1", "estimated"), "no price is known for this tier"
    assert tier.price_ref.endswith("#ft-gpt-4.1~service_tier=priority")
    unknown = tuned("ft:gpt-5:acme::x")
    assert (unknown.price_status, unknown.price_ref.partition("~")[2]) == ("estimated", "name-fine_tune")
    training = event({"training_tokens": 2_000_000}, "gpt-4.1-2025-04-14", "openai", activity="training")
    assert (price(training, shipped).cost, price(training, shipped).price_status) == ("50", "priced")


def test_a_price_book_counts_tokens_as_the_model_prices_do() -> None:
    per = {"per": 1_000_000}
    meters = {"input_tokens": {"price": "2", **per}, "cache_read_tokens": {"price": "1", **per}}
    ready = catalog(price_books=[book(rule(meters, "own-model"))])
    cost = price(event({"input_tokens": 1_000_000, "cache_read_tokens": 400_000}, "own-model"), ready)
    assert cost.cost_parts == {"input_tokens": "1.2", "cache_read_tokens": "0.4"}, "no token is paid twice"
    talk = price(event({"input_tokens": 1_000_000, "input_audio_tokens": 400_000}, "own-model"), ready)
    assert (talk.cost_parts, talk.unpriced_meters) == ({"input_tokens": "1.2"}, ["input_audio_tokens"])
    with pytest.raises(Invalid, match=r"cache_read_tokens \(9\) cannot exceed input_tokens \(5\)"):
        price(event({"input_tokens": 5, "cache_read_tokens": 9}, "own-model"), ready)
    lenient = catalog(price_books=[book(rule(meters, "own-model"))], usage={"contradictions": "unpriced"})
    refused = price(event({"input_tokens": 5, "cache_read_tokens": 9}, "own-model"), lenient)
    assert (refused.cost, refused.price_ref) == (None, "own@1#!usage_contradictory")
