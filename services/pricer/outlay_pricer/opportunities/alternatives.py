"""What could stand in for a model, a machine, storage and transfer: names only, prices say whether they are cheaper.

Models: newer ones of the same kind, and the next smaller one of the family. Others: their neighbours in the price book
that prices them.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from decimal import Decimal
from functools import cache

from outlay_pricer.opportunities.detector import SavingMethod
from outlay_schemas.catalog import BookRule, Catalog, MeterPrice

Alternatives = list[tuple[str, SavingMethod]]
NEWER = "does it pass your evaluation, with as many tokens?"
SMALLER = "is its quality good enough?"
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
_LADDERS = (("opus", "sonnet", "haiku"), ("pro", "flash", "flash-lite"), ("", "mini", "nano"))
_NUMBER = re.compile(r"(?<![a-z0-9])\d{1,2}(?:[.-]\d{1,2})?(?![\d])")
_KINDS = (
    "audio", "image", "tts", "live", "search", "transcribe", "realtime", "embedding", "preview", "codex", "latest",
    "-ft", "ft:", "cyber",
)  # fmt: skip
"""Words in the names of models that are not general ones."""


def stand_ins(catalog: Catalog) -> Callable[[str, str], Alternatives]:
    """Return what could stand in for a sku of a provider: by the price data's list of models, and the price books."""
    known = {
        provider["id"]: [model["id"] for model in provider["models"]]
        for provider in (catalog.rates.providers if catalog.rates else ())
    }

    @cache
    def found(provider: str, sku: str) -> Alternatives:
        models = known.get(provider.lower(), [])
        ways = (("newer model", newer(sku, models), NEWER), ("smaller model", smaller(sku, models), SMALLER))
        others = [
            (name, SavingMethod(kind, f"use {name}", check))
            for kind, names, check in ways
            for name in names[:2]
        ]
        return others or neighbours(catalog, provider, sku)

    return found


def newer(model: str, known: Iterable[str]) -> list[str]:
    """Return models of the same name with a later version: claude-opus-4-5 for claude-opus-4-1. The nearest first."""
    stem, version = _split(model)
    found = [(_split(name)[1], name) for name in known if _split(name)[0] == stem and _plain(name)]
    return [name for later, name in sorted(found) if version and later > version]


def smaller(model: str, known: Iterable[str]) -> list[str]:
    """Return the next smaller models of the family and major version, the newest first."""
    stem, version = _split(model)
    rungs = ((ladder, n) for ladder in _LADDERS for n, word in enumerate(ladder) if _has(stem, word, ladder))
    ladder, place = next(rungs, ((), 0))
    if place + 1 >= len(ladder) or not version or not _plain(model):
        return []
    word, other = ladder[place : place + 2]
    wanted = re.sub(rf"(^|[-#]){word}($|[-#])", rf"\g<1>{other}\g<2>", stem) if word else f"{stem}-{other}"
    found = [
        (_split(name)[1], name)
        for name in known
        if _split(name)[0] == wanted and _split(name)[1][:1] == version[:1] and _plain(name)
    ]
    return [name for _, name in sorted(found, reverse=True)]


def _split(model: str) -> tuple[str, tuple[int, ...]]:
    """Return a name without its version, and the version: claude-opus-4-1 is (claude-opus-#, (4, 1))."""
    match = _NUMBER.search(model.lower())
    if match is None:
        return model.lower(), ()
    numbers = tuple(int(part) for part in re.split(r"[.-]", match[0]))
    return f"{model.lower()[: match.start()]}#{model.lower()[match.end() :]}", numbers


def _plain(model: str) -> bool:
    return not any(kind in model.lower() for kind in _KINDS)


def _has(stem: str, word: str, ladder: tuple[str, ...]) -> bool:
    if word:
        return re.search(rf"(^|[-#]){word}($|[-#])", stem) is not None and not (
            word == "flash" and "flash-lite" in stem
        )
    return (
        stem.endswith("#") and stem.startswith("gpt") and not any(other in stem for other in ladder if other)
    )


def neighbours(catalog: Catalog, provider: str, sku: str) -> Alternatives:
    """Return colder storage classes, transfer within the region, and smaller machines of the family."""
    for book in catalog.price_books:
        rules = [rule for rule in book.rules if not rule.provider or provider in rule.provider]
        own = next((rule for rule in rules if sku in rule.sku and not rule.where), None)
        if own is not None:
            return [*_colder(own, sku, rules), *_nearer(sku, rules), *_smaller(own, sku, rules)]
    return []


def _named(rules: Iterable[BookRule]) -> Iterator[tuple[str, BookRule]]:
    for rule in rules:
        if not rule.where:
            yield from ((name, rule) for name in rule.sku if "*" not in name)


def _cheaper(
    own: BookRule, rules: Iterable[BookRule], price: Callable[[BookRule], Decimal | None]
) -> list[tuple[Decimal, str, BookRule]]:
    """Return the rules with a lower price than one of them, with their names, the cheapest first."""
    most = price(own) or 0
    found = [(each, name, rule) for name, rule in _named(rules) if (each := price(rule)) is not None]
    return sorted((one for one in found if one[0] < most), key=lambda one: one[:2])


def _colder(own: BookRule, sku: str, rules: Iterable[BookRule]) -> Alternatives:
    price = _a_month(own)
    if price is None or _NO_CLASS.search(sku):
        return []
    family = sku.split("-", maxsplit=1)[0]
    found = [
        (-other, name, SavingMethod("storage class", f"keep it in {name}", _reading(price, other, rule)))
        for other, name, rule in _cheaper(own, rules, _a_month)
        if name.split("-")[0] == family and not _NO_CLASS.search(name)
    ]
    # The nearest two: each colder class costs more to read.
    return [(name, way) for _, name, way in sorted(found, key=lambda one: one[:2])[:2]]


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


def _nearer(sku: str, rules: Iterable[BookRule]) -> Alternatives:
    kind, way = "cross-region transfer", "keep both ends in one region"
    check = "can what is read stand beside what reads it?"
    names = [name for name, _ in _named(rules) if _WITHIN.search(name)] if _ACROSS.search(sku) else []
    return [(name, SavingMethod(kind, f"{way}: {name}", check)) for name in names]


def _smaller(own: BookRule, sku: str, rules: Iterable[BookRule]) -> Alternatives:
    kind, check = "oversized machines", "does the work fit into its memory?"
    family = _family(sku)
    names = [name for _, name, _ in _cheaper(own, rules, _a_second) if family and _family(name) == family]
    return [(name, SavingMethod(kind, f"use {name}", check)) for name in names]


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


def _a_second(rule: BookRule) -> Decimal | None:
    meter = _meters(rule).get("compute_seconds")
    return None if meter is None else _unit(meter)
