"""What could stand in for machines, storage and transfer: their neighbours in the price book that prices them."""

import re
from collections.abc import Iterable, Iterator
from decimal import Decimal

from outlay_pricer.opportunities.detector import SavingMethod
from outlay_schemas.catalog import BookRule, Catalog, MeterPrice

RETRIEVED = "retrieved_gb"
"""The meter of what is read from storage, where reading costs."""
_MONTH = Decimal(730)
"""Hours of a month, as the providers' calculators have it."""
_NO_CLASS = re.compile(r"snapshot|backup")
"""Stored data that cannot move to another storage class."""
_ACROSS = re.compile(r"(inter|cross)-region")
_WITHIN = re.compile(r"(inter|cross|intra)-(az|zone)|(intra|same)-region")
_SIZES = (re.compile(r"^([a-z][a-z0-9-]*\.)[a-z0-9-]+$"), re.compile(r"^([a-z0-9]+-[a-z]+-)\d+[a-z]?$"))
"""p5.48xlarge is of the family p5., a2-highgpu-8g of a2-highgpu-."""


def neighbours(catalog: Catalog, provider: str, sku: str) -> list[tuple[str, SavingMethod]]:
    """Return colder storage classes, transfer within the region, and smaller machines of the family.

    Only names: whether they are cheaper for an event is for its price to say.
    """
    for book in catalog.price_books:
        rules = [rule for rule in book.rules if _of(rule, provider)]
        own = next((rule for rule in rules if sku in rule.sku and not rule.where), None)
        if own is not None:
            return [*_colder(own, sku, rules), *_nearer(sku, rules), *_smaller(own, sku, rules)]
    return []


def _of(rule: BookRule, provider: str) -> bool:
    return not rule.provider or provider in rule.provider


def _named(rules: Iterable[BookRule]) -> Iterator[tuple[str, BookRule]]:
    """Return each plain rule under each of its exact names."""
    for rule in rules:
        if not rule.where:
            yield from ((name, rule) for name in rule.sku if "*" not in name)


def _colder(own: BookRule, sku: str, rules: Iterable[BookRule]) -> list[tuple[str, SavingMethod]]:
    price = _a_month(own)
    if price is None or _NO_CLASS.search(sku):
        return []
    family = sku.split("-", maxsplit=1)[0]
    found = []
    for name, rule in _named(rules):
        other = _a_month(rule)
        if other is None or other >= price or name.split("-")[0] != family or _NO_CLASS.search(name):
            continue
        found.append(
            (other, name, SavingMethod("storage class", f"keep it in {name}", _reading(price, other, rule)))
        )
    # The nearest two: each colder class costs more to read.
    return [(name, way) for _, name, way in sorted(found, key=lambda one: (-one[0], one[1]))[:2]]


def _reading(price: Decimal, other: Decimal, rule: BookRule) -> str:
    """Say how much may be read until the colder class costs as much."""
    meter = _meters(rule).get(RETRIEVED)
    each = None if meter is None else _unit(meter)
    if not each:
        return "how often is it read? what reading costs is not in the price book"
    much = (price - other) / each
    return (
        f"is less than {much:.0%} of it read in a month? a GB read costs ${each.normalize():f},"
        " and there is a least stay"
    )


def _nearer(sku: str, rules: Iterable[BookRule]) -> list[tuple[str, SavingMethod]]:
    if not _ACROSS.search(sku):
        return []
    way = "keep both ends in one region"
    check = "can what is read stand beside what reads it?"
    return [
        (name, SavingMethod("cross-region transfer", f"{way}: {name}", check))
        for name, _ in _named(rules)
        if _WITHIN.search(name)
    ]


def _smaller(own: BookRule, sku: str, rules: Iterable[BookRule]) -> list[tuple[str, SavingMethod]]:
    family = _family(sku)
    price = _unit_of_machine(own)
    if not family or price is None:
        return []
    found = []
    for name, rule in _named(rules):
        other = _unit_of_machine(rule)
        if _family(name) == family and other is not None and other < price:
            check = "does the work fit into its memory?"
            found.append((other, name, SavingMethod("oversized machines", f"use {name}", check)))
    return [(name, way) for _, name, way in sorted(found, key=lambda one: (one[0], one[1]))]


def _family(sku: str) -> str:
    return next((match[1] for pattern in _SIZES if (match := pattern.match(sku))), "")


def _meters(rule: BookRule) -> dict[str, MeterPrice]:
    return dict(rule.prices[-1].meters)


def _unit(price: MeterPrice) -> Decimal:
    """Return the price of one unit, of the first tier where there are several."""
    first = price.tiers[0].price if price.price is None else price.price
    return first / price.per


def _a_month(rule: BookRule) -> Decimal | None:
    meters = _meters(rule)
    if "gb_months" in meters:
        return _unit(meters["gb_months"])
    return _unit(meters["gb_hours"]) * _MONTH if "gb_hours" in meters else None


def _unit_of_machine(rule: BookRule) -> Decimal | None:
    meter = _meters(rule).get("compute_seconds")
    return None if meter is None else _unit(meter)
