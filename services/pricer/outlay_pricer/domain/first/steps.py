"""The arithmetic of one price-book meter: rounding, allowance, tiers, minimum. Exact, in fractions of USD."""

from decimal import Decimal
from fractions import Fraction
from math import ceil, floor

from outlay_schemas.catalog import MeterPrice, Rounding


def charge(price: MeterPrice, quantity: int | Decimal, position: Fraction = Fraction(0)) -> Fraction:
    """Return the USD for `quantity`, when `position` units of the period were used before it."""
    if not quantity:
        return Fraction(0)
    amount = _billed(Fraction(quantity), price.rounding)
    begin = max(position, Fraction(price.free))
    end = max(position + amount, begin)
    usd = _tiered(price, begin, end) if price.tiers else (end - begin) * Fraction(price.price or 0)
    usd /= Fraction(price.per)
    return usd if price.minimum is None else max(usd, Fraction(price.minimum))


def _billed(quantity: Fraction, rounding: Rounding | None) -> Fraction:
    if rounding is None:
        return quantity
    step = Fraction(rounding.step)
    steps = quantity / step
    if rounding.mode == "up":
        return ceil(steps) * step
    return floor(steps if rounding.mode == "down" else steps + Fraction(1, 2)) * step


def _tiered(price: MeterPrice, begin: Fraction, end: Fraction) -> Fraction:
    if price.mode == "volume":
        for tier in price.tiers:
            if tier.up_to is None or end <= Fraction(tier.up_to):
                return (end - begin) * Fraction(tier.price)
    usd, low = Fraction(0), Fraction(0)
    for tier in price.tiers:
        high = end if tier.up_to is None else min(end, Fraction(tier.up_to))
        usd += max(high - max(begin, low), Fraction(0)) * Fraction(tier.price)
        low = high if tier.up_to is None else Fraction(tier.up_to)
    return usd
