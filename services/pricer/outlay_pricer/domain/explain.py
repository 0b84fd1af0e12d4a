"""Explains a price: the rule, its source and date, and the arithmetic line by line."""

from datetime import datetime
from decimal import Decimal
from fractions import Fraction

from msgspec import Struct

from outlay_pricer.domain.catalog_index import CompiledCatalog
from outlay_pricer.domain.list_price import ListPrice
from outlay_pricer.domain.matching import resolved_facts
from outlay_pricer.domain.price_books import CompiledRule, PricePeriod, position_of
from outlay_pricer.domain.price_listing import iso, origin_of
from outlay_pricer.domain.pricing import list_price_of, price
from outlay_pricer.domain.rate_compiler.rate_card import Rate
from outlay_schemas.catalog import Negotiated, parse_price_ref
from outlay_schemas.catalog.price_ref import sentences
from outlay_schemas.events import CostEvent, UsageEvent
from outlay_schemas.money import PICO


class Step(Struct, frozen=True, omit_defaults=True):
    """One line of the arithmetic: `quantity` by `price` / `per` = `amount`, in USD."""

    meter: str
    amount: str
    quantity: str = ""
    price: str = ""
    per: str = ""
    currency: str = "USD"
    note: str = ""


class Source(Struct, frozen=True, omit_defaults=True):
    """Where a price comes from."""

    book: str
    version: str
    rule: str
    source: str = ""
    checked: str = ""
    """When the figure was last compared with its source, or the data's date."""
    since: str = ""
    """When the price came into force."""
    note: str = ""


class Explanation(Struct, frozen=True, omit_defaults=True):
    """The cost of one event, taken apart."""

    event: CostEvent
    steps: list[Step]
    sources: list[Source]
    guesses: list[str]
    """What was assumed, in sentences."""
    reason: str = ""
    """The reason for a missing price, of the event or of a part of it."""


def explain(event: UsageEvent, catalog: CompiledCatalog) -> Explanation:
    """Explain the price of an event. Raises Invalid where `price` does."""
    cost = price(event, catalog)
    renamed, found = list_price_of(event, catalog)
    steps = [*_rate_steps(found), *_book_steps(found, renamed)]
    steps += _term_steps(cost, catalog)
    if cost.price_status == "reported" and cost.cost is not None:
        note = "reported by the producer; by the policy for reported costs it counts"
        steps.append(Step("", cost.cost, note=note))
    guesses = parse_price_ref(cost.price_ref).guesses
    reason = found.message
    if not reason and cost.unpriced_meters:
        reason = f"nothing prices {', '.join(cost.unpriced_meters)}"
    return Explanation(cost, steps, _sources(found, catalog, event.time), sentences(guesses), reason)


def _rate_steps(found: ListPrice) -> list[Step]:
    if found.rated is None:
        return []
    _, card, lines = found.rated
    rates = {rate.unit.usage_key: rate for rate in card.rates}
    context = " ".join(f"{key}={value}" for key, value in sorted(card.used))
    return [
        Step(
            line.meter,
            _plain(line.amount),
            str(line.quantity),
            str(line.price),
            str(line.per),
            note="; ".join(filter(None, (context, _tier(rates[line.meter], line.price)))),
        )
        for line in lines
        if line.meter in found.amounts
    ]


def _tier(rate: Rate, price: Decimal) -> str:
    above = next((start for start, tier_price in reversed(rate.tiers) if tier_price == price), None)
    return "" if above is None or price == rate.base else f"above {above} input tokens"


def _book_steps(found: ListPrice, event: UsageEvent) -> list[Step]:
    if found.booked is None:
        return []
    rule, span, usd = found.booked
    steps: list[Step] = []
    for name, meter in span.meters.items():
        if name not in found.amounts or (found.rated and name in {line.meter for line in found.rated[2]}):
            continue
        position, _ = position_of(meter, resolved_facts(event))
        for line in meter.lines(found.quantities[name], position):
            figures = (_plain(line.amount), _plain(line.quantity), str(line.price), str(line.per))
            steps.append(Step(name, *figures, rule.book.currency, line.note))
        if usd != 1:
            note = f"1 {rule.book.currency} = {_plain(usd)} USD"
            steps.append(Step(name, _plain(found.amounts[name] / PICO), note=note))
    return steps


def _term_steps(cost: CostEvent, catalog: CompiledCatalog) -> list[Step]:
    """Say what each negotiated term does; the amounts after all of them are the parts of the cost."""
    terms = {terms.id: terms for terms in catalog.catalog.negotiated}
    applied = [terms[name] for name in parse_price_ref(cost.price_ref).terms if name in terms]
    steps = [Step("", "", note=f"{item.id}: {_term(item)}") for item in applied]
    if steps:
        steps += [
            Step(meter, amount, note="after negotiated terms") for meter, amount in cost.cost_parts.items()
        ]
    if cost.charged is not None:
        steps.append(Step("", cost.charged, note="charged to the internal customer"))
    return steps


def _term(item: Negotiated) -> str:
    if item.discount_percent is not None:
        return f"{item.discount_percent}% discount"
    if item.markup_percent is not None:
        return f"{item.markup_percent}% markup on the cost, charged internally"
    return ", ".join(f"{meter} at {value} per {item.per}" for meter, value in item.override.items())


def _sources(found: ListPrice, catalog: CompiledCatalog, at: datetime) -> list[Source]:
    sources: list[Source] = []
    if found.rated is not None:
        line, card, _ = found.rated
        data, rule = catalog.rates.data, f"{line.owner}/{line.model}"
        when = (data.date.isoformat(), iso(card.since))
        sources.append(Source(data.source, data.version, rule, data.url, *when))
    if found.booked is not None:
        sources.append(_book_source(*found.booked[:2]))
    for term in found.ref.terms:
        factor = catalog.price_books.factor_rule(term)
        in_force = None if factor is None else factor.span(at)
        if factor is not None and in_force is not None:
            sources.append(_book_source(factor, in_force))
    return sources


def _book_source(rule: CompiledRule, span: PricePeriod) -> Source:
    book = rule.book
    note = rule.rule.note or book.note
    return Source(book.name, book.version, rule.rule.id, *origin_of(rule, span), note)


def _plain(value: Fraction) -> str:
    """Write an exact amount: in full where it ends within 18 places, else rounded there and marked with …."""
    scaled = value * 10**18
    text = format(Decimal(round(scaled)).scaleb(-18), "f")
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return text if scaled.denominator == 1 else f"{text}…"
