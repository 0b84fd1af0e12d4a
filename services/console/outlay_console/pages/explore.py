"""Any dimension, over any time, in any time zone; down to events and why they cost what they cost."""

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, RedirectResponse, Response

from outlay_console.adapters.rollup_reader import CHART_VALUES
from outlay_console.domain.breakdown import Breakdown
from outlay_console.domain.cost_breakdown import cost_breakdown
from outlay_console.domain.saved import dashboards
from outlay_console.domain.view import DIMENSIONS, View, is_dimension
from outlay_console.pages.charts import chart_of
from outlay_console.pages.request import Context, PageRequest
from outlay_reports.adapters.cost_reader import CostReader
from outlay_reports.cost_query import CostQuery
from outlay_reports.incidents import Incident
from outlay_reports.renderers import to_csv
from outlay_reports.report_api import showback
from outlay_schemas.dimensions import CELL, LABELS

ROWS = 200
"""Rows of a page of the table; the values before and after them are one row each."""
EVENTS = 200
"""Events that one page lists."""
RECENT = 50
"""Events with which the live page begins."""
_FAR = datetime(2106, 1, 1, tzinfo=UTC)


async def explore(request: PageRequest) -> Context | Response:
    """Return a chart of the view, and a page of its table: the rows after the first `after`."""
    view = await request.view_shown()
    span, after = view.span(request.now), request.after
    spans = (span, view.before(request.now))
    found, first, incidents, free, saved = await asyncio.gather(
        request.rollups.breakdown(view, spans, limit=ROWS, after=after),
        request.rollups.breakdown(view, spans, limit=CHART_VALUES) if after else _nothing(),
        request.rollups.incidents() if not view.filters else _none(),
        request.rollups.free_names(request.now),
        request.rollups.saved_views(request.session.actor),
    )
    one = found[""]
    if after and not one.rows:  # there are fewer values than when the link was made
        return RedirectResponse(_rows_after(view, 0), 303)
    return {
        "view": view,
        "span": span,
        "compared": spans[1],
        "free": [name for name in free if is_dimension(name) and name not in DIMENSIONS],
        "saved": saved,
        "boards": dashboards(saved),
        "may": request.may,
        "owner": request.session.actor,
        "admin": request.session.may("admin"),
        "rows": one.rows,
        "one": one,
        "after": after,
        "next": _rows_after(view, after + len(one.rows)) if one.rest else "",
        "previous": _rows_after(view, max(0, after - ROWS)) if after else "",
        "total": one.spent,
        "before": one.before,
        **await chart_of(request, view, first.get("", one).rows, incidents),
    }


def _rows_after(view: View, after: int) -> str:
    """Return the address of the rows of a table that come after the first `after`. A place in the order, and not an
    amount as a cursor has it: the page says which rows of how many it shows."""
    return f"/explore{view.query()}{f'&after={after}' if after else ''}#table"


async def _nothing() -> dict[str, Breakdown]:
    """Return no rows: those of the page are those of the chart."""
    return {}


async def _none() -> list[Incident]:
    """Return no alerts: they are not of a part that somebody filters."""
    return []


async def csv(request: PageRequest) -> Response:
    """Return the table of the view as CSV: exact, and all its rows, as `outlay report showback` has them."""
    view = await request.view_shown()
    span, tenants = view.span(request.now), (request.tenant,)
    query = CostQuery(
        span, view.zone, view.groups, view.filters, tenants, amount=view.amount, currency=view.currency
    )
    sheet = await request.deps.readers.call(lambda clickhouse: showback(CostReader(clickhouse), query))
    name = f"outlay-{'-'.join(view.groups)}-{query.span.start.astimezone(view.zone):%Y-%m-%d}.csv"
    return Response(
        to_csv(sheet),
        media_type="text/csv",
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


async def values(request: PageRequest) -> Response:
    """Return the values of a dimension (`of`; else the view's) that contain a text, for pickers."""
    name = request.params.get("of") or request.view.by
    if not is_dimension(name):
        raise HTTPException(400, "of must be a dimension.")
    found = await request.rollups.values(
        request.view, request.now, name, request.params.get("text", "")[:100]
    )
    return JSONResponse(found)


async def live(request: PageRequest) -> Context:
    """Return the newest events; the page follows the stream of those to come."""
    day = View(zone=request.view.zone).span(request.now)
    return {"events": _converted(request, await request.rollups.events(View(), day, RECENT))}


async def events(request: PageRequest) -> Context:
    """Return the newest events of the view."""
    span = request.view.span(request.now)
    return {
        "span": span,
        "limit": EVENTS,
        "events": _converted(request, await request.rollups.events(request.view, span, EVENTS)),
    }


def _converted(request: PageRequest, events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return events with their cost in the view's currency, each at the rate of its own time. Raises NoRateError."""
    convert = request.view.currency.convert
    return [
        one if one["cost"] is None else one | {"cost": convert(one["cost"], one["time"])} for one in events
    ]


async def event(request: PageRequest) -> Context:
    """Return one event and its price, taken apart. Raises HTTPException 404."""
    text = request.params.get("at", "")
    at = int(text) if text.isascii() and text.isdecimal() and len(text) < 11 else -1
    row = None
    if 0 <= at < int(_FAR.timestamp()):
        row = await request.rollups.event(request.params.get("source", ""), request.params.get("id", ""), at)
    if row is None:
        raise HTTPException(404, "This event does not exist, or is not counted yet.")
    return {
        "view": request.view.unfiltered,
        "event": row,
        "shown": _converted(request, [row])[0]["cost"],
        "why": cost_breakdown(row),
        "book": _book(request, row),
        "labels": _labels(row),
    }


def _book(request: PageRequest, row: Mapping[str, object]) -> object:
    name, _, rest = str(row["price_ref"]).partition("@")
    version = rest.partition("#")[0]
    price_books = request.catalog.price_books if request.catalog else ()
    return next((book for book in price_books if (book.name, book.version) == (name, version)), None)


def _labels(row: Mapping[str, object]) -> list[tuple[str, str, str]]:
    """Return (name, value, what the producer had said where attribution changed it) of each dimension."""
    given = row["original_dimensions"]
    sent = given if isinstance(given, dict) else {}
    return [(LABELS[name], str(row[name]), str(sent.get(name, ""))) for name in CELL]
