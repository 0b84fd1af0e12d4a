"""Budgets, alert rules and mute time intervals."""

import re
from datetime import date, time
from decimal import Decimal
from difflib import get_close_matches
from typing import Annotated, Any, Literal, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema, model_validator

from outlay_schemas.catalog.base import (
    CatalogModel,
    Dated,
    Name,
    NonNegative,
    Number,
    OneOrMany,
    Positive,
    Text,
    one_or_many,
)
from outlay_schemas.dimensions import CELL

_FREE = r"(tags|attributes)\.[A-Za-z0-9_.:/-]{1,128}"


def _scope_key(value: str) -> str:
    if value in CELL or re.fullmatch(_FREE, value):
        return value
    near = get_close_matches(value, [*CELL, f"tags.{value.removeprefix('tag.')}"], 1, 0.5)
    usual = f"use one of {', '.join(CELL)}, a tag as tags.env, or an attribute as attributes.region"
    raise ValueError(f"{value} is not a dimension; {f'did you mean {near[0]}?' if near else usual}")


ScopeKey = Annotated[
    str,
    AfterValidator(_scope_key),
    WithJsonSchema({"type": "string", "pattern": f"^({'|'.join(CELL)}|{_FREE})$"}),
]
"""A dimension, or a tag or attribute of the producer, such as `tags.env`, whose figures are summed from the ledger."""
Scope = dict[ScopeKey, Annotated[tuple[str, ...], BeforeValidator(one_or_many)]]
"""Dimension to the values in scope; a dimension that is not named is not restricted."""
GroupBy = tuple[ScopeKey, ...]
"""Each combination of these dimensions is evaluated by itself; empty: the whole scope as one."""


def _zone(value: str) -> str:
    try:
        ZoneInfo(value)
    except (ZoneInfoNotFoundError, ValueError):
        raise ValueError(f"{value} is not a timezone; use an IANA name such as Europe/Berlin") from None
    return value


Timezone = Annotated[Name, AfterValidator(_zone)]
"""IANA name of a time zone."""


def _growing(value: tuple[Decimal, ...]) -> tuple[Decimal, ...]:
    if list(value) != sorted(set(value)):
        raise ValueError("thresholds must be distinct and grow")
    return value


class Increase(Dated):
    """More money for the periods that overlap `from` to `to`."""

    amount: Positive
    """In the budget's currency, added to the budget's own."""
    note: Text = ""


Minutes = Annotated[int, Field(ge=0, le=10080)]
CRITICAL = Decimal(10)
"""What is critical is about so many USD at least, unless the rule says otherwise."""


class RuleBase(CatalogModel):
    """Fields of every budget and rule."""

    id: Name
    name: Name
    tenant: str = "*"
    """Tenant that it is for; `*`: all tenants, each by itself."""
    scope: Scope = Field(default_factory=dict)
    for_minutes: Minutes = 0
    """Minutes that the condition must last before the alert fires; until then it is pending."""
    keep_firing_minutes: Minutes = 0
    """Minutes that the condition must be over before the alert resolves: a flapping condition is one alert."""
    depends_on: OneOrMany | None = None
    """Ids of rules and budgets: while one of them fires for an overlapping scope, this one does not notify.

    Absent: a budget depends on the budgets of the same period with a wider scope, where they have one cause."""
    runbook: Annotated[str, Field(pattern=r"^(https?://[^\s<>|]{1,500})?$")] = ""
    """Address of what to do about its alerts, linked in each."""
    owner: Text = ""
    """Who takes care of its alerts, shown in each."""
    mention: tuple[Annotated[str, Field(pattern=r"^(here|channel|[UWS][A-Z0-9]{4,20})$")], ...] = ()
    """Whom Slack notifies when it fires: ids of members (`U…`) and user groups (`S…`), `here` or `channel`."""
    note: Text = ""


class Burn(CatalogModel):
    """A burn rate: the spend of the last hours is faster than the budget allows."""

    hours: Annotated[Number, Field(gt=0, le=744)]
    """Window in hours. Its most recent 1/12 must exceed the rate too, so that the alert resolves quickly."""
    rate: Positive
    """Multiple of the rate that would use up the budget exactly at the end of its period."""
    severity: Literal["info", "warning", "critical"] = "warning"


Percents = Annotated[tuple[Annotated[Number, Field(gt=0)], ...], AfterValidator(_growing)]
"""Percentages, distinct and ascending."""


class Budget(RuleBase):
    """An amount for a period, in the period's own timezone, and the percentages that fire an alert."""

    tenant: str = "default"
    """Tenant that it is for. Absent: `default`, the operator's own. `*`: every tenant has it for itself."""
    amount: Positive
    """What may be spent in a period, in `currency`."""
    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")] = "USD"
    """Code of the currency of `amount` and of increases. A period's limit is what they are worth in USD by fx.yaml when
    the period begins: what is spent is USD."""
    critical_usd: NonNegative = CRITICAL
    """An amount below this is at most a warning, even when it is used up. USD."""
    counts: Literal["cost", "charged"] = "cost"
    """Amount that counts: cost (providers charge it) or charged (internal customers pay it, with markups)."""
    period: Literal["hour", "day", "week", "month", "quarter", "year"] = "month"
    rolling_days: Annotated[int, Field(ge=1, le=366)] | None = None
    """Rolling window in days, in place of a calendar period."""
    timezone: Timezone = "UTC"
    """IANA name; the period starts at local midnight."""
    anchor_day: Annotated[int, Field(ge=1, le=31)] = 1
    """First day of months, quarters and years (the last day of shorter months); of weeks, 1 is Monday."""
    anchor_month: Annotated[int, Field(ge=1, le=12)] = 1
    """Month in which quarters and years begin."""
    thresholds: Percents = (Decimal(50), Decimal(80), Decimal(100))
    """Percentages of `amount` that were spent."""
    forecast_thresholds: Percents = ()
    """Percentages of `amount` that the forecast reaches by the end of the period."""
    burn: tuple[Burn, ...] = ()
    """Burn rates that fire an alert, such as 10 times in an hour and 3 times in 6 hours."""
    increases: tuple[Increase, ...] = ()
    """Temporary increases of the amount."""
    rollover_percent: Annotated[Number, Field(ge=0, le=100)] = Decimal(0)
    """Percentage of the amount that rolls over from the previous period if it was not spent."""
    fail: Literal["open", "closed"] = "open"
    """Answer to a program that asks whether it may spend while the status is unknown: open allows it."""

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.period == "week" and self.anchor_day > 7:
            raise ValueError("anchor_day of a week is 1 (Monday) to 7")
        if self.rolling_days and self.rollover_percent:
            raise ValueError("a rolling budget has no previous period: nothing rolls over")
        return self


class SpendSpike(RuleBase):
    """Spend in a window far above the windows before it."""

    type: Literal["spend_spike"] = "spend_spike"
    group_by: GroupBy = ()
    grain: Literal["minute", "hour", "day"] = "hour"
    min_usd: NonNegative = Decimal(1)
    """Smaller rises are ignored. USD."""
    critical_usd: NonNegative = CRITICAL
    """Smaller rises are at most a warning. USD above what is usual in a window."""
    sensitivity: Positive = Decimal(1)
    """1 is the default; 2 fires at half the distance from normal, 0.5 at twice."""


class Anomaly(RuleBase):
    """Spend that differs from its daily and weekly pattern: spikes, drops, shifts and drifts."""

    type: Literal["anomaly"] = "anomaly"
    group_by: GroupBy = ()
    grain: Literal["minute", "hour", "day"] = "hour"
    timezone: Timezone = "UTC"
    """IANA name; days and weeks of the pattern begin at its midnight."""
    min_usd: NonNegative = Decimal(1)
    """Smaller differences are ignored. USD."""
    critical_usd: NonNegative = CRITICAL
    """Smaller differences are at most a warning. USD in a window."""
    sensitivity: Positive = Decimal(1)
    """1 is the default; 2 fires at half the distance from normal, 0.5 at twice."""
    direction: Literal["up", "down", "both"] = "both"
    """Direction that fires: above the expectation, below it, or both."""
    holidays: tuple[date, ...] = ()
    """Days that behave as Sundays, in `timezone`."""
    settle_minutes: Annotated[int, Field(ge=0, le=1440)] = 2
    """Minutes to wait for late events after a window ends."""


Level = Literal["info", "warning", "critical"]
"""Severity."""


class Threshold(RuleBase):
    """A measure of a window above or below a limit: cost, events, ratios, unpriced usage."""

    type: Literal["threshold"] = "threshold"
    group_by: GroupBy = ()
    metric: Literal[
        "cost",
        "events",
        "unpriced_events",
        "unpriced_share",
        "estimated_events",
        "estimated_share",
        "cost_per_event",
        "cache_hit_rate",
        "usage",
    ]
    """Shares and rates are percentages; `usage` is the sum of `meter`."""
    meter: str = ""
    """Meter of the metric `usage`, such as output_tokens or gpu_seconds."""
    grain: Literal["minute", "hour", "day"] = "hour"
    above: Number | None = None
    below: Number | None = None
    margin: NonNegative = Decimal(0)
    """Distance inside the limit before the alert resolves, in the unit of the metric."""
    min_events: Annotated[int, Field(ge=1)] = 1
    """Minimum events in a window for a ratio to count."""
    severity: Level = "warning"

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if self.above is None and self.below is None:
            raise ValueError("give above or below, or both")
        if (self.metric == "usage") != bool(self.meter):
            raise ValueError("the metric usage needs a meter, and no other metric has one")
        return self


class NewSpender(RuleBase):
    """A value of a dimension that spends for the first time: a model, a team, a user."""

    type: Literal["new_spender"] = "new_spender"
    group_by: Annotated[tuple[ScopeKey, ...], Field(min_length=1)]
    """Each combination of these dimensions is a spender."""
    days: Annotated[int, Field(ge=2, le=366)] = 35
    """Days without spend after which a spender is new again; over a month, so that a monthly job is not."""
    min_usd: NonNegative = Decimal(1)
    """Smaller spend is ignored. USD."""
    severity: Level = "info"


class Silence(RuleBase):
    """A source of events that stopped sending."""

    type: Literal["silence"] = "silence"
    group_by: GroupBy = ()
    minutes: Annotated[int, Field(ge=1, le=10080)] = 60
    """Minutes without events after which the alert fires."""
    stale_after_hours: Annotated[int, Field(ge=1, le=720)] = 72
    """Hours of silence after which a source is no longer expected."""
    severity: Level = "warning"


class PriceChange(RuleBase):
    """A price change that the catalog announces, and its effect at the usage of the last 30 days."""

    type: Literal["price_change"] = "price_change"
    days: Annotated[int, Field(ge=1, le=90)] = 30
    """Days before the change at which the alert fires, once."""
    min_usd: NonNegative = Decimal(1)
    """Smaller effects in 30 days are ignored. USD."""
    severity: Level = "info"


def _clock(value: Any) -> Any:
    if not isinstance(value, int):
        return value
    if not 60 <= value < 1440:
        raise ValueError("write a time of the day as 22:30")
    return time(value // 60, value % 60)  # YAML 1.1 reads an unquoted 22:30 as sixty times 22 and 30


Clock = Annotated[time, BeforeValidator(_clock)]
"""A time of the day, such as 22:30."""
Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]


class MuteTimeInterval(Dated):
    """A time without notifications: every week, or once. Alerts that still fire at its end are sent then."""

    id: Name
    name: Name = "muted"
    tenant: str = "*"
    rules: OneOrMany = ()
    """Ids of rules and budgets; empty: all of them."""
    scope: Scope = Field(default_factory=dict)
    """Only alerts within this scope are muted."""
    timezone: Timezone = "UTC"
    """IANA name; timezone of `days` and `between`."""
    days: tuple[Day, ...] = ()
    """Days on which it begins; empty: every day."""
    between: tuple[Clock, Clock] | None = None
    """Start and end on those days; an end before the start is on the next day."""
    note: Text = ""

    @model_validator(mode="after")
    def _ends_some_time(self) -> Self:
        if not self.days and self.between is None and self.ends is None:
            raise ValueError("a mute window needs days, between, or to: it would never end")
        return self


AlertRule = Annotated[
    SpendSpike | Anomaly | Threshold | NewSpender | Silence | PriceChange, Field(discriminator="type")
]
