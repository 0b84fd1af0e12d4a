"""Tokens by modality: each is priced at its own modality's price or not at all, and cached ones once.

Sources of the payloads: OpenAI's Realtime API reference (`response.done`), Google's `UsageMetadata` reference.
"""

from datetime import date
from decimal import Decimal
from fractions import Fraction

import pytest
from genai_prices.data import providers
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.catalogs import UNITS, catalog, event, model, rates, source

from outlay.catalog.model_prices import from_library
from outlay_pricer.domain.catalog_index import CompiledCatalog
from outlay_pricer.domain.explain import explain
from outlay_pricer.domain.pricing import price
from outlay_pricer.domain.rate_compiler.exact import count
from outlay_pricer.domain.rate_compiler.units import Units
from outlay_schemas.events import CostEvent

READY = CompiledCatalog(source(from_library(date(2026, 11, 24))))
REALTIME = {"input_tokens": 132, "input_text_tokens": 119, "input_audio_tokens": 13, "cache_read_tokens": 64,
            "output_tokens": 121, "output_text_tokens": 30, "output_audio_tokens": 91}  # fmt: skip
GEMINI = {"input_tokens": 12_000, "input_audio_tokens": 3000, "cache_read_tokens": 8000, "output_tokens": 100}


def _realtime(**usage: int) -> CostEvent:
    return price(event({**REALTIME, **usage}, "gpt-realtime", "openai"), READY)


def test_the_cached_tokens_of_a_realtime_response_are_text() -> None:
    stated = _realtime(cache_text_read_tokens=64, cache_audio_read_tokens=0)
    left_out = _realtime(cache_text_read_tokens=64)
    assert (stated.cost, stated.price_status, stated.unpriced_meters) == ("0.0069656", "priced", [])
    assert (left_out.cost, left_out.price_status) == ("0.0069656", "priced"), (
        "64 of 64 are text: no audio is left"
    )


def test_the_cached_tokens_of_a_gemini_response_are_text() -> None:
    cost = price(event({**GEMINI, "cache_text_read_tokens": 8000}, "gemini-2.5-flash", "google"), READY)
    assert (cost.cost, cost.price_status) == ("0.00379", "priced")
    assert cost.cost_parts == {
        "input_tokens": "0.0003", "cache_read_tokens": "0.00024", "input_audio_tokens": "0.003",
        "output_tokens": "0.00025",
    }  # fmt: skip


def test_cached_tokens_of_an_unknown_modality_are_the_upper_bound_and_say_so() -> None:
    explained = explain(event(GEMINI, "gemini-2.5-flash", "google"), READY)
    assert (explained.event.cost, explained.event.price_status) == ("0.00379", "estimated")
    assert explained.event.price_ref.endswith("~modality-split")
    assert "how many cached tokens are audio is not stated" in explained.guesses[0]
    least = price(event({**GEMINI, "cache_read_tokens": 11_000}, "gemini-2.5-flash", "google"), READY)
    # 9,000 tokens are not audio, so that at least 2,000 of the 11,000 cached ones are.
    assert (
        Decimal(least.cost or 0) == (9000 * Decimal("0.03") + 2000 * Decimal("0.1") + 1000 + 250) / 1_000_000
    )


def test_cached_tokens_by_modality_add_up_to_their_total() -> None:
    parts = {"cache_text_read_tokens": 52, "cache_audio_read_tokens": 12}
    whole = _realtime(**parts)
    usage = {name: value for name, value in REALTIME.items() if name != "cache_read_tokens"}
    assert price(event({**usage, **parts}, "gpt-realtime", "openai"), READY).cost == whole.cost
    remaining = _realtime(input_audio_tokens=13, cache_text_read_tokens=52)
    assert remaining.price_status == "priced", (
        "12 of the 64 cached tokens are not text, and only audio is left"
    )
    assert remaining.cost == _realtime(cache_text_read_tokens=52, cache_audio_read_tokens=12).cost


def test_parts_that_do_not_add_up_are_marked_and_the_rest_is_text() -> None:
    cost = _realtime(input_text_tokens=100, cache_read_tokens=0)
    assert (cost.price_status, cost.price_ref.partition("~")[2]) == ("estimated", "modality-rest")
    assert Decimal(cost.cost or 0) == (119 * 4 + 13 * 32 + 30 * 16 + 91 * Decimal(64)) / 1_000_000
    tools = {"input_tokens": 110, "input_text_tokens": 100, "input_tool_tokens": 10}
    assert price(event(tools, "gemini-2.5-flash", "google"), READY).price_status == "priced", (
        "tokens of tools are in the total and in no modality"
    )


@pytest.mark.parametrize(
    ("usage", "unpriced", "cost"),
    [
        ({"input_tokens": 132, "input_audio_tokens": 13}, ["input_audio_tokens"], "0.0002975"),
        (
            {"input_tokens": 100, "output_tokens": 30, "output_audio_tokens": 20},
            ["output_audio_tokens"],
            "0.00035",
        ),
        (
            {"input_tokens": 100, "output_tokens": 30, "output_image_tokens": 20},
            ["output_image_tokens"],
            "0.00035",
        ),
        ({"input_tokens": 13, "input_audio_tokens": 13}, ["input_audio_tokens"], "0"),
        ({"input_tokens": 132, "input_audio_tokens": 0}, [], "0.00033"),
        ({"input_tokens": 132, "input_text_tokens": 132, "input_image_tokens": 0}, [], "0.00033"),
    ],
)
def test_a_modality_without_a_price_of_its_own_is_unpriced(
    usage: dict[str, int], unpriced: list[str], cost: str
) -> None:
    found = price(event(usage, "gpt-4o-audio-preview", "openai"), READY)
    assert (found.unpriced_meters, found.cost) == (unpriced, cost)
    assert found.price_status == ("unpriced" if unpriced else "priced")
    assert not set(unpriced) & set(found.cost_parts)


def test_audio_in_a_cache_without_an_audio_price_is_in_neither_price() -> None:
    card = catalog(rates(model("talk", {"input_mtok": "1", "cache_read_mtok": "0.1"})))
    usage = {
        "input_tokens": 100,
        "cache_read_tokens": 50,
        "input_audio_tokens": 30,
        "cache_audio_read_tokens": 20,
    }
    cost = price(event(usage, "talk"), card)
    assert cost.unpriced_meters == ["input_audio_tokens", "cache_audio_read_tokens"]
    assert cost.cost_parts == {"input_tokens": "0.00004", "cache_read_tokens": "0.000003"}


@pytest.mark.parametrize(
    ("provider_name", "sku", "usage"),
    [
        ("openai", "gpt-5", {"input_tokens": 100, "input_image_tokens": 60}),
        ("google", "gemini-2.5-pro", {"input_tokens": 100, "input_audio_tokens": 60}),
        ("google", "gemini-2.5-flash", {"input_tokens": 100, "input_video_tokens": 60}),
        (
            "google",
            "gemini-2.5-flash-tts",
            {"input_tokens": 10, "output_tokens": 60, "output_audio_tokens": 60},
        ),
        ("openai", "gpt-image-1", {"input_tokens": 10, "output_tokens": 60, "output_image_tokens": 60}),
        ("openai", "gpt-4o-mini-tts", {"input_tokens": 10, "output_tokens": 60, "output_audio_tokens": 60}),
    ],
)
def test_where_one_price_is_published_for_all_modalities_it_is_used(
    provider_name: str, sku: str, usage: dict[str, int]
) -> None:
    cost = price(event(usage, sku, provider_name), READY)
    assert (cost.price_status, cost.unpriced_meters) == ("priced", [])


def test_models_that_their_provider_offers_free_are_free() -> None:
    names = [(p.id, m.id) for p in providers for m in p.models if m.id.endswith(":free")]
    assert len([name for name in names if name[0] == "openrouter"]) == 155
    names += [
        ("google", "gemma-3-27b-it"),
        ("google", "gemma-4-31b-it"),
        ("openai", "omni-moderation-latest"),
    ]
    names += [("github-copilot", "gpt-4.1")]
    usage = {"input_tokens": 9, "cache_read_tokens": 7, "output_tokens": 3, "output_audio_tokens": 2}
    for provider_name, sku in names:
        cost = price(event(usage, sku, provider_name), READY)
        assert (cost.price_status, cost.cost, cost.unpriced_meters) == ("free", "0", []), (provider_name, sku)
    fee = price(event({**usage, "web_searches": 1}, "deepseek/deepseek-r1:free", "openrouter"), READY)
    assert (fee.price_status, fee.unpriced_meters) == ("unpriced", ["web_searches"]), (
        "a tool's fee is not free"
    )
    explained = explain(event(usage, "deepseek/deepseek-r1:free", "openrouter"), READY)
    assert explained.sources[0].rule == "openrouter/deepseek/deepseek-r1:free"


def test_a_model_without_a_price_that_is_not_known_as_free_is_unpriced() -> None:
    cost = price(event({"input_tokens": 5}, "google/lyria-3-pro-preview", "openrouter"), READY)
    assert (cost.price_status, cost.cost) == ("unpriced", None)


_TALK = model("talk", {"input_mtok": "4", "cache_read_mtok": "0.4", "input_audio_mtok": "32",
                       "cache_audio_read_mtok": "0.4"})  # fmt: skip
_TALKING = catalog(rates(_TALK))


@settings(max_examples=300, deadline=None)
@given(st.integers(0, 60), st.integers(0, 60), st.integers(0, 60), st.integers(0, 60))
def test_p12_every_token_is_counted_once_and_the_bound_holds(
    text: int, audio: int, cached_text: int, cached_audio: int
) -> None:
    """Whatever of the truth an event leaves out, it is priced, and the truth costs no more."""
    cached_text, cached_audio = min(text, cached_text), min(audio, cached_audio)
    true = {"input_tokens": text + audio, "input_audio_tokens": audio, "cache_read_tokens": cached_text + cached_audio,
            "cache_audio_read_tokens": cached_audio}  # fmt: skip
    stated = price(event(true, "talk"), _TALKING)
    explained = {name: value for name, value in true.items() if name != "cache_audio_read_tokens"}
    bound = price(event(explained, "talk"), _TALKING)
    assert stated.price_status in {"priced", "free"}
    assert bound.price_status in {"priced", "estimated", "free"}
    assert Decimal(bound.cost or 0) >= Decimal(stated.cost or 0)
    if bound.price_status == "priced":
        assert bound.cost == stated.cost
    units = Units(UNITS)
    priced = [units.by_price[key] for key in _TALK["prices"]]
    for usage in (true, explained):
        own = count(units, priced, usage).own
        assert sum(Fraction(value) for value in own.values()) == text + audio
