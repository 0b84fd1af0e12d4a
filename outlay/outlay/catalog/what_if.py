"""What if: two ways to price the same events, as they are and as they might be."""

from collections.abc import Callable, Iterator
from datetime import datetime
from difflib import get_close_matches
from fractions import Fraction

from outlay_pricer.domain import CompiledCatalog, price
from outlay_pricer.domain.compare import as_model, only_book
from outlay_pricer.domain.price_listing import names_of
from outlay_pricer.domain.pricing import cost_of_calls
from outlay_reports.cost_query import Sums
from outlay_reports.errors import QueryError
from outlay_schemas.catalog import Catalog
from outlay_schemas.events import CostEvent, Quantity, UsageEvent

Pricer = Callable[[UsageEvent], CostEvent]


def what_if(content: Catalog, model: str | None = None, book: str | None = None) -> tuple[Pricer, Pricer]:
    """Return how events are priced by a catalog, and how they would be by another model (`provider/model`) or a book
    that comes first; the same with neither. Raises ValueError, with what there is, for one that is unknown."""
    plain = CompiledCatalog(content)
    other = plain if book is None else CompiledCatalog(only_book(content, book))
    if model is None:
        return _pricer(plain), _pricer(other)
    provider, slash, sku = model.partition("/")
    if not (provider and slash and sku):
        raise ValueError(f"{model!r} names no model: write provider/model, as in anthropic/claude-haiku-4-5")
    line = other.rates.line_of(provider, sku, {})
    price_books = other.candidates("llm", provider, sku)
    if line.refused is not None and not (price_books.before or price_books.after):
        raise ValueError(f"{model} has no price: {line.refused.message}")
    return _pricer(plain), as_model(other, provider, sku)


def _pricer(catalog: CompiledCatalog) -> Pricer:
    return lambda event: price(event, catalog)


def unit_price(content: Catalog, model: str, used: Sums, at: datetime) -> Fraction:
    """Return what a model (a name, or `provider/name`) charges for usage such as this, in pico-USD a token of an
    average call, by the catalog. Raises QueryError, with names that are alike, where it has no price."""
    catalog = CompiledCatalog(content)
    usage: dict[str, Quantity] = {
        meter: quantity for meter, quantity in used.usage.items() if meter.endswith("_tokens")
    }
    for provider, sku in _names(catalog, model):
        calls = UsageEvent(
            id="what-if", source="what-if", time=at, kind="llm", sku=sku, provider=provider, usage=usage
        )
        cost = cost_of_calls(calls, max(used.events, 1), catalog)
        if cost is not None and used.tokens:
            return Fraction(cost) / Fraction(used.tokens)
    known = sorted({name for pair in names_of(content) for name in (pair[1], "/".join(pair))})
    alike = get_close_matches(model, known, n=5, cutoff=0.5)
    raise QueryError(f"{model} has no price in the catalog", f"use one of {', '.join(alike or known[:5])}")


def _names(catalog: CompiledCatalog, model: str) -> Iterator[tuple[str, str]]:
    provider, slash, sku = model.partition("/")
    if slash and catalog.rates.finder.provider_by_id(provider) is not None:
        yield provider, sku
    yield "", model
