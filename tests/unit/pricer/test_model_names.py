"""Model names as they come: found by rule, else by a guess that is marked, else unknown."""

from datetime import date
from typing import Any

import pytest
from tests.support.catalogs import NOW, PLAIN, catalog, event, model, provider, rates, source

from outlay.catalog.model_prices import from_library
from outlay_pricer.domain.catalog_index import CompiledCatalog
from outlay_pricer.domain.pricing import price
from outlay_pricer.domain.rate_compiler.model_matcher import dash_dates
from outlay_pricer.domain.rate_compiler.rate_book import MAX_LINES, RateBook, candidates, split_prefix
from outlay_schemas.catalog import parse_price_ref


@pytest.fixture(scope="module")
def ready() -> CompiledCatalog:
    return CompiledCatalog(source(from_library(date(2026, 11, 24))))


@pytest.mark.parametrize(
    ("provider_name", "sku", "rule", "guesses"),
    [
        ("anthropic", "claude-sonnet-4-5", "anthropic/claude-sonnet-4-5", ()),
        ("anthropic", "Claude-Sonnet-4-5-20250929", "anthropic/claude-sonnet-4-5", ()),
        ("", "claude-sonnet-4-5", "anthropic/claude-sonnet-4-5", ("provider",)),
        ("vertex_ai", "claude-3-5-sonnet@20240620", "google/claude-3-5-sonnet", ()),
        ("google", "publishers/google/models/gemini-2.5-flash", "google/gemini-2.5-flash", ("name-path",)),
        ("litellm", "anthropic/claude-sonnet-4-5", "anthropic/claude-sonnet-4-5", ()),
        (
            "",
            "openrouter/anthropic/claude-sonnet-4.5",
            "openrouter/anthropic/claude-sonnet-4.5",
            ("name-prefix",),
        ),
        ("", "vertex_ai/claude-3-5-sonnet@20240620", "google/claude-3-5-sonnet", ("name-prefix",)),
        ("azure", "gpt-4o", "azure:openai/gpt-4o", ("fallback",)),
        ("openai", "ft:gpt-4o-2024-08-06:acme::abc123", "openai/ft:gpt-4o", ()),
        ("anthropic", "claude-sonnet-4.5-20250929-v1:0", "anthropic/claude-sonnet-4-5", ()),
    ],
)
def test_a_name_from_the_wild(
    ready: CompiledCatalog, provider_name: str, sku: str, rule: str, guesses: tuple[str, ...]
) -> None:
    ref = parse_price_ref(price(event({"input_tokens": 5}, sku, provider_name), ready).price_ref)
    assert (ref.rule, ref.guesses) == (rule, guesses)


@pytest.mark.parametrize(
    ("sku", "guesses"),
    [
        ("us.meta.acme-7-1-v2:0", ("name-region", "name-version", "name-vendor", "name-dots")),
        ("arn:aws:bedrock:us-east-1:123456789012:inference-profile/eu.meta.acme-7.1-v1:0",
         ("name-arn", "name-region", "name-version", "name-vendor")),
        ("anthropic.acme-7.1:200k", None),
        ("acme-7.1@20250101", ("name-version",)),
        ("projects/p/locations/l/publishers/x/models/acme-7.1@001", ("name-path", "name-version")),
        ("ft:acme-7.1:org:name:id", ("name-fine_tune",)),
        ("acme-7.1:nitro", ("name-route",)),
        ("acme-7.1-2025-01-31", ("name-date",)),
        ("acme-7.1-0613", ("name-date",)),
        ("acme-7.1-latest", ("name-alias",)),
        ("acme-7-1", ("name-dots",)),
        ("acme/acme-7.1", ("name-prefix",)),
        ("acme/acme-7.1-latest", ("name-prefix", "name-alias")),
        ("acme/other", None),
        ("unknown/acme-7.1", None),
        ("acme-7.1:free", None),
        ("acme-8", None),
    ],
)  # fmt: skip
def test_a_guess_is_marked_and_what_cannot_be_guessed_is_unknown(
    sku: str, guesses: tuple[str, ...] | None
) -> None:
    cost = price(event({"input_tokens": 5}, sku), catalog(rates(model("acme-7.1", {"input_mtok": "1"}))))
    ref = parse_price_ref(cost.price_ref)
    if guesses is None:
        assert (ref.reason, cost.cost) == ("model_unknown", None)
    else:
        assert (ref.rule, ref.guesses) == ("acme/acme-7.1", guesses)


def test_azure_deployments_are_named_in_the_catalog_and_are_no_guess() -> None:
    deployments = [
        {"deployment": "chat-prod", "model": "plain"},
        {"deployment": "shared", "resource": "eu", "model": "plain"},
        {"deployment": "shared", "resource": "us", "model": "other"},
    ]
    data = rates(providers=[provider("azure", [PLAIN, model("other", {"input_mtok": "7"})])])
    ready = catalog(data, azure_deployments=deployments)

    def ref(sku: str, **attributes: str) -> str:
        return price(event({"input_tokens": 5}, sku, "azure", attributes=attributes), ready).price_ref

    assert ref("Chat-Prod") == ref("chat-prod", azure_resource="x") == "test-prices@1#azure/plain"
    assert ref("shared", azure_resource="eu") == "test-prices@1#azure/plain"
    assert ref("shared", azure_resource="us") == "test-prices@1#azure/other"
    assert ref("shared").endswith("!model_unknown")


def test_the_url_called_names_the_provider_where_nothing_else_does() -> None:
    def ref(**more: Any) -> str:
        return price(event({"input_tokens": 5}, **more), catalog()).price_ref

    url = {"api_url": "https://api.acme.com/v1/chat"}
    assert ref(provider_name="", attributes=url) == "test-prices@1#acme/plain"
    assert ref(provider_name="", attributes={"api_url": "https://x.org"}).endswith("!provider_unknown")
    assert ref(provider_name="other", attributes=url).endswith("!provider_unknown")


def test_a_provider_goes_by_several_names() -> None:
    named = provider("big", [PLAIN], provider_match={"and": [{"contains": "big"}, {"ends_with": "corp"}]},
                     model_match={"regex": "^pl"})  # fmt: skip
    ready = catalog(rates(providers=[named]))
    assert (
        price(event({"input_tokens": 5}, provider_name=" The Big Corp "), ready).price_ref
        == "test-prices@1#big/plain~provider-like"
    )
    unnamed = price(event({"input_tokens": 5}, provider_name=""), ready)
    assert unnamed.price_ref == "test-prices@1#big/plain~provider", (
        "whose it is was a guess, and that is said"
    )
    assert (
        price(event({"input_tokens": 5}, provider_name="big"), ready).price_ref == "test-prices@1#big/plain"
    )


def test_the_first_rule_that_fits_wins_exact_or_not() -> None:
    models = [
        {
            "id": "one",
            "match": {"or": [{"starts_with": "a-"}, {"equals": "b-1"}]},
            "prices": {"input_mtok": "1"},
        },
        {"id": "two", "match": {"equals": "a-2"}, "prices": {"input_mtok": "2"}},
        {"id": "three", "match": {"equals": "b-2"}, "prices": {"input_mtok": "3"}},
        {"id": "four", "match": {"starts_with": "b-"}, "prices": {"input_mtok": "4"}},
    ]
    book = RateBook(rates(*models))
    found = {name: book.find("acme", name).model for name in ("a-2", "b-1", "b-2", "b-3")}
    assert found == {"a-2": "one", "b-1": "one", "b-2": "three", "b-3": "four"}
    with pytest.raises(ValueError, match="unknown matching rule 'sounds_like'"):
        RateBook(rates({"id": "x", "match": {"sounds_like": "x"}, "prices": {}})).find("acme", "x")


def test_compact_dates_are_written_as_the_data_does() -> None:
    assert dash_dates("gpt-5.2-20251211") == "gpt-5.2-2025-12-11"
    assert dash_dates("m-20240229") == "m-2024-02-29"
    assert dash_dates("m-20250229") == "m-20250229", "there was no such day"
    assert dash_dates("m-20250431:free") == "m-20250431:free"
    dated = {"id": "d", "match": {"equals": "gpt-2025-12-11"}, "prices": {"input_mtok": "1"}}
    assert RateBook(rates(dated)).find("acme", "gpt-20251211").model == "d"


def test_a_flood_of_names_is_forgotten_not_kept() -> None:
    book = RateBook(rates())
    for index in range(MAX_LINES):
        book.line("acme", f"x{index}")
    assert book.quote("acme", "plain", {"input_tokens": 5}, NOW)[2] == (15_000_000, 15_000_000)
    assert book.line.cache_info().currsize == MAX_LINES
    ready = catalog()
    from outlay_pricer.domain import catalog_index

    for index in range(catalog_index.MAX_RULES + 5):
        ready.candidates("llm", "acme", str(index))
    assert ready.candidates.cache_info().currsize == catalog_index.MAX_RULES


def test_candidates_and_prefixes() -> None:
    assert list(candidates("plain")) == []
    assert split_prefix("a/b/c") == ("a", "b/c")
    assert split_prefix("a/") is None
    assert split_prefix("abc") is None
