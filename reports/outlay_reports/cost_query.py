"""A question to the reader, and the cells that answer it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from math import floor
from typing import Literal, cast, get_args
from zoneinfo import ZoneInfo

from outlay_kit.time_ranges import TimeRange
from outlay_reports.errors import QueryError
from outlay_reports.periods import Unit, period_bounds
from outlay_schemas.catalog import FxRate
from outlay_schemas.currency import USD, Currency
from outlay_schemas.dimensions import (
    ALIASES,
    CONDITIONS,
    LABELS,
    ROLLED,
    UNASSIGNED,
    WELL_KNOWN,
    condition_of,
    dimension_of,
    is_free,
)
from outlay_schemas.money import Exact

Keys = tuple[str, ...]
"""A value of each dimension of a query, in the order of `CostQuery.by`."""
Amount = Literal["cost", "charged"]
"""What the provider charges, or what the internal customer pays: the cost with the markups of the catalog."""


def parse_dimension(name: str) -> str:
    """Return a dimension by the name that people give it. Raises QueryError."""
    plain = ALIASES.get(name.strip(), name.strip())
    if plain in LABELS or is_free(plain):
        return plain
    known = ", ".join((*ROLLED, "user", *WELL_KNOWN, "tags.NAME", "attributes.NAME"))
    raise QueryError(f"{name!r} is not a dimension", f"use one of {known}")


def parse_dimensions(text: str | None) -> tuple[str, ...]:
    """Read `team,user` as dimensions, from the widest to the narrowest. Raises QueryError."""
    names = tuple(parse_dimension(part) for part in (text or "").split(",") if part.strip())
    if len(set(names)) != len(names):
        raise QueryError(f"{text} names a dimension twice", "name each once")
    return names


def parse_conditions(texts: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Read `team=growth,platform`, `team!=growth`, `model~=gpt` (contains) and `model!~=gpt`; an empty value means
    unassigned. Raises QueryError."""
    found: dict[str, tuple[str, ...]] = {}
    for text in texts:
        name, equals, values = text.partition("=")
        if not equals:
            raise QueryError(f"{text!r} is not a condition", "give DIMENSION=VALUE, such as team=growth")
        dimension, how = dimension_of(name.strip()), condition_of(name.strip())
        if how not in CONDITIONS:
            raise QueryError(f"{text!r} is not a condition", "use = (is), != (is not), ~= or !~= (contains)")
        found[parse_dimension(dimension) + how] = tuple(
            "" if value == UNASSIGNED else value for value in values.split(",")
        )
    return found


def parse_amount(text: str) -> Amount:
    """Read which amount a report is about. Raises QueryError."""
    if text not in get_args(Amount):
        raise QueryError(f"{text!r} is not an amount", f"use one of {', '.join(get_args(Amount))}")
    return cast("Amount", text)


def parse_currency(text: str, rates: Sequence[FxRate]) -> Currency:
    """Read the code of a currency, to be converted by the rates of the catalog. Raises QueryError without any."""
    found = Currency(text.strip().upper(), rates)
    if found.code == USD.code or found.rates:
        return found
    known = ", ".join(dict.fromkeys(("USD", *(rate.currency for rate in rates))))
    raise QueryError(
        f"the catalog has no exchange rate for {text[:32]!r}", f"add it to fx.yaml, or use one of {known}"
    )


@dataclass(frozen=True)
class CostQuery:
    """What to sum: a span, the time zone whose days cut it, dimensions, and conditions on dimensions."""

    span: TimeRange
    zone: ZoneInfo
    by: tuple[str, ...] = ()
    where: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    tenants: tuple[str, ...] = ()
    """None: all that the reader may see."""
    unit: Unit | None = None
    """Cut the span into these; None: one sum for all of it."""
    cuts: tuple[datetime, ...] = ()
    """The instants that cut the span, its start and end included, instead of `unit`."""
    amount: Amount = "cost"
    """Which amount `Sums.cost` is."""
    currency: Currency = USD
    """In which currency amounts are read and shown."""
    before: TimeRange | None = None
    """What it is compared with, where the span was named; None: see `previous_range`."""

    @property
    def bounds(self) -> list[datetime]:
        """The instants that cut the span."""
        return list(self.cuts) or period_bounds(self.span, self.unit, self.zone)


@dataclass(slots=True)
class Sums:
    """Measures of some events. Amounts are in 1e-12 of the query's currency: lower bounds if `unpriced` is not 0.

    They are not rounded, so that any sum of them is rounded once: when it is shown.
    """

    cost: Exact = 0
    """The amount that the question is about."""
    events: int = 0
    unpriced: int = 0
    """Events without a price, wholly or in part."""
    usage: dict[str, Decimal] = field(default_factory=dict)
    beside: Exact = 0
    """The other amount: charged, of a question about cost, and the other way round."""
    estimated: int = 0
    """Events whose price rests on a guess."""
    guessed: Exact = 0
    """What the provider charges for those; part of the cost."""
    free: int = 0
    """Events of what the provider offers free."""

    def add(self, other: "Sums") -> None:
        """Add other events to these."""
        self.cost += other.cost
        self.events += other.events
        self.unpriced += other.unpriced
        self.beside += other.beside
        self.estimated += other.estimated
        self.guessed += other.guessed
        self.free += other.free
        for meter, quantity in other.usage.items():
            self.usage[meter] = self.usage.get(meter, Decimal(0)) + quantity

    @property
    def tokens(self) -> Decimal:
        """Input and output tokens; the input includes what came from a cache."""
        return self.usage.get("input_tokens", Decimal(0)) + self.usage.get("output_tokens", Decimal(0))


@dataclass(frozen=True, slots=True)
class Cell:
    """The sums of one combination of values (`keys`) in one piece of the span."""

    bucket: int
    keys: Keys
    sums: Sums


def whole_cells(cells: Sequence[Cell]) -> Sequence[Cell]:
    """Return cells whose amounts are whole and add up to their total, rounded once, by largest remainders.

    For reports that split amounts further, in whole 1e-12. Amounts of USD are whole already.
    """
    amounts = [(cell.sums.cost, cell.sums.beside, cell.sums.guessed) for cell in cells]
    if not any(isinstance(one, Fraction) for some in amounts for one in some):
        return cells
    whole = zip(*map(_whole, zip(*amounts, strict=True)), strict=True)
    return [
        replace(cell, sums=replace(cell.sums, cost=cost, beside=beside, guessed=guessed))
        for cell, (cost, beside, guessed) in zip(cells, whole, strict=True)
    ]


def _whole(amounts: Sequence[Exact]) -> list[int]:
    parts = [floor(amount) for amount in amounts]
    left = round(sum(amounts)) - sum(parts)
    for n in sorted(range(len(parts)), key=lambda n: (parts[n] - amounts[n], n))[:left]:
        parts[n] += 1
    return parts


def total(parts: Iterable[Sums]) -> Sums:
    """Add measures up."""
    found = Sums()
    for part in parts:
        found.add(part)
    return found
