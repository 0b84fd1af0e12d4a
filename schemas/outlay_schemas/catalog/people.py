"""Cost attribution: owners, defaults, aliases, required tags, virtual tags, splits."""

from typing import TYPE_CHECKING, Annotated, Literal, get_args

from pydantic import AfterValidator, Field, model_validator

from outlay_schemas.catalog.base import CatalogModel, Dated, Name, OneOrMany, Positive, Text
from outlay_schemas.catalog.terms import Match
from outlay_schemas.dimensions import OWNERS
from outlay_schemas.events import Activity

if TYPE_CHECKING:
    Dimension = str
    Named = str
    Settable = str
else:
    Dimension = Literal[OWNERS]
    Named = Literal[*OWNERS, "provider", "sku"]
    Settable = Literal[*OWNERS, "provider", "activity"]
Labels = dict[Dimension, Name]


def _known_activity(sets: dict[Settable, str]) -> dict[Settable, str]:
    if sets.get("activity", "other") not in get_args(Activity):
        raise ValueError(f"activity must be one of {', '.join(get_args(Activity))}")
    return sets


Sets = Annotated[dict[Settable, Name], Field(min_length=1), AfterValidator(_known_activity)]
"""Values that a rule sets: owner dimensions, the activity, the provider behind a gateway."""


class Owner(Dated):
    """`key` = `value` belongs to `sets`: user → team, team → business unit, API key → project."""

    key: Name
    """A dimension, `source`, or an attribute as `attributes.api_key`, or a tag as `tags.app`."""
    value: Name
    tenant: Name = "*"
    """Tenant whose events it is about; `*`: every tenant. A tenant's own entry comes before one for all."""
    sets: Annotated[Labels, Field(min_length=1)]


class Alias(CatalogModel):
    """Other spellings of one name of a dimension, a provider or a sku."""

    dimension: Named
    name: Name
    aliases: OneOrMany
    tenant: Name = "*"
    """Tenant whose events it renames; `*`: every tenant. A tenant's own entry comes before one for all."""


class Default(CatalogModel):
    """Default values of dimensions."""

    match: Match = Match()
    sets: Sets


class VirtualTag(Dated):
    """A rule that sets dimensions from others; re-pricing applies it to history."""

    id: Name
    match: Match
    sets: Sets
    replace: bool = True
    """False: only where the dimension is empty."""


class RequiredTags(CatalogModel):
    """Tags that the events of a tenant must have."""

    tenant: Name = "*"
    require: OneOrMany
    """Dimensions, or tags as `tags.env`."""
    match: Match = Match()
    action: Literal["flag", "dead_letter"] = "flag"


class Share(CatalogModel):
    """One receiver of a split cost."""

    sets: Annotated[Labels, Field(min_length=1)]
    weight: Positive | None = None


class Split(Dated):
    """Splits a shared cost (a cluster, idle GPUs) among receivers in reports."""

    id: Name
    match: Match
    method: Literal["even", "proportional", "fixed"]
    by: Dimension = "team"
    """proportional: the dimension whose cost is the weight."""
    shares: tuple[Share, ...] = ()
    note: Text = ""

    @model_validator(mode="after")
    def _shares_fit(self) -> "Split":
        if self.method != "proportional" and not self.shares:
            raise ValueError(f"an {self.method} split needs shares")
        if self.method == "fixed" and any(share.weight is None for share in self.shares):
            raise ValueError("a fixed split needs a weight for each share")
        return self
