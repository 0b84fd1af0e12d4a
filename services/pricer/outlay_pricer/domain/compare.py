"""Compares prices of the same events: under another catalog, as another model, by another price book."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

import msgspec

from outlay_pricer.domain.catalog_index import CompiledCatalog
from outlay_pricer.domain.pricing import price
from outlay_schemas.catalog import Catalog
from outlay_schemas.errors import Invalid
from outlay_schemas.events import CostEvent, UsageEvent
from outlay_schemas.money import to_pico, to_usd

DEFAULT_BY = ("team", "provider", "sku")
Pricer = Callable[[UsageEvent], CostEvent]


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
class _Side:
    """One side of a comparison. Pico-USD."""

    cost: int = 0
    statuses: Counter[str] = field(default_factory=Counter)

    def add(self, event: CostEvent | None) -> tuple[int, str]:
        """Count an event in, and return its cost and status."""
        cost = to_pico(event.cost) if event is not None and event.cost is not None else 0
        status = "refused" if event is None else event.price_status
        self.cost += cost
        self.statuses[status] += 1
        return cost, status


@dataclass
class _Pair:
    before: _Side = field(default_factory=_Side)
    after: _Side = field(default_factory=_Side)
    changed: int = 0

    def add(self, old: CostEvent | None, new: CostEvent | None) -> None:
        self.changed += self.before.add(old) != self.after.add(new)


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
    chosen = [item for item in catalog.price_books if item.name == book]
    if not chosen:
        known = ", ".join(item.name for item in catalog.price_books) or "none"
        raise ValueError(f"no price book is called {book!r}; there are: {known}")
    first = chosen[0].model_copy(update={"before_rates": True})
    rest = tuple(item for item in catalog.price_books if item.name != book)
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
    groups: dict[tuple[str, ...], _Pair] = {}
    total = _Pair()
    for old, new in pairs:
        shown = new or old
        key = tuple(str(getattr(shown, name)) if shown else "" for name in by)
        for one in (groups.setdefault(key, _Pair()), total):
            one.add(old, new)
    ordered = sorted(
        groups.items(), key=lambda item: (-abs(item[1].after.cost - item[1].before.cost), item[0])
    )
    return PriceComparison(
        _difference({}, total), [_difference(dict(zip(by, key, strict=True)), one) for key, one in ordered]
    )


def _priced(pricer: Pricer, event: UsageEvent) -> CostEvent | None:
    try:
        return pricer(event)
    except Invalid:
        return None


def _difference(group: dict[str, str], pair: _Pair) -> CostDifference:
    before, after = pair.before, pair.after
    return CostDifference(
        group=group,
        before=to_usd(before.cost),
        after=to_usd(after.cost),
        change=to_usd(after.cost - before.cost),
        events=before.statuses.total(),
        changed=pair.changed,
        unpriced_before=before.statuses["unpriced"],
        unpriced_after=after.statuses["unpriced"],
        estimated_before=before.statuses["estimated"],
        estimated_after=after.statuses["estimated"],
        refused_after=after.statuses["refused"],
    )
