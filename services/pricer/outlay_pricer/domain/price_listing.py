"""Lists prices: of a model or SKU, of those that match a name, and the moments when they change."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import get_args

from msgspec import Struct

from outlay_pricer.domain.catalog_index import CompiledCatalog
from outlay_pricer.domain.matching import compile_words
from outlay_pricer.domain.price_books import CompiledRule, PricePeriod
from outlay_pricer.domain.rate_compiler.rate_card import RateLine
from outlay_schemas.catalog import Catalog, MeterPrice
from outlay_schemas.events import Kind

KINDS: tuple[Kind, ...] = get_args(Kind)


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


class Listed(Struct, frozen=True):
    """A name and its prices."""

    provider: str
    sku: str
    prices: list[PriceListing]


def list_prices(
    catalog: CompiledCatalog,
    provider: str,
    sku: str,
    at: datetime,
    attributes: Mapping[str, str] | None = None,
) -> list[PriceListing]:
    """Return the prices of a sku in force at `at`, in the order in which they are tried: by price books that come
    before the LLM rates, by those rates, standard first, and by other price books."""
    line = catalog.rates.line_of(provider, sku, attributes or {})
    before, after = _rules(catalog, provider, sku)
    shown = [_rule(rule, at) for rule in before]
    if line.refused is None:
        shown += _line(catalog, line, at)
    shown += [_rule(rule, at) for rule in after]
    if not shown and line.refused is not None:
        shown.append(
            PriceListing(line.ref(reason=line.refused.code), "USD", "", "", [], reason=line.refused.message)
        )
    return shown


def price_dates(catalog: CompiledCatalog, provider: str, sku: str) -> list[datetime]:
    """Return the moments at which a price of a sku changes by the catalog, the newest first."""
    rules = [rule for some in _rules(catalog, provider, sku) for rule in some]
    spans = [(span.dated.starts, span.dated.ends) for rule in rules for span in rule.spans]
    found = {at for span in spans for at in span if at is not None}
    return sorted(found.union(catalog.rates.line_of(provider, sku, {}).dates), reverse=True)


def _rules(
    catalog: CompiledCatalog, provider: str, sku: str
) -> tuple[list[CompiledRule], list[CompiledRule]]:
    """Return the rules that are asked before the LLM rates, and after them."""
    found = [catalog.candidates(kind, provider, sku) for kind in KINDS]
    before = dict.fromkeys(rule for one in found for rule in one.before)
    return list(before), list(dict.fromkeys(rule for one in found for rule in one.after))


def _line(catalog: CompiledCatalog, line: RateLine, at: datetime) -> list[PriceListing]:
    contexts = [{}, *(dict(variant.when) for variant in line.variants if variant.active(at))]
    data, later = catalog.rates.data, next((moment for moment in line.dates if moment > at), None)
    result: list[PriceListing] = []
    for hours, moment, context in ((*hours, one) for hours in _hours(line, at) for one in contexts):
        card = line.card(moment, context)
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
            iso(card.since),
            iso(later),
            {**hours, **context},
            reason=card.error or "",
        )
        if one not in result:
            result.append(one)
    return result


def _hours(line: RateLine, at: datetime) -> list[tuple[dict[str, str], datetime]]:
    """Return the parts of the day that have prices of their own, with a moment in each: the one of `at` first."""
    if not line.times:
        return [({}, at)]
    day = at.astimezone(UTC)
    found = []
    for first, last in zip(line.times, [*line.times[1:], line.times[0]], strict=True):
        moment = day.replace(hour=first.hour, minute=first.minute, second=first.second, microsecond=0)
        inside = first <= day.time() < last if first < last else day.time() >= first or day.time() < last
        found.append(
            (not inside, {"hours": f"{first:%H:%M}\u2013{last:%H:%M} UTC"}, at if inside else moment)
        )
    return [(hours, moment) for _, hours, moment in sorted(found, key=lambda one: one[0])]


def _rule(rule: CompiledRule, at: datetime) -> PriceListing:
    ref, currency, span = str(rule.ref), rule.book.currency, rule.span(at)
    where = {key: list(words) for key, words in {**rule.rule.assumes, **rule.rule.where}.items()}
    if span is None:
        source, reason = rule.book.source, "no price at this time"
        return PriceListing(ref, currency, source, "", [], where=where, reason=reason)
    source, checked, since = origin_of(rule, span)
    prices = [one for name, price in span.dated.meters.items() for one in _meter(name, price, currency)]
    until = iso(span.dated.ends)
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


def origin_of(rule: CompiledRule, span: PricePeriod) -> tuple[str, str, str]:
    """Return where the prices of a rule come from, when they were compared with that, and since when they hold."""
    dated = span.dated
    checked = dated.checked or rule.book.checked
    source = dated.source or rule.book.source
    return source, checked.date().isoformat() if checked else "", iso(dated.starts)


def iso(at: datetime | None) -> str:
    """Write a time that may be open."""
    return at.isoformat() if at else ""


def listing(catalog: CompiledCatalog, provider: str, sku: str, at: datetime) -> list[Listed]:
    """Return the prices in force at `at` of all names that match (`*`: anything). A name without an entry is looked up
    like an event's: by aliases, and by guesses, which are marked."""
    exact = "*" not in provider + sku
    if exact and provider:
        return [Listed(provider, sku, list_prices(catalog, provider, sku, at))]
    ours = compile_words([provider]) if provider else (lambda _: True)
    wanted = compile_words([sku])
    names = [pair for pair in dict.fromkeys(names_of(catalog.catalog)) if ours(pair[0]) and wanted(pair[1])]
    if exact and not names:
        names = [(provider, sku)]
    return [Listed(*pair, list_prices(catalog, *pair, at)) for pair in names]


def search(catalog: Catalog, text: str) -> list[tuple[str, str]]:
    """Return the provider and sku of everything with prices whose name contains every word of a text, in any case: a
    sku that is the text first, then those that begin with it. A word with a `/` stands in both names."""
    wanted, words = text.lower().strip(), text.lower().split()
    found = [
        (sku.lower() != wanted, not sku.lower().startswith(wanted), sku.lower(), provider, sku)
        for provider, sku in dict.fromkeys(names_of(catalog, factors=False))
        if all(word in f"{provider}/{sku}".lower() for word in words)
    ]
    return [(provider, sku) for *_, provider, sku in sorted(found)]


def names_of(catalog: Catalog, *, factors: bool = True) -> Iterator[tuple[str, str]]:
    """Return the provider and sku of every model and of every rule of a price book; `factors`: also of rules that only
    multiply other prices."""
    for raw in catalog.rates.providers if catalog.rates else ():
        for model in raw.get("models") or ():
            yield str(raw["id"]), str(model["id"])
    for book in catalog.price_books:
        for rule in book.rules:
            if not factors and rule.prices[0].factor is not None:
                continue
            for provider in rule.provider or ("",):
                for sku in rule.sku:
                    yield provider, sku
