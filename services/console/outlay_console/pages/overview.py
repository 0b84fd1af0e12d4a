"""The first page: what is being spent, against what was meant, and what changed."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal

from outlay_console.adapters.forecasts import BucketForecast
from outlay_console.adapters.rollup_reader import (
    CHART_VALUES,
    Breakdown,
    BreakdownRow,
    CostTotal,
    Freshness,
)
from outlay_console.domain.view import View
from outlay_console.pages.budgets import states
from outlay_console.pages.charts import chart, marked
from outlay_console.pages.request import PageRequest
from outlay_console.templating import Context
from outlay_kit.time_ranges import TimeRange, period_of
from outlay_reports.forecast.trajectory import Trajectory
from outlay_reports.range_sums import Selection
from outlay_schemas.money import PICO, to_pico

MOVING = ("team", "project", "sku")
"""Dimensions among which is looked for what changed most."""
AHEAD = {"24h": 8, "7d": 48, "30d": 10, "90d": 28}
"""How many bars of each range are forecast."""


async def overview(request: PageRequest) -> Context:
    """Return figures, chart, budgets, movers and alerts."""
    fresh = await request.rollups.fresh()
    view = (
        request.view if request.says_range else replace(request.view, range=usual_range(fresh, request.now))
    )
    span = view.span(request.now)
    budgets, found, incidents = await asyncio.gather(
        states(request), request.rollups.breakdown(view, span, MOVING), request.rollups.incidents()
    )
    wanted = {name: Selection(part) for name, part in spans(view, request.now).items()}
    one = found[view.by]
    top = [row.value for row in one.rows[:CHART_VALUES] if row.now]
    totals, series, month, ahead = await asyncio.gather(
        request.rollups.totals(wanted),
        request.rollups.series(view, span, view.bucket(request.now), top),
        request.forecasts.month(request.tenant, view.zone, request.now),
        coming(request, view),
    )
    return {
        "view": view,
        "ingest": request.ingest_url,
        "fresh": fresh,
        "figures": totals,
        "landing": landed(month, totals["month"], request.now),
        "rows": [row for row in one.rows if row.now][:8],
        "spent": one.spent.cost,
        "movers": movers(found),
        "alerts": [incident for incident in incidents if incident.open][:5],
        "budgets": budgets[:6],
        "chart": chart(series, view.zone, marked(incidents, span), ahead),
        "later": request.forecasts.waiting(request.tenant, view.zone),
    }


@dataclass(frozen=True)
class MonthEnd:
    """Where the month lands, and between what in four of five cases; USD."""

    expected: Decimal
    low: Decimal
    high: Decimal


def landed(course: Trajectory | None, spent: CostTotal, now: datetime) -> MonthEnd | None:
    """Return where the month lands; None: it is not known, or not yet."""
    landing = course.land(now, to_pico(spent.cost)) if course else None
    if landing is None:
        return None
    return MonthEnd(*(Decimal(pico) / PICO for pico in (landing.expected, *landing.bounds(80))))


async def coming(request: PageRequest, view: View) -> BucketForecast | None:
    """Return what the bars that come next are expected to be; of all, and of a range that ends now."""
    steps = AHEAD.get(view.range)
    if view.filters or steps is None:
        return None
    bucket = view.bucket(request.now)
    return await request.forecasts.ahead(request.tenant, view.zone, request.now, bucket=bucket, steps=steps)


def movers(found: Mapping[str, Breakdown], limit: int = 8) -> list[BreakdownRow]:
    """Return what changed most against the span before."""
    rows = [row for name in MOVING for row in found[name].rows if row.now != row.before]
    return sorted(rows, key=lambda row: (-abs(row.now - row.before), row.value))[:limit]


def usual_range(fresh: Freshness, now: datetime) -> str:
    """Return the smallest range that shows everything there is, a day at most."""
    if fresh.oldest and now - fresh.oldest < timedelta(hours=3):
        return "3h"
    return "24h"


def spans(view: View, now: datetime) -> Mapping[str, TimeRange]:
    """Return today and this month so far, and what they compare with: the same part of the ones before."""
    end = now.replace(second=0, microsecond=0) + timedelta(minutes=1)
    day, month = period_of(now, "day", view.zone), period_of(now, "month", view.zone)
    yesterday = period_of(day.start - timedelta(hours=1), "day", view.zone)
    earlier = period_of(month.start - timedelta(hours=1), "month", view.zone)
    return {
        "today": TimeRange(day.start, day.end),
        "yesterday": TimeRange(yesterday.start, min(yesterday.end, yesterday.start + (end - day.start))),
        "month": TimeRange(month.start, month.end),
        "last_month": TimeRange(earlier.start, min(earlier.end, earlier.start + (end - month.start))),
    }
