"""Prices: what has none, what changed when, what is old, and where they come from."""

import asyncio
from datetime import timedelta

from outlay_console.domain.history import changes, scheduled_prices
from outlay_console.domain.queries import UNPRICED
from outlay_console.pages.request import Context, PageRequest
from outlay_schemas.catalog.freshness import oldest_check, stale_book, stale_rates

_LOOK_BACK = timedelta(days=30)


async def prices(request: PageRequest) -> Context:
    """Return what is unpriced, how the catalog changed, and the price books."""
    unpriced, revisions = await asyncio.gather(
        request.rollups.rows(UNPRICED, request.now - _LOOK_BACK), request.deps.history.read()
    )
    catalog = request.catalog
    price_books = catalog.price_books if catalog else ()
    rates = catalog.rates if catalog else None
    return {
        "unpriced": unpriced,
        "catalog": catalog,
        "days": _LOOK_BACK.days,
        "changes": changes(revisions),
        "dated": scheduled_prices(price_books),
        "models_old": bool(rates and stale_rates(rates.source, rates.date, request.now)),
        "old": {book.name for book in price_books if stale_book(book, request.now)},
        "checked": {book.name: oldest_check(book, request.now) for book in price_books},
    }
