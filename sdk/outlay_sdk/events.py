"""From what a caller said to one line of JSON. Runs on the sending thread, away from the caller."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, TypedDict


class Labels(TypedDict, total=False):
    """Who the usage belongs to. A type checker finds a misspelt name; at run time it is logged once."""

    project: str | None
    team: str | None
    use_case: str | None
    user: str | None
    business_unit: str | None
    tenant: str | None
    tags: Mapping[str, object] | None


LABELS = tuple(name for name in Labels.__annotations__ if name not in {"tenant", "tags"})


class CallLabels(Labels, total=False):
    """Labels, and properties of one call."""

    event_id: str | None
    source: str | None
    at: int | None
    """Nanoseconds since 1970; by default now."""
    activity: str
    attributes: Mapping[str, object] | None
    headers: Mapping[str, str]
    """Of the response: they may name the provider behind a gateway."""


class UsageLabels(CallLabels, total=False):
    """Labels, and what else an event may say."""

    provider: str
    kind: str
    reported_cost: object


LONGEST = 256
"""Characters of a label; what is longer is cut when it is tracked, so that waiting events stay small."""
MOST_TAGS = 64
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

Event = dict[str, Any]


def short(text: object) -> str:
    """Return a label as text that is not too long."""
    shown = text if isinstance(text, str) else str(text)
    return shown if len(shown) <= LONGEST else shown[:LONGEST]


def short_all(labels: Mapping[str, object]) -> dict[str, str]:
    """Return labels by name, neither too many nor too long."""
    pairs = labels.items() if len(labels) <= MOST_TAGS else list(labels.items())[:MOST_TAGS]
    return {short(name): short(value) for name, value in pairs if value is not None}


def encode(event: Event) -> bytes:
    """Write an event as JSON. `time` is nanoseconds since 1970. Raises TypeError, ValueError: it cannot be written."""
    time = _EPOCH + timedelta(microseconds=event["time"] // 1000)
    whole = {**event, "time": time.isoformat().replace("+00:00", "Z")}
    if "usage" in event:
        whole["usage"] = {name: _quantity(value) for name, value in event["usage"].items()}
    if "reported_cost" in event:
        whole["reported_cost"] = str(event["reported_cost"])
    return json.dumps(whole, separators=(",", ":"), ensure_ascii=False).encode()


def _quantity(value: object) -> object:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    number = Decimal(str(value))
    if not number.is_finite():
        raise ValueError(f"{value} is not a quantity")
    return format(number.quantize(Decimal("1e-9")).normalize(), "f")
