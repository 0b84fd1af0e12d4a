"""The recorded cost of an event by meter, from its ledger row.

The pricer's `explain` is another question: it prices an event by a catalog, and shows the rule and the arithmetic.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, localcontext

from outlay_schemas.catalog.price_ref import PriceRef, parse_price_ref, sentences

_MILLION = Decimal(1_000_000)


@dataclass(frozen=True)
class Line:
    """One meter: its quantity, its cost (None: unpriced), and the cost of one unit."""

    meter: str
    quantity: Decimal
    cost: Decimal | None
    unit: str
    """The quantity that `rate` is for: `1M` of tokens, else `1`."""
    rate: Decimal | None


@dataclass(frozen=True)
class CostBreakdown:
    """The cost of one event by meter."""

    lines: Sequence[Line]
    included: Sequence[str]
    """Meters whose price another meter includes."""
    ref: PriceRef | None
    guesses: Sequence[str]


def cost_breakdown(row: Mapping[str, object]) -> CostBreakdown:
    """Return the breakdown of a row of the view `costs`."""
    usage, parts = _decimals(row["usage"]), _decimals(row["cost_parts"])
    unpriced = set(row["unpriced_meters"]) if isinstance(row["unpriced_meters"], list | tuple) else set()
    costs = parts | dict.fromkeys(sorted(unpriced - set(parts)))
    lines = [_line(meter, usage.get(meter, Decimal(0)), cost) for meter, cost in costs.items()]
    included = [meter for meter in usage if meter not in parts and meter not in unpriced]
    try:
        ref = parse_price_ref(str(row["price_ref"]))
    except ValueError:
        ref = None
    return CostBreakdown(lines, included, ref, sentences(ref.guesses) if ref else [])


def _line(meter: str, quantity: Decimal, cost: Decimal | None) -> Line:
    per = _MILLION if meter.endswith("_tokens") else Decimal(1)
    rate = None
    if cost is not None and quantity:
        with localcontext() as context:
            context.prec = 12
            rate = cost * per / quantity
    return Line(meter, quantity, cost, "1M" if per == _MILLION else "1", rate)


def _decimals(value: object) -> dict[str, Decimal]:
    return {str(k): Decimal(str(v)) for k, v in value.items()} if isinstance(value, dict) else {}
