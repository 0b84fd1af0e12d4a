"""The plain cases are priced as the general way prices them, whatever the event and the catalog say."""

from datetime import timedelta
from decimal import Decimal
from functools import cache
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.catalogs import NOW, event

from outlay.catalog import load_default
from outlay_pricer.domain import CompiledCatalog, cost_of, price, price_line
from outlay_pricer.domain.plain_cases import plain_price
from outlay_schemas.catalog import Catalog
from outlay_schemas.errors import Invalid
from outlay_schemas.events import CostEvent, Quantity, UsageEvent, cost_event_decoder
from outlay_schemas.money import to_pico

_OWNERS = {
    "aliases": [{"dimension": "team", "name": "growth", "aliases": ["grwth"]}],
    "owners": [{"key": "team", "value": "growth", "sets": {"business_unit": "sales"}}],
    "required_tags": [{"require": ["project"]}],
}


@cache
def _catalogs(*, owned: bool) -> tuple[CompiledCatalog, CompiledCatalog]:
    """Return one catalog twice: the second takes the general way always."""
    default = load_default()
    catalog = Catalog.model_validate({**default.model_dump(), **_OWNERS}) if owned else default
    quick, general = CompiledCatalog(catalog), CompiledCatalog(catalog)
    general.plain = False
    return quick, general


_MODELS = st.sampled_from(
    [
        ("openai", "gpt-4.1"), ("openai", "gpt-5-mini"), ("openai", "gpt-4o-audio-preview"), ("", "gpt-4o"),
        ("anthropic", "claude-sonnet-4-5"), ("anthropic", "claude-sonnet-4-5-20250929"), ("openai", "no-such"),
        ("google", "gemini-2.5-pro"), ("deepseek", "deepseek-chat"), ("aws", "us.anthropic.claude-haiku-4-5"),
        ("openrouter", "openai/gpt-4.1"), ("voyageai", "voyage-3"), ("groq", "llama-3.3-70b-versatile"),
    ]
)  # fmt: skip
_METERS = st.sampled_from(
    [
        "input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens", "output_reasoning_tokens",
        "cache_write_1h_tokens", "total_tokens", "prompt_tokens", "input_audio_tokens", "web_searches", "odd",
    ]
)  # fmt: skip
_SHAPES = st.sampled_from(
    [
        ("input_tokens", "output_tokens"), ("input_tokens", "cache_read_tokens", "output_tokens"),
        ("input_tokens", "output_tokens", "output_reasoning_tokens"), ("input_tokens", "output_tokens", "requests"),
        ("input_tokens", "output_tokens", "total_tokens"), ("input_tokens", "cache_write_tokens", "output_tokens"),
    ]
)  # fmt: skip
_COUNTS: st.SearchStrategy[Quantity] = (
    st.integers(0, 9000)
    | st.integers(0, 10**15)
    | st.sampled_from([Decimal("5.0"), Decimal("0.50"), Decimal(7)])
)
_LABEL = st.sampled_from([None, "", "growth", "grwth", 'q"\\uote\n', "Ünïcode 😀"])
_ATTRIBUTES = st.dictionaries(
    st.sampled_from(["region", "service_tier", "usage_convention", "usage_estimated", "api_url", "speed"]),
    st.sampled_from(
        ["us-east-1", "batch", "default", "input_excludes_cache", "https://api.openai.com", "fast"]
    ),
    max_size=2,
)


@st.composite
def _calls(draw: st.DrawFn) -> UsageEvent:
    provider, sku = draw(_MODELS)
    usage = draw(st.dictionaries(_METERS, _COUNTS, min_size=1, max_size=5))
    if draw(st.integers(0, 3)):
        usage = {meter: draw(_COUNTS) for meter in draw(_SHAPES)}
    return event(
        usage,
        provider_name=provider, sku=sku, time=NOW + draw(st.sampled_from([0, -400, 300, 0.8])) * timedelta(days=1),
        activity=draw(st.sampled_from([None, "inference", "other"])), tenant=draw(st.sampled_from(["", "acme"])),
        team=draw(_LABEL), project=draw(_LABEL), user=draw(_LABEL), attributes=draw(_ATTRIBUTES),
        tags=draw(st.dictionaries(st.sampled_from(["env", "é"]), st.sampled_from(["prod", '"']), max_size=2)),
        reported_cost=draw(st.sampled_from([None, None, None, Decimal("0.10")])),
    )  # fmt: skip


_KINDS = {
    "compute": ("aws", "p5.48xlarge"),
    "storage": ("aws", "s3-standard"),
    "transfer": ("aws", "internet"),
}


@st.composite
def _meters(draw: st.DrawFn) -> UsageEvent:
    kind = draw(st.sampled_from(list(_KINDS)))
    provider, sku = _KINDS[kind]
    return event(
        draw(st.dictionaries(st.sampled_from(["hours", "gb_hours", "gb"]), _COUNTS, min_size=1, max_size=2)),
        kind=kind, provider_name=provider, sku=sku, activity=None, attributes=draw(_ATTRIBUTES), team=draw(_LABEL),
    )  # fmt: skip


def _answer(sent: UsageEvent, catalog: CompiledCatalog) -> CostEvent | tuple[str, str]:
    try:
        return price(sent, catalog)
    except Invalid as refused:
        return refused.code, refused.message


@settings(max_examples=1000, deadline=None)
@given(_calls() | _meters(), st.booleans())
def test_the_quick_way_gives_the_general_answer(sent: UsageEvent, owned: bool) -> None:
    quick, general = _catalogs(owned=owned)
    answer = _answer(sent, quick)
    assert answer == _answer(sent, general)
    if isinstance(answer, CostEvent):
        cost = None if answer.cost is None else to_pico(answer.cost)
        assert cost_of(sent, quick) == cost_of(sent, general) == (cost, answer.price_status)


@pytest.mark.parametrize(
    "more", [{}, {"attributes": {"region": "eu"}}, {"team": "grwth"}, {"activity": None}]
)
def test_an_ordinary_call_is_a_plain_case(more: dict[str, Any]) -> None:
    for owned in (False, True):
        quick, _ = _catalogs(owned=owned)
        sent = event(
            {"input_tokens": 900, "output_tokens": 70}, provider_name="openai", sku="gpt-4.1", **more
        )
        assert plain_price(sent, quick) is not None
        assert price(sent, quick).cost == "0.00236"


def test_what_a_call_was_remembered_by_is_all_that_its_price_depends_on() -> None:
    """Other meters, times and terms of one model are other prices."""
    quick, general = _catalogs(owned=False)
    variants = [
        event(
            usage,
            provider_name="deepseek",
            sku="deepseek-chat",
            time=NOW + timedelta(days=days),
            attributes=about,
        )
        for usage in ({"input_tokens": 9}, {"input_tokens": 9, "output_tokens": 1}, {"output_tokens": 1})
        for days in (-600, 0, 0.8)
        for about in ({}, {"service_tier": "batch"})
    ]
    for sent in (*variants, *reversed(variants)):
        assert price(sent, quick) == price(sent, general)


def test_the_line_carries_the_stamp_of_acceptance() -> None:
    quick, general = _catalogs(owned=False)
    sent = event({"input_tokens": 1, "output_tokens": 1}, provider_name="openai", sku="gpt-4.1")
    lines = [price_line(sent, catalog, (1764547200123, 45)) for catalog in (quick, general)]
    costs = [cost_event_decoder.decode(line) for line, _ in lines]
    assert costs[0] == costs[1]
    assert (costs[0].accepted_ms, costs[0].accepted_seq) == (1764547200123, 45)
    assert [status for _, status in lines] == ["priced", "priced"]
