"""What is watched: budgets and alert rules."""

from datetime import date
from decimal import Decimal
from typing import Annotated, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BeforeValidator, Field, field_validator

from outlay_schemas.catalog.base import Name, NonNegative, Number, Part, Positive, Text, one_or_many

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


class Budget(Part):
    """An amount for a period, in the period's own timezone, and the percentages at which people are told."""

    id: Name
    name: Name
    tenant: str = "*"
    scope: Scope = Field(default_factory=dict)
    amount: Positive
    """USD."""
    period: Literal["hour", "day", "week", "month", "quarter", "year"] = "month"
    timezone: Timezone = "UTC"
    """IANA name; the period starts at local midnight."""
    thresholds: tuple[Annotated[Number, Field(gt=0)], ...] = (Decimal(50), Decimal(80), Decimal(100))
    """Percent of `amount`."""
    note: Text = ""

    @field_validator("thresholds")
    @classmethod
    def _thresholds_grow(cls, value: tuple[Decimal, ...]) -> tuple[Decimal, ...]:
        return _growing(value)


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


AlertRule = Annotated[SpendSpike | Anomaly, Field(discriminator="type")]
