"""The same arithmetic as `shapes.py`, written to be read: one unit after the other, in exact numbers.

It prices what the fast path leaves out (quantities that are not whole, prices finer than a pico-USD), says why a usage
is refused, in the library's words, and is what `explain` shows. Property tests hold the two equal.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from math import floor

from outlay_pricer.domain.rate_compiler.counts import Contradiction, UsageCounts, count, total
from outlay_pricer.domain.rate_compiler.rate_card import INPUT, Card
from outlay_pricer.domain.rate_compiler.units import REQUESTS
from outlay_schemas.events import Quantity


@dataclass(frozen=True)
class CostLine:
    """One part of a cost: `quantity` at `price` for each `per` is `amount` USD."""

    meter: str
    quantity: Quantity
    price: Decimal
    per: int
    amount: Fraction


def price_lines(card: Card, usage: Mapping[str, Quantity]) -> tuple[list[CostLine], UsageCounts]:
    """Price a usage part by part. Raises Contradiction, with the library's message, where the library refuses."""
    if card.error is not None:
        raise Contradiction(card.error)
    counts = count(card.units, [rate.unit for rate in card.rates], usage, card.general)
    input_tokens = total(card.units, usage, INPUT) if card.tiered else 0
    lines: list[CostLine] = []
    for rate in card.rates:
        unit = rate.unit
        requests = unit.usage_key == REQUESTS
        if requests or unit.usage_key in usage or counts.own[unit.usage_key]:
            number = usage.get(REQUESTS, 1) if requests else counts.own[unit.usage_key]
            price = rate.at(input_tokens)
            lines.append(
                CostLine(
                    unit.usage_key, number, price, unit.per, Fraction(number) * Fraction(price) / unit.per
                )
            )
    return lines, counts


def half_even(top: int, bottom: int) -> int:
    """Return top / bottom as the nearest whole number, half to even. Neither is negative."""
    whole, rest = divmod(top, bottom)
    twice = 2 * rest
    return whole + (twice > bottom or (twice == bottom and whole % 2))


def settle(amounts: Mapping[str, Fraction]) -> tuple[int, dict[str, int]]:
    """Round exact amounts of pico-USD to whole ones, so that the parts add up to the total.

    The total is the exact sum, rounded once, half to even. Each part is the amount rounded down; the pico-USD that
    are then missing go one each to the parts with the largest remainders (ties: by name). So the total is within half
    a pico-USD of the exact sum and each part within one of its own (docs/adr/0011).
    """
    if len(amounts) == 1:
        ((name, amount),) = amounts.items()
        total = round(amount)
        return total, {name: total}
    total = round(sum(amounts.values(), Fraction(0)))
    parts = {name: floor(amount) for name, amount in amounts.items()}
    missing = total - sum(parts.values())
    by_remainder = sorted(amounts, key=lambda name: (parts[name] - amounts[name], name))
    for name in by_remainder[:missing]:
        parts[name] += 1
    return total, parts
