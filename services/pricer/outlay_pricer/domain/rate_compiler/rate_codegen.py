"""The arithmetic of a rate card for one set of reported meters, as a generated function.

Why generate code: pricing a call has to be a hundred times faster than walking the units, and the structure (which
count is subtracted from which) is the same for thousands of models. The source is built from indexes and the words in
this file only; no text of an event or of the price data ever gets into it. A function is shared by all models with
the same structure and gets their rates as one tuple: what a call touches then lies close together in memory.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache

from outlay_pricer.domain.rate_compiler.units import REQUESTS, Modality, Unit, Units, is_priced
from outlay_schemas.events import Quantity

Amounts = tuple[int, ...]
"""The total, then its parts, in whole pico-USD / denominator."""
Numbers = tuple[int, ...]
"""Thresholds, then the rates below the first, between each two and above the last."""
Run = Callable[[Mapping[str, Quantity], Numbers], Amounts | None]
Make = Callable[[tuple[str, ...]], Run]
"""What makes a function for meters."""
Bands = tuple[tuple[int, ...], tuple[tuple[int, ...], ...], int]


@dataclass(frozen=True)
class Structure:
    """What distinguishes one generated function from another. Indexes are places in the reported meters."""

    width: int
    leaves: tuple[tuple[int, tuple[int, ...]], ...]
    """For each paid unit: its place (-1: the constant 1) and the places that are subtracted from it."""
    absent: tuple[int, ...]
    """Places that must be 0, because a unit that contains them is needed and was not reported."""
    clashes: tuple[tuple[int, int], ...]
    """Pairs of which one must be 0, because the unit where they overlap was not reported."""
    total: int
    """Place of the count that chooses the tier; -1: none reported, or no tiers."""
    tiers: int
    """How many thresholds there are to compare it with."""


@dataclass(frozen=True, slots=True)
class Shape:
    """The arithmetic for one set of reported meters."""

    run: Run
    numbers: Numbers
    meters: tuple[str, ...]
    """The meters whose parts the amounts are, in order."""
    denominator: int
    uncovered: tuple[str, ...]
    """Reported meters that no rate pays for."""
    free: bool
    """All rates that could apply are zero."""
    parts: tuple[tuple[str, str], ...]
    """Reported meters that lie in others, each with the one it lies in."""
    itemised: bool
    """Tokens are counted by modality: these may not add up to the total."""

    def amounts(self, usage: Mapping[str, Quantity]) -> Amounts | None:
        """Price a usage of exactly these meters; None: refused, or not all whole numbers."""
        return self.run(usage, self.numbers)


@dataclass(frozen=True, slots=True)
class ShapePlan:
    """What the arithmetic of a set of meters has in common for all models that price the same units."""

    run: Run
    tiers: int
    """How many of the card's thresholds matter: none where no total was reported to compare with them."""
    columns: tuple[int, ...]
    """The rates that are paid, as places in the card."""
    meters: tuple[str, ...]
    uncovered: tuple[str, ...]


def build_shape(
    units: Units,
    priced: list[Unit],
    meters: tuple[str, ...],
    bands: Bands,
    general: frozenset[Modality] = frozenset(),
) -> Shape:
    """Work out the arithmetic for events that report `meters`."""
    starts, rates, denominator = bands
    key = (tuple([unit.order for unit in priced]), meters, len(starts), general)
    plan = units.plans.get(key)
    if plan is None:
        if len(units.plans) >= MAX_PLANS:
            units.plans.clear()
        plan = units.plans[key] = _plan(units, priced, meters, len(starts), general)
    chosen = [band[column] for band in rates[: plan.tiers + 1] for column in plan.columns]
    return Shape(
        run=plan.run,
        numbers=(*starts[: plan.tiers], *chosen),
        meters=plan.meters,
        denominator=denominator,
        uncovered=plan.uncovered,
        free=bool(chosen) and not any(chosen),
        parts=units.parts(meters),
        itemised=not units.text.isdisjoint(meters),
    )


def _plan(
    units: Units, priced: list[Unit], meters: tuple[str, ...], tiers: int, general: frozenset[Modality]
) -> ShapePlan:
    places = {meter: place for place, meter in enumerate(meters) if meter in units.reported}
    reported = [units.by_usage[meter] for meter in places]
    needed = priced + ([units.by_usage[_INPUT]] if tiers and _INPUT in units.by_usage else [])
    absent, clashes = _conditions(needed, reported, places)
    paid = [
        (column, unit)
        for column, unit in enumerate(priced)
        if unit.usage_key in places or unit.usage_key == REQUESTS
    ]
    structure = Structure(
        width=len(meters),
        leaves=tuple(_leaf(unit, priced, places, meters) for _, unit in paid),
        absent=absent,
        clashes=clashes,
        total=places.get(_INPUT, -1) if tiers else -1,
        tiers=tiers if _INPUT in places else 0,
    )
    uncovered = tuple(
        meter
        for meter in meters
        if meter != REQUESTS
        and (meter not in places or not is_priced(units.by_usage[meter], priced, general))
    )
    return ShapePlan(
        run=_factory(structure)(meters),
        tiers=structure.tiers,
        columns=tuple(column for column, _ in paid),
        meters=tuple(unit.usage_key for _, unit in paid),
        uncovered=uncovered,
    )


MAX_PLANS = 4096
_INPUT = "input_tokens"


def _conditions(
    needed: list[Unit], reported: list[Unit], places: Mapping[str, int]
) -> tuple[tuple[int, ...], tuple[tuple[int, int], ...]]:
    absent: set[int] = set()
    clashes: set[tuple[int, int]] = set()
    for unit in needed:
        if unit.usage_key in places or unit.usage_key == REQUESTS:
            continue
        absent.update(places[other.usage_key] for other in reported if unit.contains(other))
        for first in reported:
            for second in reported:
                if first.order < second.order and _joins(unit, first, second):
                    clashes.add((places[first.usage_key], places[second.usage_key]))
    return tuple(sorted(absent)), tuple(sorted(clashes))


def _joins(unit: Unit, first: Unit, second: Unit) -> bool:
    apart = not first.contains(second) and not second.contains(first)
    return apart and first.overlaps(second) and unit.dimensions == first.dimensions | second.dimensions


def _leaf(
    unit: Unit, priced: list[Unit], places: Mapping[str, int], meters: tuple[str, ...]
) -> tuple[int, tuple[int, ...]]:
    """Return the place of a unit's count, and how often each other place is subtracted from it.

    Counts of special units are subtracted once each, by inclusion and exclusion over the units inside them.
    """
    if unit.usage_key == REQUESTS:
        return (meters.index(REQUESTS) if REQUESTS in meters else -1), ()
    coefficients = _coefficients(unit, [other for other in priced if other.usage_key in places])
    return places[unit.usage_key], tuple(
        sign * (places[key] + 1)
        for key, count in coefficients.items()
        for sign in [_sign(count)] * abs(count)
    )


def _sign(count: int) -> int:
    return 1 if count > 0 else -1


def _coefficients(unit: Unit, priced: list[Unit]) -> dict[str, int]:
    """Coefficients of the reported counts in `unit`'s own count, but for the count of `unit` itself."""
    result: dict[str, int] = {}
    inside = [other for other in priced if other is not unit and unit.contains(other)]
    for other in inside:
        result[other.usage_key] = result.get(other.usage_key, 0) - 1
        for key, count in _coefficients(other, inside).items():
            result[key] = result.get(key, 0) - count
    return {key: count for key, count in result.items() if count}


@lru_cache(maxsize=1024)
def _factory(structure: Structure) -> Make:
    namespace: dict[str, Make] = {}
    exec(_source(structure), namespace)  # noqa: S102 - the source is made of indexes, see the module's docstring
    return namespace["make"]


def _source(structure: Structure) -> str:
    """Write the function: check what the library checks, choose the tier, multiply."""
    body: list[str] = []
    if structure.width:
        body += [f"v{place} = usage[k{place}]" for place in range(structure.width)]
    refusals = [f"v{place}" for place in structure.absent] + [
        f"(v{a} and v{b})" for a, b in structure.clashes
    ]
    names: list[str] = []
    for index, (place, terms) in enumerate(structure.leaves):
        count = "1" if place < 0 else f"v{place}"
        if terms:
            body.append(f"l{index} = {count}{_terms(terms)}")
            count = f"l{index}"
        names.append(count)
        if any(term < 0 for term in terms):
            refusals.append(f"{count} < 0")
    if refusals:
        body += [f"if {' or '.join(refusals)}:", "    return None"]
    for band in range(structure.tiers):
        body += [f"if v{structure.total} <= s{band}:", *(f"    {line}" for line in _products(names, band))]
    body += _products(names, structure.tiers)
    numbers = [f"s{band}" for band in range(structure.tiers)]
    numbers += [f"r{band}_{index}" for band in range(structure.tiers + 1) for index in range(len(names))]
    body = [*_unpacked(numbers, "numbers"), *body]
    lines = ["def make(meters):"]
    lines += [
        f"    {line}" for line in _unpacked([f"k{place}" for place in range(structure.width)], "meters")
    ]
    lines += ["    def run(usage, numbers):", *(f"        {line}" for line in body), "    return run"]
    return "\n".join(lines)


def _unpacked(names: list[str], source: str) -> list[str]:
    return [f"{''.join(f'{name}, ' for name in names)}= {source}"] if names else []


def _products(names: list[str], band: int) -> list[str]:
    """Multiply each count by its rate of one tier and return the amounts, or None if they are not whole numbers."""
    parts = [f"p{index}" for index in range(len(names))]
    lines = [
        f"{part} = {name} * r{band}_{index}"
        for index, (part, name) in enumerate(zip(parts, names, strict=True))
    ]
    listed = "".join(f"{part}, " for part in parts)
    return [
        *lines,
        f"total = {' + '.join(parts) or '0'}",
        f"return (total, {listed}) if total.__class__ is int else None",
    ]


def _terms(terms: tuple[int, ...]) -> str:
    return "".join(f" {'+' if term > 0 else '-'} v{abs(term) - 1}" for term in terms)
