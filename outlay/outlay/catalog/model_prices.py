"""The price data of the installed genai-prices as plain JSON, with all that later releases add. The catalog carries it,
so that prices depend on its revision and not on the version of the library that a pricer happens to have."""

import dataclasses
from collections.abc import Iterator
from datetime import date, time
from decimal import Decimal
from typing import Any

from outlay_schemas.catalog import ContextAlias, Minimum, Models, RateData

_LEFT_OUT = {
    "extractors", "description", "price_comments", "pricing_urls", "context_window", "name", "deprecated",
}  # fmt: skip
"""Fields that decide no price. Left out, the catalog is a third of the size."""

MINIMUMS = (
    # In the library's code, not in its data: types.py, ModelInfo.calc_price.
    Minimum(
        provider="groq",
        models=("whisper-large-v3", "whisper-large-v3-turbo"),
        meters=("audio_seconds", "input_audio_seconds"),
        at_least=Decimal(10),
    ),
)
GENERAL_PRICES = (
    # ai.google.dev/gemini-api/docs/pricing: where no price for audio is listed, the input price is for all modalities.
    Models(provider="google", models=("gemini-*",), meters=("input_audio_tokens",)),
    # Speech and image models: their one output price is that of what they make.
    Models(provider="google", models=("gemini-*-tts", "gemini-*-tts-*"), meters=("output_audio_tokens",)),
    Models(provider="openai", models=("gpt-4o-mini-tts",), meters=("output_audio_tokens",)),
    Models(
        provider="openai",
        models=("gpt-image-1", "gpt-image-1-mini", "gpt-image-2", "gpt-image-2.5-*"),
        meters=("output_image_tokens",),
    ),
)
FREE = (
    # The data has no price for them, and its comments or the provider's own name for them say that they are free.
    Models(provider="*", models=("*:free",)),
    Models(provider="openai", models=("moderation",)),
    Models(provider="google", models=("gemma-3", "gemma-3n", "gemma-4-26b-a4b-it", "gemma-4-31b-it")),
    Models(provider="github-copilot", models=("gpt-3.5-turbo", "gpt-4.1", "gpt-4o", "gpt-4o-mini")),
)
CONTEXT_ALIASES = (
    # Design §3 and most producers write the batch tier as service_tier; the price data calls it processing.
    ContextAlias(attribute="service_tier", value="batch", key="processing", means="batch"),
    # Vertex AI says in a response which traffic it was.
    ContextAlias(attribute="traffic_type", value="ON_DEMAND_PRIORITY", key="service_tier", means="priority"),
    ContextAlias(attribute="traffic_type", value="ON_DEMAND_FLEX", key="service_tier", means="flex"),
)
NEUTRAL = {
    "service_tier": ("default", "standard", "standard_only", "on_demand", "on-demand", "auto", "unspecified"),
    "traffic_type": ("ON_DEMAND", "TRAFFIC_TYPE_UNSPECIFIED"),
    "latency": ("standard",),
    "inference_geo": ("global", "not_available"),
    "search_context_size": ("high",),  # the price data has the price of the largest
    "processing": ("default", "standard", "online", "realtime"),
    "speed": ("default", "standard", "normal"),
}


def from_library(today: date) -> RateData:
    """Read the installed library. `today` tells announced price changes from those in force."""
    import genai_prices
    from genai_prices.data import providers
    from genai_prices.data_units import unit_data

    plain = [_plain(provider) for provider in providers]
    return RateData(
        version=genai_prices.__version__,
        date=max((day for day in _start_dates(plain) if day <= today), default=today),
        units=unit_data,
        providers=plain,
        minimums=MINIMUMS,
        general_prices=GENERAL_PRICES,
        free=FREE,
        context_aliases=CONTEXT_ALIASES,
        neutral_contexts=NEUTRAL,
    )


def _plain(value: Any) -> Any:
    """Write the library's objects as JSON, in its own field names, without what decides no price."""
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, Decimal):
        return str(value)
    if isinstance(value, date | time):
        return value.isoformat()
    fields = _fields(value)
    if fields is None:
        return value
    return {name.rstrip("_"): _plain(item) for name, item in fields.items() if item is not None}


def _fields(value: Any) -> dict[str, Any] | None:
    if isinstance(value, dict):
        return value
    if dataclasses.is_dataclass(value):
        names = [field.name for field in dataclasses.fields(value)]
        return {name: getattr(value, name) for name in names if name not in _LEFT_OUT}
    return dict(vars(value)) if type(value).__name__ == "ModelPrice" else None


def _start_dates(value: Any) -> Iterator[date]:
    if isinstance(value, list):
        for item in value:
            yield from _start_dates(item)
    elif isinstance(value, dict):
        for key, item in value.items():
            if key == "start_date":
                yield date.fromisoformat(item)
            else:
                yield from _start_dates(item)
