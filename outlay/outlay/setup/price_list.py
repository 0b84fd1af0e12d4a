"""The catalog's prices for the pages of the console: found by name, as far as they concern a tenant."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from functools import lru_cache
from typing import TYPE_CHECKING

from outlay_console.domain.model_prices import PriceSet, Rows, WhatIf, conditions_of, joined, readable
from outlay_kit.time_ranges import TimeRange
from outlay_schemas.catalog import Catalog, parse_price_ref
from outlay_schemas.catalog.price_books import price_books_of
from outlay_schemas.catalog.price_ref import sentences
from outlay_schemas.money import to_usd

if TYPE_CHECKING:  # imported where they are used: the console is ready sooner
    from outlay_pricer.domain import CompiledCatalog
    from outlay_pricer.domain.price_listing import PriceListing

_ALTERNATIVES = 4
_COMPILED = 4
"""Catalogs that are kept compiled, about 20 MB each."""


class CatalogPrices:
    """The prices of the catalog in force and of past revisions. Every method raises Retryable without a catalog."""

    def __init__(self, known: Callable[[], Catalog], kept: Callable[[int], Catalog | None]) -> None:
        """`known`: the catalog in force; `kept`: a revision by its number."""
        self._known = known
        self._kept = kept
        self._compiled = lru_cache(_COMPILED)(self._compile)

    def search(self, tenant: str, text: str) -> list[tuple[str, str]]:
        """Return provider and SKU of what matches a text, the best match first."""
        from outlay_pricer.domain.price_listing import search

        return search(self.catalog(tenant).catalog, text)

    def prices(
        self, tenant: str, provider: str, sku: str, at: datetime, revision: int = 0
    ) -> Sequence[PriceSet]:
        """Return the prices of a SKU in force at `at`, in the order in which they are tried. Raises LookupError for a
        revision that cannot be read any more."""
        from outlay_pricer.domain.price_listing import list_prices

        listed = list_prices(self.catalog(tenant, revision), provider, sku, at)
        return joined(_price_set(one) for one in listed)

    def dates(self, tenant: str, provider: str, sku: str) -> list[datetime]:
        """Return when the prices of a SKU change by the catalog in force, the newest first."""
        from outlay_pricer.domain.price_listing import price_dates

        return price_dates(self.catalog(tenant), provider, sku)

    def what_if(
        self, rows: Rows, tenant: str, names: tuple[str, str], span: TimeRange, chosen: tuple[str, str, str]
    ) -> list[WhatIf]:
        """Return what usage would have cost with its alternatives, and with the provider, SKU and price book that
        were chosen."""
        from outlay_pricer.domain import CompiledCatalog
        from outlay_pricer.domain.compare import only_book
        from outlay_pricer.domain.what_if import what_if
        from outlay_pricer.opportunities.alternatives import stand_ins

        catalog, (provider, sku) = self.catalog(tenant), names
        wanted = [
            WhatIf(provider, name, check=way.prerequisite) for name, way in stand_ins(catalog.catalog)(*names)
        ]
        if any(chosen):
            wanted.insert(0, WhatIf(chosen[0] if chosen[1] else provider, chosen[1] or sku, chosen[2]))
        found = []
        for one in wanted[:_ALTERNATIVES]:
            known = any(book.name == one.book for book in catalog.catalog.price_books)
            priced = CompiledCatalog(only_book(catalog.catalog, one.book)) if known else catalog
            sums = what_if(rows, priced, tenant, names, (one.provider, one.sku), span=span)
            before, after = Decimal(to_usd(sums.before)), Decimal(to_usd(sums.after))
            found.append(replace(one, before=before, after=after, events=sums.events, left_out=sums.left_out))
        return found

    def catalog(self, tenant: str, revision: int = 0) -> "CompiledCatalog":
        """Return a revision, or the one in force, without the price book rules of other tenants."""
        content = self._known()
        number = revision or content.revision
        own = any(not rule.concerns(tenant) for book in content.price_books for rule in book.rules)
        return self._compiled(number, tenant if own else "")

    def _compile(self, revision: int, tenant: str) -> "CompiledCatalog":
        from outlay_pricer.domain import CompiledCatalog

        content = self._kept(revision)
        if content is None:
            raise LookupError(f"revision {revision} of the catalog cannot be read")
        if tenant:
            content = content.model_copy(update={"price_books": price_books_of(content.price_books, tenant)})
        return CompiledCatalog(content)


def _price_set(one: "PriceListing") -> PriceSet:
    ref = parse_price_ref(one.ref)
    conditions = conditions_of({**one.where, **{key: [value] for key, value in one.context.items()}})
    return PriceSet(
        ref.book, ref.version, (conditions,) if conditions else (),
        tuple(readable(each.meter, each.price, each.per, currency=one.currency, above=each.above, note=each.note)
              for each in one.prices),
        one.source, one.checked[:10], one.since[:10], one.until[:10], tuple(sentences(ref.guesses)), one.reason,
    )  # fmt: skip
