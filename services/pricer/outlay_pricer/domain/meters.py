"""The price of one meter in a price book: flat or tiered, with free units, steps and a minimum."""

from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from math import ceil, floor

from outlay_schemas.catalog import MeterPrice
from outlay_schemas.events import Quantity
from outlay_schemas.money import PICO

_ZERO = Fraction(0)


@dataclass(frozen=True)
class MeterLine:
    """How an amount came about: for `explain`."""

    quantity: Fraction
    price: Decimal
    per: Decimal
    amount: Fraction
    note: str = ""


class CompiledMeter:
    """One meter's price, ready to be applied."""

    __slots__ = ("_bounds", "_free", "_rates", "denominator", "numerator", "plain", "price")

    def __init__(self, price: MeterPrice) -> None:
        self.price = price
        self.plain = not (price.tiers or price.free or price.minimum or price.rounding)
        rate = Fraction(price.price or 0) * PICO / Fraction(price.per)
        self.numerator, self.denominator = rate.numerator, rate.denominator
        self._free = Fraction(price.free)
        self._bounds = [Fraction(tier.up_to) for tier in price.tiers if tier.up_to is not None]
        self._rates = [Fraction(tier.price) * PICO / Fraction(price.per) for tier in price.tiers]

    @property
    def free(self) -> bool:
        """Tell whether any quantity costs nothing, by the book's own word."""
        if self.price.minimum:
            return False
        return not any(tier.price for tier in self.price.tiers) if self.price.tiers else not self.price.price

    @property
    def stepped(self) -> bool:
        """Tell whether the price of a unit depends on how many were used before it."""
        rates = {tier.price for tier in self.price.tiers} or {self.price.price or Decimal(0)}
        return len(rates) > 1 or (self.price.free > 0 and rates != {0})

    def amount(self, quantity: Quantity, position: Fraction) -> Fraction:
        """Return the amount in pico-USD. `position` is what was used in the period before."""
        return Fraction(*self.ratio(quantity, position))

    def ratio(self, quantity: Quantity, position: Fraction) -> tuple[int, int]:
        """Return the amount in pico-USD as a fraction, not always in lowest terms: the fast way to the same."""
        if self.plain:
            top, bottom = quantity.as_integer_ratio()
            return top * self.numerator, bottom * self.denominator
        if self._rates and self.price.mode == "graduated" and not (self.price.minimum or self.price.rounding):
            start = position - self._free
            end = max(start + Fraction(quantity), _ZERO)
            return self._graduated(max(start, _ZERO), end).as_integer_ratio()
        lines = self.lines(quantity, position)
        return (sum((line.amount for line in lines), _ZERO) * PICO).as_integer_ratio()

    def _graduated(self, start: Fraction, end: Fraction) -> Fraction:
        total, floor_ = _ZERO, _ZERO
        for bound, rate in zip(self._bounds, self._rates, strict=False):
            if end <= bound:
                return total + (end - max(start, floor_)) * rate
            if bound > start:
                total += (bound - max(start, floor_)) * rate
            floor_ = bound
        return total + (end - max(start, floor_)) * self._rates[-1]

    def lines(self, quantity: Quantity, position: Fraction) -> list[MeterLine]:
        """Return the arithmetic, in USD. `position` is what was used in the period before this event."""
        price = self.price
        billed = self._round(Fraction(quantity))
        if not billed:
            return []
        start = max(position - self._free, _ZERO)
        end = max(position + billed - self._free, _ZERO)
        lines = (
            self._tiers(start, end) if price.tiers else [self._line(end - start, price.price or Decimal(0))]
        )
        total = sum((line.amount for line in lines), _ZERO)
        if price.minimum is not None and total < Fraction(price.minimum):
            missing = Fraction(price.minimum) - total
            lines.append(
                MeterLine(Fraction(1), price.minimum, Decimal(1), missing, "up to the minimum charge")
            )
        return lines

    def _round(self, quantity: Fraction) -> Fraction:
        rounding = self.price.rounding
        if rounding is None:
            return quantity
        step = Fraction(rounding.step)
        whole = {"up": ceil, "down": floor}.get(rounding.mode, lambda steps: floor(steps + Fraction(1, 2)))
        return whole(quantity / step) * step

    def _tiers(self, start: Fraction, end: Fraction) -> list[MeterLine]:
        if self.price.mode == "volume":
            reached = next(t for t in self.price.tiers if t.up_to is None or end <= Fraction(t.up_to))
            return [self._line(end - start, reached.price, "volume tier")]
        lines: list[MeterLine] = []
        floor_ = Fraction(0)
        for number, tier in enumerate(self.price.tiers, 1):
            top = end if tier.up_to is None else min(end, Fraction(tier.up_to))
            inside = top - max(start, floor_)
            if inside > 0:
                lines.append(self._line(inside, tier.price, f"tier {number}"))
            floor_ = top if tier.up_to is None else Fraction(tier.up_to)
        return lines

    def _line(self, quantity: Fraction, price: Decimal, note: str = "") -> MeterLine:
        return MeterLine(
            quantity, price, self.price.per, quantity * Fraction(price) / Fraction(self.price.per), note
        )
