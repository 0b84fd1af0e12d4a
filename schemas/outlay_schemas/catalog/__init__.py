"""The catalog message: price books, owners, tag rules, negotiated prices, budgets, alert rules."""

from outlay_schemas.catalog.base import CatalogModel, Dated
from outlay_schemas.catalog.model import AzureDeployment, Catalog, UsagePolicy, decode_catalog, encode_catalog
from outlay_schemas.catalog.people import (
    Alias,
    Default,
    Dimension,
    Labels,
    Owner,
    RequiredTags,
    Share,
    Split,
    VirtualTag,
)
from outlay_schemas.catalog.price_books import (
    BookRule,
    ContextAlias,
    DatedPrices,
    MeterPrice,
    Minimum,
    Models,
    PriceBook,
    RateData,
    Rounding,
    Tier,
)
from outlay_schemas.catalog.price_ref import PriceRef, are_guesses, parse_price_ref
from outlay_schemas.catalog.terms import FxRate, Match, Negotiated, ReportedPolicy
from outlay_schemas.catalog.watch import AlertRule, Budget, MuteTimeInterval, Scope, SpendSpike

__all__ = [
    "AlertRule",
    "Alias",
    "AzureDeployment",
    "BookRule",
    "Budget",
    "Catalog",
    "CatalogModel",
    "ContextAlias",
    "Dated",
    "DatedPrices",
    "Default",
    "Dimension",
    "FxRate",
    "Labels",
    "Match",
    "MeterPrice",
    "Minimum",
    "Models",
    "MuteTimeInterval",
    "Negotiated",
    "Owner",
    "PriceBook",
    "PriceRef",
    "RateData",
    "ReportedPolicy",
    "RequiredTags",
    "Rounding",
    "Scope",
    "Share",
    "SpendSpike",
    "Split",
    "Tier",
    "UsagePolicy",
    "VirtualTag",
    "are_guesses",
    "decode_catalog",
    "encode_catalog",
    "parse_price_ref",
]
