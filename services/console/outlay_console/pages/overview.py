"""The first page: what is being spent, against what was meant, and what changed."""

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta

from outlay_console.adapters.books import CHART_VALUES, Fresh, Total
from outlay_console.domain.view import View
from outlay_console.pages.ask import Ask
from outlay_console.pages.budgets import states
from outlay_console.pages.charts import chart, marked
from outlay_console.site import Context
from outlay_kit.spans import Span, period_of


async def overview(ask: Ask) -> Context:
    """Return figures, chart, budgets, movers and alerts."""
    fresh = await ask.books.fresh()
    view = ask.view if ask.says_range else replace(ask.view, range=usual_range(fresh, ask.now))
    span = view.span(ask.now)
    totals, rows, movers, alerts, budgets = await asyncio.gather(
        ask.books.totals(spans(view, ask.now)),
        ask.books.breakdown(view, span),
        ask.books.movers(span),
        ask.books.alerts(),
        states(ask),
    )
    top = [row.value for row in rows[:CHART_VALUES] if row.now]
    series, landing = await asyncio.gather(
        ask.books.series(view, span, view.bucket(ask.now), top),
        ask.outlook.month(ask.tenant, ask.books, view, ask.now, totals["month"]),
    )
    return {
        "view": view,
        "ingest": ask.ingest_url,
        "fresh": fresh,
        "figures": totals,
        "landing": landing,
        "rows": [row for row in rows if row.now][:8],
        "spent": sum((row.now for row in rows), start=Total().cost),
        "movers": movers,
        "alerts": [alert for alert, state in alerts if state != "resolved"][:5],
        "budgets": budgets[:6],
        "chart": chart(series, view.zone, marked(alerts, span)),
    }


def usual_range(fresh: Fresh, now: datetime) -> str:
    """Return the smallest range that shows everything there is, a day at most."""
    if fresh.oldest and now - fresh.oldest < timedelta(hours=3):
        return "3h"
    return "24h"


def spans(view: View, now: datetime) -> Mapping[str, Span]:
    """Return today and this month so far, and what they compare with: the same part of the ones before."""
    end = now.replace(second=0, microsecond=0) + timedelta(minutes=1)
    day, month = period_of(now, "day", view.zone), period_of(now, "month", view.zone)
    yesterday = period_of(day.start - timedelta(hours=1), "day", view.zone)
    earlier = period_of(month.start - timedelta(hours=1), "month", view.zone)
    return {
        "today": Span(day.start, day.end),
        "yesterday": Span(yesterday.start, min(yesterday.end, yesterday.start + (end - day.start))),
        "month": Span(month.start, month.end),
        "last_month": Span(earlier.start, min(earlier.end, earlier.start + (end - month.start))),
    }
