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
LEDGER = tuple(d.name for d in DIMENSIONS if d.kept == "ledger" and d.name != "id")
"""Of every event, and of many events at once: what the ledger alone can group by."""
LABELS = {d.name: d.label for d in DIMENSIONS}
FREE = ("tags.", "attributes.")
"""What begins so names a tag or an attribute of the event, which the ledger keeps: `tags.env`, `attributes.region`."""
WELL_KNOWN = {"customer": "tags.customer", "agent": "attributes.agent"}
"""Tags and attributes that people may name as they name a dimension, and that pages offer beside the dimensions."""
ALIASES = {alias: d.name for d in DIMENSIONS for alias in d.aliases} | WELL_KNOWN
PAYER = "business_unit"
"""Who pays by default: a statement of chargeback has one for each value."""
UNASSIGNED = "(unassigned)"
OTHER_USERS = "(other)"
"""The user that rollups sum all users past the limit of a window under."""
"""How a missing value is shown, everywhere."""


def name_of(value: str) -> str:
    """Return a value of a dimension as people see it; a missing one is never blank."""
    return value or UNASSIGNED


def label_of(name: str) -> str:
    """Return what people call a dimension, a tag or an attribute."""
    kind, _, free = name.partition(".")
    if name in WELL_KNOWN.values():
        return free.capitalize()
    return f"{kind.removesuffix('s').capitalize()} {free}" if is_free(name) else LABELS.get(name, name)


CONDITIONS = {"": "is", "!": "is not", "~": "contains", "!~": "does not contain"}
"""How the values of a condition restrict a dimension, by what follows the dimension's name in the condition's:
`team` is one of them, `team!` is none of them, `team~` contains one of them, `team!~` contains none of them."""


def dimension_of(condition: str) -> str:
    """Return the dimension that a condition restricts."""
    return condition.rstrip("!~")


def condition_of(condition: str) -> str:
    """Return how a condition restricts its dimension: a name of CONDITIONS, or else what is none."""
    return condition.removeprefix(dimension_of(condition))


def condition_text(condition: str, values: Sequence[str]) -> str:
    """Write a condition for people: `team growth`, `team is not growth or platform`."""
    how = condition_of(condition)
    name = f"{dimension_of(condition)} {CONDITIONS[how]}" if how else condition
    return f"{name} {' or '.join(map(name_of, values))}"


def scope_text(scope: Mapping[str, Sequence[str]]) -> str:
    """Write a scope for people: `team growth, sku a or b`."""
    parts = (
        f"{name.replace('_', ' ')} {' or '.join(map(name_of, values))}" for name, values in scope.items()
    )
    return ", ".join(parts) or "all spend"


def is_free(name: str) -> bool:
    """Tell whether a name is that of a tag or an attribute."""
    return name.startswith(FREE) and not name.endswith(".")
