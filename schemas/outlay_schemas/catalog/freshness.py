"""Finds prices that were not compared with their source for too long."""

from datetime import date, datetime, timedelta

from msgspec import Struct

from outlay_schemas.catalog.model import Catalog
from outlay_schemas.catalog.price_books import PriceBook

MAX_AGE = timedelta(days=30)
"""Of the model prices. A price book states its own (`max_age_days`)."""


class Stale(Struct, frozen=True):
    """A source of prices that is older than it should be."""

    name: str
    checked: str
    days: int
    message: str


def stale(catalog: Catalog, now: datetime) -> list[Stale]:
    """Return the sources that are too old, or that say nowhere when they were compared with their source."""
    data = catalog.rates
    rates = None if data is None else stale_rates(f"{data.source} {data.version}", data.date, now)
    found = [rates, *(stale_book(book, now) for book in catalog.price_books)]
    return [item for item in found if item is not None]


def stale_rates(name: str, day: date, now: datetime) -> Stale | None:
    """Judge the model prices by the day of the newest change in them; None: they are new enough."""
    age = now.date() - day
    if age <= MAX_AGE:
        return None
    message = (
        f"{name} is {age.days} days old (of {day}; the limit is {MAX_AGE.days}): update the package,"
        " or new models have no price"
    )
    return Stale(name, day.isoformat(), age.days, message)


def stale_book(book: PriceBook, now: datetime) -> Stale | None:
    """Judge a book by the price in force that was compared longest ago; None: it is new enough."""
    name = f"price book {book.name}"
    checks = _checks(book, now)
    undated = [rule for rule, checked in checks.items() if checked is None]
    if undated:
        message = (
            f"{name} does not say when {undated[0]} was last compared with its source: give it `checked`"
        )
        return Stale(name, "", -1, message)
    limit = now - timedelta(days=book.max_age_days)
    old = sorted((checked, rule) for rule, checked in checks.items() if checked and checked < limit)
    if not old:
        return None
    checked, rule = old[0]
    age = (now - checked).days
    message = (
        f"{name}: {len(old)} of {len(checks)} prices were last compared with their source more than"
        f" {book.max_age_days} days ago ({rule} {age} days ago, on {checked:%Y-%m-%d}): renew them, or set"
        " max_age_days if they change less often"
    )
    return Stale(name, checked.date().isoformat(), age, message)


def oldest_check(book: PriceBook, now: datetime) -> datetime | None:
    """Return when the price in force that was compared longest ago was; None: the book does not say of all."""
    checks = list(_checks(book, now).values())
    known = [checked for checked in checks if checked is not None]
    return min(known) if known and len(known) == len(checks) else None


def _checks(book: PriceBook, now: datetime) -> dict[str, datetime | None]:
    """Return when each rule's price in force was compared. What is over cannot grow old."""
    return {
        rule.id: dated.checked or book.checked
        for rule in book.rules
        for dated in rule.prices
        if dated.ends is None or dated.ends > now
    }
