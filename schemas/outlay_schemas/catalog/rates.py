"""The LLM price data as data: what genai-prices ships, with its version, free of its code."""

from datetime import date
from typing import Any

from pydantic import Field

from outlay_schemas.catalog.base import CatalogModel, Name, NonNegative, Text


class Minimum(CatalogModel):
    """A provider bills at least this much of a meter when any of it was used (Groq's 10 seconds of audio)."""

    provider: Name
    models: tuple[str, ...]
    meters: tuple[str, ...]
    """The first one reported is raised to the minimum; then all take that value."""
    at_least: NonNegative


class ContextAlias(CatalogModel):
    """Producers name a price context one way, the price data another: `service_tier: batch` is `processing: batch`."""

    attribute: Name
    value: Name
    key: Name
    means: Name


class Models(CatalogModel):
    """Models of a provider, by name or pattern, of which something holds that the price data does not say."""

    provider: Name
    """Or `*`: any."""
    models: tuple[str, ...]
    meters: tuple[Name, ...] = ()


class RateData(CatalogModel):
    """Providers, models and units of genai-prices in its own field names, as plain JSON."""

    source: Name = "genai-prices"
    version: Name
    date: date
    """The newest price change in the data that was in force when the catalog was compiled: its age."""
    url: Text = "https://github.com/pydantic/genai-prices"
    units: dict[str, Any]
    providers: list[dict[str, Any]]
    minimums: tuple[Minimum, ...] = ()
    context_aliases: tuple[ContextAlias, ...] = ()
    general_prices: tuple[Models, ...] = ()
    """The general price of these models is for these meters too, which providers mostly bill apart (audio)."""
    free: tuple[Models, ...] = ()
    """Models without prices in the data that their provider publishes as free."""
    neutral_contexts: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    """Context values that mean the standard price: `service_tier: [default, standard]`."""
