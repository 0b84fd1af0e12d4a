"""What is watched: the catalog's budgets and rules, in the form that decisions need."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from outlay_alerter.domain.detector import Direction
from outlay_kit.spans import PLAIN, Anchor, PeriodName
from outlay_schemas.alerts import Severity
from outlay_schemas.dimensions import name_of
from outlay_schemas.events import Grain

Scope = Mapping[str, tuple[str, ...]]
"""Dimension to the values that are in; a cell is in if each dimension agrees. Empty: everything."""
NONE = timedelta(0)


def tag_of(name: str) -> str:
    """Return the tag that a dimension of a scope is; empty: it is none."""
    return name.removeprefix("tags.") if name.startswith("tags.") else ""


def matches(scope: Scope, cell: Mapping[str, str]) -> bool:
    """Tell whether a cell is in `scope`."""
    return all(cell.get(dimension, "") in values for dimension, values in scope.items())


def scope_text(scope: Scope) -> str:
    """Write a scope for people: `team growth, sku a or b`."""
    named = (
        f"{name.replace('_', ' ')} {' or '.join(map(name_of, values))}" for name, values in scope.items()
    )
    return ", ".join(named) or "all spend"


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch:
    """What every budget and rule has."""

    id: str
    name: str
    tenant: str
    scope: Scope = field(default_factory=dict)
    by: tuple[str, ...] = ()
    """Each combination of these dimensions is watched by itself; none: the whole scope as one."""
    hold: timedelta = NONE
    """How long it must last before it is told."""
    calm: timedelta = NONE
    """How long it must be over before that is told."""
    depends_on: tuple[str, ...] | None = None
    """Rules and budgets while whose alerts this one's are not told. None: of a budget, those around it."""

    @property
    def tagged(self) -> bool:
        """Whether only the ledger knows its figures."""
        return any(map(tag_of, (*self.scope, *self.by)))

    def scope_of(self, values: tuple[str, ...]) -> Scope:
        """Return the scope of one combination of `by`, within the rule's own."""
        return {**self.scope, **{name: (value,) for name, value in zip(self.by, values, strict=True)}}


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget(Watch):
    """So much for so long. `amount` is pico-USD, thresholds are percentages of it."""

    amount: int
    period: PeriodName
    zone: ZoneInfo
    thresholds: tuple[Decimal, ...]
    anchor: Anchor = PLAIN
    rolling: timedelta | None = None
    """The last so much time, instead of a period that begins anew."""
    forecasts: tuple[Decimal, ...] = ()
    burns: tuple[Burn, ...] = ()
    increases: tuple[Increase, ...] = ()
    rollover: Decimal = Decimal(0)
    """Percent of the amount that may come over from the period before."""
    closed: bool = False
    """Whether callers are told to stop when nobody can say how it stands."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SpendSpike(Watch):
    """A window that costs far more than those before it. `min_cost` is pico-USD."""

    grain: Grain
    min_cost: int
    sensitivity: float
    """1 is usual; 2 fires at half the distance from what is usual, 0.5 at twice."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Anomaly(Watch):
    """Windows that are not what the time of the day and of the week make likely. `min_cost` is pico-USD."""

    grain: Grain
    min_cost: int
    sensitivity: float
    zone: ZoneInfo
    direction: Direction = "both"
    holidays: frozenset[date] = frozenset()
    settle: timedelta = NONE
    """How long late events are waited for before a window is over."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Threshold(Watch):
    """A measure of a window that is above or below a number, in the metric's own unit."""

    metric: str
    meter: str
    grain: Grain
    above: Decimal | None
    below: Decimal | None
    margin: Decimal = Decimal(0)
    """How far back inside its limit it must be before it is over, in the metric's own unit."""
    min_events: int
    severity: Severity


@dataclass(frozen=True, slots=True, kw_only=True)
class NewSpender(Watch):
    """Values of dimensions that spend for the first time in `days`. `min_cost` is pico-USD."""

    days: int
    min_cost: int
    severity: Severity


@dataclass(frozen=True, slots=True, kw_only=True)
class Silence(Watch):
    """Values of dimensions that sent events, and have sent none for `length`."""

    length: timedelta
    forget: timedelta
    """What has been silent for longer than this is not missed."""
    severity: Severity


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceChange(Watch):
    """Prices that change within `ahead`. `min_cost` is pico-USD of 30 days."""

    ahead: timedelta
    min_cost: int
    severity: Severity


@dataclass(frozen=True, slots=True, kw_only=True)
class Mute:
    """A time in which people are not told: every week, or once. What still fires at its end is told then."""

    id: str
    rules: frozenset[str] = frozenset()
    """Empty: of every rule."""
    scope: Scope = field(default_factory=dict)
    zone: ZoneInfo
    days: frozenset[int] = frozenset()
    """Of the week on which it begins, 0 is Monday; empty: every day."""
    begin: time = time(0)
    end: time = time(0)
    """On the clocks of its zone; not after `begin`: on the next day."""
    starts: datetime | None = None
    ends: datetime | None = None

    def on(self, at: datetime) -> bool:
        """Tell whether it is on at `at`."""
        if (self.starts and at < self.starts) or (self.ends and at >= self.ends):
            return False
        local = at.astimezone(self.zone)
        now, today, yesterday = local.time(), local.weekday(), (local.weekday() - 1) % 7
        if self.begin < self.end:
            return self._of(today) and self.begin <= now < self.end
        return (self._of(today) and now >= self.begin) or (self._of(yesterday) and now < self.end)

    def covers(self, rule: str, scope: Scope) -> bool:
        """Tell whether it speaks of an alert of `rule` whose scope is `scope`: one that lies within its own."""
        within = all(set(scope.get(name, ("\0",))) <= set(values) for name, values in self.scope.items())
        return within and (not self.rules or rule in self.rules)

    def _of(self, day: int) -> bool:
        return not self.days or day in self.days
