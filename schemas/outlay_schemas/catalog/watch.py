"""What is watched: budgets and alert rules."""

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
Scope = dict[
    ScopeKey,
    Annotated[tuple[str, ...], BeforeValidator(one_or_many)],
]
"""Dimension to the values that are in scope; a dimension not named is not restricted."""
GroupBy = tuple[ScopeKey, ...]
"""Each combination of these dimensions is watched by itself; none: the whole scope as one."""


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
    """USD, added to the budget's own."""
    note: Text = ""


Minutes = Annotated[int, Field(ge=0, le=10080)]


class RuleBase(CatalogModel):
    """What every budget and rule has."""

    id: Name
    name: Name
    tenant: str = "*"
    scope: Scope = Field(default_factory=dict)
    for_minutes: Minutes = 0
    """How long it must last before it is told: until then it is pending."""
    keep_firing_minutes: Minutes = 0
    """How long it must be over before that is told: what goes and comes is one alert."""
    depends_on: OneOrMany | None = None
    """Rules and budgets: while one of them fires for the same scope, or a wider or narrower one, this is not told.

    Absent: a budget depends on those of the same period whose scope is around its own, where they have one cause.
    """
    note: Text = ""


class Burn(CatalogModel):
    """Money that burns faster than the budget allows, in the last hours and still now."""

    hours: Annotated[Number, Field(gt=0, le=744)]
    """How far to look back. The last twelfth of it must burn as fast, so that what is over resolves soon."""
    rate: Positive
    """How many times as fast as would use up the budget exactly at the end of its period."""
    severity: Literal["info", "warning", "critical"] = "warning"


Percents = Annotated[tuple[Annotated[Number, Field(gt=0)], ...], AfterValidator(_growing)]
"""Percentages, distinct and growing."""


class Budget(RuleBase):
    """An amount for a period, in the period's own timezone, and the percentages at which people are told."""

    amount: Positive
    """USD."""
    counts: Literal["cost", "charged"] = "cost"
    """What counts: what providers charge, or what internal customers pay, with the markups of `negotiated.yaml`."""
    period: Literal["hour", "day", "week", "month", "quarter", "year"] = "month"
    rolling_days: Annotated[int, Field(ge=1, le=366)] | None = None
    """The last so many days, always, instead of a period that starts again."""
    timezone: Timezone = "UTC"
    """IANA name; the period starts at local midnight."""
    anchor_day: Annotated[int, Field(ge=1, le=31)] = 1
    """Day of the month on which months, quarters and years begin; of weeks, the day of the week (1 is Monday).

    In a month that is shorter, its last day.
    """
    anchor_month: Annotated[int, Field(ge=1, le=12)] = 1
    """Month in which quarters and years begin."""
    thresholds: Percents = (Decimal(50), Decimal(80), Decimal(100))
    """Percent of `amount` that was spent."""
    forecast_thresholds: Percents = ()
    """Percent of `amount` that will have been spent at the end of the period, if it goes on as is usual."""
    burn: tuple[Burn, ...] = ()
    """Rates to be told of, such as 10 times in an hour and 3 times in 6 hours."""
    increases: tuple[Increase, ...] = ()
    """More money for a time."""
    rollover_percent: Annotated[Number, Field(ge=0, le=100)] = Decimal(0)
    """How much of the amount may come over from the period before, if it was not spent."""
    fail: Literal["open", "closed"] = "open"
    """Whether who asks may spend when nobody can say how the budget stands: open, or closed."""

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.period == "week" and self.anchor_day > 7:
            raise ValueError("anchor_day of a week is 1 (Monday) to 7")
        if self.rolling_days and self.rollover_percent:
            raise ValueError("a rolling budget has no period before, so that nothing rolls over")
        return self


class SpendSpike(RuleBase):
    """Spend in a window far above what the windows before it make likely."""

    type: Literal["spend_spike"] = "spend_spike"
    group_by: GroupBy = ()
    grain: Literal["minute", "hour", "day"] = "hour"
    min_usd: NonNegative = Decimal(1)
    """A rise of less than this is nobody's business."""
    sensitivity: Positive = Decimal(1)
    """1 is usual; 2 fires at half the distance from what is usual, 0.5 at twice."""


class Anomaly(RuleBase):
    """Spend that is not what the time of the day and of the week make likely: spikes, drops, shifts and drifts."""

    type: Literal["anomaly"] = "anomaly"
    group_by: GroupBy = ()
    grain: Literal["minute", "hour", "day"] = "hour"
    timezone: Timezone = "UTC"
    """IANA name; where the days and weeks of the spending begin."""
    min_usd: NonNegative = Decimal(1)
    """A window that differs from what is likely by less than this is nobody's business."""
    sensitivity: Positive = Decimal(1)
    """1 is usual; 2 fires at half the distance from what is likely, 0.5 at twice."""
    direction: Literal["up", "down", "both"] = "both"
    """Which way is told: more than likely, less, or both."""
    holidays: tuple[date, ...] = ()
    """Days that are like Sundays, in `timezone`."""
    settle_minutes: Annotated[int, Field(ge=0, le=1440)] = 2
    """How long late events are waited for before a window is over."""


Level = Literal["info", "warning", "critical"]
"""How bad it is."""


class Threshold(RuleBase):
    """A measure of a window that is above or below a number: costs, events, ratios, what has no price."""

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
    """Which meter, for the metric `usage`, such as output_tokens or gpu_seconds."""
    grain: Literal["minute", "hour", "day"] = "hour"
    above: Number | None = None
    below: Number | None = None
    margin: NonNegative = Decimal(0)
    """How far back inside its limit it must be before it is over, in the metric's own unit."""
    min_events: Annotated[int, Field(ge=1)] = 1
    """With fewer events in a window a ratio says nothing."""
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
    days: Annotated[int, Field(ge=2, le=366)] = 30
    """Who spent nothing for so long is new again."""
    min_usd: NonNegative = Decimal(1)
    """Less is nobody's business."""
    severity: Level = "info"


class Silence(RuleBase):
    """Something that sent events and sends none any more."""

    type: Literal["silence"] = "silence"
    group_by: GroupBy = ()
    minutes: Annotated[int, Field(ge=1, le=10080)] = 60
    """For how long nothing may come."""
    stale_after_hours: Annotated[int, Field(ge=1, le=720)] = 72
    """What has been silent for longer is not missed."""
    severity: Level = "warning"


class PriceChange(RuleBase):
    """A price that the catalog says will change, and what that comes to at the use of the last 30 days."""

    type: Literal["price_change"] = "price_change"
    days: Annotated[int, Field(ge=1, le=90)] = 30
    """How long before it is told, once."""
    min_usd: NonNegative = Decimal(1)
    """A change that comes to less in 30 days is nobody's business."""
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
    """A time in which people are not told: every week, or once. What still fires at its end is told then."""

    id: Name
    name: Name = "muted"
    tenant: str = "*"
    rules: OneOrMany = ()
    """Ids of rules and budgets; empty: all of them."""
    scope: Scope = Field(default_factory=dict)
    """Only alerts within it."""
    timezone: Timezone = "UTC"
    """IANA name; where `days` and `between` are meant."""
    days: tuple[Day, ...] = ()
    """On which it begins; empty: every day."""
    between: tuple[Clock, Clock] | None = None
    """From and until when on those days; an end that is not after the beginning is on the next day."""
    note: Text = ""

    @model_validator(mode="after")
    def _ends_some_time(self) -> Self:
        if not self.days and self.between is None and self.ends is None:
            raise ValueError("a mute window needs days, between, or to: it would never end")
        return self


AlertRule = Annotated[
    SpendSpike | Anomaly | Threshold | NewSpender | Silence | PriceChange, Field(discriminator="type")
]
