"""Compiles a catalog: whatever can be computed before the first event is."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from outlay_pricer.domain.agreements import Agreements, Reported
from outlay_pricer.domain.attribution import Attribution
from outlay_pricer.domain.price_books import CompiledPriceBooks, CompiledRule
from outlay_pricer.domain.rate_compiler.lookup import Lookup
from outlay_pricer.domain.rate_compiler.rate_book import RateBook
from outlay_pricer.domain.rate_compiler.rate_card import RateLine
from outlay_pricer.domain.usage import ALIASES, TOTAL
from outlay_schemas.catalog import Catalog, RateData

MAX_RULES = 16_384

NO_RATES = RateData.model_validate(
    {"source": "no-rates", "version": "0", "date": "1970-01-01", "units": {}, "providers": []}
)


@dataclass
class Candidates:
    """Price book rules that may match one (kind, provider, sku)."""

    before: tuple[CompiledRule, ...]
    after: tuple[CompiledRule, ...]


@dataclass
class ContextRules:
    """Maps attributes to the price contexts of the LLM price data."""

    keys: frozenset[str]
    aliases: Mapping[tuple[str, str], tuple[str, str]]
    neutral: frozenset[tuple[str, str]]

    def stated(self, attributes: Mapping[str, str]) -> list[tuple[str, str]]:
        """Return the context attributes of an event, except those that mean the standard price."""
        said = [(key, attributes[key]) for key in sorted(self.keys) if attributes.get(key)]
        return [pair for pair in said if pair not in self.neutral]

    def in_other_words(self, facts: Mapping[str, str]) -> Mapping[str, str]:
        """Add the price data's names to the facts of an event: `processing: batch`."""
        more = {
            f"attributes.{key}": means
            for (attribute, value), (key, means) in self.aliases.items()
            if facts.get(f"attributes.{attribute}") == value
        }
        return {**more, **facts} if more else facts

    def resolve(
        self, line: RateLine, attributes: Mapping[str, str], at: datetime
    ) -> tuple[dict[str, str], tuple[str, ...]]:
        """Return the price context, and the attributes without a contextual price (the standard price is a guess)."""
        context: dict[str, str] = {}
        said: dict[tuple[str, str], str] = {}
        for key, value in self.stated(attributes):
            pair = (key, value)
            if pair not in line.wanted:
                pair = self.aliases.get(pair, pair)
            if pair in line.wanted:
                context[pair[0]] = pair[1]
            said[pair] = f"{key}={value}"
        used = line.card(at, context).used if context else frozenset()
        return context, tuple(sorted(word for pair, word in said.items() if pair not in used))


@dataclass
class CompiledCatalog:
    """One revision, compiled. Pricing reads it; its caches change no answer."""

    catalog: Catalog
    revision: int
    rates: RateBook
    lookup: Lookup
    price_books: CompiledPriceBooks
    agreements: Agreements
    reported: Reported
    attribution: Attribution
    context: ContextRules
    meter_aliases: Mapping[str, str]
    odd_meters: frozenset[str]
    """Meters whose presence means that usage must be normalised."""
    dead_letter_contradictions: bool
    plain: bool
    """Nothing changes what the list prices say."""
    price_books_first: bool
    """Some price books come before the LLM rates."""
    _candidates: dict[tuple[str, str, str], Candidates] = field(default_factory=dict)

    @classmethod
    def from_catalog(cls, catalog: Catalog) -> "CompiledCatalog":
        """Compile a catalog. Raises ValueError if its price data cannot be understood."""
        data = catalog.rates or NO_RATES
        rates = RateBook(data)
        price_books = CompiledPriceBooks(catalog.price_books, catalog.fx)
        context = _context_rules(data, price_books.contexts)
        aliases = {**ALIASES, **catalog.usage.meter_aliases}
        return cls(
            catalog=catalog,
            revision=catalog.revision,
            rates=rates,
            lookup=Lookup(rates, catalog.azure_deployments),
            price_books=price_books,
            agreements=Agreements(catalog.negotiated),
            reported=Reported(catalog.reported),
            attribution=Attribution(catalog),
            context=context,
            meter_aliases=aliases,
            odd_meters=frozenset(aliases) | {TOTAL, "cache_write_5m_tokens", "cache_write_1h_tokens"},
            dead_letter_contradictions=catalog.usage.contradictions == "dead_letter",
            plain=not catalog.negotiated,
            price_books_first=any(book.before_rates for book in catalog.price_books),
        )

    def candidates(self, kind: str, provider: str, sku: str) -> Candidates:
        """Return the price-book rules that may be about such an event."""
        key = (kind, provider, sku)
        known = self._candidates.get(key)
        if known is None:
            known = Candidates(
                self.price_books.candidates(kind, provider, sku, before_rates=True),
                self.price_books.candidates(kind, provider, sku, before_rates=False),
            )
            if len(self._candidates) >= MAX_RULES:
                del self._candidates[next(iter(self._candidates))]
            self._candidates[key] = known
        return known


def _context_rules(data: RateData, more: frozenset[str]) -> ContextRules:
    keys = more | {
        str(key)
        for provider in data.providers
        for model in provider.get("models") or ()
        for variant in model.get("price_variants") or ()
        for key in variant.get("when") or ()
    }
    aliases = {(alias.attribute, alias.value): (alias.key, alias.means) for alias in data.context_aliases}
    return ContextRules(
        keys=frozenset(keys | {attribute for attribute, _ in aliases} | set(data.neutral_contexts)),
        aliases=aliases,
        neutral=frozenset((key, value) for key, values in data.neutral_contexts.items() for value in values),
    )
