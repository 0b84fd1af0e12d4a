"""Spending made up minute by minute, and rules that watch it live: the real evaluator on rollups in memory."""

from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import cast

from outlay_alerter.adapters.rollup_reader import RollupReader
from outlay_alerter.backtest.runner import Backtest, Fired, Recorder
from outlay_alerter.budget_reader import BudgetReader
from outlay_alerter.evaluator import TenantEvaluator
from outlay_alerter.rules.base import Measure, Total, Values
from outlay_alerter.rules.watch import Watch
from outlay_alerter.watchlist import Watchlist
from outlay_kit.clock import FakeClock
from outlay_kit.time_ranges import TimeRange, floor_to, grain_length
from outlay_reports.adapters.forecast_cache import ForecastCache
from outlay_schemas.catalog.model import Catalog
from outlay_schemas.events import Grain

DOLLAR = 10**12


Costs = Mapping[datetime, float]
"""USD by minute."""


class RollupsInMemory:
    """The rollups of one tenant: USD by minute, of each scope."""

    costs = None
    """No budget asks for reports."""

    def __init__(self, scopes: Mapping[str, Costs]) -> None:
        self._scopes = {name: sorted(costs) for name, costs in scopes.items()}
        self._costs = {
            name: {at: round(usd * DOLLAR) for at, usd in costs.items()} for name, costs in scopes.items()
        }
        self._minutes = sorted({at for minutes in self._scopes.values() for at in minutes})

    def newest(self, tenant: str, now: datetime) -> datetime | None:
        place = bisect_right(self._minutes, now)
        return self._minutes[place - 1] if place else None

    def first(self, tenant: str, grain: Grain, newest: datetime, count: int) -> int:
        length = grain_length(grain)
        low = newest - (count - 1) * length
        place = bisect_left(self._minutes, low)
        return min(count, (self._minutes[place] - low) // length) if place < len(self._minutes) else count

    def windows(
        self, rule: Watch, starts: Sequence[datetime], grain: Grain, **_: object
    ) -> dict[Values, dict[datetime, Measure]]:
        lines: dict[Values, dict[datetime, Measure]] = {} if rule.by else {(): {}}
        for name, minutes in self._scopes.items():
            low, high = (
                bisect_left(minutes, starts[0]),
                bisect_left(minutes, starts[-1] + grain_length(grain)),
            )
            for at in minutes[low:high]:
                line, window = lines.setdefault((name,) * len(rule.by), {}), floor_to(at, grain)
                before = line.get(window, Measure())
                line[window] = Measure(before.cost + self._costs[name][at], before.events + 1)
        return lines

    def counted_until(self) -> None:
        """Everything that was accepted is counted."""

    def oldest(self, tenant: str, span: TimeRange) -> datetime | None:
        return next((at for at in self._minutes if at in span), None)

    def series(
        self, tenant: str, grain: Grain, starts: Sequence[datetime], *_: object, **__: object
    ) -> dict[datetime, Total]:
        if not starts:
            return {}
        line = self.windows(Watch(id="", name="", tenant=tenant), starts, grain).get((), {})
        return {at: Total(line[at].cost) for at in starts if at in line}


def rule(kind: str, grain: Grain, **terms: object) -> dict[str, object]:
    """Return a rule of the catalog that watches each project."""
    zone = {"timezone": "UTC"} if kind == "anomaly" else {}
    return {"type": kind, "id": "r", "name": "R", "grain": grain, "group_by": ["project"], **zone, **terms}


def try_on_past(wanted: Mapping[str, object], scopes: Mapping[str, Costs], span: TimeRange) -> list[Fired]:
    """Return what `outlay alerts backtest` finds: the real backtest on rollups in memory."""
    (watch,) = Watchlist(_catalog(wanted, span)).watches("acme").values()
    return Backtest(cast(RollupReader, RollupsInMemory(scopes))).run(watch, span).fired


def _catalog(wanted: Mapping[str, object], span: TimeRange) -> Catalog:
    return Catalog.model_validate({"revision": 1, "created_at": span.start, "rules": [wanted]})


def watch_live(
    wanted: Mapping[str, object], scopes: Mapping[str, Costs], span: TimeRange, every: timedelta
) -> list[Fired]:
    """Return the alerts of a rule that is evaluated in `span` at each minute with spending and `every` so long.

    What is spent arrives a minute after its time.
    """
    clock, recorder, watchlist = FakeClock(span.start), Recorder(), Watchlist(_catalog(wanted, span))
    rollups = cast(RollupReader, RollupsInMemory(scopes))
    evaluator = TenantEvaluator(rollups, BudgetReader(rollups, ForecastCache(), clock), clock, 100)
    ticks = {span.start + every * n for n in range(span.length // every + 1)}
    arrivals = {at + timedelta(minutes=1) for costs in scopes.values() for at in costs if at in span}
    for now in sorted(ticks | arrivals):
        clock.advance((now - clock.now()).total_seconds())
        found, _ = evaluator.find(watchlist, "acme", [now], recorder.known)
        recorder.turn(now, found)
    return recorder.fired
