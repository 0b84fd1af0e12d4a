"""One model or SKU: what it costs now and cost before, and what was spent on it."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import groupby, islice

from starlette.exceptions import HTTPException

from outlay_console.domain.history import Revision
from outlay_console.domain.model_prices import PriceList, PricesAt, PriceSet, WhatIf, changed
from outlay_console.pages.request import Context, PageRequest
from outlay_reports.range_sums import Selection

_RANGE = "30d"
_REVISIONS = 4
"""Most past catalogs that are read for one page."""


async def model(request: PageRequest) -> Context:
    """Return the prices of a model or SKU, their history, and what was spent on it in 30 days."""
    provider, sku = (request.params.get(name, "").strip() for name in ("provider", "sku"))
    price_list = request.deps.price_list
    if not sku or price_list is None:
        raise HTTPException(404, "There is no such model or SKU. Search for one on the page Prices.")
    if request.catalog is None:
        raise HTTPException(503, "The console has not read the catalog yet. Try again in a few seconds.")
    filters = {name: (value,) for name, value in (("provider", provider), ("sku", sku)) if value}
    view = replace(request.view, range=_RANGE, own=None, filters=filters)
    names = request.tenant, provider, sku
    shown, dates = await asyncio.gather(
        asyncio.to_thread(price_list.prices, *names, request.now),
        asyncio.to_thread(price_list.dates, *names),
    )
    spent, revisions = await asyncio.gather(
        request.rollups.totals({"": Selection(view.span(request.now), filters)}),
        request.deps.history.read(request.tenant),
    )
    chosen = _chosen(request)
    span = view.span(request.now)
    cases: Sequence[WhatIf] = ()
    if spent[""].events:
        cases = await request.deps.readers.call(
            lambda store: price_list.what_if(store.rows, request.tenant, (provider, sku), span, chosen)
        )
    return {
        "cases": cases,
        "chosen": chosen,
        "view": view,
        "provider": provider,
        "sku": sku,
        "catalog": request.catalog,
        "sets": shown,
        "spent": spent[""],
        "by_date": await asyncio.to_thread(_by_date, price_list, names, dates),
        "by_revision": await asyncio.to_thread(_by_revision, price_list, names, shown, revisions),
    }


def _chosen(request: PageRequest) -> tuple[str, str, str]:
    """Return the provider, SKU and price book of the question what if; empty: none."""
    provider, _, sku = request.params.get("as", "").strip().partition("/")
    return provider, sku, request.params.get("book", "").strip()


def _by_date(price_list: PriceList, names: tuple[str, str, str], dates: Sequence[datetime]) -> list[PricesAt]:
    """Return the prices from each date on, the newest first, and those before the first date."""
    before = [PricesAt(None, price_list.prices(*names, dates[-1] - timedelta(seconds=1)))] if dates else []
    return changed([*(PricesAt(at, price_list.prices(*names, at)) for at in dates), *before])


def _by_revision(
    price_list: PriceList,
    names: tuple[str, str, str],
    shown: Sequence[PriceSet],
    revisions: Sequence[Revision],
) -> list[tuple[Revision, PricesAt]]:
    """Return the revisions, the newest first, that changed a price of a SKU; of those whose price data differ."""
    lists = {one.book for one in shown}
    alike = groupby(revisions, lambda one: (one.rates, [one.price_books.get(name) for name in sorted(lists)]))
    read = [
        list(some)[-1] for _, some in islice(alike, _REVISIONS)
    ]  # the newest come first: when it came into force
    found = []
    for one in read:
        with suppress(LookupError):  # it is not kept, or was written by another release
            found.append(PricesAt(one.at, price_list.prices(*names, one.at, one.revision)))
    by_time = {one.at: one for one in read}
    return [(by_time[one.at], one) for one in changed(found) if one.at is not None]
