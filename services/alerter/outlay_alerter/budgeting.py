"""Reads from the rollups what budgets ask for, and lets the domain decide."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from outlay_alerter.adapters.sums import Sums
from outlay_alerter.domain import budgets, forecasts
from outlay_alerter.domain.budgets import BURN_PART, Spent
from outlay_alerter.domain.forecasts import Forecast
from outlay_alerter.domain.states import Finding
from outlay_alerter.domain.status import Status, status
from outlay_alerter.domain.watches import Budget, matches
from outlay_kit.clock import Clock
from outlay_kit.spans import Span, floor_to, grain_length

_FORECAST_SECONDS = 60.0
"""A forecast is made anew after so long: it is dear, and moves slowly."""
_MINUTE = timedelta(minutes=1)


class Budgets:
    """Findings and standing of budgets."""

    def __init__(self, sums: Sums, clock: Clock) -> None:
        self._sums, self._clock = sums, clock
        self._read: dict[tuple[object, ...], list[tuple[dict[str, str], int]]] = {}
        """What was read in this evaluation, by tenant, span and dimensions."""
        self._series: dict[tuple[object, ...], list[tuple[int, dict[str, str], int]]] = {}
        self._history: dict[tuple[str, str, datetime], tuple[float, list[int]]] = {}

    def begin(self) -> None:
        """Forget what was read: what comes is another evaluation. In one, budgets share what they ask for."""
        self._read.clear()
        self._series.clear()

    def find(self, budget: Budget, times: Sequence[datetime]) -> tuple[list[tuple[Finding, Span]], Status]:
        """Evaluate the periods that hold `times` and the one of now; return what was found, and how it stands.

        Raises Retryable.
        """
        now = self._clock.now()
        current = budgets.span_of(budget, now)
        found: list[tuple[Finding, Span]] = []
        spans = {budgets.span_of(budget, at) for at in times} if budget.rolling is None else {current}
        for span in spans - {current}:
            spent = Spent(self._total(budget, span), self._before(budget, span))
            found += [(finding, span) for finding in budgets.findings(budget, span, spent)]
        spent = self._spent(budget, current, now)
        end = min(floor_to(now, "minute") + _MINUTE, current.end)
        burns = {budgets.burn_level(burn): _last(end, burn.length) for burn in budget.burns}
        found += [
            (finding, burns.get(finding.key.level, current))
            for finding in budgets.findings(budget, current, spent)
        ]
        return found, status(budget, current, spent, now)

    def standing(self, budget: Budget) -> Status:
        """Return how a budget stands now. Raises Retryable."""
        self.begin()
        now = self._clock.now()
        current = budgets.span_of(budget, now)
        return status(budget, current, self._spent(budget, current, now), now)

    def _spent(self, budget: Budget, span: Span, now: datetime) -> Spent:
        total, before = self._total(budget, span), self._before(budget, span)
        end = min(floor_to(now, "minute") + _MINUTE, span.end)
        burns = tuple(
            (
                self._total(budget, _last(end, burn.length)),
                self._total(budget, _last(end, burn.length / BURN_PART)),
            )
            for burn in budget.burns
        )
        forecast = None
        if budget.rolling is None:
            forecast = self._forecast(budget, span, total, budgets.amount_of(budget, span, before), now)
        return Spent(total, before, burns, forecast)

    def _forecast(
        self, budget: Budget, span: Span, total: int, amount: int, now: datetime
    ) -> Forecast | None:
        grain = forecasts.grain_for(span)
        key, at = (budget.tenant, budget.id, span.start), self._clock.monotonic()
        made, history = self._history.get(key, (at - 2 * _FORECAST_SECONDS, []))
        if at - made >= _FORECAST_SECONDS:
            history = self._windows(budget, now)
            self._history = {k: v for k, v in self._history.items() if k[:2] != key[:2]} | {
                key: (at, history)
            }
        return forecasts.forecast(span, total, amount, history=history, now=now, grain=grain)

    def _windows(self, budget: Budget, now: datetime) -> list[int]:
        """Return what the windows before the one that holds `now` cost, from the first that cost anything."""
        grain = forecasts.grain_for(budgets.span_of(budget, now))
        last = floor_to(now, grain) - grain_length(grain)
        count = forecasts.HISTORY[grain]
        line = [0] * count
        names = sorted(budget.scope)
        key = (budget.tenant, grain, last, *names)
        if key not in self._series:
            self._series[key] = self._sums.series(budget.tenant, grain, last, count, names)
        for place, cell, cost in self._series[key]:
            if matches(budget.scope, cell):
                line[place] += cost
        first = next((n for n, cost in enumerate(line) if cost), count)
        return line[first:]

    def _before(self, budget: Budget, span: Span) -> int:
        return self._total(budget, budgets.span_before(budget, span)) if budget.rollover else 0

    def _total(self, budget: Budget, span: Span) -> int:
        key = (budget.tenant, span, *sorted(budget.scope))
        if key not in self._read:
            self._read[key] = self._sums.cells(budget.tenant, span, sorted(budget.scope))
        cells = self._read[key]
        return sum(cost for cell, cost in cells if matches(budget.scope, cell))


def _last(end: datetime, length: timedelta) -> Span:
    """Return the last `length` up to `end`, in whole minutes, one at least."""
    minutes = max(1, round(length / _MINUTE))
    return Span(end - _MINUTE * minutes, end)
