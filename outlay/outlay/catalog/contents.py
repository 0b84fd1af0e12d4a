"""Lists the parts of a catalog."""

from msgspec import Struct

from outlay.catalog.load import PARTS
from outlay_schemas.catalog import Catalog, PriceBook


class Part(Struct, frozen=True):
    """One part of a catalog and the number of its entries."""

    part: str
    name: str
    version: str
    entries: int
    checked: str
    """When its figures were last compared with their source, or the data's date; empty if that is unknown."""


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
