"""A chart as its page carries it: a data block, which a script draws and a table repeats."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from urllib.parse import quote
from zlib import crc32

from outlay_console.adapters.rollup_reader import CHART_VALUES, Series
from outlay_console.domain.breakdown import BreakdownRow
from outlay_console.domain.queries import REST
from outlay_console.domain.view import COMPARISONS, JOINT, Bucket, View
from outlay_console.pages.request import Context, PageRequest
from outlay_kit.time_ranges import TimeRange, period_of
from outlay_reports.adapters.forecast_cache import Ahead
from outlay_reports.forecast.intervals import LEVELS
from outlay_reports.incidents import Incident
from outlay_reports.money import symbol
from outlay_reports.periods import period_bounds
from outlay_schemas.alerts import Alert
from outlay_schemas.dimensions import name_of

AHEAD = {"24h": 8, "7d": 48, "30d": 10, "90d": 28}
"""How many bars of each range that ends now are forecast; one that goes on is forecast to its end."""
_FURTHEST = timedelta(days=100)
"""A range that ends later has no forecast in its chart."""
COLOURS = 16
"""Places of the palette (static/chart.js): more than the values of a chart."""
_FORMS: dict[Bucket, str] = {
    "minute": "%H:%M",
    "hour": "%a %d %b %H:%M",
    "day": "%a %d %b %Y",
    "month": "%b %Y",
}


async def chart_of(
    request: PageRequest, view: View, rows: Sequence[BreakdownRow], incidents: Sequence[Incident]
) -> Context:
    """Return the chart of a view: the values with the most spend, marks of alerts and notes, what is next."""
    span, bucket, zone = view.span(request.now), view.bucket(request.now), view.zone
    top = [row.value for row in rows[:CHART_VALUES] if row.now]
    series, ahead, compared, notes = await asyncio.gather(
        request.rollups.series(view, span, bucket, top),
        _ahead(request, view, bucket),
        _compared(request, view, bucket),
        request.rollups.notes(span),
    )
    series = _so_far(series, request.now)
    chart = {
        "bucket": bucket,
        "zone": zone.key,
        "currency": view.currency.code,
        "symbol": symbol(view.currency.code),
        **_times(series.starts, view, bucket),
        "end": int(span.end.timestamp()),
        "names": ["everything else" if name == REST else row_name(name) for name in series.names],
        "colours": colours_of(series.names),
        "costs": series.costs,
        "bounds": series.bounds,
        "compared": compared and _total(view, compared, len(series.starts)),
        "marks": [
            {
                "at": int(_moment(one.main).timestamp()),
                "title": one.main.title,
                "severity": one.main.severity,
                "text": one.text.summary,
                "link": f"/alerts/{quote(one.id, safe='')}",
            }
            for one in incidents
            if _moment(one.main) in span
        ]
        + [
            {
                "at": int(note.at.timestamp()),
                "title": f"Note: {note.text}",
                "severity": "note",
                "text": f"{note.author_name}, {note.at.astimezone(zone):%Y-%m-%d %H:%M}",
                "link": f"/explore{_day_of(view, note.at).query()}#notes",
            }
            for note in notes
        ],
        "ahead": ahead and {**_times(ahead.starts, view, bucket), **_bands(ahead)},
    }
    return {
        "top": top,
        "chart": chart,
        "notes": notes,
        "later": request.deps.forecasts.waiting(request.tenant, zone),
    }


def _so_far(series: Series, now: datetime) -> Series:
    """Return a series without the bars that are still to come: nothing is spent in them, which is not 0."""
    count = sum(start <= now for start in series.starts)
    bounds = [[place for place in places if place < count] for places in series.bounds]
    return Series(series.starts[:count], series.names, [costs[:count] for costs in series.costs], bounds)


async def _ahead(request: PageRequest, view: View, bucket: Bucket) -> Ahead | None:
    """Return what the bars that come next are expected to be, of all; None of a range that is over."""
    span, now = view.span(request.now), request.now
    if view.filters or bucket == "minute" or not span.start <= now <= span.end <= now + _FURTHEST:
        return None
    rest = TimeRange(period_of(now, bucket, view.zone).start, span.end)
    steps = AHEAD.get(view.range, len(period_bounds(rest, bucket, view.zone)) - 1)
    return await request.deps.forecasts.ahead(request.tenant, view, now, unit=bucket, count=steps)


async def _compared(request: PageRequest, view: View, bucket: Bucket) -> Series | None:
    """Return the total that the chart is compared with, by bucket; None: it is compared with nothing."""
    if not view.compare:
        return None
    return await request.rollups.series(view, view.before(request.now), bucket, [])


def _total(view: View, series: Series, buckets: int) -> Context:
    """Return a total as the chart carries it, cut to its `buckets`."""
    costs, bounds = (
        (series.costs[0], series.bounds[0]) if series.names else ([Decimal(0)] * len(series.starts), [])
    )
    return {
        "name": COMPARISONS.get(view.compare, f"From {view.compare}"),
        "costs": costs[:buckets],
        "bounds": [place for place in bounds if place < buckets],
    }


def row_name(value: str) -> str:
    """Return the values of a row for people."""
    return " \u00b7 ".join(map(name_of, value.split(JOINT)))


def colours_of(names: Sequence[str]) -> list[int]:
    """Return the place of each value in the palette: the same on every page, unless two values on one chart would have
    the same, and then the later one by the alphabet has the next. REST is past the palette."""
    taken: dict[str, int] = {}
    for name in sorted(name for name in names if name != REST):
        place = crc32(name.encode()) % COLOURS
        while place in taken.values():
            place = (place + 1) % COLOURS
        taken[name] = place
    return [COLOURS if name == REST else taken[name] for name in names]


def _times(starts: Sequence[datetime], view: View, bucket: Bucket) -> dict[str, object]:
    labels = [start.astimezone(view.zone).strftime(_FORMS[bucket]) for start in starts]
    return {"starts": [int(start.timestamp()) for start in starts], "labels": labels}


def _bands(ahead: Ahead) -> dict[str, object]:
    """Return the forecast and its intervals: for drawing only, so rounded."""
    arrays = {"mean": ahead.bands.mean}
    arrays |= {f"low{level}": ahead.bands.lower[level] for level in LEVELS}
    arrays |= {f"high{level}": ahead.bands.upper[level] for level in LEVELS}
    return {name: array[:, 0].round(4).tolist() for name, array in arrays.items()}


def _day_of(view: View, at: datetime) -> View:
    """Return a view of everything in the day around a moment, in the zone and currency of another."""
    day = TimeRange(at - timedelta(hours=12), at + timedelta(hours=12))
    return replace(view, range="custom", own=day, by="team", then=(), compare="", filters={}, amount="cost")


def _moment(alert: Alert) -> datetime:
    """Return where on a chart an alert belongs: at its window; a budget's at the moment it was crossed."""
    return alert.at if alert.rule_type == "budget" else alert.window
