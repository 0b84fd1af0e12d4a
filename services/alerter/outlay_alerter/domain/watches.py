"""What is watched: the catalog's budgets and rules, in the form that decisions need."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from outlay_alerter.domain.detector import Direction
from outlay_kit.spans import PLAIN, Anchor, PeriodName
from outlay_schemas.alerts import Severity
from outlay_schemas.events import Grain

DIMENSIONS = (
    "project",
    "team",
    "business_unit",
    "use_case",
    "provider",
    "sku",
    "kind",
    "activity",
    "user",
)
"""Of every rollup cell. Anything else in a scope is a tag, which only the ledger knows."""

Scope = Mapping[str, tuple[str, ...]]
"""Dimension to the values that are in; a cell is in if each dimension agrees. Empty: everything."""


def matches(scope: Scope, cell: Mapping[str, str]) -> bool:
    """Tell whether a cell is in `scope`."""
    return all(cell.get(dimension, "") in values for dimension, values in scope.items())


@dataclass(frozen=True, slots=True)
class Increase:
    """More money, in pico-USD, for the periods that overlap `begin` to `end`; None: always."""

    amount: int
    begin: datetime | None
    end: datetime | None


@dataclass(frozen=True, slots=True)
class Burn:
    """So many times as fast as the budget allows, over the last `length`."""

    length: timedelta
    rate: Decimal
    severity: Severity


@dataclass(frozen=True, slots=True)
class Budget:
    """So much for so long. `amount` is pico-USD, thresholds are percentages of it."""

    id: str
    name: str
    tenant: str
    amount: int
    period: PeriodName
    zone: ZoneInfo
    thresholds: tuple[Decimal, ...]
    scope: Scope = field(default_factory=dict)
    anchor: Anchor = PLAIN
    rolling: timedelta | None = None
    """The last so much time, instead of a period that begins anew."""
    forecasts: tuple[Decimal, ...] = ()
    burns: tuple[Burn, ...] = ()
    increases: tuple[Increase, ...] = ()
    rollover: Decimal = Decimal(0)
    """Percent of the amount that may come over from the period before."""


@dataclass(frozen=True, slots=True)
class SpendSpike:
    """A window that costs far more than those before it. `min_cost` is pico-USD."""

    id: str
    name: str
    tenant: str
    by: tuple[str, ...]
    """Each combination of these dimensions is watched by itself; none: the whole scope as one."""
    grain: Grain
    min_cost: int
    sensitivity: float
    """1 is usual; 2 fires at half the distance from what is usual, 0.5 at twice."""
    scope: Scope = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Anomaly:
    """Windows that are not what the time of the day and of the week make likely. `min_cost` is pico-USD."""

    id: str
    name: str
    tenant: str
    by: tuple[str, ...]
    grain: Grain
    min_cost: int
    sensitivity: float
    zone: ZoneInfo
    direction: Direction = "both"
    holidays: frozenset[date] = frozenset()
    settle: timedelta = timedelta(0)
    """How long late events are waited for before a window is over."""
    scope: Scope = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Threshold:
    """A measure of a window that is above or below a number, in the metric's own unit."""

    id: str
    name: str
    tenant: str
    by: tuple[str, ...]
    metric: str
    meter: str
    grain: Grain
    above: Decimal | None
    below: Decimal | None
    min_events: int
    severity: Severity
    scope: Scope = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class NewSpender:
    """Values of dimensions that spend for the first time in `days`. `min_cost` is pico-USD."""

    id: str
    name: str
    tenant: str
    by: tuple[str, ...]
    days: int
    min_cost: int
    severity: Severity
    scope: Scope = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Silence:
    """Values of dimensions that sent events, and have sent none for `length`."""

    id: str
    name: str
    tenant: str
    by: tuple[str, ...]
    length: timedelta
    forget: timedelta
    """What has been silent for longer than this is not missed."""
    severity: Severity
    scope: Scope = field(default_factory=dict)
