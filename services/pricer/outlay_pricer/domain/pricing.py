"""`price`: what a usage event costs and whose it is. A pure function of the event and the catalog."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from fractions import Fraction
from functools import lru_cache
from math import ceil, floor, prod
from typing import Any

import msgspec

from outlay_pricer.domain.attribution import MISSING, Attributed
from outlay_pricer.domain.catalog_index import CompiledCatalog
from outlay_pricer.domain.list_price import ListPrice, list_price
from outlay_pricer.domain.matching import Facts, activity_of, resolved_facts
from outlay_pricer.domain.plain_cases import plain_cost, plain_price, status_of, write
from outlay_pricer.domain.rate_compiler.exact import half_even, settle
from outlay_pricer.domain.usage import CONVENTION, canonical, mark_of, normalise, owners, spelt
from outlay_schemas.acceptance import NO_STAMP
from outlay_schemas.attributes import BILL, REPORTED_BY
from outlay_schemas.catalog import Negotiated, PriceRef, ReportedPolicy, parse_price_ref
from outlay_schemas.catalog.price_ref import MARKS
from outlay_schemas.dimensions import OWNERS
from outlay_schemas.errors import Invalid
from outlay_schemas.events import (
    CostEvent,
    PriceStatus,
    Quantity,
    UsageEvent,
    cost_event_decoder,
    encoder,
)
from outlay_schemas.money import PICO, to_pico, to_usd

_NOTHING: tuple[str, ...] = ()
_TOTALS = ("input_tokens", "output_tokens")
_FINE = 10**12
"""Parts of a unit in an average."""
_text = lru_cache(maxsize=4096)(str)


@dataclass(slots=True)
class Priced:
    """The money of a cost event, in pico-USD."""

    cost: int | None
    parts: dict[str, int]
    status: PriceStatus
    ref: str
    unpriced: list[str]
    list_cost: int | None = None
    list_parts: Mapping[str, int] | None = None
    """By meter; None: the same as `parts`."""
    charged: int | None = None
    """What the internal customer pays, where that is not the cost."""


def price(event: UsageEvent, catalog: CompiledCatalog) -> CostEvent:
    """Price and attribute an event as of its own time.

    Raises Invalid for events that the catalog's policies send to the dead letters, and for usage that no policy can
    make sense of (fractional tokens, an unknown convention).
    """
    return cost_event_decoder.decode(price_line(event, catalog)[0])


def price_line(
    event: UsageEvent, catalog: CompiledCatalog, stamp: tuple[int, int] = NO_STAMP
) -> tuple[bytes, PriceStatus]:
    """As `price`: the cost event as JSON, with the stamp of its acceptance, and its status. Raises Invalid."""
    only = spelt(event)
    body = canonical(only)
    mark = mark_of(body)
    given: dict[str, str] = {}
    renamed, missing = event, _NOTHING
    if not catalog.attribution.idle:
        attributed = catalog.attribution.attribute(event)
        renamed = _renamed(event, attributed, catalog)
        given, missing = attributed.given, attributed.missing
    if event.activity is None:
        given["activity"] = ""
    priced = plain_price(renamed, catalog) or _price(renamed, *_normalised(renamed, catalog), catalog)
    if missing:
        renamed.attributes = {**event.attributes, MISSING: ",".join(missing)}
    if isinstance(priced, tuple):
        text, status = priced
        body = body if renamed is only else canonical(renamed)
        return write(renamed, body, text, given, (catalog.revision, mark, *stamp)), status
    cost = _cost_event(renamed, priced, catalog.revision, mark, given)
    cost.accepted_ms, cost.accepted_seq = stamp
    return encoder.encode(cost), cost.price_status


def cost_of(event: UsageEvent, catalog: CompiledCatalog) -> tuple[int | None, PriceStatus]:
    """As `price`, but only the cost, pico-USD, and its status; None: no price. A tenth of the work. Raises Invalid."""
    renamed = _attributed(event, catalog)
    plain = plain_cost(renamed, catalog)
    if plain is not None:
        return plain
    priced = _price(renamed, *_normalised(renamed, catalog), catalog)
    return priced.cost, priced.status


def cost_of_calls(event: UsageEvent, calls: int, catalog: CompiledCatalog) -> int | None:
    """Return what calls cost that used together what `event` says, in pico-USD; None: a part of it has no price.

    Each is priced as the average one, in exact numbers: right where prices are linear, so sum what is in one tier.
    Raises Invalid as `price` does.
    """
    renamed = _attributed(event, catalog)
    usage, derived = _normalised(renamed, catalog)
    average = {meter: _average(meter, quantity, calls) for meter, quantity in usage.items()}
    priced = _price(renamed, average, derived, catalog)
    return None if priced.cost is None or priced.unpriced else priced.cost * calls


def _average(meter: str, quantity: Quantity, calls: int) -> Quantity:
    """Divide. Totals are rounded up and parts down, so that parts are never more than their total."""
    exact = Fraction(quantity) / calls
    if exact.denominator == 1:
        return int(exact)
    scaled = exact * _FINE
    return Decimal(ceil(scaled) if meter in _TOTALS else floor(scaled)) / _FINE


def list_price_of(event: UsageEvent, catalog: CompiledCatalog) -> tuple[UsageEvent, ListPrice]:
    """Return an event with its names resolved, and its list price. For `explain`; raises Invalid as `price` does."""
    renamed = _attributed(event, catalog)
    usage, derived = _normalised(renamed, catalog)
    facts = catalog.context.in_other_words(resolved_facts(renamed))
    return renamed, _list_price(renamed, usage, catalog, derived, facts)


def _attributed(event: UsageEvent, catalog: CompiledCatalog) -> UsageEvent:
    """Return an event with its names resolved."""
    attribution = catalog.attribution
    return event if attribution.idle else _renamed(event, attribution.attribute(event), catalog)


def _renamed(event: UsageEvent, attributed: Attributed, catalog: CompiledCatalog) -> UsageEvent:
    sku = catalog.attribution.canonical("sku", event.sku, event.tenant)
    if sku != event.sku:
        attributed.given["sku"] = event.sku
    known: dict[str, Any] = {**attributed.dimensions, "activity": attributed.dimensions["activity"] or None}
    return msgspec.structs.replace(event, sku=sku, **known)


def _normalised(
    event: UsageEvent, catalog: CompiledCatalog
) -> tuple[Mapping[str, Quantity], tuple[str, ...]]:
    """Return the usage to price. Whole counts in the standard spelling, nearly all, pass untouched."""
    usage = event.usage
    if event.attributes and not MARKS.isdisjoint(event.attributes):
        unmarked = {name: value for name, value in event.attributes.items() if name not in MARKS}
        counts, derived = _normalised(msgspec.structs.replace(event, attributes=unmarked), catalog)
        return counts, (*derived, *(name for name in event.attributes if name in MARKS))
    convention = event.attributes.get(CONVENTION, "") if event.attributes else ""
    if not convention and catalog.odd_meters.isdisjoint(usage):
        for quantity in usage.values():
            if quantity.__class__ is not int:
                break
        else:
            return usage, ()
    try:
        return normalise(usage, convention, catalog.meter_aliases)
    except Invalid as error:
        if error.code != "usage_contradictory" or catalog.dead_letter_contradictions:
            raise
        return usage, (_REFUSED,)


_REFUSED = "!usage_contradictory"


def _price(
    event: UsageEvent, usage: Mapping[str, Quantity], derived: tuple[str, ...], catalog: CompiledCatalog
) -> Priced:
    facts = catalog.context.in_other_words(resolved_facts(event))
    found = _list_price(event, usage, catalog, derived, facts)
    terms = [] if catalog.plain else catalog.negotiated(facts, event.time)
    priced = _agreed(found, [one for one in terms if one.markup_percent is None], derived)
    if event.reported_cost is not None:
        billed = event.attributes.get(REPORTED_BY) == BILL
        priced = _with_reported(priced, to_pico(event.reported_cost), catalog.reported(facts), billed=billed)
    return _charged(priced, [one for one in terms if one.markup_percent is not None])


def _charged(priced: Priced, markups: Sequence[Negotiated]) -> Priced:
    """Add the markups, one on the other, to what the provider charges: the cost itself stays as it is."""
    if priced.cost is None or not markups:
        return priced
    factors = (1 + Fraction(one.markup_percent or 0) / 100 for one in markups)
    amount = half_even(*prod(factors, start=Fraction(priced.cost)).as_integer_ratio())
    ref = parse_price_ref(priced.ref)
    priced.ref = _text(replace(ref, terms=(*ref.terms, *(one.id for one in markups))))
    priced.charged = None if amount == priced.cost else amount
    return priced


def _list_price(
    event: UsageEvent,
    usage: Mapping[str, Quantity],
    catalog: CompiledCatalog,
    derived: tuple[str, ...],
    facts: Facts,
) -> ListPrice:
    if _REFUSED not in derived:
        return list_price(event, usage, catalog, facts)
    return ListPrice(
        PriceRef("catalog", str(catalog.revision), reason=_REFUSED[1:]),
        uncovered=tuple(name for name, quantity in usage.items() if quantity),
        message="the numbers of the usage contradict each other",
    )


def _agreed(found: ListPrice, terms: Sequence[Negotiated], derived: tuple[str, ...]) -> Priced:
    """Apply the prices agreed with the provider and round."""
    if not found.amounts:
        return Priced(None, {}, "unpriced", str(found.ref), list(found.uncovered))
    list_cost, list_parts = settle(found.amounts)
    cost, parts = list_cost, list_parts
    amounts: Mapping[str, Fraction] = found.amounts
    for one in terms:
        amounts = _apply(one, amounts, found.quantities)
    if terms:
        cost, parts = settle(amounts)
    ref = found.ref
    if terms or derived:
        names = (*ref.terms, *(one.id for one in terms))
        ref = replace(ref, terms=names, guesses=(*ref.guesses, *derived))
    given_away = not any(amounts.values()) and any(found.amounts.values())
    status = status_of(free=found.free or given_away, guesses=ref.guesses, uncovered=bool(found.uncovered))
    return Priced(
        cost,
        {name: part for name, part in parts.items() if part},
        status,
        _text(ref),
        list(found.uncovered),
        list_cost if terms else None,
        list_parts={name: part for name, part in list_parts.items() if part} if list_parts != parts else None,
    )


def _apply(
    terms: Negotiated, amounts: Mapping[str, Fraction], quantities: Mapping[str, Quantity]
) -> dict[str, Fraction]:
    """Return what the provider charges under an agreement. `quantities`: what the list price was paid for."""
    kept = 1 - Fraction(terms.discount_percent or 0) / 100
    agreed = {
        meter: Fraction(quantities[meter]) * Fraction(price) * PICO / Fraction(terms.per)
        for meter, price in terms.override.items()
        if meter in quantities
    }
    return {meter: agreed.get(meter, amount * kept) for meter, amount in amounts.items()}


def _with_reported(priced: Priced, reported: int, policy: ReportedPolicy, *, billed: bool) -> Priced:
    """Let the policy choose between the computed and the reported cost, and mark drift between them.

    `billed`: the provider's own bill reports it, which counts also where a list price is known.
    """
    sure = priced.status in {"priced", "free"}
    allowed = (priced.cost or 0) * Fraction(policy.drift_percent)
    known = priced.status != "unpriced" and priced.cost is not None
    if known and abs(reported - (priced.cost or 0)) * 100 > allowed:
        priced.ref += "~drift"
    # A gateway reports 0 for a model that it does not know: that must not hide a missing price.
    missing = billed or (not sure and reported)
    use_it = policy.use == "reported" or (policy.use == "reported_if_unpriced" and missing)
    if not use_it:
        return priced
    list_cost = priced.cost if priced.list_cost is None else priced.list_cost
    ref = PriceRef(
        "reported", "event", "reported_cost", guesses=("drift",) if priced.ref.endswith("~drift") else ()
    )
    return Priced(reported, {}, "reported", str(ref), [], list_cost)


def _cost_event(
    event: UsageEvent, priced: Priced, revision: int, mark: int, given: dict[str, str]
) -> CostEvent:
    reported, list_parts = event.reported_cost, priced.list_parts
    cost = CostEvent(
        id=event.id,
        source=event.source,
        time=event.time,
        kind=event.kind,
        sku=event.sku,
        usage=event.usage,
        activity=event.activity or activity_of(event),
        provider=event.provider,
        tenant=event.tenant,
        revision=revision,
        fingerprint=mark,
        cost=None if priced.cost is None else to_usd(priced.cost),
        price_status=priced.status,
        price_ref=priced.ref,
        cost_parts={name: to_usd(part) for name, part in priced.parts.items()},
        unpriced_meters=priced.unpriced,
        list_cost=None if priced.list_cost is None else to_usd(priced.list_cost),
        list_parts={name: to_usd(part) for name, part in list_parts.items()} if list_parts else {},
        charged=None if priced.charged is None else to_usd(priced.charged),
        given=given,
        tags=event.tags,
        attributes=event.attributes,
        reported_cost=None if reported is None else to_usd(to_pico(reported)),
    )
    for name, value in zip(OWNERS, owners(event), strict=True):
        if value:
            setattr(cost, name, value)  # faster than one more dict of keyword arguments
    return cost
