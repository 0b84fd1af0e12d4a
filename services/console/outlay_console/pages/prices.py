"""Prices: what has none, what changed when, what is old, and where they come from."""

import asyncio
from datetime import timedelta

from outlay_console.domain.history import changes, dated
from outlay_console.pages.ask import Ask
from outlay_console.site import Context
from outlay_schemas.catalog.freshness import oldest_check, stale_book, stale_rates

_LOOK_BACK = timedelta(days=30)


async def prices(ask: Ask) -> Context:
    """Return what is unpriced, how the catalog changed, and which books price the rest."""
    unpriced, revisions = await asyncio.gather(ask.books.unpriced(ask.now - _LOOK_BACK), ask.history.read())
    catalog = ask.catalog
    books = catalog.books if catalog else ()
    rates = catalog.rates if catalog else None
    return {
        "unpriced": unpriced,
        "catalog": catalog,
        "days": _LOOK_BACK.days,
        "changes": changes(revisions),
        "dated": dated(books),
        "models_old": bool(rates and stale_rates(rates.source, rates.date, ask.now)),
        "old": {book.name for book in books if stale_book(book, ask.now)},
        "checked": {book.name: oldest_check(book, ask.now) for book in books},
    }
