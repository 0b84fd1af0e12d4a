"""The one function of the pricer: usage event and catalog in, cost event out."""

from binascii import crc32

import msgspec

from outlay_pricer.domain.first.calls import quote_call
from outlay_pricer.domain.first.compiled import CompiledCatalog
from outlay_pricer.domain.first.finder import NotFound
from outlay_pricer.domain.first.quote import Quote
from outlay_schemas.catalog import PriceRef
from outlay_schemas.events import CostEvent, UsageEvent
from outlay_schemas.money import Usd, to_pico, to_usd

_content = msgspec.json.Encoder(order="deterministic").encode
_NO_BOOK = str(PriceRef("none", "0", reason="no_price"))


def price(event: UsageEvent, catalog: CompiledCatalog) -> CostEvent:
    """Price an event: a pure function, the same bytes for the same event and catalog.

    Raises `Invalid` where the usage contradicts itself, so that it becomes a dead letter.
    """
    quote = quote_event(event, catalog)
    reported: Usd | None = None
    if event.reported_cost is not None:
        amount = to_pico(event.reported_cost)
        reported = to_usd(amount)
        if quote.cost is None:
            quote = Quote("reported", quote.ref, amount, unpriced=quote.unpriced)
    return CostEvent(
        id=event.id,
        source=event.source,
        time=event.time,
        kind=event.kind,
        sku=event.sku,
        usage=event.usage,
        activity=event.activity,
        provider=event.provider,
        tenant=event.tenant,
        revision=catalog.revision,
        fingerprint=fingerprint(event),
        cost=None if quote.cost is None else to_usd(quote.cost),
        price_status=quote.status,
        price_ref=quote.ref,
        cost_parts={meter: to_usd(pico) for meter, pico in quote.parts.items()},
        unpriced_meters=quote.unpriced,
        project=event.project or "",
        team=event.team or "",
        use_case=event.use_case or "",
        user=event.user or "",
        business_unit=event.business_unit or "",
        tags=event.tags,
        attributes=event.attributes,
        reported_cost=reported,
    )


def fingerprint(event: UsageEvent) -> int:
    """Return 20 bits of an event's content, whatever the order of its keys."""
    return crc32(_content(event)) & 0xFFFFF


def quote_event(event: UsageEvent, catalog: CompiledCatalog) -> Quote:
    """Find the price: books asked first, then the LLM price data for model calls, then the other books."""
    quote = catalog.first.quote(event)
    if quote is not None:
        return quote
    refused: str = _NO_BOOK
    if event.kind == "llm" and catalog.rates is not None:
        plan = catalog.rates.plan(event.provider, event.sku, catalog.context(event))
        if not isinstance(plan, NotFound):
            return quote_call(plan, event.usage, event.time)
        data = catalog.rates.data
        refused = str(PriceRef(data.source, data.version, reason=plan.code))
    return catalog.books.quote(event) or Quote("unpriced", refused, unpriced=sorted(event.usage))
