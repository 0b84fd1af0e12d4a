"""What would change: the same events under another catalog, as another model, by another book."""

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
    """What one group of events costs before and after, in USD."""

    group: dict[str, str]
    before: str
    after: str
    change: str
    events: int
    changed: int
    unpriced_before: int
    unpriced_after: int
    refused_after: int = 0
    """Events that would go to the dead letters."""


@dataclass
class _Sum:
    before: int = 0
    after: int = 0
    events: int = 0
    changed: int = 0
    unpriced_before: int = 0
    unpriced_after: int = 0
    refused_after: int = 0


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
    """Return the catalog as if this book came first, before the LLM rates too. Raises ValueError if there is none."""
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
    groups: dict[tuple[str, ...], _Sum] = {}
    total = _Sum()
    for old, new in pairs:
        shown = new or old
        key = tuple(str(getattr(shown, name)) if shown else "" for name in by)
        for one in (groups.setdefault(key, _Sum()), total):
            _add(one, old, new)
    ordered = sorted(groups.items(), key=lambda item: (-abs(item[1].after - item[1].before), item[0]))
    return PriceComparison(
        _difference({}, total),
        [_difference(dict(zip(by, key, strict=True)), one) for key, one in ordered],
    )


def _priced(pricer: Pricer, event: UsageEvent) -> CostEvent | None:
    try:
        return pricer(event)
    except Invalid:
        return None


def _add(one: _Sum, old: CostEvent | None, new: CostEvent | None) -> None:
    before, after = _pico(old), _pico(new)
    one.before += before
    one.after += after
    one.events += 1
    one.changed += before != after or _unpriced(old) != _unpriced(new)
    one.unpriced_before += _unpriced(old)
    one.unpriced_after += _unpriced(new)
    one.refused_after += new is None


def _pico(event: CostEvent | None) -> int:
    return to_pico(event.cost) if event is not None and event.cost is not None else 0


def _unpriced(event: CostEvent | None) -> bool:
    return event is not None and event.price_status == "unpriced"


def _difference(group: dict[str, str], one: _Sum) -> CostDifference:
    return CostDifference(
        group=group,
        before=to_usd(one.before),
        after=to_usd(one.after),
        change=to_usd(one.after - one.before),
        events=one.events,
        changed=one.changed,
        unpriced_before=one.unpriced_before,
        unpriced_after=one.unpriced_after,
        refused_after=one.refused_after,
    )
