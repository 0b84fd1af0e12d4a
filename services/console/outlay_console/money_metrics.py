"""Spend, budgets and forecasts of one tenant as Prometheus gauges: the figures of the overview and the budgets page.

Each scrape computes every value from the rollups, so a restart changes nothing. All are gauges: a correction or a new
day lowers them, and `rate()` of a counter would read that as a reset and invent spend.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.metrics_core import GaugeMetricFamily
from prometheus_client.registry import Collector
from starlette.responses import Response

from outlay_console.adapters.rollup_reader import CostTotal
from outlay_console.pages.budgets import BudgetState, states
from outlay_console.pages.overview import MonthEnd, landed, spans
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


class _Gauges(Collector):
    def __init__(self) -> None:
        self._families = {
            name: GaugeMetricFamily(name, text, labels=by) for name, (text, by) in SERIES.items()
        }

    def set(self, name: str, value: object, *labels: str) -> None:
        self._families[name].add_metric(labels, float(str(value)))

    def collect(self) -> list[GaugeMetricFamily]:
        return [family for family in self._families.values() if family.samples]


async def money_metrics(request: PageRequest) -> Response:
    """Return the series in Prometheus' text format. Raises Retryable."""
    ranges = spans(request.view, request.now)
    minute = floor_to(request.now, "minute")
    wanted = {"today": ranges["today"], "month": ranges["month"], "burn": TimeRange(minute - _BURN, minute)}
    totals = await request.rollups.totals({name: Selection(part) for name, part in wanted.items()})
    teams = (await request.rollups.breakdown(replace(request.view, by="team"), ranges["month"], limit=TEAMS))[
        "team"
    ]
    month = await request.forecasts.month(request.tenant, request.view.zone, request.now)
    gauges = _Gauges()
    for period in ("today", "month"):
        _set_totals(gauges, totals[period], request.tenant, period)
    named = [row for row in teams.rows if row.now]
    for row in named:
        gauges.set("outlay_team_spend_usd", row.now, request.tenant, name_of(row.value))
    if rest := teams.spent.cost - sum(row.now for row in named):
        gauges.set("outlay_team_spend_usd", rest, request.tenant, "(other)")
    gauges.set(
        "outlay_burn_rate_usd_per_hour", totals["burn"].cost * (timedelta(hours=1) // _BURN), request.tenant
    )
    _set_forecast(gauges, landed(month, totals["month"], request.now), request.tenant)
    for state in await states(request):
        _set_budget(gauges, state)
    if written := (await request.rollups.fresh()).written:
        gauges.set("outlay_data_updated_timestamp_seconds", written.timestamp(), request.tenant)
    registry = CollectorRegistry()
    registry.register(gauges)
    return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)


def _set_totals(gauges: _Gauges, total: CostTotal, tenant: str, period: str) -> None:
    gauges.set("outlay_spend_usd", total.cost, tenant, period)
    gauges.set("outlay_charged_usd", total.charged, tenant, period)
    gauges.set("outlay_events", total.events, tenant, period)
    gauges.set("outlay_unpriced_events", total.unpriced, tenant, period)
    gauges.set("outlay_estimated_events", total.estimated, tenant, period)
    gauges.set("outlay_estimated_usd", total.guessed, tenant, period)


def _set_forecast(gauges: _Gauges, end: MonthEnd | None, tenant: str) -> None:
    if end is not None:
        for bound, value in (("expected", end.expected), ("low", end.low), ("high", end.high)):
            gauges.set("outlay_forecast_usd", value, tenant, bound)


def _set_budget(gauges: _Gauges, state: BudgetState) -> None:
    status = state.status
    labels = status.tenant, status.budget
    gauges.set("outlay_budget_amount_usd", status.amount, *labels)
    gauges.set("outlay_budget_spent_usd", status.spent, *labels)
    gauges.set("outlay_budget_remaining_usd", status.remaining, *labels)
    gauges.set("outlay_budget_used_ratio", float(state.used), *labels)
    if status.forecast is not None:
        gauges.set("outlay_budget_forecast_usd", status.forecast, *labels)
