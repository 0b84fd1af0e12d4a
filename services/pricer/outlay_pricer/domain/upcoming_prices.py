"""Price changes that a catalog announces: when, and what they would make of events that were."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal

import msgspec

from outlay_pricer.domain.catalog_index import CompiledCatalog
from outlay_pricer.domain.pricing import price
from outlay_schemas.catalog import Catalog
from outlay_schemas.errors import Invalid
from outlay_schemas.events import UsageEvent

_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class CostChange:
    """What events cost on the day before a change, and on the day of it. USD."""

    before: Decimal
    after: Decimal
    events: int
    """How many have a price on both days."""


def change_dates(catalog: Catalog, now: datetime, until: datetime) -> list[datetime]:
    """Return the moments after `now` and up to `until` from which on some price is another one."""
    return sorted({at for at in _dates(catalog) if now < at <= until})


def cost_change(catalog: CompiledCatalog, events: Iterable[UsageEvent], at: datetime) -> CostChange:
    """Price events at their own time of the day, on the day that begins at `at` and on the one before."""
    before = after = Decimal(0)
    count = 0
    for event in events:
        past = timedelta(hours=event.time.hour, minutes=event.time.minute, seconds=event.time.second)
        costs = [_cost(catalog, event, at + past - day) for day in (_DAY, 0 * _DAY)]
        if costs[0] is not None and costs[1] is not None:
            before, after, count = before + costs[0], after + costs[1], count + 1
    return CostChange(before, after, count)


def _cost(catalog: CompiledCatalog, event: UsageEvent, at: datetime) -> Decimal | None:
    try:
        cost = price(msgspec.structs.replace(event, time=at), catalog).cost
    except Invalid:
        return None
    return None if cost is None else Decimal(cost)


def _dates(catalog: Catalog) -> Iterator[datetime]:
    for provider in catalog.rates.providers if catalog.rates else ():
        for model in provider.get("models") or ():
            prices = model.get("prices")
            for option in prices if isinstance(prices, list) else ():
                if begins := (option.get("constraint") or {}).get("start_date"):
                    yield datetime.combine(date.fromisoformat(str(begins)), time(), UTC)
    dated = [item for book in catalog.price_books for rule in book.rules for item in rule.prices]
    for item in (*dated, *catalog.negotiated, *catalog.fx):
        yield from (at for at in (item.starts, item.ends) if at is not None)
