"""The page of one model or SKU: what it costs now and cost before, and what was spent on it."""

from dataclasses import replace

from starlette.exceptions import HTTPException

from outlay_console.model_detail import RANGE, filters_of, read_model
from outlay_console.pages.request import Context, PageRequest


async def model(request: PageRequest) -> Context:
    """Return the prices of a model or SKU, their history, and what was spent on it in 30 days."""
    provider, sku = (request.params.get(name, "").strip() for name in ("provider", "sku"))
    price_list = request.deps.price_list
    if not sku or price_list is None:
        raise HTTPException(404, "There is no such model or SKU. Search for one on the page Prices.")
    if request.catalog is None:
        raise HTTPException(503, "The console has not read the catalog yet. Try again in a few seconds.")
    view = replace(request.view, range=RANGE, own=None, filters=filters_of(provider, sku))
    chosen = _chosen(request)
    found = await read_model(
        price_list, request.deps.history, request.rollups, (provider, sku),
        span=view.span(request.now), chosen=chosen, now=request.now,
    )  # fmt: skip
    return {
        "cases": found.cases,
        "chosen": chosen,
        "view": view,
        "provider": provider,
        "sku": sku,
        "catalog": request.catalog,
        "sets": found.prices.sets,
        "spent": found.spent,
        "by_date": found.prices.by_date,
        "by_revision": found.prices.by_revision,
        "older": found.prices.older,
    }


def _chosen(request: PageRequest) -> tuple[str, str, str]:
    """Return the provider, SKU and price book of the question what if; empty: none."""
    provider, _, sku = request.params.get("as", "").strip().partition("/")
    return provider, sku, request.params.get("book", "").strip()
