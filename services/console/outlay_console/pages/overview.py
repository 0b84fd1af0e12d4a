"""The first page: what is being spent, against what was meant, and what changed."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal

from outlay_console.domain.breakdown import Breakdown, BreakdownRow, CostTotal
from outlay_console.domain.view import View
from outlay_console.pages.budgets import states
from outlay_console.pages.charts import chart_of
from outlay_console.pages.request import Context, PageRequest
from outlay_kit.time_ranges import TimeRange
from outlay_reports.forecast.trajectory import Trajectory
from outlay_reports.range_sums import Selection
from outlay_schemas.money import PICO, to_pico

MOVING = ("team", "project", "sku")
"""Dimensions among which is looked for what changed most."""


async def overview(request: PageRequest) -> Context:
    """Return figures, chart, budgets, movers and alerts."""
    fresh = await request.rollups.fresh()
    view = replace(await request.view_shown(fresh), amount="cost")  # as its cards
    span = view.span(request.now)
    budgets, found, incidents = await asyncio.gather(
        states(request),
        request.rollups.breakdown(view, (span, view.before(request.now)), MOVING),
        request.rollups.incidents(),
    )
    wanted = {name: Selection(part) for name, part in spans(view, request.now).items()}
    one = found[""]
    totals, month, chart = await asyncio.gather(
        request.rollups.totals(wanted, view.currency),
        request.deps.forecasts.month(request.tenant, view, request.now, request.session.teams),
        chart_of(request, view, one.rows, incidents),
    )
    return {
        "view": view,
        "ingest": request.deps.settings.ingest_url,
        "fresh": fresh,
        "figures": totals,
        "landing": landed(month, totals["month"], request.now),
        "rows": [row for row in one.rows if row.now][:8],
        "spent": one.spent,
        "movers": movers(found),
        "alerts": [incident for incident in incidents if incident.open][:5],
        "budgets": budgets[:6],
        **chart,
    }


@dataclass(frozen=True)
class MonthEnd:
    """Where the month lands, and between what in four of five cases."""

    expected: Decimal
    low: Decimal
    high: Decimal


def landed(course: Trajectory | None, spent: CostTotal, now: datetime) -> MonthEnd | None:
    """Return where the month lands; None: it is not known, or not yet."""
    landing = course.land(now, to_pico(spent.cost)) if course else None
    if landing is None:
        return None
    return MonthEnd(*(Decimal(pico) / PICO for pico in (landing.expected, *landing.bounds(80))))


def movers(found: Mapping[str, Breakdown], limit: int = 8) -> list[BreakdownRow]:
    """Return what changed most against the span before."""
    rows = [row for name in MOVING for row in found[name].rows if row.now != row.before]
    return sorted(rows, key=lambda row: (-abs(row.now - row.before), row.value))[:limit]


def spans(view: View, now: datetime) -> Mapping[str, TimeRange]:
    """Return today and this month so far, and what they compare with: the same part of the ones before."""
    today, month = replace(view, range="today"), replace(view, range="month")
    return {
        "today": today.span(now), "yesterday": today.before(now),
        "month": month.span(now), "last_month": month.before(now),
    }  # fmt: skip
