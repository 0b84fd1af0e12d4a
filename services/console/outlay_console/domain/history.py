"""What changed in the catalogs that were in force, and which prices are old: pure."""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from outlay_console.domain.model_prices import readable
from outlay_schemas.catalog.price_books import MeterPrice, PriceBook


@dataclass(frozen=True)
class Revision:
    """One catalog that was in force, as far as prices go."""

    revision: int
    at: datetime
    note: str
    rates: str
    """Which data prices models, and its version."""
    price_books: Mapping[str, str]
    """Name of each price book to its version."""


@dataclass(frozen=True)
class CatalogChange:
    """A catalog, and what it priced otherwise than the one before. Nothing: it changed something else."""

    revision: Revision
    what: Sequence[str]


@dataclass(frozen=True)
class ScheduledPrice:
    """A price that holds from a day on, beside the one before it."""

    book: str
    rule: str
    sku: str
    starts: datetime
    source: str
    prices: Sequence[str]
    """Meter and price, before and after."""


def changes(revisions: Sequence[Revision]) -> list[CatalogChange]:
    """Return what each catalog changed, the newest first. `revisions` are the newest first; the last one is the oldest
    that there is."""
    found = [CatalogChange(new, _differences(old, new)) for new, old in itertools.pairwise(revisions)]
    return found + [CatalogChange(last, ["oldest revision on record"]) for last in revisions[-1:]]


def _differences(old: Revision, new: Revision) -> list[str]:
    what = [f"model prices: {old.rates} \u2192 {new.rates}"] if old.rates != new.rates else []
    for name in sorted({*old.price_books, *new.price_books}):
        before, after = old.price_books.get(name), new.price_books.get(name)
        if before != after:
            change = f"{name} {after} added" if before is None else f"{name}: {before} \u2192 {after}"
            what.append(f"price book {name} removed" if after is None else f"price book {change}")
    return what


def scheduled_prices(price_books: Sequence[PriceBook]) -> list[ScheduledPrice]:
    """Return prices that follow another one in time, the newest first; those that are still to come too."""
    found = []
    for book, rule in ((one, rule) for one in price_books for rule in one.rules):
        for old, new in itertools.pairwise(rule.prices):
            lines = [
                _change(meter, old.meters.get(meter), price, book.currency)
                for meter, price in new.meters.items()
                if old.meters.get(meter) != price
            ]
            sku, source = ", ".join(rule.sku), new.source or book.source
            if new.starts is not None:
                found.append(ScheduledPrice(book.name, rule.id, sku, new.starts, source, lines))
    return sorted(found, key=lambda one: one.starts, reverse=True)


def _change(meter: str, was: MeterPrice | None, now: MeterPrice, currency: str) -> str:
    """Write a change as people read it: `Compute: $3.90 → $6.30 per hour`; the unit once if it is the same."""
    shown = [
        None
        if one is None or one.price is None
        else readable(meter, str(one.price), str(one.per), currency=currency)
        for one in (was, now)
    ]
    texts = [
        f"{price.amount} {price.unit}" if price else "none" if one is None else "tiers"
        for one, price in zip((was, now), shown, strict=True)
    ]
    before, after = shown
    if before and after and before.unit == after.unit:
        texts[0] = before.amount
    return f"{readable(meter, '0', str(now.per)).label}: {texts[0]} \u2192 {texts[1]}"
