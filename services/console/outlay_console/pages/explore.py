"""Any dimension, over any time, in any time zone; down to events and why they cost what they cost."""

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime

from starlette.exceptions import HTTPException

from outlay_console.domain.cost_breakdown import cost_breakdown
from outlay_console.domain.view import DIMENSIONS, RANGES
from outlay_console.pages.charts import chart_of
from outlay_console.pages.request import Context, PageRequest
from outlay_reports.incidents import Incident

EVENTS = 200
"""Events that one page lists."""
_FAR = datetime(2106, 1, 1, tzinfo=UTC)


async def explore(request: PageRequest) -> Context:
    """Return a chart and a table of the view."""
    view = await request.view_shown()
    span = view.span(request.now)
    found, incidents = await asyncio.gather(
        request.rollups.breakdown(view, span), request.rollups.incidents() if not view.filters else _none()
    )
    one = found[view.by]
    return {
        "view": view,
        "span": span,
        "ranges": RANGES,
        "rows": one.rows,
        "total": one.spent,
        "before": one.before,
        **await chart_of(request, view, one.rows, incidents),
    }


async def _none() -> list[Incident]:
    """Return no alerts: they are not of a part that somebody filters."""
    return []


async def live(_: PageRequest) -> Context:
    """Return nothing: the page follows the stream of events."""
    return {}


async def events(request: PageRequest) -> Context:
    """Return the newest events of the view."""
    span = request.view.span(request.now)
    return {
        "ranges": RANGES,
        "span": span,
        "limit": EVENTS,
        "events": await request.rollups.events(request.view, span, EVENTS),
    }


async def event(request: PageRequest) -> Context:
    """Return one event and its price, taken apart. Raises HTTPException 404."""
    text = request.params.get("at", "")
    at = int(text) if text.isascii() and text.isdecimal() and len(text) < 11 else -1
    row = None
    if 0 <= at < int(_FAR.timestamp()):
        row = await request.rollups.event(request.params.get("source", ""), request.params.get("id", ""), at)
    if row is None:
        raise HTTPException(404, "This event does not exist, or is not counted yet.")
    return {"event": row, "why": cost_breakdown(row), "book": _book(request, row), "labels": _labels(row)}


def _book(request: PageRequest, row: Mapping[str, object]) -> object:
    name, _, rest = str(row["price_ref"]).partition("@")
    version = rest.partition("#")[0]
    price_books = request.catalog.price_books if request.catalog else ()
    return next((book for book in price_books if (book.name, book.version) == (name, version)), None)


def _labels(row: Mapping[str, object]) -> list[tuple[str, str, str]]:
    """Return (name, value, what the producer had said where attribution changed it) of each dimension."""
    given = row["original_dimensions"]
    sent = given if isinstance(given, dict) else {}
    return [(text, str(row[name]), str(sent.get(name, ""))) for name, text in DIMENSIONS.items()]
