"""The catalog: prices, owners, budgets and rules as one numbered revision."""

import json
from typing import Annotated

from pydantic import AwareDatetime, Field, ValidationError

from outlay_schemas.catalog.base import CatalogModel, Name, Text
from outlay_schemas.catalog.channels import Channel, Review, Route
from outlay_schemas.catalog.people import Alias, Default, Owner, RequiredTags, Split, VirtualTag
from outlay_schemas.catalog.price_books import PriceBook, RateData
from outlay_schemas.catalog.terms import REPORTED, FxRate, Negotiated, ReportedPolicy
from outlay_schemas.catalog.watch import AlertRule, Budget, MuteTimeInterval


class AzureDeployment(CatalogModel):
    """The model behind the name of an Azure deployment."""

    deployment: Name
    resource: str = ""
    """Attribute `azure_resource` must equal it, where the same name is used twice."""
    model: Name


class UsagePolicy(CatalogModel):
    """How usage with contradictory numbers is treated, and other spellings of meters."""

    contradictions: Annotated[str, Field(pattern="^(unpriced|dead_letter)$")] = "dead_letter"
    meter_aliases: dict[Name, Name] = Field(default_factory=dict)
    """Other spellings of meters."""


class Catalog(CatalogModel):
    """One revision of the catalog. Published on `cost.catalog`; every service works from it."""

    revision: Annotated[int, Field(ge=0)]
    created_at: AwareDatetime
    note: Text = ""
    """Why it was published, or the commit it came from."""
    author: Text = ""
    """Who published it."""
    rates: RateData | None = None
    """None: without LLM price data a model call is unpriced unless a price book prices it."""
    price_books: tuple[PriceBook, ...] = ()
    negotiated: tuple[Negotiated, ...] = ()
    fx: tuple[FxRate, ...] = ()
    reported: tuple[ReportedPolicy, ...] = REPORTED
    azure_deployments: tuple[AzureDeployment, ...] = ()
    owners: tuple[Owner, ...] = ()
    aliases: tuple[Alias, ...] = ()
    defaults: tuple[Default, ...] = ()
    virtual_tags: tuple[VirtualTag, ...] = ()
    required_tags: tuple[RequiredTags, ...] = ()
    splits: tuple[Split, ...] = ()
    usage: UsagePolicy = UsagePolicy()
    budgets: tuple[Budget, ...] = ()
    rules: tuple[AlertRule, ...] = ()
    mute_time_intervals: tuple[MuteTimeInterval, ...] = ()
    channels: tuple[Channel, ...] = ()
    routes: tuple[Route, ...] = ()
    """Empty: every channel gets every alert."""
    reviews: tuple[Review, ...] = ()


def encode_catalog(catalog: Catalog) -> bytes:
    """Write a catalog as JSON for the topic `cost.catalog`. The same catalog gives the same bytes."""
    return catalog.model_dump_json(by_alias=True).encode()


def decode_catalog(data: bytes) -> Catalog:
    """Read a catalog from JSON. Raises ValueError (pydantic.ValidationError) if it is not one."""
    try:
        catalog = Catalog.model_validate_json(data)
    except ValidationError:
        renamed = _renamed(data)
        if renamed is None:
            raise
        catalog = Catalog.model_validate_json(renamed)
    if missing := {budget.currency for budget in catalog.budgets} - {
        "USD",
        *(r.currency for r in catalog.fx),
    }:
        raise ValueError(f"budgets need an exchange rate for {', '.join(sorted(missing))} in fx")
    return catalog


_RENAMED = {
    "budgets": {"calm_minutes": "keep_firing_minutes"},
    "routes": {"go_on": "continue"},
    "rules": {"by": "group_by", "calm_minutes": "keep_firing_minutes", "forget_hours": "stale_after_hours"},
}
"""Fields that a catalog published by 0.1.0 spells otherwise: it stays readable until the next one is published."""


def _renamed(data: bytes) -> bytes | None:
    """Return a catalog of 0.1.0 with today's names of its fields; None if it does not use an old one."""
    try:
        old = json.loads(data)
    except ValueError:
        return None
    if not isinstance(old, dict):
        return None
    new = {"mute_time_intervals" if key == "mutes" else key: value for key, value in old.items()}
    for part, names in _RENAMED.items():
        if isinstance(new.get(part), list):
            new[part] = [
                {names.get(k, k): v for k, v in item.items()} if isinstance(item, dict) else item
                for item in new[part]
            ]
    return None if new == old else json.dumps(new).encode()
