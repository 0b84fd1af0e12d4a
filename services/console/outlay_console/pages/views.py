"""Saved views of Explore, and dashboards, which show several of them."""

import asyncio
from dataclasses import dataclass, field

from starlette.exceptions import HTTPException

from outlay_console.domain.breakdown import Breakdown
from outlay_console.domain.saved import SavedView, dashboards
from outlay_console.domain.view import View, ViewError
from outlay_console.pages.charts import chart_of
from outlay_console.pages.request import Context, PageRequest
from outlay_kit.time_ranges import TimeRange
from outlay_schemas.currency import NoRateError

MOST = 8
"""Charts of one dashboard."""


@dataclass(frozen=True)
class Card:
    """A chart of a dashboard: what Explore shows behind its link, in the view's own currency, zone and filters."""

    saved: SavedView
    view: View
    span: TimeRange
    compared: TimeRange
    """What the total is compared with."""
    one: Breakdown
    chart: Context


@dataclass(frozen=True)
class BrokenCard:
    """A view that cannot be shown."""

    saved: SavedView
    error: str
    chart: None = field(default=None, init=False)


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
    cards = await asyncio.gather(*(_card(request, one) for one in found[name][:MOST]))
    return {
        "board": name,
        "others": [one for one in found if one != name],
        "cards": cards,
        "shown_currencies": list(
            dict.fromkeys(card.view.currency for card in cards if isinstance(card, Card))
        ),
    }


async def _card(request: PageRequest, saved: SavedView) -> Card | BrokenCard:
    try:
        view = request.open(saved.query)
        span, compared = view.span(request.now), view.before(request.now)
        one = (await request.rollups.breakdown(view, (span, compared)))[""]
        return Card(saved, view, span, compared, one, await chart_of(request, view, one.rows, ()))
    except ViewError as error:
        return BrokenCard(saved, _sentence(f"{error}."))
    except NoRateError as error:
        return BrokenCard(saved, _sentence(f"{error}: {error.hint}."))


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]
