"""The one ordered table of a cost's dimensions. To add one: a row here, a field in `events.py` and the SDK, and a
migration (the rollup tuple is cast by name, in this order); `test_dimensions.py` says what is missing."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

Kept = Literal["window", "cell", "named", "ledger"]
"""Where a dimension is kept: `window`, one rollup row for each value; `cell`, exactly, in every rollup cell; `named`,
in rollup cells for the values that cost most, the rest is `(other)`; `ledger`, only on the event."""


@dataclass(frozen=True, slots=True)
class Dimension:
    """Something that costs are grouped and filtered by."""

    name: str
    """Its column in the ledger and its field in messages."""
    label: str
    """For people."""
    kept: Kept = "cell"
    owner: bool = False
    """Whether it says whose a cost is: the producer sends it, and the catalog's attribution fills it."""
    aliases: tuple[str, ...] = ()
    """Other names that people may type."""


DIMENSIONS = (
    Dimension("tenant", "Tenant", "window"),
    Dimension("project", "Project", owner=True),
    Dimension("team", "Team", owner=True),
    Dimension("business_unit", "Business unit", owner=True, aliases=("bu", "business-unit")),
    Dimension("use_case", "Use case", owner=True, aliases=("usecase", "use-case")),
    Dimension("provider", "Provider"),
    Dimension("sku", "Model or SKU", aliases=("model",)),
    Dimension("kind", "Kind"),
    Dimension("activity", "Activity"),
    Dimension("user", "User", "named", owner=True),
    Dimension("source", "Source", "ledger"),
    Dimension("price_status", "Price status", "ledger"),
    Dimension("price_ref", "Price", "ledger", aliases=("price",)),
    Dimension("id", "Event", "ledger"),
)

OWNERS = tuple(d.name for d in DIMENSIONS if d.owner)
"""Whose a cost is."""
EXACT = tuple(d.name for d in DIMENSIONS if d.kept == "cell")
"""Of every rollup cell, with every value, in the order of the cell."""
CELL = (*EXACT, *(d.name for d in DIMENSIONS if d.kept == "named"))
"""Of every rollup cell, in the order of the cell. What a scope, a filter of a page and a rule may name."""
ROLLED = tuple(d.name for d in DIMENSIONS if d.kept in {"window", "cell"})
"""What the rollups answer exactly."""
LABELS = {d.name: d.label for d in DIMENSIONS}
ALIASES = {alias: d.name for d in DIMENSIONS for alias in d.aliases}
FREE = ("tags.", "attributes.")
"""What begins so names a tag or an attribute of the event, which the ledger keeps: `tags.env`, `attributes.region`."""
PAYER = "business_unit"
"""Who pays by default: a statement of chargeback has one for each value."""
UNASSIGNED = "(unassigned)"
"""How a missing value is shown, everywhere."""


def name_of(value: str) -> str:
    """Return a value of a dimension as people see it; a missing one is never blank."""
    return value or UNASSIGNED


def scope_text(scope: Mapping[str, Sequence[str]]) -> str:
    """Write a scope for people: `team growth, sku a or b`."""
    parts = (
        f"{name.replace('_', ' ')} {' or '.join(map(name_of, values))}" for name, values in scope.items()
    )
    return ", ".join(parts) or "all spend"


def is_free(name: str) -> bool:
    """Tell whether a name is that of a tag or an attribute."""
    return name.startswith(FREE) and not name.endswith(".")
