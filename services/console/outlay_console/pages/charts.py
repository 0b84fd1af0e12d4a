"""A chart as its page carries it: a data block, which a script draws and a table repeats."""

import asyncio
from collections.abc import Sequence
from datetime import datetime

from outlay_console.adapters.forecasts import BucketForecast
from outlay_console.adapters.rollup_reader import CHART_VALUES, BreakdownRow
from outlay_console.domain.queries import REST
from outlay_console.domain.view import Bucket, View
from outlay_console.pages.request import Context, PageRequest
from outlay_reports.forecast.intervals import LEVELS
from outlay_reports.incidents import Incident
from outlay_schemas.alerts import Alert
from outlay_schemas.dimensions import name_of

AHEAD = {"24h": 8, "7d": 48, "30d": 10, "90d": 28}
"""How many bars of each range are forecast."""
_FORMS: dict[Bucket, str] = {
    "minute": "%H:%M",
    "hour": "%a %d %b %H:%M",
    "day": "%a %d %b %Y",
    "month": "%b %Y",
}


async def chart_of(
    request: PageRequest, view: View, rows: Sequence[BreakdownRow], incidents: Sequence[Incident]
) -> Context:
    """Return the chart of a view: the values with the most spend, marks of alerts, and what is expected next."""
    span, bucket, zone = view.span(request.now), view.bucket(request.now), view.zone
    top = [row.value for row in rows[:CHART_VALUES] if row.now]
    series, ahead = await asyncio.gather(
        request.rollups.series(view, span, bucket, top), _ahead(request, view, bucket)
    )
    # Colours go by the alphabet, so that a change of rank changes no colour.
    order = sorted(name for name in series.names if name != REST)
    alerts = [one.main for one in incidents]
    chart = {
        "bucket": bucket,
        "zone": zone.key,
        **_times(series.starts, view, bucket),
        "end": int(span.end.timestamp()),
        "names": ["everything else" if name == REST else name_of(name) for name in series.names],
        "colours": [CHART_VALUES if name == REST else order.index(name) for name in series.names],
        "costs": series.costs,
        "marks": [
            {"at": int(_moment(alert).timestamp()), "title": alert.title, "severity": alert.severity}
            for alert in alerts
            if _moment(alert) in span
        ],
        "ahead": ahead and {**_times(ahead.starts, view, bucket), **_bands(ahead)},
    }
    return {"top": top, "chart": chart, "later": request.deps.forecasts.waiting(request.tenant, zone)}


async def _ahead(request: PageRequest, view: View, bucket: Bucket) -> BucketForecast | None:
    """Return what the bars that come next are expected to be; of all, and of a range that ends now."""
    steps = AHEAD.get(view.range)
    if view.filters or steps is None:
        return None
    return await request.deps.forecasts.ahead(
        request.tenant, view.zone, request.now, bucket=bucket, steps=steps
    )


def _times(starts: Sequence[datetime], view: View, bucket: Bucket) -> dict[str, object]:
    labels = [start.astimezone(view.zone).strftime(_FORMS[bucket]) for start in starts]
    return {"starts": [int(start.timestamp()) for start in starts], "labels": labels}


def _bands(ahead: BucketForecast) -> dict[str, object]:
    """Return the forecast and its intervals, USD: for drawing only, so rounded."""
    arrays = {"mean": ahead.bands.mean}
    arrays |= {f"low{level}": ahead.bands.lower[level] for level in LEVELS}
    arrays |= {f"high{level}": ahead.bands.upper[level] for level in LEVELS}
    return {name: array[:, 0].round(4).tolist() for name, array in arrays.items()}


def _moment(alert: Alert) -> datetime:
    """Return where on a chart an alert belongs: at its window; a budget's at the moment it was crossed."""
    return alert.at if alert.rule_type == "budget" else alert.window
