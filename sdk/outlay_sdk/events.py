"""From what a caller said to one line of JSON. Runs on the sending thread, away from the caller."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

LABELS = ("project", "team", "use_case", "user", "business_unit")
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
    cost = event.get("reported_cost")
    whole = {**event, "time": time.isoformat().replace("+00:00", "Z")}
    if "usage" in event:
        whole["usage"] = {name: _quantity(value) for name, value in event["usage"].items()}
    if cost is not None:
        whole["reported_cost"] = str(cost)
    return json.dumps(whole, separators=(",", ":"), ensure_ascii=False).encode()


def _quantity(value: object) -> object:
    """Return a quantity as it is exact in JSON: a whole number, or decimals as text."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    number = Decimal(str(value))
    if not number.is_finite():
        raise ValueError(f"{value} is not a quantity")
    return format(number.quantize(Decimal("1e-9")).normalize(), "f")
