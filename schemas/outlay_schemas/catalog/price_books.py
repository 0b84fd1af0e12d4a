"""The LLM price data of genai-prices, and price books: reviewed YAML, every figure with its source and date."""

import itertools
import re
from collections.abc import Iterable
from datetime import date
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, model_validator

from outlay_schemas.catalog.base import (
    CatalogModel,
    Dated,
    Instant,
    Name,
    NonNegative,
    OneOrMany,
    Positive,
    Text,
)


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


class Tier(CatalogModel):
    """One step of a tiered price: up to `up_to` units (inclusive; None: no end) at `price`."""

    up_to: Positive | None = None
    price: NonNegative


class Rounding(CatalogModel):
    """Quantities are billed in whole steps: `step: 60, mode: up` bills started minutes."""

    step: Positive
    mode: Literal["up", "down", "half_up"] = "up"


class MeterPrice(CatalogModel):
    """The price of one meter: `price` for each `per` units, or tiers."""

    price: NonNegative | None = None
    per: Positive = Field(default=Decimal(1))
    tiers: tuple[Tier, ...] = ()
    mode: Literal["graduated", "volume"] = "graduated"
    """graduated: each unit at its own step's price. volume: all units at the price of the step reached."""
    position: Name | None = None
    """Attribute with the quantity already used this period before the event. Absent: each event starts at zero
    and the price is marked `~position` (docs/adr/0010)."""
    free: NonNegative = Field(default=Decimal(0))
    """Units free of charge, counted from the position."""
    minimum: NonNegative | None = None
    """Charged at least for this meter when any of it was used, in the book's currency."""
    rounding: Rounding | None = None
    included_in: OneOrMany = ()
    """Meters that already pay for this one: it costs nothing when one of them is in the event."""

    @model_validator(mode="after")
    def _one_price(self) -> "MeterPrice":
        if (self.price is None) == (not self.tiers):
            raise ValueError("give either price or tiers")
        bounds = [tier.up_to for tier in self.tiers]
        if self.tiers and bounds[-1] is not None:
            raise ValueError("the last tier must have no up_to, or larger quantities would have no price")
        ends = [bound for bound in bounds[:-1] if bound is not None]
        if len(ends) != max(len(bounds) - 1, 0) or ends != sorted(set(ends)):
            raise ValueError("tiers must have growing up_to")
        return self


class DatedPrices(Dated):
    """Prices of a rule in one time range, with their source."""

    meters: dict[Name, MeterPrice] = Field(default_factory=dict)
    factor: NonNegative | None = None
    """In place of meters: this many times the price of the LLM price data, for what `where` names and that data has no
    price for (`service_tier: priority`, `processing: batch`)."""
    source: Text = ""
    checked: Instant | None = None
    """Date of the last comparison with the source."""

    @model_validator(mode="after")
    def _one_kind(self) -> "DatedPrices":
        if bool(self.meters) == (self.factor is not None):
            raise ValueError("give either meters or factor")
        return self


def _spans(prices: tuple[DatedPrices, ...]) -> tuple[DatedPrices, ...]:
    for earlier, later in itertools.pairwise(prices):
        if later.starts is None or (earlier.starts is not None and later.starts <= earlier.starts):
            raise ValueError("prices must be in order of `from`, and only the first may have none")
        if earlier.ends is None or earlier.ends > later.starts:
            raise ValueError(
                f"prices overlap at {later.starts:%Y-%m-%d}: end the earlier one there with `to`"
            )
        if earlier.ends < later.starts:
            raise ValueError(
                f"no price from {earlier.ends:%Y-%m-%d} to {later.starts:%Y-%m-%d}: close the gap"
            )
    return prices


class BookRule(CatalogModel):
    """Which usage a price is for, and its prices over time."""

    id: Name
    provider: OneOrMany = ()
    """Empty: any provider."""
    sku: OneOrMany
    """Exact names, or patterns with `*`."""
    kind: OneOrMany = ()
    gpus: Positive | None = None
    """GPUs of one such machine: its `compute_seconds` count that many times as `gpu_seconds` in capacity planning."""
    where: dict[Name, OneOrMany] = Field(default_factory=dict)
    """Attributes (or `team`, `project`, …) and the values that fit; `*` is any value that is there."""
    assumes: dict[Name, OneOrMany] = Field(default_factory=dict)
    """What the published price is for, such as `region: us-east-1, lease: on-demand`. An event that says otherwise
    does not fit; of one that says nothing it is assumed, and marked so: `~region`."""
    prices: Annotated[tuple[DatedPrices, ...], Field(min_length=1), AfterValidator(_spans)]
    note: Text = ""

    def concerns(self, tenant: str) -> bool:
        """Tell whether the rule may price an event of a tenant. What others agreed on is not theirs to see."""
        words = self.where.get("tenant", ())
        return not words or fits_any(words, tenant)


def fits_any(words: Iterable[str], name: str) -> bool:
    """Tell whether a name fits one of some words, which may contain `*`."""
    patterns = (".*".join(map(re.escape, word.split("*"))) for word in words)
    return any(re.fullmatch(pattern, name) for pattern in patterns)


class PriceBook(CatalogModel):
    """A named, versioned set of rules. Price books apply in order; in one the most specific rule wins."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,63}$")]
    version: Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,64}$")]
    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")] = "USD"
    note: Text = ""
    source: Text = ""
    checked: Instant | None = None
    max_age_days: Annotated[int, Field(gt=0)] = 365
    """How long a comparison with the source holds: `outlay catalog check` names a book with an older one."""
    before_rates: bool = False
    """Asked before the LLM price data too: self-hosted models, provisioned throughput, commitments."""
    rules: tuple[BookRule, ...]

    @model_validator(mode="after")
    def _ids_once(self) -> "PriceBook":
        seen: set[str] = set()
        for rule in self.rules:
            if rule.id in seen:
                raise ValueError(f"two rules are called {rule.id}")
            seen.add(rule.id)
        return self


def price_books_of(price_books: Iterable[PriceBook], tenant: str) -> tuple[PriceBook, ...]:
    """Return price books as a tenant may see them: without the rules of others, and without a book that has only
    those."""
    own = ((book, tuple(rule for rule in book.rules if rule.concerns(tenant))) for book in price_books)
    return tuple(
        book if len(rules) == len(book.rules) else book.model_copy(update={"rules": rules})
        for book, rules in own
        if rules or not book.rules
    )
