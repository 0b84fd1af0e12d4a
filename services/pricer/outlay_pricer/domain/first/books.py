"""Price books, compiled: which rule prices a usage, and what it comes to."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from outlay_pricer.domain.first.amounts import settle_fractions
from outlay_pricer.domain.first.patterns import Test, name_test, specificity
from outlay_pricer.domain.first.quote import Quote
from outlay_pricer.domain.first.steps import charge
from outlay_schemas.catalog import BookRule, DatedPrices, MeterPrice, PriceBook, PriceRef
from outlay_schemas.events import PriceStatus, Quantity, UsageEvent
from outlay_schemas.money import PICO

MAX_FINDS = 20_000
DIMENSIONS = ("team", "project", "business_unit", "use_case", "user", "activity")


@dataclass(frozen=True)
class Rule:
    """A rule with its tests compiled."""

    book: PriceBook
    rule: BookRule
    kind: Test | None
    provider: Test | None
    sku: Test | None
    where: tuple[tuple[str, Test], ...]
    assumes: tuple[tuple[str, Test], ...]
    rank: tuple[int, int, int]

    def fits(self, event: UsageEvent, said: Mapping[str, str]) -> bool:
        """Tell whether the rule is about the event, given what it `said` of itself."""
        return (
            (self.kind is None or self.kind(event.kind))
            and (self.provider is None or self.provider(event.provider))
            and (self.sku is None or self.sku(event.sku))
            and all(key in said and test(said[key]) for key, test in self.where)
            and all(key not in said or test(said[key]) for key, test in self.assumes)
        )

    def guesses(self, said: Mapping[str, str]) -> tuple[str, ...]:
        """Name what the price assumes and the event does not say."""
        return tuple(key for key, _ in self.assumes if key not in said)


class Books:
    """Price books in the order in which they are asked."""

    def __init__(self, books: Sequence[PriceBook]) -> None:
        self.rules = [
            sorted((_compile(book, rule) for rule in book.rules), key=lambda rule: rule.rank, reverse=True)
            for book in books
        ]
        every = [rule for rules in self.rules for rule in rules]
        self._keys = tuple(sorted({key for rule in every for key, _ in (*rule.where, *rule.assumes)}))
        self._found: dict[tuple[str, ...], tuple[Rule, ...]] = {}

    def find(self, event: UsageEvent) -> tuple[Rule, ...]:
        """Return the rules that are about an event, best first."""
        said = said_by(event, self._keys)
        key = (event.kind, event.provider, event.sku, *(said.get(name, "\0") for name in self._keys))
        known = self._found.get(key)
        if known is None:
            if len(self._found) >= MAX_FINDS:
                self._found.clear()
            known = tuple(rule for rules in self.rules for rule in rules if rule.fits(event, said))
            self._found[key] = known
        return known

    def quote(self, event: UsageEvent) -> Quote | None:
        """Price an event by the best rule that prices any of its meters at its time; None if there is none."""
        for rule in self.find(event):
            prices = next((p for p in rule.rule.prices if p.active(event.time)), None)
            if prices is not None and any(meter in prices.meters for meter in event.usage):
                return self._quote(event, rule, prices)
        return None

    def _quote(self, event: UsageEvent, rule: Rule, prices: DatedPrices) -> Quote:
        guesses = list(rule.guesses(said_by(event, self._keys)))
        amounts: dict[str, Fraction] = {}
        unpriced: list[str] = []
        for meter, quantity in event.usage.items():
            price = prices.meters.get(meter)
            if price is not None:
                amounts[meter] = _amount(price, event, quantity, guesses)
            elif quantity:
                unpriced.append(meter)
        ref = PriceRef(rule.book.name, rule.book.version, rule.rule.id, guesses=tuple(dict.fromkeys(guesses)))
        cost, parts = settle_fractions(list(amounts.values()))
        free = not unpriced and not cost and all(_is_free(prices.meters[meter]) for meter in amounts)
        status: PriceStatus = "unpriced" if unpriced else "free" if free else "priced"
        return Quote(status, str(ref), cost, dict(zip(amounts, parts, strict=True)), unpriced)


def said_by(event: UsageEvent, keys: Sequence[str]) -> dict[str, str]:
    """Collect what an event says about itself under `keys`: its attributes, then its dimensions."""
    said: dict[str, str] = {}
    for key in keys:
        value = event.attributes.get(key)
        if value is None and key in DIMENSIONS:
            value = getattr(event, key)
        if value:
            said[key] = value
    return said


def _amount(price: MeterPrice, event: UsageEvent, quantity: Quantity, guesses: list[str]) -> Fraction:
    if any(event.usage.get(other) for other in price.included_in):
        return Fraction(0)
    position = Fraction(0)
    if price.tiers or price.free:
        text = event.attributes.get(price.position) if price.position else None
        try:
            position = Fraction(Decimal(text)) if text is not None else position
        except (ArithmeticError, ValueError):
            text = None
        if text is None:
            guesses.append("position")
    return charge(price, quantity, position) * PICO


def _is_free(price: MeterPrice) -> bool:
    return not price.price and not any(tier.price for tier in price.tiers) and not price.minimum


def _compile(book: PriceBook, rule: BookRule) -> Rule:
    return Rule(
        book=book,
        rule=rule,
        kind=name_test(rule.kind),
        provider=name_test(rule.provider),
        sku=name_test(rule.sku),
        where=tuple((key, test) for key, values in rule.where.items() if (test := name_test(values))),
        assumes=tuple((key, test) for key, values in rule.assumes.items() if (test := name_test(values))),
        rank=(specificity(rule.sku), specificity(rule.provider), len(rule.where)),
    )
