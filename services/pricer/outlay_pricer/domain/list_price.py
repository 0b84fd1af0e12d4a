"""The list price of an event, from price books and model prices, before negotiated terms."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from fractions import Fraction

from outlay_pricer.domain.catalog_index import CompiledCatalog
from outlay_pricer.domain.matching import Facts
from outlay_pricer.domain.price_books import CompiledRule, PricePeriod, price_meters
from outlay_pricer.domain.rate_compiler.exact import Contradiction, CostLine, count, price_lines
from outlay_pricer.domain.rate_compiler.rate_card import Card, RateLine
from outlay_pricer.domain.rate_compiler.units import REQUESTS
from outlay_pricer.domain.usage import CONVENTION, contradiction
from outlay_schemas.catalog import PriceRef, are_guesses, parse_price_ref
from outlay_schemas.errors import Invalid
from outlay_schemas.events import Quantity, UsageEvent
from outlay_schemas.money import PICO

Usage = Mapping[str, Quantity]


@dataclass(frozen=True)
class ListPrice:
    """A list price in exact pico-USD by meter. Without amounts the event has no price, and `ref` says why."""

    ref: PriceRef
    amounts: dict[str, Fraction] = field(default_factory=dict)
    quantities: dict[str, Quantity] = field(default_factory=dict)
    """What was paid for, by meter: the input that came from a cache is not in `input_tokens` here."""
    uncovered: tuple[str, ...] = ()
    """Meters that were used and that nothing prices."""
    free: bool = False
    message: str = ""
    """The reason for a missing price, in a sentence."""
    rated: tuple[RateLine, Card, tuple[CostLine, ...]] | None = None
    """What the LLM rates did, for `explain`."""
    booked: tuple[CompiledRule, PricePeriod, Fraction] | None = None
    """Which price book rule was applied, and what its currency is worth."""

    @property
    def certain(self) -> bool:
        """Tell whether everything has a price, and none of it rests on a guess."""
        return bool(self.amounts) and not self.uncovered and not are_guesses(self.ref.guesses)


def list_price(event: UsageEvent, usage: Usage, catalog: CompiledCatalog, facts: Facts) -> ListPrice:
    """Find and apply the list price: price books with `before_rates`, model prices, other price books."""
    candidates = catalog.candidates(event.kind, event.provider, event.sku)
    first = _by_price_books(candidates.before, event, usage, catalog, facts) if candidates.before else None
    if first is not None and first.amounts:
        return first
    rated = _sound(by_rates(event, usage, catalog, facts), usage, catalog) if event.kind == "llm" else None
    if rated is not None and rated.certain:
        return rated
    booked = _by_price_books(candidates.after, event, usage, catalog, facts) if candidates.after else None
    guessed = rated is not None and are_guesses(rated.ref.guesses)
    if booked is not None and booked.certain and guessed:
        return booked  # a figure that somebody wrote down for this sku is better than a guess
    if rated is None or not rated.amounts:
        ref = PriceRef("catalog", str(catalog.revision))
        unknown = f"no price book has a rule for {event.kind} {event.provider}/{event.sku}"
        return booked or first or rated or _refuse(ref, "sku_unknown", usage, unknown)
    return _completed(rated, booked)


def _completed(rated: ListPrice, booked: ListPrice | None) -> ListPrice:
    """Add a price book's prices for meters that the model prices do not know: a tool fee beside tokens."""
    if booked is None:
        return rated
    more = {name: amount for name, amount in booked.amounts.items() if name in rated.uncovered}
    if not more:
        return rated
    term = f"{booked.ref.book}/{booked.ref.rule}"
    return replace(
        rated,
        ref=replace(rated.ref, terms=(*rated.ref.terms, term)),
        amounts=rated.amounts | more,
        quantities=rated.quantities | {name: booked.quantities[name] for name in more},
        uncovered=tuple(name for name in rated.uncovered if name not in more),
        booked=booked.booked,
        free=rated.free and booked.free,
    )


def by_rates(
    event: UsageEvent, usage: Usage, catalog: CompiledCatalog, facts: Facts | None = None
) -> ListPrice:
    """Price by the LLM rates. Raises Invalid on contradictions where the catalog wants them as dead letters."""
    line = catalog.rates.line_of(event.provider, event.sku, event.attributes)
    if line.refused is not None:
        ref = parse_price_ref(line.ref(reason=line.refused.code))
        return ListPrice(replace(ref, guesses=()), uncovered=_used(usage), message=line.refused.message)
    if line.free:
        return _free(line, line.card(event.time), usage)
    context, guesses = catalog.context.resolve(line, event.attributes, event.time)
    card = line.card(event.time, context)
    try:
        lines, counts = price_lines(card, at_least(line, usage))
    except Contradiction as error:
        code = "price_data_invalid" if card.error else "usage_contradictory"
        if catalog.dead_letter_contradictions and not card.error:
            raise Invalid(code, str(error), "$.usage") from None
        ref = parse_price_ref(line.ref(guesses, code))
        return ListPrice(ref, uncovered=_used(usage), message=str(error))
    factor, left, terms = catalog.price_books.factor(
        guesses, line.provider, event.sku, facts or {}, event.time
    )
    if terms:
        by = Decimal(factor.numerator) / factor.denominator
        lines = [replace(one, price=one.price * by, amount=one.amount * factor) for one in lines]
    guesses = (*left, *counts.guesses)
    return _by_lines(line, card, lines, usage, unpriced=counts.unpriced, guesses=guesses, terms=terms)


def _free(line: RateLine, card: Card, usage: Usage) -> ListPrice:
    """Price the tokens of a model that is free. A fee for a tool is not."""
    lines = [
        CostLine(rate.unit.usage_key, usage[rate.unit.usage_key], rate.base, rate.unit.per, Fraction(0))
        for rate in card.rates
        if rate.unit.usage_key in usage
    ]
    free = {item.meter for item in lines}
    return _by_lines(line, card, lines, usage, unpriced=[name for name in _used(usage) if name not in free])


def _by_lines(
    line: RateLine,
    card: Card,
    lines: list[CostLine],
    usage: Usage,
    *,
    unpriced: Iterable[str],
    guesses: tuple[str, ...] = (),
    terms: tuple[str, ...] = (),
) -> ListPrice:
    ref = parse_price_ref(line.ref(guesses, "" if lines else "meter_unknown"))
    return ListPrice(
        replace(ref, terms=terms) if terms else ref,
        amounts={item.meter: item.amount * PICO for item in lines},
        quantities={item.meter: item.quantity for item in lines},
        uncovered=tuple(name for name in unpriced if name != REQUESTS),
        free=bool(lines) and not any(item.price for item in lines),
        rated=(line, card, tuple(lines)),
        message="" if lines else f"{line.provider}/{line.model} has no price for {', '.join(usage)}",
    )


def _sound(rated: ListPrice, usage: Usage, catalog: CompiledCatalog) -> ListPrice:
    """Refuse what the library would price though a part is larger than its whole: thoughts that are counted outside.

    Raises Invalid where the catalog wants contradictions as dead letters.
    """
    found = contradiction(usage, catalog.rates.units.parts(tuple(usage))) if rated.amounts else None
    if found is None:
        return rated
    part, whole = found
    message = (
        f"{part} ({usage[part]}) cannot exceed {whole} ({usage[whole]}), which includes it; "
        f"if the producer counts it outside, say so in attributes.{CONVENTION}"
    )
    if catalog.dead_letter_contradictions:
        raise Invalid("usage_contradictory", message, f"$.usage.{part}")
    ref = replace(rated.ref, rule="", reason="usage_contradictory", guesses=())
    return ListPrice(ref, uncovered=_used(usage), message=message)


def at_least(line: RateLine, usage: Usage) -> Usage:
    """Raise meters to the least that the provider bills, where there is such a rule."""
    if line.minimum is None:
        return usage
    meters, least = line.minimum
    reported = next((usage[name] for name in meters if usage.get(name)), None)
    if reported is None:
        reported = next((usage[name] for name in meters[-1:] if name in usage), None)
    if reported is None:
        return usage
    billed = max(reported, int(least) if least == int(least) else least) if reported > 0 else 0
    return {**usage, **dict.fromkeys(meters, billed)}


def _by_price_books(
    rules: tuple[CompiledRule, ...], event: UsageEvent, usage: Usage, catalog: CompiledCatalog, facts: Facts
) -> ListPrice | None:
    rule = next((rule for rule in rules if rule.fits(facts)), None)
    if rule is None:
        return None
    ref = rule.ref
    span = rule.span(event.time)
    if span is None:
        return _refuse(ref, "price_not_in_force", usage, f"{ref} has no price at {event.time.isoformat()}")
    currency = rule.book.currency
    usd = catalog.price_books.usd(currency, event.time)
    if usd is None:
        return _refuse(ref, "fx_missing", usage, f"no FX rate for {currency} at {event.time.isoformat()}")
    try:
        own, unpriced = _counted(span, event, usage, catalog)
    except Contradiction as error:
        if catalog.dead_letter_contradictions:
            raise Invalid("usage_contradictory", str(error), "$.usage") from None
        return _refuse(ref, "usage_contradictory", usage, str(error))
    amounts, free, guesses = price_meters(span, own, facts, usd)
    if not amounts:
        return _refuse(ref, "meter_unknown", usage, f"{ref} has no price for {', '.join(usage)}")
    guesses = (*rule.assumed(facts), *guesses, *_ignored_terms(rule, event, catalog))
    if guesses or currency != "USD":
        terms = () if currency == "USD" else (f"fx-{currency}",)
        ref = PriceRef(ref.book, ref.version, ref.rule, terms=terms, guesses=guesses)
    return ListPrice(
        ref,
        amounts=amounts,
        quantities={name: own[name] for name in amounts},
        uncovered=unpriced,
        free=free,
        booked=(rule, span, usd),
    )


def _counted(
    span: PricePeriod, event: UsageEvent, usage: Usage, catalog: CompiledCatalog
) -> tuple[Usage, tuple[str, ...]]:
    """Return what is paid at each meter's own price, and the meters that nothing prices.

    The tokens of a model are counted as by the model prices: the total less the parts with prices of their own.
    """
    units = catalog.rates.units
    priced = [units.by_usage[name] for name in span.meters if name in units.by_usage]
    if event.kind != "llm" or not priced:
        return usage, tuple(name for name in _used(usage) if name not in span.meters)
    counts = count(units, priced, usage)
    own = {**usage, **{name: value for name, value in counts.own.items() if name in usage or value}}
    return own, tuple(name for name in counts.unpriced if name not in span.meters and name != REQUESTS)


def _ignored_terms(rule: CompiledRule, event: UsageEvent, catalog: CompiledCatalog) -> tuple[str, ...]:
    """Return the terms of a call (a tier, a mode) that the rule does not ask about: they make it a guess."""
    if event.kind != "llm":
        return ()
    asked = {*rule.rule.where, *rule.rule.assumes}
    return tuple(
        f"{key}={value}"
        for key, value in catalog.context.stated(event.attributes)
        if not asked & {key, catalog.context.aliases.get((key, value), (key, ""))[0]}
    )


def _refuse(ref: PriceRef, code: str, usage: Usage, message: str) -> ListPrice:
    return ListPrice(PriceRef(ref.book, ref.version, reason=code), uncovered=_used(usage), message=message)


def _used(usage: Usage) -> tuple[str, ...]:
    return tuple(name for name, quantity in usage.items() if quantity and name != REQUESTS)
