"""The same arithmetic as `shapes.py`, written to be read: one unit after the other, in exact numbers.

It prices what the fast path leaves out (quantities that are not whole, prices finer than a pico-USD), says why a usage
is refused, in the library's words, and is what `explain` shows. Property tests hold the two equal.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Context, Decimal
from fractions import Fraction
from math import floor

from outlay_pricer.domain.cards import INPUT, Card
from outlay_pricer.domain.units import REQUESTS, Unit, Units
from outlay_schemas.events import Quantity

_EXACT = Context(prec=100)


class Contradiction(Exception):
    """The numbers of a usage cannot all be true."""


@dataclass(frozen=True)
class Line:
    """One part of a cost: `quantity` at `price` for each `per` is `amount` USD."""

    meter: str
    quantity: Quantity
    price: Decimal
    per: int
    amount: Fraction


def price_lines(card: Card, usage: Mapping[str, Quantity]) -> list[Line]:
    """Price a usage part by part. Raises Contradiction, with the library's message, where the library refuses."""
    if card.error is not None:
        raise Contradiction(card.error)
    reported = {meter: value for meter, value in usage.items() if meter in card.units.reported}
    counts = _leaf_counts(card, reported)
    input_tokens = _value(card.units, reported, INPUT) if card.tiered else 0
    lines: list[Line] = []
    for rate in card.rates:
        unit = rate.unit
        count = usage.get(REQUESTS, 1) if unit.usage_key == REQUESTS else counts[unit.usage_key]
        if unit.usage_key == REQUESTS or unit.usage_key in reported:
            price = rate.at(input_tokens)
            lines.append(
                Line(unit.usage_key, count, price, unit.per, Fraction(count) * Fraction(price) / unit.per)
            )
    return lines


def _leaf_counts(card: Card, reported: Mapping[str, Quantity]) -> dict[str, Quantity]:
    priced = sorted(
        (rate.unit for rate in card.rates if rate.unit.usage_key != REQUESTS),
        key=lambda unit: (-len(unit.dimensions), unit.usage_key),
    )
    counts: dict[str, Quantity] = {}
    for unit in priced:
        inside = [counts[other.usage_key] for other in priced if other is not unit and unit.contains(other)]
        own = _minus(_value(card.units, reported, unit.usage_key), inside)
        if own < 0:
            raise Contradiction(_too_little(unit, priced, card.units, reported, own))
        counts[unit.usage_key] = own
    return counts


def _value(units: Units, reported: Mapping[str, Quantity], key: str) -> Quantity:
    """Return what was reported for a unit, or 0 where nothing suggests otherwise."""
    if key in reported:
        return reported[key]
    wanted = units.by_usage[key]
    there = [units.by_usage[other] for other, value in reported.items() if value > 0]
    inside = sorted(unit.usage_key for unit in there if wanted.contains(unit))
    if inside:
        raise Contradiction(
            f"Missing usage for {key}: reported descendant usage keys {', '.join(inside)} require explicit {key}"
        )
    pair = _overlap(wanted, sorted(there, key=lambda unit: unit.usage_key))
    if pair:
        raise Contradiction(
            f"Missing usage for {key}: reported overlapping usage keys {', '.join(pair)} require explicit {key}"
        )
    return 0


def _overlap(wanted: Unit, units: list[Unit]) -> tuple[str, str] | None:
    for index, left in enumerate(units):
        for right in units[index + 1 :]:
            if left.contains(right) or right.contains(left) or not left.overlaps(right):
                continue
            if wanted.dimensions == left.dimensions | right.dimensions:
                return left.usage_key, right.usage_key
    return None


def _minus(value: Quantity, others: Iterable[Quantity]) -> Quantity:
    result: Quantity = value
    for other in others:
        if isinstance(result, int) and isinstance(other, int):
            result -= other
        else:
            result = _EXACT.subtract(Decimal(result), Decimal(other))
    return result


def _too_little(
    unit: Unit, priced: list[Unit], units: Units, reported: Mapping[str, Quantity], own: Quantity
) -> str:
    whole = _value(units, reported, unit.usage_key)
    inside: list[tuple[str, Quantity]] = []
    for other in priced:
        if other is not unit and unit.contains(other):
            value = _value(units, reported, other.usage_key)
            if value > 0:
                inside.append((other.usage_key, value))
    for key, value in inside:
        if value > whole:
            return f"Invalid usage data: {key} ({value}) cannot exceed {unit.usage_key} ({whole})"
    keys = ", ".join(key for key, _ in inside)
    return (
        f"Invalid usage data: more-specific usage for {keys} totals {_minus(whole, (own,))}, "
        f"which exceeds {unit.usage_key} ({whole})"
    )


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
