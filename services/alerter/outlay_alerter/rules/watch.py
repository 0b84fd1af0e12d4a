"""What every budget and rule has, budgets, and mute windows. Rules are in `outlay_alerter.rules`."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from typing import Any, Generic, TypeVar

from outlay_reports.budgets import BudgetPlan
from outlay_reports.range_sums import needs_ledger
from outlay_schemas.catalog import watch as schema

Scope = Mapping[str, tuple[str, ...]]
"""Dimension to the values that are in; a cell is in if each dimension agrees. Empty: everything."""
NONE = timedelta(0)


def matches(scope: Scope, cell: Mapping[str, str]) -> bool:
    """Tell whether a cell is in `scope`."""
    return all(cell.get(dimension, "") in values for dimension, values in scope.items())


def within(inner: Scope, outer: Scope) -> bool:
    """Return whether all of `inner` is in `outer`."""
    return all(name in inner and set(inner[name]) <= set(values) for name, values in outer.items())


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch:
    """What every budget and rule has."""

    type: str = ""
    """Its kind: the module of `outlay_alerter.rules` that evaluates it."""
    id: str
    name: str
    tenant: str
    scope: Scope = field(default_factory=dict)
    by: tuple[str, ...] = ()
    """Each combination of these dimensions is watched by itself; none: the whole scope as one."""
    hold: timedelta = NONE
    """How long it must last before it fires."""
    calm: timedelta = NONE
    """How long it must be over before it resolves."""
    depends_on: tuple[str, ...] | None = None
    """Rules and budgets whose alerts suppress this one's. None: of a budget, those around it."""
    runbook: str = ""
    owner: str = ""
    mention: tuple[str, ...] = ()
    """Who is notified of its alerts by name, and what they read: as in the catalog."""

    @property
    def tagged(self) -> bool:
        """Whether only the ledger knows its figures."""
        return needs_ledger((*self.scope, *self.by))

    def scope_of(self, values: tuple[str, ...]) -> Scope:
        """Return the scope of one combination of `by`, within the rule's own."""
        return {**self.scope, **{name: (value,) for name, value in zip(self.by, values, strict=True)}}


S = TypeVar("S", bound=schema.AlertRule)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule(Watch, Generic[S]):
    """A rule of the catalog, as it holds for one tenant."""

    spec: S


def common(of: schema.RuleBase, tenant: str) -> dict[str, Any]:
    """Return the fields that all rules and budgets share, for one tenant."""
    return {
        "id": of.id, "name": of.name, "tenant": tenant, "scope": {str(k): v for k, v in of.scope.items()},
        "hold": timedelta(minutes=of.for_minutes), "calm": timedelta(minutes=of.keep_firing_minutes),
        "depends_on": of.depends_on, "runbook": of.runbook, "owner": of.owner, "mention": of.mention,
    }  # fmt: skip


def compile_rule(spec: S, tenant: str) -> Rule[S]:
    """Return a rule of the catalog as the evaluator needs it."""
    by = tuple(getattr(spec, "group_by", ()))
    return Rule(**common(spec, tenant), type=spec.type, by=by, spec=spec)


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget(Watch, BudgetPlan):
    """A budget with the levels at which it alerts. Thresholds are percentages of its amount."""

    type: str = "budget"
    thresholds: tuple[Decimal, ...]
    forecasts: tuple[Decimal, ...] = ()
    burns: tuple[schema.Burn, ...] = ()
    critical: Decimal = Decimal(0)
    """What is critical is about so many USD at least."""
    closed: bool = False
    """Whether callers must stop when its status is unknown."""

    @property
    def tagged(self) -> bool:
        """Whether only the ledger knows its figures: money that is limited is counted exactly, of users too."""
        return needs_ledger(self.scope, exact=True)
