"""Prices: what has none, what changed when, what is old, and where they come from."""

import asyncio
from datetime import timedelta

from outlay_console.domain.history import BOOKS_OLD, MODELS_OLD, changes, checked, dated, is_old
from outlay_console.pages.ask import Ask
from outlay_console.site import Context

_LOOK_BACK = timedelta(days=30)


async def prices(ask: Ask) -> Context:
    """Return what is unpriced, how the catalog changed, and which books price the rest."""
    unpriced, revisions = await asyncio.gather(ask.books.unpriced(ask.now - _LOOK_BACK), ask.history.read())
    catalog = ask.catalog
    books = catalog.books if catalog else ()
    looked = {book.name: checked(book, ask.now) for book in books}
    return {
        "unpriced": unpriced,
        "catalog": catalog,
        "days": _LOOK_BACK.days,
        "changes": changes(revisions),
        "dated": dated(books),
        "models_old": bool(catalog and catalog.rates and is_old(catalog.rates.date, ask.now, MODELS_OLD)),
        "old": {name for name, at in looked.items() if is_old(at, ask.now, BOOKS_OLD)},
        "checked": looked,
    }
