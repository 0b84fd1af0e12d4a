"""Forecasts for pages: one that takes longer than a page waits appears at the next request."""

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TypeVar
from zoneinfo import ZoneInfo

from outlay_console.adapters.readers import Readers
from outlay_console.domain.view import Bucket, View
from outlay_kit.errors import Retryable
from outlay_kit.telemetry import get_logger
from outlay_kit.time_ranges import floor_to, period_of
from outlay_reports.adapters.cost_reader import CostReader
from outlay_reports.adapters.forecast_cache import ForecastCache, PastPeriod, budget_history
from outlay_reports.budgets import BudgetPlan, BudgetStatus
from outlay_reports.cost_query import CostQuery
from outlay_reports.forecast import Bands, bands, forecast
from outlay_reports.forecast.history import rate_ahead, read_history
from outlay_reports.forecast.trajectory import SEASONS, Trajectory
from outlay_schemas.currency import USD, NoRateError

log = get_logger(__name__)
T = TypeVar("T")
_MOST = 500
"""Forecasts that are kept; the one that was not asked for longest is dropped."""
Key = tuple[object, ...]


@dataclass(frozen=True)
class BucketForecast:
    """What the next buckets are expected to cost: the first is the one that has begun."""

    starts: Sequence[datetime]
    bands: Bands
    """Of one series."""


class Forecasts:
    """Forecasts for pages. What could not be tested on the past is not shown."""

    def __init__(self, readers: Readers, patience: float = 0.3) -> None:
        """`patience`: seconds that a page waits for a forecast."""
        self._readers, self._patience = readers, patience
        self._engine = ForecastCache()
        self._made: OrderedDict[Key, object] = OrderedDict()
        self._running: dict[Key, asyncio.Task[None]] = {}

    async def states(self, plans: Sequence[BudgetPlan], now: datetime) -> list[BudgetStatus]:
        """Return how budgets of a tenant stand now, in their order. Raises Retryable."""
        if not plans:
            return []
        return await self._readers.call(
            lambda clickhouse: self._engine.states(CostReader(clickhouse), plans, now)
        )

    async def history(self, plan: BudgetPlan, now: datetime) -> list[PastPeriod]:
        """Return the last periods of a budget that are over, the newest first. Raises Retryable."""
        return await self._readers.call(lambda clickhouse: budget_history(CostReader(clickhouse), plan, now))

    async def month(
        self, tenant: str, view: View, now: datetime, teams: tuple[str, ...] = ()
    ) -> Trajectory | None:
        """Return the course of the month in a view's zone and currency, of some teams if any are given; None: it is
        not there yet."""
        zone, currency = view.zone, view.currency
        where = {"team": teams} if teams else {}
        month = CostQuery(period_of(now, "month", zone), zone, (), where, (tenant,), currency=currency)
        key = (tenant, zone.key, currency, floor_to(now, "minute"), *teams)
        return await self._soon(key, lambda costs: self._engine.trajectories(costs, [month], now)[0])

    async def ahead(
        self, tenant: str, view: View, now: datetime, *, bucket: Bucket, steps: int
    ) -> BucketForecast | None:
        """Return the next `steps` buckets of everything, from the one of `now` on; None as above."""
        if bucket not in ("hour", "day"):
            return None
        zone, currency = view.zone, view.currency
        asked = CostQuery(
            period_of(now, bucket, zone),
            zone,
            (),
            {},
            (tenant,),
            bucket,
            amount=view.amount,
            currency=currency,
        )
        key = (tenant, zone.key, currency, floor_to(now, "minute"), bucket, steps, view.amount)
        return await self._soon(key, lambda costs: _ahead(costs, asked, now, steps))

    def waiting(self, tenant: str, zone: ZoneInfo) -> bool:
        """Tell whether a forecast is being made: a page shows it when it is asked for again."""
        return any(key[:2] == (tenant, zone.key) for key in self._running)

    async def _soon(self, key: Key, make: Callable[[CostReader], T]) -> T | None:
        """Return what was or is made in time; what takes longer goes on, and the next page has it."""
        if key not in self._made:
            if key not in self._running:
                self._running[key] = asyncio.create_task(self._make(key, make))
            await asyncio.wait({self._running[key]}, timeout=self._patience)
        return self._made.get(key)  # type: ignore[return-value]  # (a key is of one kind of forecast)

    async def _make(self, key: Key, make: Callable[[CostReader], object]) -> None:
        try:
            self._made[key] = await self._readers.call(lambda clickhouse: make(CostReader(clickhouse)))
            while len(self._made) > _MOST:
                self._made.popitem(last=False)
        except (Retryable, NoRateError) as error:
            log.warning("no forecast now", error=str(error))
        finally:
            del self._running[key]


def _ahead(costs: CostReader, asked: CostQuery, now: datetime, steps: int) -> BucketForecast | None:
    known = read_history(costs, replace(asked, currency=USD), now)
    if not known.keys:
        return None
    found = forecast(known.values, SEASONS[asked.unit or "day"], steps)
    if not found.tested:
        return None
    starts = [asked.span.start]
    while len(starts) < steps:
        starts.append(period_of(starts[-1], asked.unit or "day", asked.zone).end)
    return BucketForecast(starts, bands(found, known.values).times(rate_ahead(asked.currency, now)))
