"""What is watched: budgets and alert rules."""

from datetime import date
from decimal import Decimal
from typing import Annotated, Literal, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from outlay_schemas.catalog.base import Dated, Name, NonNegative, Number, Part, Positive, Text, one_or_many

ScopeKey = Literal[
    "project", "team", "business_unit", "use_case", "user", "provider", "sku", "kind", "activity"
]
Scope = dict[
    ScopeKey,
    Annotated[tuple[str, ...], BeforeValidator(one_or_many)],
]
"""Dimension to the values that are in scope; a dimension not named is not restricted."""


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


class Burn(Part):
    """Money that burns faster than the budget allows, in the last hours and still now."""

    hours: Annotated[Number, Field(gt=0, le=744)]
    """How far to look back. The last twelfth of it must burn as fast, so that what is over resolves soon."""
    rate: Positive
    """How many times as fast as would use up the budget exactly at the end of its period."""
    severity: Literal["info", "warning", "critical"] = "warning"


Percents = Annotated[tuple[Annotated[Number, Field(gt=0)], ...], AfterValidator(_growing)]
"""Percentages, distinct and growing."""


class Budget(Part):
    """An amount for a period, in the period's own timezone, and the percentages at which people are told."""

    id: Name
    name: Name
    tenant: str = "*"
    scope: Scope = Field(default_factory=dict)
    amount: Positive
    """USD."""
    period: Literal["hour", "day", "week", "month", "quarter", "year"] = "month"
    rolling_days: Annotated[int, Field(ge=1, le=366)] | None = None
    """The last so many days, always, instead of a period that begins anew."""
    timezone: Timezone = "UTC"
    """IANA name; the period starts at local midnight."""
    anchor_day: Annotated[int, Field(ge=1, le=28)] = 1
    """Day of the month on which months, quarters and years begin; of weeks, the day of the week (1 is Monday)."""
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
    note: Text = ""

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.period == "week" and self.anchor_day > 7:
            raise ValueError("anchor_day of a week is 1 (Monday) to 7")
        if self.rolling_days and self.rollover_percent:
            raise ValueError("a rolling budget has no period before, so that nothing rolls over")
        return self


class SpendSpike(Part):
    """Spend in a window far above what the windows before it make likely."""

    type: Literal["spend_spike"] = "spend_spike"
    id: Name
    name: Name
    tenant: str = "*"
    scope: Scope = Field(default_factory=dict)
    by: tuple[ScopeKey, ...] = ()
    """Each combination of these dimensions is watched by itself; none: the whole scope as one."""
    grain: Literal["minute", "hour", "day"] = "hour"
    min_usd: NonNegative = Decimal(1)
    """A rise of less than this is nobody's business."""
    sensitivity: Positive = Decimal(1)
    """1 is usual; 2 fires at half the distance from what is usual, 0.5 at twice."""
    note: Text = ""


class Anomaly(Part):
    """Spend that is not what the time of the day and of the week make likely: spikes, drops, shifts and drifts."""

    type: Literal["anomaly"] = "anomaly"
    id: Name
    name: Name
    tenant: str = "*"
    scope: Scope = Field(default_factory=dict)
    by: tuple[ScopeKey, ...] = ()
    """Each combination of these dimensions is watched by itself; none: the whole scope as one."""
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
    note: Text = ""


Level = Literal["info", "warning", "critical"]
"""How bad it is."""


class Threshold(Part):
    """A measure of a window that is above or below a number: costs, events, ratios, what has no price."""

    type: Literal["threshold"] = "threshold"
    id: Name
    name: Name
    tenant: str = "*"
    scope: Scope = Field(default_factory=dict)
    by: tuple[ScopeKey, ...] = ()
    """Each combination of these dimensions is watched by itself; none: the whole scope as one."""
    metric: Literal[
        "cost", "events", "unpriced_events", "unpriced_share", "cost_per_event", "cache_hit_rate", "usage"
    ]
    """Shares and rates are percentages; `usage` is the sum of `meter`."""
    meter: str = ""
    """Which meter, for the metric `usage`, such as output_tokens or gpu_seconds."""
    grain: Literal["minute", "hour", "day"] = "hour"
    above: Number | None = None
    below: Number | None = None
    min_events: Annotated[int, Field(ge=1)] = 1
    """With fewer events in a window a ratio says nothing."""
    severity: Level = "warning"
    note: Text = ""

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if self.above is None and self.below is None:
            raise ValueError("give above or below, or both")
        if (self.metric == "usage") != bool(self.meter):
            raise ValueError("the metric usage needs a meter, and no other metric has one")
        return self


class NewSpender(Part):
    """A value of a dimension that spends for the first time: a model, a team, a user."""

    type: Literal["new_spender"] = "new_spender"
    id: Name
    name: Name
    tenant: str = "*"
    scope: Scope = Field(default_factory=dict)
    by: Annotated[tuple[ScopeKey, ...], Field(min_length=1)]
    """Each combination of these dimensions is a spender."""
    days: Annotated[int, Field(ge=2, le=366)] = 30
    """Who spent nothing for so long is new again."""
    min_usd: NonNegative = Decimal(1)
    """Less is nobody's business."""
    severity: Level = "info"
    note: Text = ""


class Silence(Part):
    """Something that sent events and sends none any more."""

    type: Literal["silence"] = "silence"
    id: Name
    name: Name
    tenant: str = "*"
    scope: Scope = Field(default_factory=dict)
    by: tuple[ScopeKey, ...] = ()
    """Each combination of these dimensions is missed by itself; none: the whole scope as one."""
    minutes: Annotated[int, Field(ge=1, le=10080)] = 60
    """For how long nothing may come."""
    forget_hours: Annotated[int, Field(ge=1, le=720)] = 72
    """What has been silent for longer is not missed."""
    severity: Level = "warning"
    note: Text = ""


AlertRule = Annotated[SpendSpike | Anomaly | Threshold | NewSpender | Silence, Field(discriminator="type")]
