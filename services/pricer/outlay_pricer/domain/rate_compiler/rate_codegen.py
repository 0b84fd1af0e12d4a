"""The arithmetic of a rate card for one set of reported meters, as a generated function.

Why generate code: pricing a call has to be a hundred times faster than walking the units, and the structure (which
count is subtracted from which) is the same for thousands of models. The source is built from indexes and the words in
this file only; no text of an event or of the price data ever gets into it. A function is shared by all models with
the same structure and gets their rates as one tuple: what a call touches then lies close together in memory.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations

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
MAX_PLANS = 4096
INPUT = "input_tokens"
"""Tiers are chosen by the total of this unit and apply to all counts (a cliff)."""


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


Plan = Callable[[Bands], Shape]
"""What makes shapes of one set of meters, for all models that price the same units."""


def build_shape(
    units: Units, priced: list[Unit], meters: tuple[str, ...], bands: Bands, general: frozenset[Modality]
) -> Shape:
    """Work out the arithmetic for events that report `meters`."""
    tiers = len(bands[0])
    key = (tuple([unit.order for unit in priced]), meters, tiers, general)
    plan = units.plans.get(key)
    if plan is None:
        if len(units.plans) >= MAX_PLANS:
            units.plans.clear()
        plan = units.plans[key] = _plan(units, priced, meters, tiers, general)
    return plan(bands)


def _plan(
    units: Units, priced: list[Unit], meters: tuple[str, ...], tiers: int, general: frozenset[Modality]
) -> Plan:
    places = {meter: place for place, meter in enumerate(meters) if meter in units.reported}
    paid = [unit for unit in priced if unit.usage_key in places or unit.usage_key == REQUESTS]
    columns = [priced.index(unit) for unit in paid]
    leaves = [_leaf(unit, priced, places, meters) for unit in paid]
    needed = priced + ([units.by_usage[INPUT]] if tiers and INPUT in units.by_usage else [])
    zero = _zero(needed, [units.by_usage[meter] for meter in places], places)
    # None of the card's thresholds matters where no total was reported to compare with them.
    tiers = tiers if INPUT in places else 0
    run = _compiled(_source(len(meters), leaves, zero, places.get(INPUT, -1), tiers))(meters)
    names, parts = tuple(unit.usage_key for unit in paid), units.parts(meters)
    covered = {meter for meter in places if is_priced(units.by_usage[meter], priced, general)}
    uncovered = tuple(meter for meter in meters if meter != REQUESTS and meter not in covered)
    itemised = not units.text.isdisjoint(meters)

    def shape(bands: Bands) -> Shape:
        starts, rates, denominator = bands
        chosen = [band[column] for band in rates[: tiers + 1] for column in columns]
        free = bool(chosen) and not any(chosen)
        numbers = (*starts[:tiers], *chosen)
        return Shape(run, numbers, names, denominator, uncovered, free, parts, itemised)

    return shape


def _zero(needed: Iterable[Unit], reported: Sequence[Unit], places: Mapping[str, int]) -> list[str]:
    """Return what must be 0, as source, because a unit that contains it, or is an overlap, was not reported."""
    absent: set[int] = set()
    clashes: set[tuple[int, int]] = set()
    ordered = sorted(reported, key=lambda unit: unit.order)
    for unit in needed:
        if unit.usage_key not in places and unit.usage_key != REQUESTS:
            absent.update(places[other.usage_key] for other in reported if unit.contains(other))
            clashes.update(
                (places[first.usage_key], places[second.usage_key])
                for first, second in combinations(ordered, 2)
                if unit.joins(first, second)
            )
    return [f"v{place}" for place in sorted(absent)] + [f"(v{a} and v{b})" for a, b in sorted(clashes)]


def _leaf(
    unit: Unit, priced: list[Unit], places: Mapping[str, int], meters: tuple[str, ...]
) -> tuple[str, dict[int, int]]:
    """Return what is paid for a unit, as source, and how often each other place is added to it.

    Counts of special units are subtracted once each, by inclusion and exclusion over the units inside them.
    """
    if unit.usage_key == REQUESTS:
        return (f"v{meters.index(REQUESTS)}" if REQUESTS in meters else "1"), {}
    coefficients = _coefficients(unit, [other for other in priced if other.usage_key in places])
    return f"v{places[unit.usage_key]}", {places[key]: times for key, times in coefficients.items()}


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
def _compiled(source: str) -> Make:
    namespace: dict[str, Make] = {}
    exec(source, namespace)  # noqa: S102 - the source is made of indexes, see the module's docstring
    return namespace["make"]


def _source(
    width: int, leaves: Iterable[tuple[str, dict[int, int]]], zero: list[str], total: int, tiers: int
) -> str:
    """Write the function: check what the library checks, choose the tier, multiply.

    `width`: how many meters are reported. `total`: place of the count that chooses one of the `tiers`.
    """
    body = [f"v{place} = usage[k{place}]" for place in range(width)]
    refusals = list(zero)
    names: list[str] = []
    for index, (count, terms) in enumerate(leaves):
        if terms:
            added = (f" {'-' if times < 0 else '+'} v{place}" * abs(times) for place, times in terms.items())
            body.append(f"l{index} = {count}{''.join(added)}")
            count = f"l{index}"  # noqa: PLW2901 (what is paid has this name from here on)
        names.append(count)
        if any(times < 0 for times in terms.values()):
            refusals.append(f"{count} < 0")
    if refusals:
        body += [f"if {' or '.join(refusals)}:", "    return None"]
    for band in range(tiers):
        body += [f"if v{total} <= s{band}:", *(f"    {line}" for line in _products(names, band))]
    body += _products(names, tiers)
    numbers = [f"s{band}" for band in range(tiers)]
    numbers += [f"r{band}_{index}" for band in range(tiers + 1) for index in range(len(names))]
    lines = [*_unpacked([f"k{place}" for place in range(width)], "meters"), "def run(usage, numbers):"]
    lines += [*(f"    {line}" for line in (*_unpacked(numbers, "numbers"), *body)), "return run"]
    return "\n    ".join(["def make(meters):", *lines])


def _unpacked(names: list[str], source: str) -> list[str]:
    return [f"{''.join(f'{name}, ' for name in names)}= {source}"] if names else []


def _products(names: list[str], band: int) -> list[str]:
    """Multiply each count by its rate of one tier and return the amounts, or None if they are not whole numbers."""
    parts = [f"p{index}" for index in range(len(names))]
    return [
        *(f"p{index} = {name} * r{band}_{index}" for index, name in enumerate(names)),
        f"total = {' + '.join(parts) or '0'}",
        f"return ({', '.join(['total', *parts])},) if total.__class__ is int else None",
    ]
