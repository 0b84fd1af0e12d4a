"""Compares prices of the same events: under another catalog, as another model, by another price book, another day."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal

import msgspec

from outlay_pricer.domain.catalog_index import CompiledCatalog
from outlay_pricer.domain.pricing import price
from outlay_schemas.catalog import Catalog
from outlay_schemas.errors import Invalid
from outlay_schemas.events import CostEvent, UsageEvent
from outlay_schemas.money import to_pico, to_usd

DEFAULT_BY = ("team", "provider", "sku")
Pricer = Callable[[UsageEvent], CostEvent]
_DAY = timedelta(days=1)


class CostDifference(msgspec.Struct, frozen=True):
    """The cost of one group of events before and after, in USD, and how sure it is."""

    group: dict[str, str]
    before: str
    after: str
    change: str
    events: int
    changed: int
    """Events whose cost or price status differs."""
    unpriced_before: int
    unpriced_after: int
    estimated_before: int = 0
    estimated_after: int = 0
    refused_after: int = 0
    """Events that would go to the dead letters."""


@dataclass
class PriceComparison:
    """The differences, greatest change first, and their sum."""

    total: CostDifference
    groups: list[CostDifference] = field(default_factory=list)


def plan(
    old: CompiledCatalog, new: CompiledCatalog, events: Iterable[UsageEvent], by: Sequence[str] = DEFAULT_BY
) -> PriceComparison:
    """Price events under two catalogs and group the difference. Groups are those of the new attribution."""
    return compare(lambda event: price(event, old), lambda event: price(event, new), events, by)


def as_model(catalog: CompiledCatalog, provider: str, sku: str) -> Pricer:
    """Price LLM events as if another model had answered with the same tokens (it may need more or fewer).

    What was reported for the model that did answer says nothing about another one, and is left out.
    """

    def as_other(event: UsageEvent) -> CostEvent:
        if event.kind != "llm":
            return price(event, catalog)
        return price(msgspec.structs.replace(event, provider=provider, sku=sku, reported_cost=None), catalog)

    return as_other


def only_book(catalog: Catalog, book: str) -> Catalog:
    """Return the catalog as if this book came first, before the LLM rates too. Raises ValueError if it is missing."""
    known = [item.name for item in catalog.price_books]
    if book not in known:
        raise ValueError(f"no price book is called {book!r}; there are: {', '.join(known) or 'none'}")
    first = catalog.price_books[known.index(book)].model_copy(update={"before_rates": True})
    rest = (item for item in catalog.price_books if item.name != book)
    return catalog.model_copy(update={"price_books": (first, *rest)})


def compare(
    before: Pricer, after: Pricer, events: Iterable[UsageEvent], by: Sequence[str] = DEFAULT_BY
) -> PriceComparison:
    """Price events in two ways and group the difference by dimensions of the cost event."""
    return difference(((_priced(before, event), _priced(after, event)) for event in events), by)


def difference(
    pairs: Iterable[tuple[CostEvent | None, CostEvent | None]], by: Sequence[str] = DEFAULT_BY
) -> PriceComparison:
    """Group the difference between two prices of each event. None: it is refused; groups are those of the second."""
    groups: dict[tuple[str, ...], Counter[str]] = {}
    total = Counter[str]()
    for old, new in pairs:
        shown = new or old
        key = tuple(str(getattr(shown, name)) if shown else "" for name in by)
        (cost_before, before), (cost_after, after) = _cost(old), _cost(new)
        for sums in (groups.setdefault(key, Counter()), total):
            sums["before"] += cost_before
            sums["after"] += cost_after
            sums["events"] += 1
            sums["changed"] += (cost_before, before) != (cost_after, after)
            sums[f"{before}_before"] += 1
            sums[f"{after}_after"] += 1
    ordered = sorted(groups.items(), key=lambda item: (-abs(item[1]["after"] - item[1]["before"]), item[0]))
    return PriceComparison(
        _difference({}, total), [_difference(dict(zip(by, key, strict=True)), sums) for key, sums in ordered]
    )


def _cost(event: CostEvent | None) -> tuple[int, str]:
    """Return the cost of an event in pico-USD, and its status."""
    if event is None:
        return 0, "refused"
    return to_pico(event.cost or "0"), event.price_status


def _priced(pricer: Pricer, event: UsageEvent) -> CostEvent | None:
    try:
        return pricer(event)
    except Invalid:
        return None


def _difference(group: dict[str, str], sums: Counter[str]) -> CostDifference:
    return CostDifference(
        group=group,
        before=to_usd(sums["before"]),
        after=to_usd(sums["after"]),
        change=to_usd(sums["after"] - sums["before"]),
        **{name: sums[name] for name in CostDifference.__struct_fields__[4:]},
    )


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
        moved = (msgspec.structs.replace(event, time=at + past - day) for day in (_DAY, 0 * _DAY))
        old, new = (_priced(lambda one: price(one, catalog), one) for one in moved)
        if old is not None and old.cost is not None and new is not None and new.cost is not None:
            before, after, count = before + Decimal(old.cost), after + Decimal(new.cost), count + 1
    return CostChange(before, after, count)


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
