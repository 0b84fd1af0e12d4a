"""What if: two ways to price the same events, as they are and as they might be."""

from collections.abc import Callable

from outlay_pricer.domain import CompiledCatalog, price
from outlay_pricer.domain.compare import as_model, only_book
from outlay_schemas.catalog import Catalog
from outlay_schemas.events import CostEvent, UsageEvent

Pricer = Callable[[UsageEvent], CostEvent]


def what_if(content: Catalog, model: str | None = None, book: str | None = None) -> tuple[Pricer, Pricer]:
    """Return how events are priced by a catalog, and how they would be by another model or a book that comes first.

    `model` is `provider/model`. Raises ValueError, with what there is, for a model or a book that the catalog does
    not have. With neither, both ways are the same.
    """
    plain = CompiledCatalog.from_catalog(content)
    other = plain if book is None else CompiledCatalog.from_catalog(only_book(content, book))
    if model is None:
        return _pricer(plain), _pricer(other)
    provider, slash, sku = model.partition("/")
    if not (provider and slash and sku):
        raise ValueError(f"{model!r} names no model: write provider/model, as in anthropic/claude-haiku-4-5")
    line = other.lookup.line(provider, sku, {})
    books = other.candidates("llm", provider, sku)
    if line.refused is not None and not (books.before or books.after):
        raise ValueError(f"{model} has no price: {line.refused.message}")
    return _pricer(plain), as_model(other, provider, sku)


def _pricer(catalog: CompiledCatalog) -> Pricer:
    return lambda event: price(event, catalog)
