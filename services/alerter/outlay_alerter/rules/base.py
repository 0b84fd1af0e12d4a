"""What every kind of rule has in common: what it reads, what it answers, and how it is registered.

An evaluator sees a tenant's spending through a `View` as of one moment. The live view reads ClickHouse, the view
of a backtest reads what was loaded before; the evaluator is the same.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Generic, Literal, NamedTuple, Protocol, TypeVar

import msgspec

from outlay_alerter.alerts.states import UNTIL, AlertRecord, Finding
from outlay_alerter.rules.watch import NONE, Budget, Watch, compile_rule
from outlay_kit.time_ranges import TimeRange, floor_to, grain_length
from outlay_reports.budgets import BudgetStatus
from outlay_schemas.alerts import Severity
from outlay_schemas.catalog.watch import RuleBase
from outlay_schemas.events import Grain
from outlay_schemas.money import to_pico

if TYPE_CHECKING:
    from outlay_alerter.rules.price_change import Announced

Values = tuple[str, ...]
"""One combination of the dimensions in `by`."""
LOOK_BACK = 3
"""How many of the newest windows are judged live: older ones are history."""


class Measure(msgspec.Struct, frozen=True, gc=False):
    """What one scope used in one window. `cost` is pico-USD."""

    cost: int = 0
    events: int = 0
    unpriced: int = 0
    meters: Mapping[str, Decimal] = msgspec.field(default_factory=dict)
    metric: Fraction | None = None
    """The value of the rule's own metric, where a series gives nothing else."""
    estimated: int = 0
    """Events whose price rests on a guess."""


EMPTY = Measure()


class Total(NamedTuple):
    """What a scope cost in pico-USD, and of how many events that is not, or not wholly, known."""

    cost: int
    unpriced: int = 0


@dataclass(frozen=True, slots=True)
class Windows:
    """Consecutive windows, the oldest first. A window of a line is None where the series has no value."""

    starts: Sequence[datetime]
    length: timedelta
    lines: Mapping[Values, Sequence[Measure | None]]


class View(Protocol):
    """A tenant's ledger as of `now`. Every method raises Retryable where ClickHouse is unavailable."""

    @property
    def now(self) -> datetime:
        """The moment of the evaluation."""

    @property
    def look_back(self) -> int:
        """How many of the newest windows are judged."""

    def newest(self) -> datetime | None:
        """Return the start of the newest minute (of a series: window) with events, not after `now`."""

    def over(self, settle: timedelta = NONE) -> datetime:
        """Return the moment by which a window must have ended to be over; `settle`: how long late events take."""

    def seen(self, settle: timedelta = NONE) -> datetime:
        """Return the same by the events that came: a pipeline that lags behind the clock makes no window look empty."""

    def window(self, at: datetime, grain: Grain) -> TimeRange:
        """Return the window of `grain` that holds `at`."""

    def windows(
        self, rule: Watch, grain: Grain, since: datetime, to: datetime, *,
        meters: Sequence[str] = (), least: int = 0, always: Collection[Values] = (),
    ) -> Windows:  # fmt: skip
        """Return the windows of each scope of a rule from the one that holds `since` to the one that holds `to`.

        `least`: only scopes that cost at least so many pico-USD in one of the last `look_back` windows, and `always`
        those.
        """

    def begun(self, grain: Grain, windows: Windows) -> int:
        """Return the index of the first window in which the tenant has anything."""

    def firsts(self, rule: Watch, since: datetime) -> dict[Values, tuple[datetime, Total]]:
        """Return the first day with cost of each scope, and the cost since then."""

    def lasts(self, rule: Watch, since: datetime) -> dict[Values, datetime]:
        """Return the start of the last minute with events of each scope."""

    def announced(self) -> "list[Announced]":
        """Return the price changes to come."""

    def budget(self, budget: Budget) -> tuple[list[Finding], BudgetStatus]:
        """Evaluate a budget; return what holds, and its status."""


class Judged(msgspec.Struct, frozen=True):
    """What a rule says of one window of one scope, in the metric's own unit. None: nothing can be said."""

    at: datetime
    value: float | None
    status: str
    """`normal`, `anomaly`, `insufficient_history`, `missing`, `below_minimum`, `expected`."""
    expected: float | None = None
    lower: float | None = None
    upper: float | None = None
    score: float = 0.0
    """0 is as expected, 0.5 at the limit, 1 infinitely far."""


def judged(
    at: datetime, value: float, share: float, *, fired: bool, status: str = "",
    expected: float | None = None, lower: float | None = None, upper: float | None = None,
) -> Judged:  # fmt: skip
    """Return what is said of a window whose distance from `expected` is `share` of what is allowed."""
    score = share / (1 + share)
    score = max(score, 0.5) if fired else min(score, 0.5)
    return Judged(at, value, status or ("anomaly" if fired else "normal"), expected, lower, upper, score)


@dataclass(slots=True)
class Evaluation:
    """What holds of a rule as of one moment, breached or not."""

    findings: list[Finding] = field(default_factory=list)
    judged: list[Judged] = field(default_factory=list)
    """Of the newest window of each scope, where the rule judges windows."""
    standing: list[BudgetStatus] = field(default_factory=list)
    """How a budget stands."""
    left_out: int = 0
    """New scopes that are not watched, for there are too many."""


@dataclass(frozen=True, slots=True)
class Needs:
    """What a backtest must load to evaluate a rule from one moment on, and how often it evaluates."""

    grain: Grain
    since: datetime
    """From when on."""
    reads: Literal["windows", "minutes", "spending"] = "windows"
    """Windows of each scope, the minutes with events of each scope, or the cost of any time range."""
    meters: Sequence[str] = ()
    step: timedelta | None = None
    """From one evaluation to the next; None: as long as a window."""


W = TypeVar("W", bound=Watch)


class Evaluator(ABC, Generic[W]):
    """Evaluates one rule. It may keep state, which it can always build again from the view."""

    def __init__(self, rule: W, most_scopes: int = 0) -> None:
        """`most_scopes`: how many scopes a rule with state watches, those that cost most."""
        self._rule, self._most = rule, most_scopes

    @abstractmethod
    def needs(self, start: datetime) -> Needs:
        """Return what it reads when it evaluates from `start` on."""

    @abstractmethod
    def evaluate(self, view: View, known: Mapping[str, AlertRecord]) -> Evaluation:
        """Return what holds as of `view.now`; `known`: the alerts that are not over. Raises Retryable."""


def marked(finding: Finding, now: datetime) -> Finding:
    """Mark a finding about a window or period that ended before the look-back: it was imported, or came late.

    Its alert ends by itself: the windows that would end it may never come.
    """
    if finding.judged is not None:
        look_back = max(finding.judged.length * LOOK_BACK, timedelta(hours=1))
    elif finding.shown is not None:  # a budget's period
        look_back = timedelta(days=1)
    else:
        return finding
    end = finding.span.end
    if end + look_back >= now:
        return finding
    return replace(finding, backfill=True, facts={**finding.facts, "until": end.strftime(UNTIL)})


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of rule: the `KIND` of its module, whose name is the `type` that the catalog gives it."""

    schema: type[RuleBase]
    """What it is in the catalog."""
    evaluator: Callable[[Any, int], Evaluator[Any]]
    """Makes the evaluator of a rule that watches at most so many scopes, those that cost most."""
    compile: Callable[[Any, str], Watch] = compile_rule
    """Turns a rule of the catalog into what its evaluator needs, for one tenant."""
    no_backtest: str = ""
    """Why it cannot be tried on the past; empty: it can."""
    no_series: str = ""
    """Why it cannot be tried on a series of values; empty: it can."""


def at_most(severity: Severity, amount: int, least: Decimal) -> Severity:
    """Return a severity, critical only if it is about `least` USD or more; `amount` is pico-USD."""
    return "warning" if severity == "critical" and abs(amount) < to_pico(least) else severity


def back(start: datetime, grain: Grain, windows: int) -> datetime:
    """Return the start of the window that is so many before the one that holds `start`."""
    return floor_to(start, grain) - grain_length(grain) * windows


def largest(lines: Mapping[Values, Iterable[Measure | None]], most: int) -> Sequence[Values]:
    """Return the scopes to be watched: all, or the `most` that cost most."""
    if len(lines) <= most:
        return list(lines)
    costs = {values: sum(m.cost for m in line if m) for values, line in lines.items()}
    return sorted(costs, key=lambda values: (-costs[values], values))[: max(0, most)]
