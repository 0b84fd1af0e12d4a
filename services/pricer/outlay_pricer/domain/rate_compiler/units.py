"""The meters that the LLM price data knows, and which of them contain which.

A unit is a point in a space of dimensions: `cache_read_tokens` is {family: tokens, direction: input,
token_type: cache_read}, so it lies inside `input_tokens` {family: tokens, direction: input}. The rules here are
those of genai-prices, read from its data: a new unit needs no new code.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import combinations
from typing import Any

REQUESTS = "requests"
"""Priced once for each call, whatever the event says; all other units are counted by the producer."""
MAX_PARTS = 16_384
"""Sets of meters remembered with their parts."""


Modality = tuple[str, str]
"""A direction and a modality: `("input", "audio")`."""
BILLED_APART = frozenset({("input", "audio"), ("output", "audio"), ("output", "image"), ("output", "video")})


@dataclass(frozen=True)
class Unit:
    """A meter and the price key that prices `per` of it."""

    usage_key: str
    price_key: str
    per: int
    dimensions: frozenset[tuple[str, str]]
    order: int
    """Place in the data; reported usage is walked in this order."""

    @cached_property
    def modality(self) -> Modality | None:
        """Return the direction and the modality of tokens that providers bill apart from text, if these are such.

        Images and video that a model reads have the price of text, unless a price of their own is published. Audio,
        and all that a model writes, never has.
        """
        kind = dict(self.dimensions)
        pair = (kind.get("direction", ""), kind.get("modality", ""))
        return pair if kind.get("family") == "tokens" and pair in BILLED_APART else None

    def contains(self, other: "Unit") -> bool:
        """Tell whether every count of `other` is also a count of this unit."""
        return self.dimensions <= other.dimensions

    def overlaps(self, other: "Unit") -> bool:
        """Tell whether the two may count the same thing: no dimension has two values."""
        mine = dict(self.dimensions)
        return all(mine.get(key, value) == value for key, value in other.dimensions)

    def joins(self, first: "Unit", second: "Unit") -> bool:
        """Tell whether this counts exactly what two others, neither of which contains the other, both count."""
        apart = not first.contains(second) and not second.contains(first)
        return apart and first.overlaps(second) and self.dimensions == first.dimensions | second.dimensions


PlanKey = tuple[tuple[int, ...], tuple[str, ...], int, frozenset[Modality]]
"""Priced units, reported meters, how many tiers there are, and the modalities that the general price is for too."""


class Units:
    """All units of a price data release."""

    def __init__(self, data: Mapping[str, Mapping[str, Any]]) -> None:
        self.by_usage: dict[str, Unit] = {}
        for order, (key, raw) in enumerate(data.items()):
            self.by_usage[key] = Unit(
                usage_key=key,
                price_key=str(raw.get("price_key", key)),
                per=int(raw["per"]),
                dimensions=frozenset((str(k), str(v)) for k, v in raw.get("dimensions", {}).items()),
                order=order,
            )
        self.by_dimensions = {unit.dimensions: unit for unit in self.by_usage.values()}
        self.by_price = {unit.price_key: unit for unit in self.by_usage.values()}
        self.plans: dict[PlanKey, Any] = {}
        """Remembered by `rate_codegen.build_shape`."""
        self.parts = lru_cache(MAX_PARTS)(self._find_parts)
        """Which of some meters lie in which others of them: pairs of a part and its whole."""
        self.text = frozenset(
            key for key, unit in self.by_usage.items() if ("modality", "text") in unit.dimensions
        )
        """Meters of events that count their tokens by modality: these may not add up to the total."""
        self.tokens = tuple(
            unit for unit in self.by_usage.values() if ("family", "tokens") in unit.dimensions
        )
        self.reported = frozenset(key for key in self.by_usage if key != REQUESTS)

    def _find_parts(self, meters: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
        units = [self.by_usage[meter] for meter in meters if meter in self.by_usage]
        return tuple(
            (part.usage_key, whole.usage_key)
            for part in units
            for whole in units
            if part is not whole and whole.contains(part)
        )

    def join(self, first: Unit, second: Unit) -> Unit | None:
        """Return the unit of what both count: cached tokens and audio tokens, cached audio tokens."""
        return self.by_dimensions.get(first.dimensions | second.dimensions)

    def coverage_error(self, priced: Iterable[Unit]) -> str | None:
        """Say, in the library's words, why this set of priced units cannot price a call; None if it can.

        A priced unit needs all units that contain it priced, and two that overlap need their join priced:
        otherwise some counts would be paid twice or not at all.
        """
        units = {unit.usage_key: unit for unit in sorted(priced, key=lambda unit: unit.usage_key)}
        for key, unit in units.items():
            wholes = {key for key, other in self.by_usage.items() if other.dimensions <= unit.dimensions}
            if missing := wholes - units.keys():
                return f"Missing ancestor price for {key}: {', '.join(sorted(missing))}"
        for first, second in combinations(units.values(), 2):
            join = self.join(first, second)
            if join is None and first.overlaps(second):
                return (
                    f"Missing registered join unit for priced units {first.usage_key} and {second.usage_key}"
                )
            if join is not None and join.usage_key not in units:
                return f"Missing join price for {first.usage_key} and {second.usage_key}: {join.usage_key}"
        return None


def is_priced(unit: Unit, priced: Iterable[Unit], general: frozenset[Modality]) -> bool:
    """Tell whether a price is for a unit: its own, or that of a unit which contains it.

    A modality that is billed apart needs a price of its own modality, unless the `general` one is for it too.
    """
    apart = unit.modality not in general and unit.modality is not None
    return any(other.contains(unit) and (not apart or other.modality == unit.modality) for other in priced)
