"""Tiers whose price is published as a factor of the model's own price, and costs that a gateway states."""

from decimal import Decimal
from typing import Any

import pytest
from pydantic import ValidationError
from tests.support.catalogs import book, catalog, event, model, rates

from outlay.catalog import load_default
from outlay_pricer.domain import CompiledCatalog
from outlay_pricer.domain.explain import explain
from outlay_pricer.domain.pricing import price
from outlay_schemas.catalog import BookRule

USAGE = {"input_tokens": 100_000, "output_tokens": 1_000}


def tier(factor: str, **where: str) -> dict[str, Any]:
    return {"id": f"f-{'-'.join(where.values())}", "sku": "*", "where": where, "prices": [{"factor": factor}]}


@pytest.fixture(scope="module")
def shipped() -> CompiledCatalog:
    return CompiledCatalog(load_default())


@pytest.mark.parametrize(
    ("provider", "sku", "attributes", "cost", "status"),
    [
        ("google", "gemini-2.5-pro", {"traffic_type": "ON_DEMAND"}, "0.135", "priced"),
        ("google", "gemini-2.5-pro", {"traffic_type": "ON_DEMAND_PRIORITY"}, "0.243", "priced"),
        ("google", "gemini-2.5-pro", {"traffic_type": "ON_DEMAND_FLEX"}, "0.0675", "priced"),
        ("google", "gemini-2.5-pro", {"service_tier": "flex"}, "0.0675", "priced"),
        ("google", "gemini-2.5-pro", {"traffic_type": "PROVISIONED_THROUGHPUT"}, "0", "free"),
        ("google", "gemini-2.5-pro", {"traffic_type": "ON_DEMAND_NEW"}, "0.135", "estimated"),
        ("anthropic", "claude-opus-4-6", {"inference_geo": "global"}, "0.525", "priced"),
        ("anthropic", "claude-opus-4-6", {"inference_geo": "us"}, "0.5775", "priced"),
        ("anthropic", "claude-opus-4-8", {"inference_geo": "us", "processing": "batch"}, "0.28875", "priced"),
        ("anthropic", "claude-opus-4-8", {"speed": "fast", "inference_geo": "us"}, "1.155", "priced"),
        ("aws", "amazon.nova-pro-v1:0", {"processing": "batch"}, "0.0416", "priced"),
        ("aws", "amazon.nova-pro-v1:0", {"service_tier": "priority"}, "0.1456", "priced"),
        ("aws", "us.amazon.nova-pro-v1:0", {"service_tier": "flex"}, "0.0416", "priced"),
        ("aws", "amazon.nova-premier-v1:0", {"service_tier": "flex"}, "0.2625", "estimated"),
        ("google", "gemini-2.5-flash", {"service_tier": "priority"}, "0.0585", "priced"),
        ("aws", "amazon.nova-pro-v1:0", {"latency": "optimized"}, "0.0832", "estimated"),
        (
            "aws",
            "amazon.nova-pro-v1:0",
            {"service_tier": "default", "latency": "standard"},
            "0.0832",
            "priced",
        ),
    ],
)
def test_the_factors_that_come_with_outlay(
    shipped: CompiledCatalog, provider: str, sku: str, attributes: dict[str, str], cost: str, status: str
) -> None:
    priced = price(event(USAGE, sku, provider, attributes=attributes), shipped)
    assert (priced.cost, priced.price_status) == (cost, status), priced.price_ref


@pytest.mark.parametrize(
    ("sku", "provider", "usage", "attributes", "cost"),
    [
        # Anthropic: usage.speed fast of Opus 4.8 is twice the price, 5 and 25 USD per million.
        ("claude-opus-4-8", "anthropic", {"input_tokens": 20_000, "output_tokens": 20_000}, {}, "0.6"),
        ("claude-opus-4-8", "anthropic", {"input_tokens": 20_000, "output_tokens": 20_000}, {"speed": "fast"}, "1.2"),
        # Compaction: two iterations of one answer, 203,000 in and 4,500 out together.
        ("claude-opus-4-8", "anthropic", {"input_tokens": 203_000, "output_tokens": 4_500}, {}, "1.1275"),
        # A cache written for one hour costs twice the input price, not 1.25 times.
        (
            "claude-sonnet-4-5",
            "anthropic",
            {"input_tokens": 100_000, "cache_write_tokens": 100_000, "cache_write_1h_tokens": 100_000},
            {},
            "0.6",
        ),
        # OpenAI: priority is 2.5 and 20, cached input a tenth of it.
        (
            "gpt-5",
            "openai",
            {"input_tokens": 10_000, "cache_read_tokens": 9_000, "output_tokens": 10},
            {"service_tier": "priority"},
            "0.00495",
        ),
        ("gpt-5", "openai", {"input_tokens": 10_000}, {"service_tier": "flex"}, "0.00625"),
        ("gpt-4o", "openai", {"input_tokens": 100_000, "output_tokens": 1_000}, {"service_tier": "batch"}, "0.13"),
    ],
)  # fmt: skip
def test_fields_of_a_response_that_decide_its_price(
    shipped: CompiledCatalog,
    sku: str,
    provider: str,
    usage: dict[str, Any],
    attributes: dict[str, str],
    cost: str,
) -> None:
    priced = price(event(usage, sku, provider, attributes=attributes), shipped)
    assert (priced.cost, priced.price_status) == (cost, "priced"), priced.price_ref


def test_a_factor_names_its_source(shipped: CompiledCatalog) -> None:
    found = explain(
        event(USAGE, "amazon.nova-pro-v1:0", "aws", attributes={"service_tier": "priority"}), shipped
    )
    assert [(one.book, one.rule, one.checked) for one in found.sources[1:]] == [
        ("llm-tiers", "bedrock-priority", "2026-11-20")
    ]
    assert found.sources[1].source.startswith("https://")


def test_a_factor_comes_after_the_figures_of_a_model_and_explains_itself() -> None:
    fast = {"when": {"speed": "fast"}, "prices": {"input_mtok": "30", "output_mtok": "150"}}
    data = rates(model("plain", {"input_mtok": "3", "output_mtok": "15"}, price_variants=[fast]))
    ready = catalog(
        data, price_books=[book(tier("2", speed="fast"), tier("1.5", mode="us"), tier("3", mode="eu"))]
    )
    own = price(event(USAGE, attributes={"speed": "fast"}), ready)
    assert (own.cost, own.price_ref) == ("3.15", "test-prices@1#acme/plain")
    both = event(USAGE, attributes={"speed": "fast", "mode": "us"})
    assert (price(both, ready).cost, price(both, ready).price_status) == ("4.725", "priced")
    assert price(both, ready).price_ref == "test-prices@1#acme/plain+own/f-us"
    assert sum(Decimal(step.amount) for step in explain(both, ready).steps) == Decimal("4.725")
    other = price(event(USAGE, attributes={"mode": "mars"}), ready)
    assert (other.cost, other.price_ref) == ("0.315", "test-prices@1#acme/plain~mode=mars")


def test_a_price_is_either_meters_or_a_factor() -> None:
    for prices in ({}, {"meters": {"units": {"price": 1}}, "factor": 2}):
        with pytest.raises(ValidationError, match="either meters or factor"):
            BookRule.model_validate({"id": "a", "sku": "*", "prices": [prices]})


@pytest.mark.parametrize(
    ("provider", "cost", "status"),
    [("openrouter", "0.5", "reported"), ("vercel", "0.5", "reported"), ("acme", "0.3", "priced")],
)
def test_what_a_routing_gateway_states_counts_by_default(provider: str, cost: str, status: str) -> None:
    sent = event({"input_tokens": 100_000}, "plain", provider, reported_cost=Decimal("0.5"))
    for ready in (catalog(), catalog(reported=[{"match": {"provider": "elsewhere"}, "use": "computed"}])):
        priced = price(sent, ready)
        assert (priced.cost, priced.price_status) == (cost, status)
