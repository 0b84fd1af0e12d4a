"""The expected totals, computed without any code of the pipeline: every event held, Decimal sums.

Prices of LLM calls come from genai-prices' own `calc_price`; those of the demonstration's infrastructure
are written here by hand from the starter price book.
"""

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime
from decimal import ROUND_HALF_EVEN, Decimal

from genai_prices import Usage, calc_price

from outlay_schemas.events import UsageEvent

INFRASTRUCTURE = {
    "p5.48xlarge": ("compute_seconds", Decimal("55.04"), Decimal(3600)),
    "internet-egress": ("gb", Decimal("0.09"), Decimal(1)),
    "ebs-gp3": ("gb_hours", Decimal("0.08"), Decimal(730)),
}
"""sku: meter, USD, per how much of it. us-east-1 list prices; transfer is in the first tier of the month."""
PICO_USD = Decimal("1e-12")

Cell = tuple[datetime, str, str, str, str, str]
"""minute, team, project, provider, sku, user"""


def price(event: UsageEvent) -> Decimal | None:
    """USD to 1e-12, or None where no list knows a price."""
    if event.kind != "llm":
        meter, usd, per = INFRASTRUCTURE[event.sku]
        return (Decimal(event.usage[meter]) * usd / per).quantize(PICO_USD, ROUND_HALF_EVEN)
    try:
        usage = Usage(**{meter: int(quantity) for meter, quantity in event.usage.items()})
        result = calc_price(usage, event.sku, provider_id=event.provider, genai_request_timestamp=event.time)
    except LookupError:
        return None
    return result.total_price.quantize(PICO_USD, ROUND_HALF_EVEN)


def cells(events: Iterable[UsageEvent]) -> dict[Cell, tuple[Decimal, int, int]]:
    """Return (cost, events, unpriced events) of each cell over unique (source, id)."""
    unique = {(event.source, event.id): event for event in events}
    book: dict[Cell, tuple[Decimal, int, int]] = defaultdict(lambda: (Decimal(0), 0, 0))
    for event in unique.values():
        minute = event.time.replace(second=0, microsecond=0)
        cell = (
            minute,
            event.team or "",
            event.project or "",
            event.provider,
            event.sku,
            event.user or "",
        )
        cost = price(event)
        spent, count, unpriced = book[cell]
        book[cell] = (spent + (cost or Decimal(0)), count + 1, unpriced + (cost is None))
    return dict(book)
