"""How old the price data is: a price list that nobody renews is wrong in silence (phoenix#12673)."""

from datetime import datetime, timedelta

from msgspec import Struct

from outlay_schemas.catalog import Catalog, PriceBook

MAX_AGE = timedelta(days=30)
BOOK_MAX_AGE = timedelta(days=365)
"""Clouds change list prices of machines and storage seldom."""


class Stale(Struct, frozen=True):
    """A source of prices that is older than it should be."""

    name: str
    checked: str
    days: int
    message: str


def stale(
    catalog: Catalog, now: datetime, max_age: timedelta = MAX_AGE, book_max_age: timedelta = BOOK_MAX_AGE
) -> list[Stale]:
    """Return the sources that are too old, or that nobody has ever dated."""
    found: list[Stale] = []
    if catalog.rates is not None:
        age = now.date() - catalog.rates.date
        if age > max_age:
            found.append(
                _stale(f"{catalog.rates.source} {catalog.rates.version}", catalog.rates.date.isoformat(), age)
            )
    for book in catalog.price_books:
        checked = _oldest(book, now)
        if checked is None:
            message = f"price book {book.name} says nowhere when its prices were checked: give it `checked`"
            found.append(Stale(book.name, "", -1, message))
        elif now - checked > book_max_age:
            found.append(_stale(f"price book {book.name}", checked.date().isoformat(), now - checked))
    return found


def _oldest(book: PriceBook, now: datetime) -> datetime | None:
    """Return when the price in force that was longest not compared was; what is over cannot grow old."""
    spans = [dated for rule in book.rules for dated in rule.prices if dated.ends is None or dated.ends > now]
    dates = [dated.checked for dated in spans if dated.checked]
    return min([*dates, *([book.checked] if book.checked else [])], default=None)


def _stale(name: str, checked: str, age: timedelta) -> Stale:
    message = f"{name} is {age.days} days old (of {checked}): renew it, or prices may be wrong"
    return Stale(name, checked, age.days, message)
