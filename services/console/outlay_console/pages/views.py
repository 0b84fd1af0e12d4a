"""Saved views of Explore, and dashboards, which show several of them."""

import asyncio
from dataclasses import dataclass, replace

from starlette.exceptions import HTTPException

from outlay_console.domain.breakdown import CostTotal
from outlay_console.domain.saved import SavedView, dashboards
from outlay_console.domain.view import View
from outlay_console.pages.charts import chart_of
from outlay_console.pages.request import Context, PageRequest

MOST = 8
"""Charts of one dashboard."""


@dataclass(frozen=True)
class Card:
    """A chart of a dashboard."""

    saved: SavedView
    view: View
    total: CostTotal
    chart: Context


async def views(request: PageRequest) -> Context:
    """Return the saved views that the session may see."""
    found = await request.rollups.saved_views(request.session.actor)
    return {
        "saved": found,
        "dashboards": dashboards(found),
        "may": request.may,
        "owner": request.session.actor,
        "admin": request.session.may("admin"),
    }


async def dashboard(request: PageRequest) -> Context:
    """Return the charts of a dashboard. Raises HTTPException 404."""
    found = dashboards(await request.rollups.saved_views(request.session.actor))
    name = request.params.get("name", "")
    if name not in found:
        raise HTTPException(404, "This dashboard does not exist, or has no view that you may see.")
    shown = found[name][:MOST]
    cards = await asyncio.gather(
        *(
            _card(request, one, replace(one.view, chosen=request.view.chosen, currency=request.view.currency))
            for one in shown
            if one.view
        )
    )
    return {"board": name, "others": [one for one in found if one != name], "cards": cards}


async def _card(request: PageRequest, saved: SavedView, view: View) -> Card:
    spans = (view.span(request.now), view.before(request.now))
    one = (await request.rollups.breakdown(view, spans))[""]
    chart = await chart_of(request, view, one.rows, ())
    return Card(saved, view, one.spent, chart)
