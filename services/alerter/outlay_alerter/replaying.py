"""Reads the past from the rollups (of tags: from the ledger) and asks when a rule would have fired on it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from outlay_alerter.adapters.measures import Measures
from outlay_alerter.adapters.sums import Sums
from outlay_alerter.domain import budgets, episodes, forecasts, metrics, replays, unusual
from outlay_alerter.domain.replays import Fired, Spending
from outlay_alerter.domain.watches import (
    Anomaly,
    Budget,
    NewSpender,
    Silence,
    SpendSpike,
    Threshold,
    Watch,
    matches,
)
from outlay_kit.spans import Span, floor_to, grain_length
from outlay_schemas.events import Grain

MOST_SCOPES = 100
"""Scopes of one rule that are tried, those that cost most."""
Costs = dict[tuple[str, ...], dict[datetime, int]]


@dataclass(frozen=True, slots=True)
class Replayed:
    """What a rule would have told, and of how many scopes."""

    fired: list[Fired]
    scopes: int
    tried: int
    daily: list[tuple[datetime, int]]
    """What its whole scope cost each day, in pico-USD."""


class Replayer:
    """Tries rules on a tenant's past. Every method raises Retryable where ClickHouse is away."""

    def __init__(self, sums: Sums, measures: Measures) -> None:
        self._sums, self._measures = sums, measures

    def replay(self, rule: Watch, span: Span) -> Replayed:
        """Return what a rule would have told in a span of whole minutes."""
        daily = _whole(self._costs(rule, "day", span.start, span.end, ()))
        if isinstance(rule, Budget):
            found = replays.budget(rule, self._spending(rule, span), span)
            return Replayed(found, 1, 1, daily)
        if isinstance(rule, Threshold):
            return self._threshold(rule, span, daily)
        if isinstance(rule, Silence):
            return self._silences(rule, span, daily)
        if not isinstance(rule, SpendSpike | Anomaly | NewSpender):
            return Replayed([], 0, 0, daily)
        grain, back = _history(rule)
        begin = floor_to(span.start, grain) - grain_length(grain) * back
        costs = self._costs(rule, grain, begin, span.end, rule.by)
        chosen = unusual.largest(costs, MOST_SCOPES)
        if isinstance(rule, SpendSpike):
            found = self._spikes(rule, {values: costs[values] for values in chosen}, begin, span)
        else:
            found = [fired for values in chosen for fired in _one(rule, values, costs[values], span)]
        return Replayed(replays.in_time(found, span), len(costs), len(chosen), daily)

    def _spikes(self, rule: SpendSpike, costs: Costs, begin: datetime, span: Span) -> list[Fired]:
        length = grain_length(rule.grain)
        newest = floor_to(span.end - timedelta(microseconds=1), rule.grain)
        count = int((newest - begin) / length) + 1
        alive = sorted(
            {place for place, _, _ in self._sums.series(rule.tenant, rule.grain, newest, count, ())}
        )
        return [
            fired
            for values, spent in costs.items()
            for line in ([spent.get(begin + length * n, 0) for n in range(count)],)
            for fired in replays.spike(rule, rule.scope_of(values), line, alive, span)
        ]

    def _threshold(self, rule: Threshold, span: Span, daily: list[tuple[datetime, int]]) -> Replayed:
        length = grain_length(rule.grain)
        newest = floor_to(span.end, rule.grain) - length
        rows = self._measures.windows(
            rule.tenant, rule.grain, newest, max(1, span.length // length),
            by=rule.by, scope=rule.scope, meters=metrics.meters_of(rule),
        )  # fmt: skip
        dearest = sorted(rows, key=lambda values: (-sum(m.cost for m in rows[values]), values))[:MOST_SCOPES]
        found = [
            fired
            for values in dearest
            for fired in replays.threshold_of(rule, rule.scope_of(values), rows[values], newest)
        ]
        return Replayed(replays.in_time(found, span), len(rows), len(dearest), daily)

    def _silences(self, rule: Silence, span: Span, daily: list[tuple[datetime, int]]) -> Replayed:
        rows = self._measures.minutes(rule.tenant, span, by=rule.by, scope=rule.scope, most=MOST_SCOPES)
        found = [
            fired
            for values, minutes in rows.items()
            for fired in replays.silences(rule, rule.scope_of(values), minutes, span)
        ]
        return Replayed(replays.in_time(found, span), len(rows), len(rows), daily)

    def _spending(self, rule: Budget, span: Span) -> Spending:
        """Return minutes of the span, and hours of what came before it as far as the budget asks."""
        first = budgets.span_of(rule, span.start)
        begin = budgets.span_before(rule, first).start if rule.rollover else first.start
        if rule.forecasts:
            grain = forecasts.grain_for(first)
            begin = min(begin, span.start - grain_length(grain) * forecasts.HISTORY[grain])
        cut = floor_to(span.start, "hour")
        hours = self._costs(rule, "hour", floor_to(begin, "hour"), cut, ())
        minutes = self._costs(rule, "minute", cut, span.end, ())
        return Spending.of({**hours.get((), {}), **minutes.get((), {})})

    def _costs(self, rule: Watch, grain: Grain, begin: datetime, end: datetime, by: Sequence[str]) -> Costs:
        length = grain_length(grain)
        newest = floor_to(end - timedelta(microseconds=1), grain)
        count = int((newest - begin) / length) + 1
        names, first = sorted({*rule.scope, *by}), newest - length * (count - 1)
        found: Costs = {}
        for place, cell, cost in (
            self._sums.series(rule.tenant, grain, newest, count, names) if count > 0 else ()
        ):
            if matches(rule.scope, cell):
                line = found.setdefault(tuple(cell[name] for name in by), {})
                at = first + length * place
                line[at] = line.get(at, 0) + cost
        return found


def _history(rule: SpendSpike | Anomaly | NewSpender) -> tuple[Grain, int]:
    if isinstance(rule, NewSpender):
        return "day", rule.days + 1
    reach = episodes.reach(rule.grain) if isinstance(rule, SpendSpike) else unusual.HISTORY[rule.grain]
    return rule.grain, reach


def _one(
    rule: Anomaly | NewSpender,
    values: tuple[str, ...],
    costs: Mapping[datetime, int],
    span: Span,
) -> list[Fired]:
    scope = rule.scope_of(values)
    if isinstance(rule, NewSpender):
        return replays.newcomers(rule, scope, costs, span)
    return replays.anomaly(rule, scope, costs, span)


def _whole(costs: Costs) -> list[tuple[datetime, int]]:
    return sorted(costs.get((), {}).items())
