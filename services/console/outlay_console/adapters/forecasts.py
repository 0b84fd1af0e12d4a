"""Forecasts for pages: one that takes longer than a page waits appears at the next request."""

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import TypeVar
from zoneinfo import ZoneInfo

from outlay_console.adapters.readers import Readers
from outlay_console.domain.view import View
from outlay_kit.errors import Retryable
from outlay_kit.telemetry import get_logger
from outlay_kit.time_ranges import floor_to, period_of
from outlay_reports.adapters.cost_reader import CostReader
from outlay_reports.adapters.forecast_cache import Ahead, ForecastCache, PastPeriod, budget_history
from outlay_reports.budgets import BudgetPlan, BudgetStatus
from outlay_reports.cost_query import CostQuery
from outlay_reports.forecast.trajectory import Trajectory
from outlay_reports.periods import Unit
from outlay_schemas.currency import NoRateError

log = get_logger(__name__)
T = TypeVar("T")
_MOST = 500
"""Forecasts that are kept; the one that was not asked for longest is dropped."""
_SOON = 5.0
"""Seconds in which a page is made, at most, after it went on without a forecast."""
Key = tuple[object, ...]


class Forecasts:
    """Forecasts for pages. What could not be tested on the past is not shown."""

    def __init__(self, readers: Readers, patience: float = 0.3) -> None:
        """`patience`: seconds that a page waits for a forecast."""
        self._readers, self._patience = readers, patience
        self._engine = ForecastCache()
        self._made: OrderedDict[Key, object] = OrderedDict()
        self._running: dict[Key, asyncio.Task[None]] = {}
        self._missed: dict[Key, float] = {}
        """When a page last went on without a forecast, by tenant and zone; by the loop's clock."""

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

    async def ahead(self, tenant: str, view: View, now: datetime, *, unit: Unit, count: int) -> Ahead | None:
        """Return the next `count` pieces of everything, from the one of `now` on; None as above."""
        zone, currency, amount = view.zone, view.currency, view.amount
        asked = CostQuery(
            period_of(now, unit, zone), zone, (), {}, (tenant,), amount=amount, currency=currency
        )
        key = (tenant, zone.key, currency, floor_to(now, "minute"), unit, count, amount)
        return await self._soon(
            key, lambda costs: self._engine.ahead(costs, asked, now, unit=unit, count=count)
        )

    def waiting(self, tenant: str, zone: ZoneInfo) -> bool:
        """Tell whether a page lacks a forecast that it shows when it is asked for again."""
        missed = self._missed.get((tenant, zone.key))
        return missed is not None and asyncio.get_running_loop().time() < missed + _SOON

    async def _soon(self, key: Key, make: Callable[[CostReader], T]) -> T | None:
        """Return what was or is made in time; what takes longer goes on, and the next page has it."""
        if key not in self._made:
            if key not in self._running:
                self._running[key] = asyncio.create_task(self._make(key, make))
            await asyncio.wait({self._running[key]}, timeout=self._patience)
            if key not in self._made:
                self._missed[key[:2]] = asyncio.get_running_loop().time()
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
