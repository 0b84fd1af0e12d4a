"""The same arithmetic as the generated code, written to be read: one unit after the other, in exact numbers.

It prices what the fast path leaves out (quantities that are not whole, prices finer than a pico-USD), says why a usage
is refused, in the library's words, and is what `explain` shows. Property tests hold the two equal.

Of each meter only that is paid at its own price which no part with a price of its own is. `input_tokens` includes
cached and audio tokens. Where both have a price, the cached audio tokens are in both, and an event may leave out how
many those are. Then what the other numbers allow decides, and where they allow for several, the fewest: discounts on
audio are the largest, so that is the highest cost. It is marked as a guess.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Context, Decimal
from fractions import Fraction
from itertools import combinations
from math import floor

from outlay_pricer.domain.rate_compiler.rate_card import Card
from outlay_pricer.domain.rate_compiler.rate_codegen import INPUT
from outlay_pricer.domain.rate_compiler.units import REQUESTS, Modality, Unit, Units, is_priced
from outlay_schemas.events import Quantity

_EXACT = Context(prec=100)
SPLIT_UNKNOWN = "modality-split"
REST_UNKNOWN = "modality-rest"


class Contradiction(Exception):
    """The numbers of a usage cannot all be true."""


@dataclass(frozen=True)
class UsageCounts:
    """The counts of a usage, apart."""

    own: dict[str, Quantity]
    """By priced meter: what is paid at its price."""
    unpriced: tuple[str, ...]
    """Meters that were used and that no price is for. They are in none of `own`."""
    guesses: tuple[str, ...]


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
    tiered = any(rate.tiers for rate in card.rates)
    input_tokens = _Reported(card.units, usage).value(card.units.by_usage[INPUT]) if tiered else 0
    lines: list[CostLine] = []
    for rate in card.rates:
        meter, per = rate.unit.usage_key, rate.unit.per
        number = usage.get(REQUESTS, 1) if meter == REQUESTS else counts.own[meter]
        if number or meter in usage or meter == REQUESTS:
            price = rate.at(input_tokens)
            lines.append(CostLine(meter, number, price, per, Fraction(number) * Fraction(price) / per))
    return lines, counts


def count(
    units: Units,
    priced: Iterable[Unit],
    usage: Mapping[str, Quantity],
    general: frozenset[Modality] = frozenset(),
) -> UsageCounts:
    """Count a usage for a set of prices. Raises Contradiction, in the library's words, where the numbers disagree.

    `general`: modalities that the general price is for, though providers mostly bill them apart.
    """
    prices = [unit for unit in priced if unit.usage_key != REQUESTS]
    reported = _Reported(units, usage)
    outside = [unit for unit in reported.used if not is_priced(unit, prices, general)]
    apart = {unit.usage_key: unit for unit in outside if any(price.contains(unit) for price in prices)}
    # What lies both in a meter without a price and in one that has one must be taken off that, too.
    joins = [units.join(one, price) for one in apart.values() for price in prices]
    apart |= {unit.usage_key: unit for unit in joins if unit is not None and unit not in prices}
    own = _own_counts(reported, [*prices, *apart.values()])
    unpriced = {unit.usage_key for unit in outside}
    return UsageCounts(
        own={unit.usage_key: own[unit.usage_key] for unit in prices},
        unpriced=tuple(
            key for key, value in usage.items() if key in unpriced or (value and key not in units.by_usage)
        ),
        guesses=tuple(sorted({*reported.guesses, *_rest(reported, prices)})),
    )


def _own_counts(reported: "_Reported", counted: Sequence[Unit]) -> dict[str, Quantity]:
    ordered = sorted(counted, key=lambda unit: (-len(unit.dimensions), unit.usage_key))
    counts: dict[str, Quantity] = {}
    for unit in ordered:
        inside = [other for other in ordered if other is not unit and unit.contains(other)]
        own = minus(reported.value(unit), [counts[other.usage_key] for other in inside])
        if own < 0:
            raise Contradiction(_too_little(unit, inside, reported, own))
        counts[unit.usage_key] = own
    return counts


class _Reported:
    def __init__(self, units: Units, usage: Mapping[str, Quantity]) -> None:
        self.units = units
        self.values = {key: value for key, value in usage.items() if key in units.reported}
        self.used = [units.by_usage[key] for key, value in self.values.items() if value > 0]
        self.guesses: set[str] = set()

    def value(self, unit: Unit) -> Quantity:
        """Return the count of a unit; 0 where nothing suggests otherwise. Raises Contradiction."""
        key = unit.usage_key
        if key not in self.values:
            if inside := [other for other in self.used if unit.contains(other)]:
                self.values[key] = self._sum_of(unit, inside)
            else:
                used = sorted(self.used, key=lambda other: other.usage_key)
                pair = next((pair for pair in combinations(used, 2) if unit.joins(*pair)), None)
                self.values[key] = self._shared(*pair) if pair else 0
        return self.values[key]

    def _sum_of(self, unit: Unit, inside: Sequence[Unit]) -> Quantity:
        """Add up a total of cached (or other special) tokens by modality; others must be reported themselves."""
        parts = self.by_modality(unit)
        special = "token_type" in dict(unit.dimensions)
        if special and all(any(part.contains(other) for part in parts) for other in inside):
            negative = minus(0, [self.values[part.usage_key] for part in parts])
            return minus(0, [negative])  # exact, unlike sum()
        names = ", ".join(sorted(other.usage_key for other in inside))
        raise Contradiction(
            f"Missing usage for {unit.usage_key}: reported descendant usage keys {names} require explicit"
            f" {unit.usage_key}"
        )

    def _shared(self, one: Unit, other: Unit) -> Quantity:
        """Return how many tokens are of a modality and, say, cached, which the event does not state.

        At most as many as there are of either. At least what of the cached tokens finds no room in other modalities.
        """
        special, modal = (one, other) if "modality" in dict(other.dimensions) else (other, one)
        whole = self.units.by_dimensions.get(special.dimensions & modal.dimensions)
        if whole is None:
            return 0
        left, room = self.value(special), minus(self.value(whole), [self.value(modal)])
        for sibling in self.by_modality(special):
            known = self.values[sibling.usage_key]
            totals = (part for part in self.by_modality(whole) if part.contains(sibling))
            total = next((self.values[part.usage_key] for part in totals), known)
            left, room = minus(left, [known]), minus(room, [total])
        most = max(min(left, self.value(modal)), 0)
        least = min(max(minus(left, [max(room, 0)]), 0), most)
        if least != most:
            self.guesses.add(SPLIT_UNKNOWN)
        return least

    def by_modality(self, unit: Unit) -> list[Unit]:
        """Return the reported parts of a unit by modality."""
        parts = (self.units.by_usage[key] for key in self.values)
        return [part for part in parts if _added(part, unit) == {"modality"}]


def _added(part: Unit, whole: Unit) -> set[str]:
    """Name the dimensions that distinguish a part from its whole; none if it is not a part of it."""
    return {name for name, _ in part.dimensions - whole.dimensions} if whole.contains(part) else set()


def _rest(reported: _Reported, priced: Sequence[Unit]) -> Iterable[str]:
    """Say that parts by modality do not add up to their total, where some modality has a price of its own."""
    cached = {("token_type", "cache_read"), ("token_type", "cache_write")}
    for total in priced:
        parts = reported.by_modality(total)
        itemised = any(("modality", "text") in part.dimensions for part in parts)
        if not itemised or not any(_added(unit, total) == {"modality"} for unit in priced):
            continue
        special = [
            unit
            for unit in reported.used
            if _added(unit, total) == {"token_type"} and cached.isdisjoint(unit.dimensions)
        ]
        if minus(reported.value(total), [reported.values[unit.usage_key] for unit in (*parts, *special)]) > 0:
            yield REST_UNKNOWN


def minus(value: Quantity, others: Iterable[Quantity]) -> Quantity:
    """Subtract exactly: whole numbers stay whole."""
    result: Quantity = value
    for other in others:
        if isinstance(result, int) and isinstance(other, int):
            result -= other
        else:
            result = _EXACT.subtract(Decimal(result), Decimal(other))
    return result


def _too_little(unit: Unit, inside: Sequence[Unit], reported: _Reported, own: Quantity) -> str:
    whole = reported.value(unit)
    parts = [(other.usage_key, reported.value(other)) for other in inside if reported.value(other) > 0]
    for key, value in parts:
        if value > whole:
            return f"Invalid usage data: {key} ({value}) cannot exceed {unit.usage_key} ({whole})"
    keys = ", ".join(key for key, _ in parts)
    return (
        f"Invalid usage data: more-specific usage for {keys} totals {minus(whole, (own,))}, "
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
    total = round(sum(amounts.values(), Fraction(0)))
    parts = {name: floor(amount) for name, amount in amounts.items()}
    by_remainder = sorted(amounts, key=lambda name: (parts[name] - amounts[name], name))
    for name in by_remainder[: total - sum(parts.values())]:
        parts[name] += 1
    return total, parts
