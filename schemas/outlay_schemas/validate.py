"""Rules of a usage event that its types cannot express."""

import re
from collections.abc import Collection
from decimal import Decimal

from outlay_schemas.errors import Invalid
from outlay_schemas.events import UsageEvent
from outlay_schemas.grammar import METER, METER_NAME, check_quantity, check_reported_cost

MAX_METERS = 64
MAX_TAGS = 64

_known_meters: set[str] = set()
"""Meter names that passed the pattern: a bounded memory of a pure check."""
_METERS = re.compile(rf"{METER_NAME}(?:\n{METER_NAME})*")


def check_usage_event(event: UsageEvent) -> None:
    """Raise `Invalid`, with its place, if a decoded event breaks a rule that its types cannot say."""
    usage = event.usage
    if not usage:
        raise Invalid(
            "usage_empty", "usage names no meter; give at least one, such as input_tokens", "$.usage"
        )
    if len(usage) > MAX_METERS:
        raise Invalid("usage_too_wide", f"{len(usage)} meters; at most {MAX_METERS} an event", "$.usage")
    good = usage.keys() <= _known_meters or _are_names(usage)
    for meter, quantity in usage.items():
        if not good:
            _check_meter_name(meter)
        if isinstance(quantity, Decimal):
            check_quantity(quantity, f"$.usage.{meter}")
            if meter.endswith("_tokens"):
                whole_tokens(meter, quantity)
    if len(event.tags) > MAX_TAGS or len(event.attributes) > MAX_TAGS:
        raise Invalid(
            "tags_too_wide", f"at most {MAX_TAGS} tags and {MAX_TAGS} attributes an event", "$.tags"
        )
    if event.reported_cost is not None:
        check_reported_cost(event.reported_cost)


def whole_tokens(meter: str, quantity: Decimal) -> int:
    """Return a count of tokens as an integer. Raises Invalid for a part of a token."""
    whole = int(quantity)
    if whole != quantity:
        raise Invalid("usage_fractional", f"{quantity} is not a whole number of tokens", f"$.usage.{meter}")
    return whole


def _are_names(meters: Collection[str]) -> bool:
    """Tell whether all are good, faster than one by one: a hostile producer gives each event other names."""
    text = "\n".join(meters)
    if text.count("\n") != len(meters) - 1 or not _METERS.fullmatch(text):
        return False
    if len(_known_meters) < 10_000:
        _known_meters.update(meters)
    return True


def _check_meter_name(meter: str) -> None:
    if not METER.match(meter):
        raise Invalid(
            "meter_name",
            f"meter {meter!r} is not a name: use a-z, 0-9 and _, as in input_tokens",
            f"$.usage.{meter}",
        )
