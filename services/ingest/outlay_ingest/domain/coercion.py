"""Small readings that the decoders share: texts, times, counts and money from values of unknown types."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any

from outlay_schemas.errors import Invalid
from outlay_schemas.events import Quantity
from outlay_schemas.grammar import MAX_QUANTITY

LABEL = 256
"""Characters of a label; what is longer is cut, for an event is worth more than the end of a name."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_CENT = Decimal("1e-12")
_FINEST = Decimal("1e-9")
_BEYOND = Decimal(10**30)


def text(value: object) -> str | None:
    """Return a value as a label: None for nothing, a number or boolean as it is written."""
    if value is None or isinstance(value, Mapping | list) or value == "":
        return None
    return (value if isinstance(value, str) else str(value))[:LABEL]


def texts(values: Mapping[str, object]) -> dict[str, str]:
    """Return those of the values that are labels."""
    return {name: shown for name, value in values.items() if (shown := text(value)) is not None}


def mapping(value: object) -> Mapping[str, Any]:
    """Return a value that is a mapping; an empty one for anything else."""
    return value if isinstance(value, Mapping) else {}


def first(source: Mapping[str, Any], *names: str) -> Any:
    """Return the first of the named values that is there and not empty."""
    for name in names:
        value = source.get(name)
        if value is not None and value != "":
            return value
    return None


def count(value: object) -> Quantity | None:
    """Return a quantity, exact; None if it is negative or no number. One too large for an event comes back as a
    Decimal, to be refused, cut if beyond all measure: 1e999999999 written out would take minutes and gigabytes."""
    if isinstance(value, bool) or value is None:
        return None
    if isinstance(value, int) and 0 <= value <= MAX_QUANTITY:
        return value
    try:
        number = Decimal(value if isinstance(value, int) else str(value))
    except InvalidOperation:
        return None
    if not number.is_finite() or number < 0:
        return None
    if number > MAX_QUANTITY:
        return min(number, _BEYOND)
    whole = int(number)
    return whole if whole == number else number.quantize(_FINEST)


def counts(values: Mapping[str, object]) -> dict[str, Quantity]:
    """Return those of the values that are quantities."""
    return {name: amount for name, value in values.items() if (amount := count(value)) is not None}


def money(value: object) -> Decimal | None:
    """Return an amount of USD cut to 1e-12 USD, or None. Negative amounts stay, to be refused."""
    if value is None or value == "" or isinstance(value, bool):
        return None
    try:
        amount = Decimal(str(value))
        return amount.quantize(_CENT) if amount.is_finite() else None
    except (InvalidOperation, ValueError):  # ValueError: a whole number of more than 4,300 digits
        return None


def from_nanoseconds(value: int, path: str) -> datetime:
    """Return the time of nanoseconds since 1970. Raises Invalid."""
    try:
        if value <= 0:
            raise Invalid("missing_field", "a time is required", path)
        return _EPOCH + timedelta(microseconds=value // 1000)
    except OverflowError:
        raise Invalid("wrong_type", f"{value} is not a time in nanoseconds", path) from None


def moment(value: object, path: str) -> datetime:
    """Return a time given as RFC 3339 text, or as seconds since 1970. Raises Invalid."""
    if value is None or value == "":
        raise Invalid("missing_field", "a time is required: when the usage happened", path)
    if isinstance(value, str) and not is_number(value):
        return _written(value, path)
    try:
        return _EPOCH + timedelta(microseconds=int(Decimal(str(value)) * 1_000_000))
    except (InvalidOperation, OverflowError, ValueError):
        raise Invalid("wrong_type", f"{str(value)[:60]} is not a time", path) from None


def _written(value: str, path: str) -> datetime:
    try:
        time = datetime.fromisoformat(value)
    except ValueError:
        raise Invalid(
            "wrong_type", f"{value[:60]!r} is not a time as in 2026-11-24T01:02:03Z", path
        ) from None
    if time.tzinfo is None:
        raise Invalid("time_zone_missing", "a time needs its zone, as in 2026-11-24T01:02:03Z", path)
    return time


def is_number(value: str) -> bool:
    """Tell whether a text is seconds since 1970."""
    return value.replace(".", "", 1).isdecimal()
