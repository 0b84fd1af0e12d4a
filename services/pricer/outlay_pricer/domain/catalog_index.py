"""Compiles a catalog: whatever can be computed before the first event is."""

from collections.abc import Mapping
from datetime import datetime
from functools import lru_cache
from typing import NamedTuple

from outlay_pricer.domain.attribution import Attribution
from outlay_pricer.domain.matching import Facts, compile_match
from outlay_pricer.domain.price_books import CompiledPriceBooks, CompiledRule
from outlay_pricer.domain.rate_compiler.rate_book import MODEL_ATTRIBUTES, PlainCall, RateBook
from outlay_pricer.domain.rate_compiler.rate_card import RateLine
from outlay_pricer.domain.usage import ALIASES, CONVENTION, TOTAL, TTLS
from outlay_schemas.catalog import Catalog, Negotiated, RateData, ReportedPolicy
from outlay_schemas.catalog.price_ref import MARKS
from outlay_schemas.catalog.terms import REPORTED

MAX_RULES = 16_384

NO_RATES = RateData.model_validate(
    {"source": "no-rates", "version": "0", "date": "1970-01-01", "units": {}, "providers": []}
)


class Candidates(NamedTuple):
    """Price book rules that may match one (kind, provider, sku): before the LLM rates, and after them."""

    before: tuple[CompiledRule, ...]
    after: tuple[CompiledRule, ...]


class ContextRules:
    """Maps attributes to the price contexts of the LLM price data."""

    def __init__(self, data: RateData, more: frozenset[str]) -> None:
        """`more`: attributes that also change a price."""
        keys = more | {
            str(key)
            for provider in data.providers
            for model in provider.get("models") or ()
            for variant in model.get("price_variants") or ()
            for key in variant.get("when") or ()
        }
        self.aliases = {
            (alias.attribute, alias.value): (alias.key, alias.means) for alias in data.context_aliases
        }
        self.keys = keys | {attribute for attribute, _ in self.aliases} | set(data.neutral_contexts)
        self._neutral = {(key, value) for key, values in data.neutral_contexts.items() for value in values}

    def stated(self, attributes: Mapping[str, str]) -> list[tuple[str, str]]:
        """Return the context attributes of an event, except those that mean the standard price."""
        said = [(key, attributes[key]) for key in sorted(self.keys) if attributes.get(key)]
        return [pair for pair in said if pair not in self._neutral]

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


class CompiledCatalog:
    """One revision, compiled. Pricing reads it; its caches change no answer."""

    def __init__(self, catalog: Catalog) -> None:
        """Compile a catalog. Raises ValueError if its price data cannot be understood."""
        data = catalog.rates or NO_RATES
        self.catalog, self.revision = catalog, catalog.revision
        self.plain = not catalog.negotiated
        """Nothing changes what the list prices say."""
        self.rates = RateBook(data, catalog.azure_deployments)
        self.price_books = CompiledPriceBooks(catalog.price_books, catalog.fx)
        self.price_books_first = any(book.before_rates for book in catalog.price_books)
        """Some price books come before the LLM rates."""
        self.candidates = lru_cache(MAX_RULES)(self._candidates)
        """The price-book rules that may be about a kind, provider and sku."""
        self.attribution = Attribution(catalog)
        self.context = ContextRules(data, self.price_books.contexts)
        self.meter_aliases = {**ALIASES, **catalog.usage.meter_aliases}
        self.odd_meters = frozenset(self.meter_aliases) | {TOTAL, *TTLS}
        """Meters whose presence means that usage must be normalised."""
        self.special_attributes = MARKS | MODEL_ATTRIBUTES | {CONVENTION}
        """Attributes that say how usage was counted, or which model is meant."""
        self.plain_calls: dict[tuple[object, ...], PlainCall | None] = {}
        """By provider, model and meters: how `plain_cases` prices calls; None: they are not plain."""
        self.dead_letter_contradictions = catalog.usage.contradictions == "dead_letter"
        overrides_first = sorted(catalog.negotiated, key=lambda terms: not terms.override)
        self._negotiated = [(terms, compile_match(terms.match)) for terms in overrides_first]
        policies = (*catalog.reported, *REPORTED)
        self._reported = [(policy, compile_match(policy.match)) for policy in policies]

    def _candidates(self, kind: str, provider: str, sku: str) -> Candidates:
        rules = self.price_books.candidates(kind, provider, sku)
        return Candidates(
            tuple(rule for rule in rules if rule.book.before_rates),
            tuple(rule for rule in rules if not rule.book.before_rates),
        )

    def negotiated(self, facts: Facts, at: datetime) -> list[Negotiated]:
        """Return the negotiated prices and markups that hold for an event, overrides first."""
        return [terms for terms, about in self._negotiated if terms.active(at) and about(facts)]

    def reported(self, facts: Facts) -> ReportedPolicy:
        """Return the policy for the cost that the producer of an event reports."""
        return next(policy for policy, about in self._reported if about(facts))
