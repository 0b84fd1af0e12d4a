"""Small catalogs and events for tests: every price in them is made up and easy to calculate with."""

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from outlay_pricer.domain.catalog_index import CompiledCatalog
from outlay_schemas.catalog import Catalog, PriceBook, RateData
from outlay_schemas.events import Quantity, UsageEvent

NOW = datetime(2026, 11, 24, 1, 2, 3, tzinfo=UTC)


def _unit(per: int, price_key: str, **dimensions: str) -> dict[str, Any]:
    return {"per": per, "price_key": price_key, "dimensions": dimensions}


UNITS = {
    "input_tokens": _unit(10**6, "input_mtok", family="tokens", direction="input"),
    "output_tokens": _unit(10**6, "output_mtok", family="tokens", direction="output"),
    "cache_read_tokens": _unit(
        10**6, "cache_read_mtok", family="tokens", direction="input", token_type="cache_read"
    ),
    "cache_write_tokens": _unit(
        10**6, "cache_write_mtok", family="tokens", direction="input", token_type="cache_write"
    ),
    "cache_write_5m_tokens": _unit(
        10**6,
        "cache_write_5m_mtok",
        family="tokens",
        direction="input",
        token_type="cache_write",
        cache_ttl="5m",
    ),
    "cache_write_1h_tokens": _unit(
        10**6,
        "cache_write_1h_mtok",
        family="tokens",
        direction="input",
        token_type="cache_write",
        cache_ttl="1h",
    ),
    "input_audio_tokens": _unit(
        10**6, "input_audio_mtok", family="tokens", direction="input", modality="audio"
    ),
    "cache_audio_read_tokens": _unit(
        10**6,
        "cache_audio_read_mtok",
        family="tokens",
        direction="input",
        modality="audio",
        token_type="cache_read",
    ),
    "output_reasoning_tokens": _unit(
        10**6, "output_reasoning_mtok", family="tokens", direction="output", token_type="reasoning"
    ),
    "audio_seconds": _unit(3600, "audio_hours", family="durations", modality="audio"),
    "input_audio_seconds": _unit(
        3600, "input_audio_hours", family="durations", direction="input", modality="audio"
    ),
    "web_searches": _unit(1000, "web_searches_kcount", family="tool_calls", tool_type="web_search"),
    "requests": _unit(1000, "requests_kcount", family="requests"),
}


def model(name: str, prices: Any, **more: Any) -> dict[str, Any]:
    return {"id": name, "match": {"equals": name}, "prices": prices, **more}


def provider(name: str, models: Sequence[dict[str, Any]], **more: Any) -> dict[str, Any]:
    return {"id": name, "api_pattern": rf"https://api\.{name}\.com", "models": list(models), **more}


PLAIN = model("plain", {"input_mtok": "3", "cache_read_mtok": "0.3", "output_mtok": "15"})


def rates(*models: dict[str, Any], providers: Sequence[dict[str, Any]] = (), **more: Any) -> RateData:
    return RateData(
        source="test-prices",
        version="1",
        date=date(2026, 11, 1),
        units=UNITS,
        providers=[provider("acme", models or [PLAIN]), *providers],
        **more,
    )


def catalog(data: RateData | None = None, **parts: Any) -> CompiledCatalog:
    return CompiledCatalog(source(data, **parts))


def source(data: RateData | None = None, **parts: Any) -> Catalog:
    return Catalog.model_validate({"revision": 7, "created_at": NOW, "rates": data or rates(), **parts})


def book(*rules: dict[str, Any], **more: Any) -> PriceBook:
    return PriceBook.model_validate({"name": "own", "version": "1", "rules": rules, **more})


def rule(meters: Mapping[str, Any], sku: str = "box", **more: Any) -> dict[str, Any]:
    return {"id": sku.replace("*", "any"), "sku": sku, "prices": [{"meters": meters}], **more}


def event(
    usage: Mapping[str, Quantity | str], sku: str = "plain", provider_name: str = "acme", **more: Any
) -> UsageEvent:
    counts: dict[str, Quantity] = {
        name: Decimal(value) if isinstance(value, str) else value for name, value in usage.items()
    }
    more = {"kind": "llm", "time": NOW, "id": "e1", "source": "test", **more}
    return UsageEvent(sku=sku, provider=provider_name, usage=counts, **more)


TIERED = model(
    "tiered",
    {
        "input_mtok": {
            "base": "3",
            "tiers": [{"start": 200_000, "price": "6"}, {"start": 400_000, "price": "9"}],
        },
        "output_mtok": {"base": "15", "tiers": [{"start": 200_000, "price": "22.5"}]},
    },
)


DATED = model(
    "dated",
    [
        {"prices": {"input_mtok": "2"}},
        {"constraint": {"start_date": "2026-11-01"}, "prices": {"input_mtok": "1"}},
    ],
)


NIGHT = model(
    "night",
    [
        {"prices": {"input_mtok": "4"}},
        {
            "constraint": {"start_time": "22:30:00", "end_time": "06:00:00+01:00"},
            "prices": {"input_mtok": "1"},
        },
    ],
)


BATCH = model(
    "batch",
    {"input_mtok": "4", "output_mtok": "8"},
    price_variants=[
        {"when": {"processing": "batch"}, "prices": {"input_mtok": "2", "output_mtok": None}},
        {"when": {"processing": "batch"}, "prices": {"input_mtok": "1", "output_mtok": "4"}},
        {
            "when": {"processing": "batch"},
            "prices": {"output_mtok": "3"},
            "constraint": {"start_date": "2026-12-01"},
        },
    ],
)
