"""A rate card: the prices of one model at one moment in one context, ready to multiply.

Costs are linear in the reported counts: the count of a unit that is paid at its own rate is what was reported for it
minus what lies in more special priced units (`input_tokens` minus `cache_read_tokens`). So for a given set of reported
meters, in a given order, a card becomes a few integer multiplications: a *shape*. Shapes of equal structure share one
generated function (`shapes.py`); the rates are its arguments.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal, InvalidOperation
from functools import cached_property
from math import gcd, lcm
from typing import Any

from outlay_pricer.domain.rate_compiler.rate_codegen import Shape, build_shape
from outlay_pricer.domain.rate_compiler.units import Modality, Unit, Units
from outlay_schemas.money import PICO

INPUT = "input_tokens"
"""Tiers are chosen by the total of this unit and apply to all counts (a cliff)."""
MAX_SHAPES = 512


@dataclass(frozen=True)
class Rate:
    """USD for `unit.per` counts of a unit: a base price, and prices from a number of input tokens on."""

    unit: Unit
    base: Decimal
    tiers: tuple[tuple[int, Decimal], ...] = ()

    def at(self, input_tokens: int | Decimal) -> Decimal:
        """Return the price that applies when a call has this many input tokens."""
        price = self.base
        for start, tier_price in self.tiers:
            if input_tokens > start:
                price = tier_price
        return price


@dataclass
class Card:
    """Rates by unit, in the order of the data."""

    units: Units
    rates: tuple[Rate, ...]
    error: str | None = None
    """Set: the library refuses to price anything with these prices, and says this."""
    since: datetime | None = None
    """When the standard prices came into force; None: always."""
    used: frozenset[tuple[str, str]] = frozenset()
    """The pairs of the price context that these prices are for."""
    general: frozenset[Modality] = frozenset()
    """Modalities that are billed apart elsewhere, and that the general price of this model is for too."""
    shapes: dict[tuple[str, ...], Shape] = field(default_factory=dict)

    @property
    def tiered(self) -> bool:
        """Tell whether the number of input tokens decides the price."""
        return any(rate.tiers for rate in self.rates)

    def shape(self, meters: tuple[str, ...]) -> Shape:
        """Return the arithmetic for events that report exactly these meters, in this order."""
        known = self.shapes.get(meters)
        if known is None:
            known = build_shape(
                self.units, [rate.unit for rate in self.rates], meters, self.bands, self.general
            )
            if len(self.shapes) >= MAX_SHAPES:  # producers that shuffle their keys must not fill the memory
                self.shapes.clear()
            self.shapes[meters] = known
        return known

    @cached_property
    def bands(self) -> tuple[tuple[int, ...], tuple[tuple[int, ...], ...], int]:
        """Thresholds, the rates between them, and their denominator: whole pico-USD / denominator a count."""
        starts = sorted({start for rate in self.rates for start, _ in rate.tiers})
        exact = [[_pico_rate(rate, above) for rate in self.rates] for above in [0, *(n + 1 for n in starts)]]
        denominator = lcm(1, *(bottom for band in exact for _, bottom in band))
        bands = tuple([tuple([top * (denominator // bottom) for top, bottom in band]) for band in exact])
        return tuple(starts), bands, denominator


def _pico_rate(rate: Rate, input_tokens: int) -> tuple[int, int]:
    """Return pico-USD for one count, as a fraction in lowest terms."""
    top, bottom = rate.at(input_tokens).as_integer_ratio()
    top, bottom = top * PICO, bottom * rate.unit.per
    common = gcd(top, bottom)
    return top // common, bottom // common


def compile_card(
    units: Units, prices: Sequence[Mapping[str, Any]], general: frozenset[Modality] = frozenset()
) -> Card:
    """Make a card from price mappings of the data; a later mapping overrides an earlier one key by key.

    Price keys that no unit has are left out, as the library does with a warning.
    """
    merged: dict[str, Any] = {}
    for layer in prices:
        merged.update({key: value for key, value in layer.items() if value is not None})
    rates: list[Rate] = []
    for key, value in merged.items():
        unit = units.by_price.get(key)
        if unit is None:
            continue
        rate = _rate(unit, value)
        if rate is None:
            return Card(units, (), _INVALID.format(key=key))
        rates.append(rate)
    return Card(units, tuple(rates), units.coverage_error(rate.unit for rate in rates), general=general)


_INVALID = "Invalid price value for {key}: expected a finite non-negative Decimal or valid tiered prices"


def _rate(unit: Unit, value: Any) -> Rate | None:
    try:
        if not isinstance(value, Mapping):
            return _checked(Rate(unit, Decimal(str(value))))
        tiers = sorted(
            ((int(tier["start"]), Decimal(str(tier["price"]))) for tier in value["tiers"]),
            key=lambda tier: tier[0],
        )
        return _checked(Rate(unit, Decimal(str(value["base"])), tuple(tiers)))
    except (InvalidOperation, KeyError, TypeError, ValueError):
        return None


def _checked(rate: Rate) -> Rate | None:
    prices = [rate.base, *(price for _, price in rate.tiers)]
    ok = all(price.is_finite() and price >= 0 for price in prices) and all(
        start >= 0 for start, _ in rate.tiers
    )
    return rate if ok else None
