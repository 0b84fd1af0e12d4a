"""Price books: selects the rule for an event and prices its meters."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal, InvalidOperation
from fractions import Fraction
from functools import lru_cache
from operator import attrgetter

from outlay_pricer.domain.matching import Facts, Test, compile_facts, compile_words
from outlay_pricer.domain.meters import CompiledMeter
from outlay_schemas.catalog import BookRule, DatedPrices, FxRate, PriceBook, PriceRef
from outlay_schemas.currency import Currency
from outlay_schemas.dimensions import OWNERS
from outlay_schemas.errors import Invalid
from outlay_schemas.events import Quantity
from outlay_schemas.grammar import check_quantity

MAX_PROVIDERS = 1024
"""Kinds and providers whose rules are remembered."""
_FACTS = {*OWNERS, "activity", "tenant", "source"}


@dataclass(frozen=True)
class PricePeriod:
    """The prices of a rule in one time range."""

    dated: DatedPrices
    meters: Mapping[str, CompiledMeter]


class CompiledRule:
    """A rule, ready to be asked."""

    def __init__(self, book: PriceBook, rule: BookRule) -> None:
        self.book = book
        self.rule = rule
        self.ref = PriceRef(book.name, book.version, rule.id)
        self.spans = [
            PricePeriod(dated, {name: CompiledMeter(price) for name, price in dated.meters.items()})
            for dated in rule.prices
        ]
        self._kind, self.has_sku = compile_words(rule.kind or ("*",)), compile_words(rule.sku)
        self._provider = compile_words(rule.provider) if rule.provider else None
        self._where: Test = compile_facts({_fact(key): words for key, words in rule.where.items()})
        self._assumes: list[tuple[str, str, Callable[[str], bool]]] = [
            (key, _fact(key), compile_words(words)) for key, words in rule.assumes.items()
        ]
        self._texts: dict[tuple[str, ...], str] = {}
        exact = not any("*" in word for word in rule.sku)
        self.rank = (exact, len(rule.where), bool(rule.provider))
        """How special the rule is: the greatest wins."""

    def names(self, kind: str, provider: str, sku: str) -> bool:
        """Tell whether the rule may be about such an event."""
        return self.is_about(kind, provider) and self.has_sku(sku)

    def is_about(self, kind: str, provider: str) -> bool:
        """Tell whether the rule may be about such an event, whatever its sku."""
        return (self._provider is None or self._provider(provider)) and self._kind(kind)

    def fits(self, facts: Facts) -> bool:
        """Tell whether an event says what the rule wants, and nothing else than what it assumes."""
        agrees = all(not facts.get(fact) or test(facts[fact]) for _, fact, test in self._assumes)
        return agrees and self._where(facts)

    def assumed(self, facts: Facts) -> tuple[str, ...]:
        """Name what the rule's price is for and the event does not say."""
        return tuple(key for key, fact, _ in self._assumes if not facts.get(fact))

    def ref_text(self, guesses: tuple[str, ...]) -> str:
        """Return the price reference as text, with what was assumed."""
        known = self._texts.get(guesses)
        if known is None:
            ref = self.ref
            known = self._texts[guesses] = str(PriceRef(ref.book, ref.version, ref.rule, guesses=guesses))
        return known

    def span(self, at: datetime) -> PricePeriod | None:
        """Return the prices in force."""
        return next((span for span in self.spans if span.dated.active(at)), None)


def _fact(key: str) -> str:
    return key if key in _FACTS or "." in key else f"attributes.{key}"


def price_meters(
    span: PricePeriod, usage: Mapping[str, Quantity], facts: Facts, usd: Fraction
) -> tuple[dict[str, Fraction], bool, tuple[str, ...]]:
    """Price the meters of an event that the rule knows. `usd` is what one unit of the book's currency is worth.

    Returns exact pico-USD by meter, whether all of it is free, and guesses.
    """
    amounts: dict[str, Fraction] = {}
    free = known = True
    for name, meter in span.meters.items():
        quantity = usage.get(name)
        if quantity is None or any(other in usage for other in meter.price.included_in):
            continue
        position, sure = position_of(meter, facts)
        amount = meter.amount(quantity, position)
        amounts[name] = amount if usd == 1 else amount * usd
        free, known = free and meter.free, known and sure
    return amounts, free and bool(amounts), () if known else ("position",)


def position_of(meter: CompiledMeter, facts: Facts) -> tuple[Fraction, bool]:
    """Return what was used before this event in its period, and whether that is known.

    A price is a function of the event and the catalog alone, so the running total of a month cannot be looked up:
    the producer that knows it sends it as an attribute (docs/adr/0010).
    """
    price = meter.price
    if not meter.stepped:
        return Fraction(0), True
    if price.position is None:
        return Fraction(0), False
    try:
        position = Decimal(facts.get(f"attributes.{price.position}", ""))
        # Bounded as quantities are: an exponent of a million would be a number of a million digits.
        check_quantity(position, "$.attributes")
    except (InvalidOperation, Invalid):
        return Fraction(0), False
    return Fraction(position), True


class CompiledPriceBooks:
    """All price books of a catalog, in order."""

    def __init__(self, price_books: Sequence[PriceBook], fx: Sequence[FxRate]) -> None:
        rules = [
            rule
            for book in price_books
            for rule in sorted(
                (CompiledRule(book, rule) for rule in book.rules), key=attrgetter("rank"), reverse=True
            )
        ]
        self._rules = [rule for rule in rules if rule.rule.prices[0].factor is None]
        self._factors = [rule for rule in rules if rule.rule.prices[0].factor is not None]
        self.contexts = frozenset(key for rule in self._factors for key in rule.rule.where)
        """Attributes for whose values there are factors."""
        self._fx = fx
        self._about = lru_cache(MAX_PROVIDERS)(self._find_about)
        """The rules that may be about a kind and a provider, whatever the sku."""

    def _find_about(self, kind: str, provider: str) -> list[CompiledRule]:
        return [rule for rule in self._rules if rule.is_about(kind, provider)]

    def candidates(self, kind: str, provider: str, sku: str) -> list[CompiledRule]:
        """Return the rules that may be about such an event, best first."""
        return [rule for rule in self._about(kind, provider) if rule.has_sku(sku)]

    def factor(
        self, unpriced: Sequence[str], provider: str, sku: str, facts: Facts, at: datetime
    ) -> tuple[Fraction, tuple[str, ...], tuple[str, ...]]:
        """Return the factors for context values (`key=value`) without a price, as one.

        And the values that none is for, and the rules that were used, the best one for each attribute.
        """
        factor, rest, used = Fraction(1), list(unpriced), []
        for rule in self._factors:
            keys = {word for word in rest if word.partition("=")[0] in rule.rule.where}
            span = rule.span(at) if keys and rule.names("llm", provider, sku) and rule.fits(facts) else None
            if span is not None and span.dated.factor is not None:
                factor *= Fraction(span.dated.factor)
                rest = [word for word in rest if word not in keys]
                used.append(f"{rule.ref.book}/{rule.ref.rule}")
        return factor, tuple(rest), tuple(used)

    def factor_rule(self, term: str) -> CompiledRule | None:
        """Return the rule of a factor by its name in a price reference, `book/rule`; None: the term is not a factor."""
        return next((rule for rule in self._factors if f"{rule.ref.book}/{rule.ref.rule}" == term), None)

    def usd(self, currency: str, at: datetime) -> Fraction | None:
        """Return what one unit of a currency is worth at `at`; None: the catalog does not say."""
        return Currency(currency, self._fx).usd(at)
