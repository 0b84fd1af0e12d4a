"""Lists the prices of a sku at a time: every meter, tier, source and date."""

from collections.abc import Mapping
from datetime import datetime

from msgspec import Struct

from outlay_pricer.domain.catalog_index import CompiledCatalog
from outlay_pricer.domain.price_books import CompiledRule
from outlay_pricer.domain.rate_compiler.rate_card import RateLine
from outlay_schemas.catalog import DatedPrices, MeterPrice


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
    data = catalog.rates.data
    later = next((moment for moment in line.dates if moment > at), None)
    result: list[PriceListing] = []
    for context in contexts:
        card = line.card(at, context)
        prices = [
            ListedPrice(
                rate.unit.usage_key,
                str(price),
                str(rate.unit.per),
                str(above),
                "by input tokens" * bool(above),
            )
            for rate in card.rates
            for above, price in ((0, rate.base), *rate.tiers)
        ]
        one = PriceListing(
            line.ref(),
            "USD",
            data.url,
            data.date.isoformat(),
            prices,
            card.since.isoformat() if card.since else "",
            later.isoformat() if later else "",
            context,
            reason=card.error or "",
        )
        if one not in result:
            result.append(one)
    return result


def _rule(rule: CompiledRule, at: datetime) -> PriceListing:
    book = rule.book
    span = rule.span(at)
    where = {key: list(words) for key, words in {**rule.rule.assumes, **rule.rule.where}.items()}
    if span is None:
        return PriceListing(
            str(rule.ref), book.currency, book.source, "", [], where=where, reason="no price at this time"
        )
    dated: DatedPrices = span.dated
    checked = dated.checked or book.checked
    return PriceListing(
        str(rule.ref),
        book.currency,
        dated.source or book.source,
        checked.date().isoformat() if checked else "",
        [shown for name, price in dated.meters.items() for shown in _meter(name, price, book.currency)],
        dated.starts.isoformat() if dated.starts else "",
        dated.ends.isoformat() if dated.ends else "",
        where=where,
    )


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
