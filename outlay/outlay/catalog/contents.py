"""Lists the parts and prices of a catalog."""

from collections.abc import Iterator
from datetime import datetime

from msgspec import Struct

from outlay.catalog.load import PARTS
from outlay_pricer.domain import CompiledCatalog
from outlay_pricer.domain.explain import PriceListing, list_prices
from outlay_pricer.domain.matching import compile_words
from outlay_schemas.catalog import Catalog, PriceBook


class Part(Struct, frozen=True):
    """One part of a catalog and the number of its entries."""

    part: str
    name: str
    version: str
    entries: int
    checked: str
    """When its figures were last compared with their source, or the data's date; empty if that is unknown."""


class Listed(Struct, frozen=True):
    """A name and its prices."""

    provider: str
    sku: str
    prices: list[PriceListing]


def overview(catalog: Catalog) -> list[Part]:
    """Return the parts of a catalog that are not empty."""
    parts: list[Part] = []
    if rates := catalog.rates:
        models = sum(len(provider.get("models") or ()) for provider in rates.providers)
        parts.append(Part("model prices", rates.source, rates.version, models, rates.date.isoformat()))
    parts += [Part("price book", b.name, b.version, len(b.rules), _checked(b)) for b in catalog.price_books]
    lists = {part: value for part in PARTS if isinstance(value := getattr(catalog, part), tuple)}
    return parts + [Part(part, "", "", len(value), "") for part, value in lists.items() if value]


def _checked(book: PriceBook) -> str:
    dates = [dated.checked or book.checked for rule in book.rules for dated in rule.prices]
    known = [date for date in dates if date is not None]
    return min(known).date().isoformat() if known and len(known) == len(dates) else ""


def summary(catalog: Catalog) -> str:
    """Return one line with the parts of a catalog."""
    return ", ".join(f"{part.entries} {part.name or part.part}" for part in overview(catalog))


def listing(catalog: CompiledCatalog, provider: str, sku: str, at: datetime) -> list[Listed]:
    """Return the prices in force at `at` of all names that match (`*`: anything). A name without an entry is looked up
    like an event's: by aliases, and by guesses, which are marked."""
    exact = "*" not in provider + sku
    if exact and provider:
        return [Listed(provider, sku, list_prices(catalog, provider, sku, at))]
    ours = compile_words([provider]) if provider else (lambda _: True)
    wanted = compile_words([sku])
    names = [pair for pair in dict.fromkeys(names_of(catalog.catalog)) if ours(pair[0]) and wanted(pair[1])]
    if exact and not names:
        names = [(provider, sku)]
    return [Listed(*pair, list_prices(catalog, *pair, at)) for pair in names]


def names_of(catalog: Catalog) -> Iterator[tuple[str, str]]:
    """Return the provider and sku of every model and of every rule of a price book."""
    for raw in catalog.rates.providers if catalog.rates else ():
        for model in raw.get("models") or ():
            yield str(raw["id"]), str(model["id"])
    for book in catalog.price_books:
        for rule in book.rules:
            for provider in rule.provider or ("",):
                for sku in rule.sku:
                    yield provider, sku
