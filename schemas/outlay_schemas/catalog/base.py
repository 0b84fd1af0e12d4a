"""Base classes and field types of the catalog."""

from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Any

from pydantic import AfterValidator, AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field


class CatalogModel(BaseModel):
    """An immutable part of the catalog; a misspelt field is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def _no_float(value: Any) -> Any:
    # YAML reads 0.1 as a float. Its shortest repr is what the reviewer wrote, so the text is taken, not the float.
    return Decimal(repr(value)) if isinstance(value, float) else value


def _bounded(value: Decimal) -> Decimal:
    # Prices become fractions: an exponent of a million would be a number of a million digits.
    exponent = value.as_tuple().exponent
    if isinstance(exponent, int) and (value.copy_abs() > MAX_NUMBER or exponent < -MAX_PLACES):
        raise ValueError(f"a number is at most {MAX_NUMBER} and has at most {MAX_PLACES} decimal places")
    return value


MAX_NUMBER = 10**18
MAX_PLACES = 60
Number = Annotated[Decimal, BeforeValidator(_no_float), AfterValidator(_bounded)]
"""A decimal number, exact and finite."""
NonNegative = Annotated[Number, Field(ge=0)]
Positive = Annotated[Number, Field(gt=0)]
Name = Annotated[str, Field(min_length=1, max_length=256)]
Text = Annotated[str, Field(max_length=2000)]
Words = tuple[str, ...]


def one_or_many(value: Any) -> Any:
    """Read a single word as a list of one, as people write it in YAML."""
    return (value,) if isinstance(value, str) else value


OneOrMany = Annotated[Words, BeforeValidator(one_or_many)]


def _midnight(value: Any) -> Any:
    # `from: 2026-01-01` in YAML is a date: it means midnight UTC, as the providers announce it.
    if isinstance(value, str) and len(value) == 10:
        return f"{value}T00:00:00Z"
    if isinstance(value, date) and not isinstance(value, datetime):
        return f"{value.isoformat()}T00:00:00Z"
    return value


Instant = Annotated[AwareDatetime, BeforeValidator(_midnight)]
"""A moment: RFC 3339 with an offset, or a date, which is midnight UTC."""


class Dated(CatalogModel):
    """A fact from `from` (inclusive) until `to` (exclusive); absent means always."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    starts: Instant | None = Field(default=None, alias="from")
    ends: Instant | None = Field(default=None, alias="to")

    def active(self, at: datetime) -> bool:
        """Return whether this holds at `at`."""
        return (self.starts is None or self.starts <= at) and (self.ends is None or at < self.ends)
