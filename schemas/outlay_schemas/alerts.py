"""What the watch says: one alert per (rule, scope, window, level), under an id that never changes."""

from datetime import datetime
from typing import Literal

import msgspec
from msgspec import Struct

from outlay_schemas.money import Usd

Severity = Literal["info", "warning", "critical"]
State = Literal["firing", "resolved"]


class Contributor(Struct, omit_defaults=True, frozen=True):
    """One value of one dimension and what it cost in the alert's window."""

    dimension: str
    value: str
    """Empty: not attributed."""
    cost: Usd


class Alert(Struct, omit_defaults=True, frozen=True):
    """A crossing of one level by one rule in one window, or its end. `id` is the same for both."""

    id: str
    """Hash of rule, scope, window and level: the same crossing always has the same id."""
    tenant: str
    rule: str
    """Id of the budget or rule in the catalog."""
    rule_type: str
    """budget, spend_spike, and so on: docs/alerts.md lists them."""
    scope: dict[str, str | list[str]]
    window: datetime
    """Start of the period or window that crossed, UTC."""
    level: str
    """What was crossed: a percentage of a budget (`80`), `spike`."""
    severity: Severity
    state: State
    title: str
    """One line, no markup."""
    summary: str
    """Why, in a sentence or two."""
    expected: Usd | None
    """USD: what a budget's level allows, or what earlier windows make likely. None: nothing to compare with."""
    actual: Usd
    """USD in the window when this was written."""
    contributors: list[Contributor]
    """The greatest values of each dimension, greatest first."""
    at: datetime
    """When this was decided."""
    query: str
    """SQL on the views that shows the same figures."""


alert_decoder = msgspec.json.Decoder(Alert)
