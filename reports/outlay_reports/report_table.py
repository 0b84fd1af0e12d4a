"""A report as typed rows and columns with exact values: every output format renders the same numbers."""

import re
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction
from typing import Literal

from outlay_reports.money import decimal_of, dollars, percent, plain, usd
from outlay_schemas.money import to_usd

Kind = Literal["text", "time", "usd", "change", "share", "growth", "count", "rate"]
"""time: ISO 8601. usd: `Spent`. change: pico-USD, shown with a sign. share, growth: of one. rate: USD for one unit."""


@dataclass(frozen=True, slots=True)
class Spent:
    """A cost in pico-USD: a lower bound if `unpriced` events are not, or not wholly, in it."""

    pico: int
    unpriced: int = 0


Value = str | int | Decimal | Fraction | Spent | None


@dataclass(frozen=True)
class Column:
    """A column: its name for machines, its title for people, and what is in it."""

    name: str
    title: str
    kind: Kind = "text"
    wide: bool = False
    """For machines: in CSV and JSON, and not in what people are shown."""


@dataclass(frozen=True)
class Row:
    """One row. `depth`: how far it is indented; `leaf`: it adds up with the other leaves to the total."""

    values: tuple[Value, ...]
    depth: int = 0
    leaf: bool = True


@dataclass(frozen=True)
class ReportTable:
    """A table with a title, a total and notes."""

    name: str
    title: str
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    total: Row | None = None
    notes: tuple[str, ...] = ()
    facts: dict[str, object] = field(default_factory=dict)
    """What JSON says about the report beside its rows: from, to, time zone, totals."""
    tree: int = 0
    """How many of the first columns are a hierarchy, shown to people as one indented column."""
    empty: str = "no spend in this period"
    """The text of a table without rows."""


_BREAKS = re.compile(r"[\n\r\t\v\f\x1c-\x1e\x85\u2028\u2029]+")


def one_line(text: str) -> str:
    """Return a name without what would split the row of a table that it stands in."""
    return _BREAKS.sub("⏎", text)


def shown(value: Value, column: Column) -> str:
    """Write a value for people."""
    if isinstance(value, Spent):
        nothing_priced = value.unpriced and not value.pico
        return usd(None) if nothing_priced else dollars(value.pico, lower_bound=bool(value.unpriced))
    if isinstance(value, Fraction):
        return usd(value) if column.kind == "rate" else percent(value, sign=column.kind == "growth")
    if isinstance(value, int | Decimal):
        if column.kind == "change":
            return dollars(int(value), sign=True)
        return f"{value:,.0f}" if value == int(value) else f"{value:,.2f}"
    if column.kind == "time" and value:
        return str(value).replace("T", " ").removesuffix("+00:00")
    return value or ""


def machine(value: Value, column: Column) -> str | int | None:
    """Write a value for machines: money and shares as decimal strings, exact (shares and rates to 12 places)."""
    match value:
        case None | str():
            return value
        case Spent(pico, _):
            return to_usd(pico)
        case int():
            return to_usd(value) if column.kind == "change" else value
        case Fraction():
            return plain(decimal_of(value))
        case Decimal():
            return plain(value)
