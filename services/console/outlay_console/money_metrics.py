"""Spend, budgets and forecasts of one tenant as Prometheus gauges: the figures of the overview and the budgets page.

Each scrape computes every value from the rollups, so a restart changes nothing. All are gauges: a correction or a new
day lowers them, and `rate()` of a counter would read that as a reset and invent spend.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Gauge, generate_latest
from starlette.responses import Response

from outlay_console.pages.budgets import BudgetState, states
from outlay_console.pages.overview import landed, spans
from outlay_console.pages.request import PageRequest
from outlay_kit.time_ranges import TimeRange, floor_to
from outlay_reports.range_sums import Selection
from outlay_schemas.dimensions import name_of

TEAMS = 20
"""Teams with a series of their own, by the month's cost; `(other)` is the rest."""
_BURN = timedelta(minutes=15)
_PERIOD = ("tenant", "period")
_BUDGET = ("tenant", "budget")
SERIES: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "outlay_spend_usd": ("Cost so far, by period: today or month", _PERIOD),
    "outlay_charged_usd": ("Charged amount so far: the cost with the catalog's markups", _PERIOD),
    "outlay_events": ("Events so far", _PERIOD),
    "outlay_unpriced_events": ("Events without a price: their cost is missing", _PERIOD),
    "outlay_estimated_events": ("Events with a guessed price", _PERIOD),
    "outlay_estimated_usd": ("Cost of events with a guessed price, part of the spend", _PERIOD),
    "outlay_team_spend_usd": ("Cost of the month by team: the 20 largest, and (other)", ("tenant", "team")),
    "outlay_burn_rate_usd_per_hour": ("Current rate of spend, from the last 15 whole minutes", ("tenant",)),
    "outlay_forecast_usd": ("Forecast for the month: expected, low and high (80%)", ("tenant", "bound")),
    "outlay_budget_amount_usd": ("Amount of the budget's current period", _BUDGET),
    "outlay_budget_spent_usd": ("Spend of the budget's current period", _BUDGET),
    "outlay_budget_remaining_usd": ("Amount left; below 0 if the budget is overspent", _BUDGET),
    "outlay_budget_used_ratio": ("Share of the amount that is spent: 1 is all of it", _BUDGET),
    "outlay_budget_forecast_usd": ("Forecast spend at the end of the period", _BUDGET),
    "outlay_data_updated_timestamp_seconds": ("When the tenant's totals last changed", ("tenant",)),
}
_TOTALS = {
    "outlay_spend_usd": "cost",
    "outlay_charged_usd": "charged",
    "outlay_events": "events",
    "outlay_unpriced_events": "unpriced",
    "outlay_estimated_events": "estimated",
    "outlay_estimated_usd": "guessed",
}
"""Series to the field of a total that it shows."""


class _Gauges:
    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._known: dict[str, Gauge] = {}

    def set(self, name: str, value: object, *labels: str) -> None:
        if name not in self._known:
            self._known[name] = Gauge(name, *SERIES[name], registry=self.registry)
        self._known[name].labels(*labels).set(float(str(value)))


async def money_metrics(request: PageRequest) -> Response:
    """Return the series in Prometheus' text format. Raises Retryable."""
    ranges = spans(request.view, request.now)
    minute = floor_to(request.now, "minute")
    wanted = {"today": ranges["today"], "month": ranges["month"], "burn": TimeRange(minute - _BURN, minute)}
    totals = await request.rollups.totals({name: Selection(part) for name, part in wanted.items()})
    by_team = replace(request.view, by="team", then=())
    teams = (await request.rollups.breakdown(by_team, (ranges["month"], ranges["last_month"]), limit=TEAMS))[
        ""
    ]
    month = await request.deps.forecasts.month(request.tenant, request.view, request.now)
    tenant, gauges = request.tenant, _Gauges()
    for period in ("today", "month"):
        for name, measure in _TOTALS.items():
            gauges.set(name, getattr(totals[period], measure), tenant, period)
    named = [row for row in teams.rows if row.now]
    for row in named:
        gauges.set("outlay_team_spend_usd", row.now, tenant, name_of(row.value))
    if rest := teams.spent.cost - sum(row.now for row in named):
        gauges.set("outlay_team_spend_usd", rest, tenant, "(other)")
    gauges.set("outlay_burn_rate_usd_per_hour", totals["burn"].cost * (timedelta(hours=1) // _BURN), tenant)
    if end := landed(month, totals["month"], request.now):
        for bound in ("expected", "low", "high"):
            gauges.set("outlay_forecast_usd", getattr(end, bound), tenant, bound)
    for state in await states(request):
        _set_budget(gauges, state)
    if written := (await request.rollups.fresh()).written:
        gauges.set("outlay_data_updated_timestamp_seconds", written.timestamp(), tenant)
    return Response(generate_latest(gauges.registry), media_type=CONTENT_TYPE_LATEST)


def _set_budget(gauges: _Gauges, state: BudgetState) -> None:
    status = state.status
    for name, value in {
        "outlay_budget_amount_usd": status.amount,
        "outlay_budget_spent_usd": status.spent,
        "outlay_budget_remaining_usd": status.remaining,
        "outlay_budget_used_ratio": float(state.used),
        "outlay_budget_forecast_usd": status.forecast,
    }.items():
        if value is not None:
            gauges.set(name, value, status.tenant, status.budget)
