"""The plain cases, nearly all events: a list price in USD for whole counts, nothing reported, agreed or doubtful.

Their cost events are written as JSON at once: the usage event, as it was encoded for its fingerprint, and after it what
the price adds. That takes half the time of building a `CostEvent` and encoding it. The general way of `pricing` gives
the same answer to all of them; a test compares the two.
"""

from collections.abc import Mapping
from fractions import Fraction
from functools import lru_cache

from outlay_pricer.domain.catalog_index import CompiledCatalog
from outlay_pricer.domain.matching import activity_of, resolved_facts
from outlay_pricer.domain.price_books import position_of
from outlay_pricer.domain.rate_compiler.exact import half_even
from outlay_pricer.domain.rate_compiler.rate_book import PlainCall
from outlay_pricer.domain.rate_compiler.rate_codegen import Amounts
from outlay_schemas.catalog import are_guesses
from outlay_schemas.events import PriceStatus, UsageEvent, encoder
from outlay_schemas.money import to_usd

MAX_CALLS = 65_536
"""Models with a set of meters that are remembered. Past it all are forgotten: a flood of names costs time."""
_START = Fraction(0)
_BETWEEN = '",'


PlainPrice = tuple[str, PriceStatus]
"""What a price adds to a usage event, as JSON, and its status. A class of its own would take longer to make."""


def status_of(*, free: bool, guesses: tuple[str, ...], uncovered: bool = False) -> PriceStatus:
    """Return the price status: a part without a price outweighs a guess, and a guess outweighs a price."""
    if uncovered:
        return "unpriced"
    if are_guesses(guesses):
        return "estimated"
    return "free" if free else "priced"


def plain_price(event: UsageEvent, catalog: CompiledCatalog) -> PlainPrice | None:
    """Price an event. None: this is not a plain case."""
    if not _may_be_plain(event, catalog):
        return None
    if event.kind == "llm":
        priced = _call(event, catalog)
        return None if priced is None else (_texts(*priced), priced[0].status)
    return _meter(event, catalog) if len(event.usage) == 1 else None


def plain_cost(event: UsageEvent, catalog: CompiledCatalog) -> tuple[int, PriceStatus] | None:
    """Return only the cost of a call of a model, pico-USD, and its status. None: this is not a plain case."""
    if event.kind != "llm" or not _may_be_plain(event, catalog):
        return None
    priced = _call(event, catalog)
    return None if priced is None else (priced[1][0], priced[0].status)


def _may_be_plain(event: UsageEvent, catalog: CompiledCatalog) -> bool:
    special = event.attributes and not catalog.special_attributes.isdisjoint(event.attributes)
    return catalog.plain and event.reported_cost is None and not special


def _call(event: UsageEvent, catalog: CompiledCatalog) -> tuple[PlainCall, Amounts] | None:
    """Price a call of a model."""
    usage = event.usage
    call = known_call(event, catalog)
    if call is None:
        return None
    for quantity in usage.values():
        if quantity.__class__ is not int:
            return None
    amounts = call.run(usage, call.numbers)
    if amounts is None:
        return None
    for part, whole in call.pairs:
        if usage[part] > usage[whole]:
            return None
    return call, amounts


def known_call(event: UsageEvent, catalog: CompiledCatalog) -> PlainCall | None:
    """Return how calls like this one are priced; None: they are not plain cases."""
    calls = catalog.plain_calls
    key: tuple[object, ...] = (event.provider, event.sku, *event.usage)
    if event.attributes and not catalog.context.keys.isdisjoint(event.attributes):
        key += tuple(catalog.context.stated(event.attributes))
    try:
        call = calls[key]
        if call is None or call.since is None or call.holds(event.time):
            return call
    except KeyError:
        pass  # the first call of this name with these meters
    if len(calls) >= MAX_CALLS:
        calls.clear()
    call = calls[key] = _plain_call(event, catalog)
    return call


def _texts(call: PlainCall, amounts: Amounts) -> str:
    """Write the cost, its parts, the status and the reference."""
    if not amounts[0]:
        return f'"cost":"0",{call.text}'
    total, *parts = [f"{name}{to_usd(part)}" for name, part in zip(call.names, amounts, strict=True) if part]
    return f'"cost":"{total}","cost_parts":{{{_BETWEEN.join(parts)}"}},{call.text}'


def _plain_call(event: UsageEvent, catalog: CompiledCatalog) -> PlainCall | None:
    """Prepare for calls like this one. None: they are not plain cases."""
    if not catalog.odd_meters.isdisjoint(event.usage):
        return None
    if catalog.price_books_first and catalog.candidates(event.kind, event.provider, event.sku).before:
        return None
    line = catalog.rates.line_of(event.provider, event.sku, event.attributes)
    context, unknown = catalog.context.resolve(line, event.attributes, event.time)
    line, shape, _ = catalog.rates.quote(event.provider, event.sku, event.usage, event.time, context)
    if shape is None or shape.denominator != 1 or not shape.meters or shape.uncovered or shape.itemised:
        return None
    if are_guesses(unknown) or are_guesses(line.guesses):
        return None  # a price book may know better
    status: PriceStatus = "free" if shape.free else "priced"
    names = ("", *(f'"{meter}":"' for meter in shape.meters))
    text = f'"price_status":"{status}","price_ref":{_quoted(line.ref(unknown))}'
    return PlainCall(shape.run, shape.numbers, *line.span(event.time), shape.parts, names, status, text)


def _meter(event: UsageEvent, catalog: CompiledCatalog) -> PlainPrice | None:
    """Price one meter in USD: a machine's seconds, a disk's hours, a transfer's gigabytes."""
    ((name, quantity),) = event.usage.items()
    before, rules = catalog.candidates(event.kind, event.provider, event.sku)
    if before or not rules or name in catalog.odd_meters:
        return None
    facts = resolved_facts(event)
    rule = next((rule for rule in rules if rule.fits(facts)), None)
    span = rule.span(event.time) if rule is not None else None
    meter = span.meters.get(name) if span is not None else None
    if rule is None or meter is None or rule.book.currency != "USD":
        return None
    position, known = (_START, True) if meter.plain else position_of(meter, facts)
    cost = half_even(*meter.ratio(quantity, position))
    guesses = rule.assumed(facts) if known else (*rule.assumed(facts), "position")
    status = status_of(free=meter.free, guesses=guesses)
    usd, ref = to_usd(cost), _quoted(rule.ref_text(guesses))
    parts = f'"{name}":"{usd}"' if cost else ""
    text = f'"cost":"{usd}","price_status":"{status}","price_ref":{ref},"cost_parts":{{{parts}}}'
    return text, status


def write(
    event: UsageEvent,
    body: bytes,
    price: str,
    given: Mapping[str, str],
    marks: tuple[int, int, int, int],
) -> bytes:
    """Return the cost event of `event` as JSON.

    `body`: the event as `canonical` writes it. `price`: what it adds.
    `marks`: catalog revision, fingerprint, and the stamp of acceptance.
    """
    more = "" if event.provider else ',"provider":""'
    if not event.tenant:
        more += ',"tenant":""'
    if event.activity is None:
        more += f',"activity":"{activity_of(event)}"'
    if given:
        more += f',"given":{encoder.encode(given).decode()}'
    revision, mark, ms, sequence = marks
    more += f',"revision":{revision},"fingerprint":{mark},"accepted_ms":{ms},"accepted_seq":{sequence}}}'
    return b"%b,%b%b" % (body[:-1], price.encode(), more.encode())


@lru_cache(maxsize=4096)
def _quoted(text: str) -> str:
    return encoder.encode(text).decode()
