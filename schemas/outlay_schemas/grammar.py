"""The one grammar of values in messages, for ingest, pricer and aggregator: what passes here fits its column in the
ledger as it is written. Nesting needs no rule: decoders raise RecursionError (`errors.UNREADABLE`)."""

import re
from datetime import UTC, datetime
from decimal import Decimal
from typing import Final

from outlay_schemas.errors import Invalid

MAX_QUANTITY: Final = 10**15
MAX_PLACES: Final = 9
"""Decimal places of a quantity: Decimal(38, 9) in the ledger."""
MAX_COST_PLACES: Final = 12
"""Decimal places of USD: Decimal(38, 12) in the ledger."""
MAX_EXPONENT: Final = 15
"""Of a number as it is written: 0e9999 is 0, but no decimal column reads it."""
FIRST_YEAR: Final = 2000
LAST_YEAR: Final = 2099
"""Windows of the ledger are 32 bits of seconds."""
FIRST, _END = datetime(FIRST_YEAR, 1, 1, tzinfo=UTC), datetime(LAST_YEAR + 1, 1, 1, tzinfo=UTC)

TIME: Final = r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:]{8}(?:\.[0-9]{1,6})?(?:Z|[+-][0-9]{2}:[0-9]{2})"
"""A time as services write it, and as the engine reads it exactly: microseconds at most, one zone."""
AMOUNT: Final = rf"-?[0-9]{{1,26}}(?:\.[0-9]{{1,{MAX_COST_PLACES}}})?"
"""USD as services write them."""
METER_NAME: Final = r"[a-z][a-z0-9_]{0,63}"
METER: Final = re.compile(rf"{METER_NAME}\Z")


def check_quantity(quantity: Decimal, path: str) -> None:
    """Raise Invalid unless a quantity is from 0 to 1e15 with at most 9 decimal places."""
    if not quantity.is_finite():
        raise Invalid("usage_not_a_number", f"{quantity} is not a quantity", path)
    if quantity < 0:
        raise Invalid("usage_negative", f"{quantity} is negative; corrections are sent as a new body", path)
    exponent = _exponent(quantity)
    if quantity > MAX_QUANTITY or exponent > MAX_EXPONENT:
        raise Invalid(
            "usage_out_of_range",
            f"{_shown(quantity)} is more than {MAX_QUANTITY}, or written with more zeros",
            path,
        )
    if exponent < -MAX_PLACES:
        raise Invalid("usage_too_fine", f"{_shown(quantity)} has more than {MAX_PLACES} decimal places", path)


def check_reported_cost(cost: Decimal) -> None:
    """Raise Invalid unless a reported cost is from 0 to 1e15 USD with at most 12 decimal places."""
    path = "$.reported_cost"
    if not cost.is_finite() or cost < 0 or cost > MAX_QUANTITY or _exponent(cost) > MAX_EXPONENT:
        detail = f"{_shown(cost)} is not an amount from 0 to {MAX_QUANTITY} USD"
        raise Invalid("reported_cost_range", detail, path)
    if _exponent(cost) < -MAX_COST_PLACES:
        raise Invalid("reported_cost_too_fine", f"{_shown(cost)} is finer than 1e-12 USD", path)


def check_time(time: datetime) -> None:
    """Raise Invalid unless an aware time is of a year that the ledger can hold."""
    if not FIRST <= time < _END:
        detail = f"{time.isoformat()} is not of {FIRST_YEAR} to {LAST_YEAR}"
        raise Invalid("time_out_of_range", detail, "$.time")


def _exponent(number: Decimal) -> int:
    exponent = number.as_tuple().exponent
    return exponent if isinstance(exponent, int) else 0


def _shown(number: Decimal) -> str:
    return str(number)[:60]
