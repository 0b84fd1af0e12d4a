"""The catalog message: price books, owners, tag rules, negotiated prices, budgets, alert rules."""

from outlay_schemas.catalog.base import Dated
from outlay_schemas.catalog.model import AzureDeployment, Catalog, decode_catalog, encode_catalog
from outlay_schemas.catalog.people import Alias, Owner, RequiredTags, Share, Split, VirtualTag
from outlay_schemas.catalog.price_books import (
    BookRule,
    ContextAlias,
    DatedPrices,
    MeterPrice,
    Minimum,
    Models,
    PriceBook,
    RateData,
)
from outlay_schemas.catalog.price_ref import PriceRef, are_guesses, parse_price_ref
from outlay_schemas.catalog.terms import FxRate, Match, Negotiated, ReportedPolicy
from outlay_schemas.catalog.watch import AlertRule, Budget

__all__ = [
    "AlertRule",
    "Alias",
    "AzureDeployment",
    "BookRule",
    "Budget",
    "Catalog",
    "ContextAlias",
    "Dated",
    "DatedPrices",
    "FxRate",
    "Match",
    "MeterPrice",
    "Minimum",
    "Models",
    "Negotiated",
    "Owner",
    "PriceBook",
    "PriceRef",
    "RateData",
    "ReportedPolicy",
    "RequiredTags",
    "Share",
    "Split",
    "VirtualTag",
    "are_guesses",
    "decode_catalog",
    "encode_catalog",
    "parse_price_ref",
]
