"""The field's complaints about wrong prices (features.md §2), each with a test that names it. Real price data."""

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from tests.support.catalogs import NOW, event

from outlay.catalog.model_prices import from_library
from outlay_pricer.domain.catalog_index import CompiledCatalog
from outlay_pricer.domain.explain import explain
from outlay_pricer.domain.pricing import price
from outlay_schemas.catalog import Catalog, RateData
from outlay_schemas.catalog.freshness import stale
from outlay_schemas.errors import Invalid
from outlay_schemas.events import CostEvent

_M = Decimal(1_000_000)


@pytest.fixture(scope="module")
def data() -> RateData:
    return from_library(date(2026, 11, 24))


@pytest.fixture(scope="module")
def ready(data: RateData) -> CompiledCatalog:
    return CompiledCatalog(Catalog(revision=1, created_at=NOW, rates=data))


def _claude(ready: CompiledCatalog, usage: dict[str, Any], **more: Any) -> CostEvent:
    return price(event(usage, "claude-sonnet-4-5", "anthropic", **more), ready)


def test_complaint_1_cache_tokens_are_not_priced_twice(ready: CompiledCatalog) -> None:
    total = _claude(ready, {"input_tokens": 4808, "cache_read_tokens": 4096, "output_tokens": 110})
    expected = (712 * 3 + 4096 * Decimal("0.3") + 110 * 15) / _M
    assert Decimal(total.cost or "") == expected
    exclusive = _claude(
        ready,
        {"input_tokens": 712, "cache_read_input_tokens": 4096, "output_tokens": 110},
        attributes={"usage_convention": "input_excludes_cache"},
    )
    assert Decimal(exclusive.cost or "") == expected, "Anthropic's own counting comes to the same"
    assert exclusive.usage == {"input_tokens": 712, "cache_read_input_tokens": 4096, "output_tokens": 110}


def test_complaint_1_a_cache_larger_than_its_input_is_a_dead_letter_not_a_guess(
    ready: CompiledCatalog,
) -> None:
    with pytest.raises(
        Invalid, match=r"cache_read_tokens \(4096\) cannot exceed input_tokens \(712\)"
    ) as refused:
        _claude(ready, {"input_tokens": 712, "cache_read_tokens": 4096, "output_tokens": 110})
    assert refused.value.code == "usage_contradictory"


def test_complaint_2_an_unknown_model_is_unpriced_never_0(ready: CompiledCatalog) -> None:
    cost = price(event({"input_tokens": 10}, "gpt-17-hyper", "openai"), ready)
    assert (cost.cost, cost.price_status, cost.unpriced_meters) == (None, "unpriced", ["input_tokens"])
    assert cost.price_ref.endswith("#!model_unknown")
    assert price(event({"input_tokens": 10}, "x", "no-such"), ready).price_ref.endswith("#!provider_unknown")


def test_complaint_2_a_gateway_that_reports_0_for_a_model_it_does_not_know_hides_nothing(
    ready: CompiledCatalog,
) -> None:
    sent = event({"input_tokens": 10}, "gpt-17-hyper", "openai", reported_cost=Decimal(0))
    cost = price(sent, ready)
    assert (cost.cost, cost.price_status, cost.reported_cost) == (None, "unpriced", "0")
    paid = price(event({"input_tokens": 10}, "gpt-17-hyper", "openai", reported_cost=Decimal("0.25")), ready)
    assert (paid.cost, paid.price_status) == ("0.25", "reported")


def test_complaint_3_the_service_tier_that_was_served_decides(ready: CompiledCatalog, data: RateData) -> None:
    tiers = {
        tier: price(
            event(
                {"input_tokens": 1000, "output_tokens": 10},
                "gpt-5",
                "openai",
                attributes={"service_tier": tier},
            ),
            ready,
        )
        for tier in ("default", "flex", "priority", "nonsense")
    }
    costs = {tier: Decimal(cost.cost or "") for tier, cost in tiers.items()}
    assert costs["flex"] < costs["default"] < costs["priority"]
    assert "~" not in tiers["flex"].price_ref + tiers["default"].price_ref
    assert tiers["nonsense"].price_ref.endswith("~service_tier=nonsense"), "a tier without a price is said"


def test_complaint_3_fast_mode_has_its_price_and_a_region_without_one_is_said(ready: CompiledCatalog) -> None:
    usage = {"input_tokens": 1000, "output_tokens": 10}
    plain, fast = (
        price(event(usage, "claude-opus-5-5", "anthropic", attributes={"speed": speed}), ready)
        for speed in ("standard", "fast")
    )
    assert Decimal(fast.cost or "") > Decimal(plain.cost or "")
    assert "~" not in plain.price_ref + fast.price_ref


def test_complaint_4_a_batch_call_gets_the_batch_price_cache_included(ready: CompiledCatalog) -> None:
    usage = {"input_tokens": 4808, "cache_read_tokens": 4096, "output_tokens": 110}
    batch = _claude(ready, usage, attributes={"service_tier": "batch"})
    assert Decimal(batch.cost or "") * 2 == Decimal(_claude(ready, usage).cost or "")
    assert batch.cost == _claude(ready, usage, attributes={"processing": "batch"}).cost


def test_complaint_4_a_repeated_poll_is_the_same_event(ready: CompiledCatalog) -> None:
    first, again = (_claude(ready, {"input_tokens": 10}, id="batch-1") for _ in range(2))
    assert (first.id, first.fingerprint, first.cost) == (again.id, again.fingerprint, again.cost)


def test_complaint_5_audio_is_not_priced_as_text(ready: CompiledCatalog) -> None:
    text = price(event({"input_tokens": 1000}, "gemini-2.5-flash", "google"), ready)
    audio = price(
        event({"input_tokens": 1000, "input_audio_tokens": 1000}, "gemini-2.5-flash", "google"), ready
    )
    assert Decimal(audio.cost or "") > Decimal(text.cost or "")
    assert list(audio.cost_parts) == ["input_audio_tokens"]


def test_complaint_5_image_tokens_have_their_own_rate(ready: CompiledCatalog) -> None:
    usage = {"input_tokens": 100, "output_tokens": 1000}
    text = price(event(usage, "gemini-2.5-flash-image", "google"), ready)
    image = price(event({**usage, "output_image_tokens": 1000}, "gemini-2.5-flash-image", "google"), ready)
    assert Decimal(image.cost or "") > 10 * Decimal(text.cost or "")
    assert "output_image_tokens" in image.cost_parts


def test_complaint_6_thoughts_that_are_counted_outside_output_are_never_lost_in_silence(
    ready: CompiledCatalog,
) -> None:
    """Gemini counts 40 tokens of answer and 600 of thought apart: as they stand, 600 cannot be part of 40."""
    usage = {"input_tokens": 100, "output_tokens": 40, "output_reasoning_tokens": 600}
    with pytest.raises(Invalid, match=r"output_reasoning_tokens \(600\) cannot exceed output_tokens \(40\)"):
        price(event(usage, "gemini-2.5-pro", "google"), ready)
    said = {"usage_convention": "output_excludes_reasoning"}
    cost = price(event(usage, "gemini-2.5-pro", "google", attributes=said), ready)
    assert (
        cost.cost
        == price(event({"input_tokens": 100, "output_tokens": 640}, "gemini-2.5-pro", "google"), ready).cost
    )


def test_complaint_6_reasoning_is_inside_output_and_long_context_has_its_rate(ready: CompiledCatalog) -> None:
    inside = _claude(ready, {"input_tokens": 10, "output_tokens": 500, "reasoning_tokens": 400})
    assert inside.cost == _claude(ready, {"input_tokens": 10, "output_tokens": 500}).cost
    outside = _claude(
        ready,
        {"input_tokens": 10, "output_tokens": 100, "output_reasoning_tokens": 400},
        attributes={"usage_convention": "output_excludes_reasoning"},
    )
    assert outside.cost == inside.cost
    long = _claude(ready, {"input_tokens": 200_001, "output_tokens": 10})
    assert Decimal(long.cost or "") == (200_001 * 6 + 10 * Decimal("22.5")) / _M


def test_complaint_6_completion_is_not_total_minus_prompt(ready: CompiledCatalog) -> None:
    with pytest.raises(
        Invalid, match="total_tokens is 700, but input_tokens and output_tokens add up to 150"
    ):
        _claude(ready, {"prompt_tokens": 100, "completion_tokens": 50, "total_tokens": 700})
    assert (
        _claude(ready, {"prompt_tokens": 100, "completion_tokens": 50, "total_tokens": 150}).price_status
        == "priced"
    )


def test_complaint_7_tool_fees_are_counted_each_and_only_when_used(ready: CompiledCatalog) -> None:
    searches = _claude(ready, {"input_tokens": 10, "web_searches": 3})
    assert searches.cost_parts["web_searches"] == "0.03"
    assert "web_searches" not in _claude(ready, {"input_tokens": 10, "web_searches": 0}).cost_parts
    unknown = _claude(ready, {"input_tokens": 10, "video_minutes": 3})
    assert (unknown.price_status, unknown.unpriced_meters, unknown.cost) == (
        "unpriced",
        ["video_minutes"],
        "0.00003",
    )


def test_complaint_8_explicit_zero_usage_stays_zero_and_partial_usage_is_priced(
    ready: CompiledCatalog,
) -> None:
    assert _claude(ready, {"input_tokens": 0, "output_tokens": 0}).cost == "0"
    assert _claude(ready, {"input_tokens": 1000}).cost == "0.003", (
        "an aborted stream still pays for its input"
    )


def test_complaint_20_an_old_event_is_priced_as_of_its_own_time(ready: CompiledCatalog) -> None:
    before = datetime(2026, 10, 13, 23, 59, tzinfo=UTC)
    usage, batch = {"input_tokens": 1000}, {"service_tier": "batch"}
    old = _claude(ready, usage, time=before, attributes=batch)
    new = _claude(ready, usage, time=datetime(2026, 10, 14, tzinfo=UTC), attributes=batch)
    assert (old.cost, new.cost) == ("0.003", "0.0015")
    assert old.price_ref.endswith("~service_tier=batch"), (
        "the batch price then is not known, and that is said"
    )


def test_complaint_21_old_price_data_is_said_and_a_makers_price_is_marked(
    data: RateData, ready: CompiledCatalog
) -> None:
    old = Catalog(revision=1, created_at=NOW, rates=data)
    assert stale(old, NOW) == []
    assert "genai-prices" in stale(old, datetime(2027, 3, 1, tzinfo=UTC))[0].message
    azure = price(event({"input_tokens": 10}, "gpt-4o", "azure"), ready)
    assert azure.price_ref.endswith("azure:openai/gpt-4o~fallback")


def test_complaint_22_what_the_provider_billed_is_kept_beside_and_drift_is_seen(
    ready: CompiledCatalog,
) -> None:
    cost = _claude(ready, {"input_tokens": 1000}, reported_cost=Decimal("0.004"))
    assert (cost.cost, cost.reported_cost, cost.price_status) == ("0.003", "0.004", "priced")
    assert cost.price_ref.endswith("~drift")
    assert "~" not in _claude(ready, {"input_tokens": 1000}, reported_cost=Decimal("0.003")).price_ref


def test_complaint_22_a_failed_call_that_is_billed_costs_what_it_used(ready: CompiledCatalog) -> None:
    cost = _claude(ready, {"input_tokens": 1000, "output_tokens": 0}, attributes={"status": "500"})
    assert cost.cost == "0.003"


def test_complaint_24_a_price_in_euros_names_the_rate_of_its_day(data: RateData) -> None:
    book = {
        "name": "ovh",
        "version": "1",
        "currency": "EUR",
        "rules": [
            {
                "id": "h100",
                "sku": "h100",
                "prices": [{"meters": {"gpu_seconds": {"price": "3.6", "per": 3600}}}],
            }
        ],
    }
    fx = [
        {"currency": "EUR", "usd": "1.05", "to": "2026-11-01", "source": "ECB"},
        {"currency": "EUR", "usd": "1.10", "from": "2026-11-01", "source": "ECB"},
    ]
    ready = CompiledCatalog(
        Catalog.model_validate(
            {"revision": 1, "created_at": NOW, "rates": data, "price_books": [book], "fx": fx}
        )
    )
    hour = {"gpu_seconds": 3600}
    now = price(event(hour, "h100", "ovh", kind="compute"), ready)
    before = price(event(hour, "h100", "ovh", kind="compute", time=datetime(2026, 10, 31, tzinfo=UTC)), ready)
    assert (before.cost, now.cost, now.price_ref) == ("3.78", "3.96", "ovh@1#h100+fx-EUR")
    notes = [step.note for step in explain(event(hour, "h100", "ovh", kind="compute"), ready).steps]
    assert "1 EUR = 1.1 USD" in notes


def test_complaint_24_currency_and_negotiated_prices_are_dated_and_shown(data: RateData) -> None:
    ready = CompiledCatalog(
        Catalog.model_validate(
            {
                "revision": 2,
                "created_at": NOW,
                "rates": data,
                "negotiated": [
                    {
                        "id": "edp-2026",
                        "from": "2026-01-01",
                        "match": {"provider": "anthropic"},
                        "discount_percent": 20,
                    }
                ],
            }
        )
    )
    cost = _claude(ready, {"input_tokens": 1000})
    assert (cost.cost, cost.list_cost) == ("0.0024", "0.003")
    assert cost.price_ref.endswith("claude-sonnet-4-5+edp-2026")
    assert _claude(ready, {"input_tokens": 1000}, time=datetime(2025, 12, 31, tzinfo=UTC)).list_cost is None
