"""Negotiated prices, exchange rates, and the policy for costs that producers report."""

from decimal import Decimal
from typing import Annotated, Literal

from pydantic import Field, model_validator

from outlay_schemas.catalog.base import (
    CatalogModel,
    Dated,
    Name,
    NonNegative,
    Number,
    OneOrMany,
    Positive,
    Text,
)


class Match(CatalogModel):
    """Conditions on an event. Every field that is given must match; patterns may use `*`."""

    kind: OneOrMany = ()
    provider: OneOrMany = ()
    sku: OneOrMany = ()
    team: OneOrMany = ()
    project: OneOrMany = ()
    business_unit: OneOrMany = ()
    use_case: OneOrMany = ()
    user: OneOrMany = ()
    source: OneOrMany = ()
    tenant: OneOrMany = ()
    activity: OneOrMany = ()
    tags: dict[Name, OneOrMany] = Field(default_factory=dict)
    attributes: dict[Name, OneOrMany] = Field(default_factory=dict)


class Negotiated(Dated):
    """A price agreed with a provider, or a markup for internal customers: all that match apply, in order.

    Overrides come first, then discounts; both change `cost`, and the list cost is kept. A markup leaves `cost` as it is
    and makes `charged`, what the internal customer pays: the cost with every markup that matches, one on the other."""

    id: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,63}$")]
    match: Match = Match()
    discount_percent: Annotated[Number, Field(ge=0, le=100)] | None = None
    markup_percent: NonNegative | None = None
    """Percent of the cost that internal customers pay beside it."""
    override: dict[Name, NonNegative] = Field(default_factory=dict)
    """Meter to price for each `per` units, in place of the list price."""
    per: Positive = Field(default=Decimal(1_000_000))
    note: Text = ""

    @model_validator(mode="after")
    def _one_kind(self) -> "Negotiated":
        given = (self.discount_percent is not None) + (self.markup_percent is not None) + bool(self.override)
        if given != 1:
            raise ValueError("give exactly one of discount_percent, markup_percent and override")
        return self


class FxRate(Dated):
    """One unit of `currency` is `usd` USD in a time range."""

    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")]
    usd: Positive
    source: Text = ""


class ReportedPolicy(CatalogModel):
    """Which cost counts where the producer reports one. The first rule that matches decides."""

    match: Match = Match()
    use: Literal["computed", "reported", "reported_if_unpriced"] = "reported_if_unpriced"
    drift_percent: Positive = Field(default=Decimal(5))
    """A reported cost further than this from the computed one is marked as drift."""


REPORTED = (ReportedPolicy(match=Match(provider=("openrouter", "vercel")), use="reported"), ReportedPolicy())
"""What counts where a catalog does not decide. Only a gateway that routes knows who answered at which price."""
