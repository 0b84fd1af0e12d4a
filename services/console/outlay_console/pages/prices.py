"""Prices: what has none, what changed when, what is old, and where they come from."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from urllib.parse import urlencode

from starlette.responses import RedirectResponse, Response

from outlay_console.domain.history import scheduled_prices
from outlay_console.domain.list_page import after_in, page_of
from outlay_console.domain.model_prices import PriceList
from outlay_console.domain.price_lookup import LONGEST_SEARCH, search_prices
from outlay_console.domain.queries import UNPRICED
from outlay_console.pages.request import Context, PageRequest
from outlay_schemas.catalog.freshness import oldest_check, stale_book, stale_rates

_LOOK_BACK = timedelta(days=30)
_ON_A_PAGE = 20
ROWS = 50
"""Price books of a page, and scheduled prices."""


async def prices(request: PageRequest) -> Context | Response:
    """Return what matches a search; without one, what is unpriced, how the catalog changed, and the price books.

    A search that was typed (`open`) and names one model leads to its page.
    """
    price_list = request.deps.price_list if request.catalog else None
    text = request.params.get("q", "").strip()[:LONGEST_SEARCH]
    searched: dict[str, object] = {
        "q": text,
        "searchable": price_list is not None,
        "catalog": request.catalog,
    }
    if text and price_list is not None:
        if "open" in request.params:
            found = await asyncio.to_thread(price_list.search, request.tenant, text)
            if named := _named(found, text):
                return RedirectResponse("/prices/model?" + urlencode(named), 303)
        return searched | await _search(request, price_list, text)
    unpriced, history = await asyncio.gather(
        request.rollups.rows(UNPRICED, request.now - _LOOK_BACK),
        request.deps.history.page(request.tenant, after_in(request.params, "history")),
    )
    catalog = request.catalog
    every = catalog.price_books if catalog else ()
    price_books = page_of(every, after_in(request.params, "price_books"), ROWS, "in the order of the catalog")
    scheduled = scheduled_prices(every)
    rates = catalog.rates if catalog else None
    return searched | {
        "unpriced": unpriced,
        "days": _LOOK_BACK.days,
        "history": history,
        "price_books": price_books,
        "scheduled": page_of(scheduled, after_in(request.params, "scheduled"), ROWS, "the latest first"),
        "models_old": bool(rates and stale_rates(rates.source, rates.date, request.now)),
        "old": {book.name for book in price_books.entries if stale_book(book, request.now)},
        "checked": {book.name: oldest_check(book, request.now) for book in price_books.entries},
    }


def _named(found: Sequence[tuple[str, str]], text: str) -> dict[str, str] | None:
    """Return the one model that a text names, alone or after its provider; None: none, or those of several
    providers."""
    wanted = " ".join(text.lower().split())
    named = [one for one in found if wanted in (one[1].lower(), "/".join(one).lower(), " ".join(one).lower())]
    return {"provider": named[0][0], "sku": named[0][1]} if len(named) == 1 else None


async def _search(request: PageRequest, price_list: PriceList, text: str) -> dict[str, object]:
    """Return a page of what matches a text, each with its first prices."""
    page = request.params.get("page", "1")
    number = int(page) if page.isascii() and page.isdecimal() and 0 < len(page) < 6 else 1

    start = (max(number, 1) - 1) * _ON_A_PAGE
    count, rows = await asyncio.to_thread(
        search_prices, price_list, request.tenant, text, request.now, start=start, count=_ON_A_PAGE
    )
    pages = -(-count // _ON_A_PAGE)
    return {"count": count, "rows": rows, "page": max(number, 1), "last": pages}
