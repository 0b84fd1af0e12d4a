"""Explains a price: the rule, its source and date, and the arithmetic line by line. Lists the prices of a sku, too."""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from fractions import Fraction

from msgspec import Struct

from outlay_pricer.domain.catalog_index import CompiledCatalog
from outlay_pricer.domain.list_price import ListPrice
from outlay_pricer.domain.matching import resolved_facts
from outlay_pricer.domain.price_books import CompiledRule, PricePeriod, position_of
from outlay_pricer.domain.pricing import list_price_of, price
from outlay_pricer.domain.rate_compiler.rate_card import Rate, RateLine
from outlay_schemas.catalog import MeterPrice, Negotiated, parse_price_ref
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
        when = (data.date.isoformat(), _iso(card.since))
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
    return Source(book.name, book.version, rule.rule.id, *_origin(rule, span), note)


def _origin(rule: CompiledRule, span: PricePeriod) -> tuple[str, str, str]:
    """Return where the prices of a rule come from, when they were compared with that, and since when they hold."""
    dated = span.dated
    checked = dated.checked or rule.book.checked
    source = dated.source or rule.book.source
    return source, checked.date().isoformat() if checked else "", _iso(dated.starts)


def _iso(at: datetime | None) -> str:
    return at.isoformat() if at else ""


def _plain(value: Fraction) -> str:
    """Write an exact amount: in full where it ends within 18 places, else rounded there and marked with …."""
    scaled = value * 10**18
    text = format(Decimal(round(scaled)).scaleb(-18), "f")
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return text if scaled.denominator == 1 else f"{text}…"


class ListedPrice(Struct, frozen=True, omit_defaults=True):
    """One price: `price` for each `per` of `meter`, for counts (or input tokens) above `above`."""

    meter: str
    price: str
    per: str
    above: str = "0"
    note: str = ""


class PriceListing(Struct, frozen=True, omit_defaults=True):
    """One set of prices in force, and where it comes from."""

    ref: str
    currency: str
    source: str
    checked: str
    prices: list[ListedPrice]
    since: str = ""
    until: str = ""
    """When the next known change is due."""
    context: dict[str, str] = {}
    """Only for calls with these attributes."""
    where: dict[str, list[str]] = {}
    reason: str = ""
    """The reason for a missing price."""


def list_prices(
    catalog: CompiledCatalog,
    provider: str,
    sku: str,
    at: datetime,
    attributes: Mapping[str, str] | None = None,
) -> list[PriceListing]:
    """Return the prices of a sku in force at `at`: by the LLM rates, standard first, and by price books."""
    shown: list[PriceListing] = []
    for kind in ("llm", "compute", "storage", "transfer", "custom"):
        found = catalog.candidates(kind, provider, sku)
        shown += [
            one for rule in (*found.before, *found.after) for one in [_rule(rule, at)] if one not in shown
        ]
    line = catalog.rates.line_of(provider, sku, attributes or {})
    if line.refused is None:
        shown += _line(catalog, line, at)
    elif not shown:
        shown.append(
            PriceListing(line.ref(reason=line.refused.code), "USD", "", "", [], reason=line.refused.message)
        )
    return shown


def _line(catalog: CompiledCatalog, line: RateLine, at: datetime) -> list[PriceListing]:
    contexts = [{}, *(dict(variant.when) for variant in line.variants if variant.active(at))]
    data, later = catalog.rates.data, next((moment for moment in line.dates if moment > at), None)
    result: list[PriceListing] = []
    for context in contexts:
        card = line.card(at, context)
        one = PriceListing(
            line.ref(),
            "USD",
            data.url,
            data.date.isoformat(),
            [
                ListedPrice(
                    unit.usage_key, str(price), str(unit.per), str(above), "by input tokens" * bool(above)
                )
                for unit, tiers in ((rate.unit, ((0, rate.base), *rate.tiers)) for rate in card.rates)
                for above, price in tiers
            ],
            _iso(card.since),
            _iso(later),
            context,
            reason=card.error or "",
        )
        if one not in result:
            result.append(one)
    return result


def _rule(rule: CompiledRule, at: datetime) -> PriceListing:
    ref, currency, span = str(rule.ref), rule.book.currency, rule.span(at)
    where = {key: list(words) for key, words in {**rule.rule.assumes, **rule.rule.where}.items()}
    if span is None:
        source, reason = rule.book.source, "no price at this time"
        return PriceListing(ref, currency, source, "", [], where=where, reason=reason)
    source, checked, since = _origin(rule, span)
    prices = [one for name, price in span.dated.meters.items() for one in _meter(name, price, currency)]
    until = _iso(span.dated.ends)
    return PriceListing(ref, currency, source, checked, prices, since, until, where=where)


def _meter(name: str, price: MeterPrice, currency: str) -> list[ListedPrice]:
    notes = [
        f"first {price.free} free" if price.free else "",
        f"at least {price.minimum} {currency}" if price.minimum is not None else "",
        f"in steps of {price.rounding.step}, {price.rounding.mode}" if price.rounding else "",
        f"included in {', '.join(price.included_in)}" if price.included_in else "",
        price.mode if price.tiers else "",
    ]
    note = "; ".join(note for note in notes if note)
    if price.price is not None:
        return [ListedPrice(name, str(price.price), str(price.per), note=note)]
    floors = ["0", *(str(tier.up_to) for tier in price.tiers[:-1])]
    return [
        ListedPrice(name, str(tier.price), str(price.per), floor, note)
        for floor, tier in zip(floors, price.tiers, strict=True)
    ]
