"""Prices of a model or SKU, and of those that match a text, for pages and the read API. The functions block."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby

from outlay_console.domain.history import Revision
from outlay_console.domain.model_prices import Price, PriceList, PricesAt, PriceSet, changed

LONGEST_SEARCH = 200
"""Most characters of a search."""
_FIRST = 3
"""Prices that are shown of each result of a search."""
_REVISIONS = 4
"""Most past catalogs that are read for one model."""


@dataclass(frozen=True)
class PriceMatch:
    """A model or SKU whose name matches a search. `prices`: some that hold now."""

    provider: str
    sku: str
    prices: Sequence[Price]


@dataclass(frozen=True)
class ModelPrices:
    """The prices of a model or SKU and their history, the newest first."""

    sets: Sequence[PriceSet]
    """In force now, in the order in which they are tried."""
    by_date: Sequence[PricesAt]
    by_revision: Sequence[tuple[Revision, PricesAt]]
    older: bool
    """Whether there are catalogs before those that were compared."""


def search_prices(
    price_list: PriceList, tenant: str, text: str, now: datetime, *, start: int, count: int
) -> tuple[int, list[PriceMatch]]:
    """Return how many names match a text, and from the best match `start` (from 0) on at most `count` of them. Raises
    Retryable."""
    found = price_list.search(tenant, text)
    return len(found), [
        PriceMatch(*names, _first(price_list.prices(tenant, *names, now)))
        for names in found[start : start + count]
    ]


def _first(sets: Sequence[PriceSet]) -> Sequence[Price]:
    """Return some prices of the price list that is tried first."""
    prices = next((one.prices for one in sets if one.prices), ())
    return ([one for one in prices if not one.note] or prices)[:_FIRST]


def read_prices(
    price_list: PriceList,
    names: tuple[str, str, str],
    now: datetime,
    revisions: Sequence[Revision],
    *,
    older: bool,
) -> ModelPrices:
    """Return the prices of a SKU. `names`: tenant, provider, SKU; `revisions`: the newest of the catalog, the newest
    first; `older`: whether there are more. Raises Retryable."""
    shown, dates = price_list.prices(*names, now), price_list.dates(*names)
    by_revision, more = _by_revision(price_list, names, shown, revisions)
    return ModelPrices(shown, _by_date(price_list, names, dates), by_revision, older or more)


def _by_date(price_list: PriceList, names: tuple[str, str, str], dates: Sequence[datetime]) -> list[PricesAt]:
    """Return the prices from each date on, the newest first, and those before the first date."""
    before = [PricesAt(None, price_list.prices(*names, dates[-1] - timedelta(seconds=1)))] if dates else []
    return changed([*(PricesAt(at, price_list.prices(*names, at)) for at in dates), *before])


def _by_revision(
    price_list: PriceList,
    names: tuple[str, str, str],
    shown: Sequence[PriceSet],
    revisions: Sequence[Revision],
) -> tuple[list[tuple[Revision, PricesAt]], bool]:
    """Return the revisions, the newest first, that changed a price of a SKU; of those whose price data differ, and
    whether some of these were left out."""
    lists = {one.book for one in shown}
    alike = groupby(revisions, lambda one: (one.rates, [one.price_books.get(name) for name in sorted(lists)]))
    differ = [list(some)[-1] for _, some in alike]  # the newest come first: when it came into force
    read = differ[:_REVISIONS]
    found = []
    for one in read:
        with suppress(LookupError):  # it is not kept, or was written by another release
            found.append(PricesAt(one.at, price_list.prices(*names, one.at, one.revision)))
    by_time = {one.at: one for one in read}
    return [(by_time[one.at], one) for one in changed(found) if one.at is not None], len(differ) > len(read)
