"""How much of each meter is paid at its own price: what was reported, less the parts that have prices of their own.

`input_tokens` includes cached and audio tokens. Where both have a price, the cached audio tokens are in both, and an
event may leave out how many those are. Then what the other numbers allow decides, and where they allow for several, the
fewest: discounts on audio are the largest, so that is the highest cost. It is marked as a guess.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Context, Decimal

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
    reported = _Reported(units, {key: value for key, value in usage.items() if key in units.reported})
    outside = [unit for unit in reported.used if not is_priced(unit, prices, general)]
    apart = _with_joins(units, [unit for unit in outside if any(p.contains(unit) for p in prices)], prices)
    own = _own_counts(reported, [*prices, *apart])
    unknown = [key for key, value in usage.items() if value and key not in units.by_usage]
    unpriced = {unit.usage_key for unit in outside} | set(unknown)
    return UsageCounts(
        own={unit.usage_key: own[unit.usage_key] for unit in prices},
        unpriced=tuple(key for key in usage if key in unpriced),
        guesses=tuple(sorted({*reported.guesses, *_rest(reported, prices)})),
    )


def total(units: Units, usage: Mapping[str, Quantity], meter: str) -> Quantity:
    """Return the count of a meter. Raises Contradiction where only its parts are reported."""
    return _Reported(units, {key: usage[key] for key in usage if key in units.reported}).value(
        units.by_usage[meter]
    )


def _with_joins(units: Units, apart: Sequence[Unit], priced: Sequence[Unit]) -> list[Unit]:
    """Add what lies both in a meter without a price and in one that has one: it must be taken off that, too."""
    found = {unit.usage_key: unit for unit in apart}
    for one in apart:
        for other in priced:
            if one.overlaps(other) and not one.contains(other) and not other.contains(one):
                join = units.join(one, other)
                if join is not None and join not in priced:
                    found[join.usage_key] = join
    return list(found.values())


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
    """What an event reports, and what follows from it."""

    def __init__(self, units: Units, values: Mapping[str, Quantity]) -> None:
        self.units = units
        self.values = dict(values)
        self.used = [units.by_usage[key] for key, value in values.items() if value > 0]
        self.guesses: set[str] = set()

    def value(self, unit: Unit) -> Quantity:
        """Return the count of a unit; 0 where nothing suggests otherwise."""
        key = unit.usage_key
        if key not in self.values:
            self.values[key] = self._derived(unit)
        return self.values[key]

    def _derived(self, unit: Unit) -> Quantity:
        inside = [other for other in self.used if unit.contains(other)]
        if inside:
            return self._sum_of(unit, inside)
        pair = _overlap(unit, sorted(self.used, key=lambda other: other.usage_key))
        return self._shared(unit, *pair) if pair else 0

    def _sum_of(self, unit: Unit, inside: Sequence[Unit]) -> Quantity:
        """Add up a total of cached (or other special) tokens by modality; others must be reported themselves."""
        parts = self.by_modality(unit)
        special = "token_type" in dict(unit.dimensions)
        if special and all(any(part.contains(other) for part in parts) for other in inside):
            return minus(
                0, [minus(0, [self.values[part.usage_key] for part in parts])]
            )  # exact, unlike sum()
        names = ", ".join(sorted(other.usage_key for other in inside))
        raise Contradiction(
            f"Missing usage for {unit.usage_key}: reported descendant usage keys {names} require explicit"
            f" {unit.usage_key}"
        )

    def _shared(self, unit: Unit, one: Unit, other: Unit) -> Quantity:
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
            total = self._total_of(sibling, whole)
            left, room = minus(left, [known]), minus(room, [known if total is None else total])
        most = max(min(left, self.value(modal)), 0)
        least = min(max(minus(left, [max(room, 0)]), 0), most)
        if least != most:
            self.guesses.add(SPLIT_UNKNOWN)
        return least

    def by_modality(self, unit: Unit) -> list[Unit]:
        """Return the reported parts of a unit by modality."""
        parts = (self.units.by_usage[key] for key in self.values)
        return [part for part in parts if _adds_modality(part, unit)]

    def _total_of(self, sibling: Unit, whole: Unit) -> Quantity | None:
        """Return the reported total of a sibling's modality; None: it was not reported."""
        for key, value in self.values.items():
            unit = self.units.by_usage[key]
            if _adds_modality(unit, whole) and unit.contains(sibling):
                return value
        return None


def _adds_modality(part: Unit, whole: Unit) -> bool:
    more = part.dimensions - whole.dimensions
    return whole.dimensions < part.dimensions and {name for name, _ in more} == {"modality"}


def _overlap(wanted: Unit, units: Sequence[Unit]) -> tuple[Unit, Unit] | None:
    for index, left in enumerate(units):
        for right in units[index + 1 :]:
            if left.contains(right) or right.contains(left) or not left.overlaps(right):
                continue
            if wanted.dimensions == left.dimensions | right.dimensions:
                return left, right
    return None


def _rest(reported: _Reported, priced: Sequence[Unit]) -> Iterable[str]:
    """Say that parts by modality do not add up to their total, where some modality has a price of its own."""
    for total in priced:
        parts = reported.by_modality(total)
        itemised = any(("modality", "text") in part.dimensions for part in parts)
        if not itemised or not any(_adds_modality(unit, total) for unit in priced):
            continue
        counted = [reported.values[part.usage_key] for part in parts]
        special = [
            reported.values[unit.usage_key]
            for unit in reported.used
            if {name for name, _ in unit.dimensions - total.dimensions} == {"token_type"}
            and total.contains(unit)
            and ("token_type", "cache_read") not in unit.dimensions
            and ("token_type", "cache_write") not in unit.dimensions
        ]
        if minus(reported.value(total), [*counted, *special]) > 0:
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
