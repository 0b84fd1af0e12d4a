"""A catalog revision, compiled for pricing."""

from outlay_pricer.domain.first.books import Books
from outlay_pricer.domain.first.rates import Context, Rates
from outlay_schemas.catalog import Catalog
from outlay_schemas.events import UsageEvent


class CompiledCatalog:
    """All that decides what an event costs, ready for look-up. Immutable but for its memory of look-ups."""

    def __init__(self, catalog: Catalog) -> None:
        self.revision = catalog.revision
        self.catalog = catalog
        self.rates = Rates(catalog.rates) if catalog.rates else None
        self.first = Books([book for book in catalog.price_books if book.before_rates])
        self.books = Books([book for book in catalog.price_books if not book.before_rates])
        aliases = catalog.rates.context_aliases if catalog.rates else ()
        self._aliases = {(alias.attribute, alias.value): (alias.key, alias.means) for alias in aliases}
        self._context_keys = _context_keys(catalog)

    @classmethod
    def from_catalog(cls, catalog: Catalog) -> "CompiledCatalog":
        """Compile a catalog."""
        return cls(catalog)

    def context(self, event: UsageEvent) -> Context:
        """Pick from the attributes what may choose another price: service tier, batch processing, speed."""
        if not event.attributes:
            return ()
        said: dict[str, str] = {}
        for key, value in event.attributes.items():
            alias = self._aliases.get((key, value))
            if alias is not None:
                said[alias[0]] = alias[1]
            elif key in self._context_keys:
                said.setdefault(key, value)
        return tuple(sorted(said.items()))


def _context_keys(catalog: Catalog) -> frozenset[str]:
    """Collect the context keys that any model's price variants ask for."""
    if catalog.rates is None:
        return frozenset()
    return frozenset(
        key
        for provider in catalog.rates.providers
        for model in provider.get("models") or ()
        for variant in model.get("price_variants") or ()
        for key in variant["when"]
    )
