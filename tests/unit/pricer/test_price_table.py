"""Prices calculated by hand from the price list, in Decimal."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from tests.support.catalogs import (
    BATCH,
    DATED,
    NIGHT,
    NOW,
    PLAIN,
    TIERED,
    catalog,
    event,
    model,
    provider,
    rates,
)

from outlay_pricer.domain.pricing import price
from outlay_schemas.catalog import Minimum

M = Decimal(1_000_000)
SEARCH = model("search", {"requests_kcount": "5", "input_mtok": "1", "web_searches_kcount": "10"})
SPEECH = model("speech", {"audio_hours": "0.04"})
DAY = datetime(2026, 11, 24, tzinfo=UTC)

TABLE: list[tuple[dict[str, Any], dict[str, Any], Decimal]] = [
    ({"input_tokens": 4808, "cache_read_tokens": 4096, "output_tokens": 110}, {},
     (712 * 3 + 4096 * Decimal("0.3") + 110 * 15) / M),
    ({"output_tokens": 110, "input_tokens": 4808}, {}, (4808 * 3 + 110 * 15) / M),
    ({"input_tokens": 200_000, "output_tokens": 10}, {"sku": "tiered"}, Decimal(200_000 * 3 + 150) / M),
    ({"input_tokens": 200_001, "output_tokens": 10}, {"sku": "tiered"}, Decimal(200_001 * 6 + 225) / M),
    ({"input_tokens": 400_001, "output_tokens": 10}, {"sku": "tiered"}, Decimal(400_001 * 9 + 225) / M),
    ({"output_tokens": 10}, {"sku": "tiered"}, Decimal(150) / M),
    ({"input_tokens": 1000}, {"sku": "dated", "time": datetime(2026, 10, 31, 23, 59, 59, 999999, UTC)},
     Decimal(2000) / M),
    ({"input_tokens": 1000}, {"sku": "dated", "time": datetime(2026, 11, 1, tzinfo=UTC)}, Decimal(1000) / M),
    ({"input_tokens": 1000}, {"sku": "night", "time": DAY + timedelta(hours=22, minutes=30)}, Decimal(1000) / M),
    ({"input_tokens": 1000}, {"sku": "night", "time": DAY + timedelta(hours=4, minutes=59)}, Decimal(1000) / M),
    ({"input_tokens": 1000}, {"sku": "night", "time": DAY + timedelta(hours=5)}, Decimal(4000) / M),
    ({"input_tokens": 10, "output_tokens": 10}, {"sku": "batch", "attributes": {"processing": "batch"}},
     Decimal(2 * 10 + 4 * 10) / M),
    ({"input_tokens": 10, "output_tokens": 10},
     {"sku": "batch", "attributes": {"processing": "batch"}, "time": datetime(2026, 12, 1, tzinfo=UTC)},
     Decimal(2 * 10 + 4 * 10) / M),
    ({"input_tokens": 10, "output_tokens": 10}, {"sku": "batch"}, Decimal(4 * 10 + 8 * 10) / M),
    ({"input_tokens": 10, "web_searches": 2}, {"sku": "search"}, Decimal("0.005") + Decimal("0.02") + 10 / M),
    ({"input_tokens": 10, "requests": 3}, {"sku": "search"}, Decimal("0.015") + 10 / M),
    ({"audio_seconds": "90.5"}, {"sku": "speech"}, Decimal("90.5") * Decimal("0.04") / 3600),
    ({"audio_seconds": 90}, {"sku": "speech"}, Decimal("0.001")),
]  # fmt: skip


@pytest.mark.parametrize(("usage", "more", "expected"), TABLE)
def test_a_price_calculated_by_hand(usage: dict[str, Any], more: dict[str, Any], expected: Decimal) -> None:
    ready = catalog(rates(PLAIN, TIERED, DATED, NIGHT, BATCH, SEARCH, SPEECH))
    cost = price(event(usage, **more), ready)
    assert cost.price_status == "priced"
    assert cost.cost is not None
    assert Decimal(cost.cost) == expected.quantize(Decimal("1e-12"))
    assert sum(map(Decimal, cost.cost_parts.values())) == Decimal(cost.cost)


def test_the_parts_say_what_each_meter_cost_and_leave_out_zeros() -> None:
    cost = price(event({"input_tokens": 100, "cache_read_tokens": 100, "output_tokens": 10}), catalog())
    assert cost.cost_parts == {"cache_read_tokens": "0.00003", "output_tokens": "0.00015"}
    assert cost.price_ref == "test-prices@1#acme/plain"
    assert cost.revision == 7


def test_a_provider_that_bills_at_least_ten_seconds() -> None:
    least = Minimum(provider="acme", models=("speech",), meters=("audio_seconds", "input_audio_seconds"),
                    at_least=Decimal(10))  # fmt: skip
    ready = catalog(
        rates(model("speech", {"audio_hours": "0.36", "input_audio_hours": "0.36"}), minimums=(least,))
    )
    cases: list[tuple[dict[str, int | str], str]] = [
        ({"audio_seconds": 3}, "0.001"),
        ({"input_audio_seconds": "2.5"}, "0.001"),
        ({"audio_seconds": "20.5"}, "0.00205"),
        ({"audio_seconds": 0}, "0"),
        ({"input_audio_seconds": 0}, "0"),
    ]
    for usage, expected in cases:
        assert price(event(usage, "speech"), ready).cost == expected
    assert price(event({"input_tokens": 5}, "speech"), ready).cost is None


def test_a_price_of_zero_is_free_and_zero_use_is_priced() -> None:
    ready = catalog(rates(PLAIN, model("gift", {"input_mtok": "0", "output_mtok": "0"})))
    assert price(event({"input_tokens": 5}, "gift"), ready).price_status == "free"
    assert price(event({"input_tokens": "5.0"}, "gift"), ready).price_status == "free"
    nothing = price(event({"input_tokens": 0, "output_tokens": 0}), ready)
    assert (nothing.price_status, nothing.cost, nothing.cost_parts) == ("priced", "0", {})


def test_prices_the_data_gets_wrong_are_refused_with_a_reason() -> None:
    broken = [
        model("lonely", {"cache_read_mtok": "1"}),
        model("unjoined", {"input_mtok": "1", "input_audio_mtok": "1", "cache_read_mtok": "1"}),
        model("negative", {"input_mtok": "-1"}),
        model("odd", {"input_mtok": {"base": "1"}}),
        model("nan", {"input_mtok": {"base": "1", "tiers": [{"start": -1, "price": "1"}]}}),
        model("strange", {"holograms_kcount": "1", "input_mtok": "1"}),
        model("empty", {}),
    ]
    ready = catalog(rates(*broken))
    for name in ("lonely", "unjoined", "negative", "odd", "nan"):
        cost = price(event({"input_tokens": 5}, name), ready)
        assert (cost.cost, cost.price_status) == (None, "unpriced")
        assert cost.price_ref == "test-prices@1#!price_data_invalid"
        assert cost.unpriced_meters == ["input_tokens"]
    assert price(event({"input_tokens": 5}, "strange"), ready).cost == "0.000005"
    empty = price(event({"input_tokens": 5}, "empty"), ready)
    assert (empty.cost, empty.price_ref) == (None, "test-prices@1#!meter_unknown")


def test_a_fallback_takes_the_makers_price_without_its_context_prices_and_says_so() -> None:
    cloud = provider("cloud", [], fallback_model_providers=["nowhere", "acme"])
    ready = catalog(rates(PLAIN, BATCH, providers=[cloud]))
    cost = price(event({"input_tokens": 10}, "batch", "cloud", attributes={"processing": "batch"}), ready)
    assert cost.cost == "0.00004"
    assert cost.price_ref == "test-prices@1#cloud:acme/batch~fallback~processing=batch"


def test_time_zones_do_not_move_a_price_change() -> None:
    ready = catalog(rates(DATED))
    local = NOW.replace(month=11, day=1, hour=0, minute=30).astimezone(UTC) - timedelta(hours=1)
    assert price(event({"input_tokens": 1000}, "dated", time=local), ready).cost == "0.002"
