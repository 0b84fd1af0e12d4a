"""What a usage event must satisfy beyond its types."""

import re
from decimal import Decimal

from outlay_schemas.errors import Invalid
from outlay_schemas.events import UsageEvent

MAX_QUANTITY = 10**15
MAX_PLACES = 9
MAX_EXPONENT = 15
"""Of a number as it is written: 0e9999 is 0, but no decimal column reads it."""
MAX_METERS = 64
MAX_TAGS = 64

_METER_NAME = re.compile(r"[a-z][a-z0-9_]{0,63}\Z")
_known_meters: set[str] = set()
"""Meter names that passed the pattern: a bounded memory of a pure check."""


def check_usage_event(event: UsageEvent) -> None:
    """Raise `Invalid`, with its place, if a decoded event breaks a rule that its types cannot say."""
    usage = event.usage
    if not usage:
        raise Invalid(
            "usage_empty", "usage names no meter; give at least one, such as input_tokens", "$.usage"
        )
    if len(usage) > MAX_METERS:
        raise Invalid("usage_too_wide", f"{len(usage)} meters; at most {MAX_METERS} an event", "$.usage")
    for meter, quantity in usage.items():
        if meter not in _known_meters:
            _check_meter_name(meter)
        if isinstance(quantity, Decimal):
            _check_decimal(quantity, f"$.usage.{meter}")
    if len(event.tags) > MAX_TAGS or len(event.attributes) > MAX_TAGS:
        raise Invalid(
            "tags_too_wide", f"at most {MAX_TAGS} tags and {MAX_TAGS} attributes an event", "$.tags"
        )
    if event.reported_cost is not None:
        _check_reported_cost(event.reported_cost)


def _check_meter_name(meter: str) -> None:
    if not _METER_NAME.match(meter):
        raise Invalid(
            "meter_name",
            f"meter {meter!r} is not a name: use lower-case letters, digits and _, as in input_tokens",
            f"$.usage.{meter}",
        )
    if len(_known_meters) < 10_000:
        _known_meters.add(meter)


def _check_decimal(quantity: Decimal, path: str) -> None:
    if not quantity.is_finite():
        raise Invalid("usage_not_a_number", f"{quantity} is not a quantity", path)
    if quantity < 0:
        raise Invalid("usage_negative", f"{quantity} is negative; corrections are sent as a new body", path)
    if quantity > MAX_QUANTITY or _exponent(quantity) > MAX_EXPONENT:
        raise Invalid("usage_out_of_range", f"{quantity} is more than {MAX_QUANTITY}", path)
    if _exponent(quantity) < -MAX_PLACES:
        raise Invalid("usage_too_fine", f"{quantity} has more than {MAX_PLACES} decimal places", path)


def _check_reported_cost(cost: Decimal) -> None:
    path = "$.reported_cost"
    if not cost.is_finite() or cost < 0 or cost > MAX_QUANTITY or _exponent(cost) > MAX_EXPONENT:
        raise Invalid("reported_cost_range", f"{cost} is not an amount from 0 to {MAX_QUANTITY} USD", path)
    if _exponent(cost) < -12:
        raise Invalid("reported_cost_too_fine", f"{cost} is finer than 1e-12 USD", path)


def _exponent(number: Decimal) -> int:
    exponent = number.as_tuple().exponent
    return exponent if isinstance(exponent, int) else 0
