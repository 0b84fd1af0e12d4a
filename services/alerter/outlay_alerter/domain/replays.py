"""When a rule would have fired on what was: the state machine, fed with the windows of the past one after another."""

from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import accumulate, pairwise

from outlay_alerter.domain import budgets, comings, episodes, forecasts, metrics, spikes, unusual
from outlay_alerter.domain.budgets import BURN_PART, Spent
from outlay_alerter.domain.metrics import Measure
from outlay_alerter.domain.states import Again, Finding, Key, Known, Open, Scope, open_of, transitions
from outlay_alerter.domain.watches import Anomaly, Budget, NewSpender, Silence, SpendSpike, Threshold
from outlay_kit.spans import Span, floor_to, grain_length

STEP = timedelta(minutes=15)
"""How often a budget is looked at."""


@dataclass(frozen=True, slots=True)
class Fired:
    """An alert that would have been. Figures are in 1e-12 of `unit`, as when it fired."""

    rule: str
    scope: Scope
    level: str
    at: datetime
    until: datetime | None
    """When it would have been over; None: not in the time that was looked at."""
    title: str
    actual: int
    expected: int | None
    unit: str
    saved: int | None = None
    """Pico-USD beyond what was expected, or allowed, from then until it was over. None: it is not about money."""


class Recorder:
    """Remembers what fires, and when it is over."""

    def __init__(self, *, cumulative: bool = False) -> None:
        """`cumulative`: figures are sums that grow, as of budgets; else each is of a window by itself."""
        self.fired: list[Fired] = []
        self._cumulative = cumulative
        self._known: dict[str, Known] = {}
        self._open: dict[str, int] = {}
        self._calm: dict[str, datetime] = {}

    def opened(self, rule: str) -> Open:
        """Return what fires now."""
        return open_of(rule, self._known)

    def turn(self, now: datetime, findings: Sequence[Finding]) -> None:
        """Take what holds at a moment."""
        for finding in findings:
            self._count(finding)
        for step in transitions(findings, self._known, Again(now, calm=self._calm)):
            key, finding = step.finding.key, step.finding
            self._known[step.id] = Known(step.id, key.rule, step.state, step.seq, key.window, now)
            if step.state == "firing":
                self._open[step.id] = len(self.fired)
                self.fired.append(
                    Fired(
                        key.rule, key.scope, key.level, now, None, finding.title, finding.actual,
                        finding.expected, finding.unit, 0 if finding.money and finding.expected is not None else None,
                    )
                )  # fmt: skip
            elif step.state == "resolved" and (place := self._open.pop(step.id, None)) is not None:
                self.fired[place] = replace(self.fired[place], until=now)

    def _count(self, finding: Finding) -> None:
        place = self._open.get(finding.key.id())
        if place is None or not finding.breached or self.fired[place].saved is None:
            return
        one = self.fired[place]
        beyond = finding.actual - (one.actual if self._cumulative else finding.expected or 0)
        saved = beyond if self._cumulative else (one.saved or 0) + max(0, beyond)
        self.fired[place] = replace(one, saved=max(0, saved))


@dataclass(frozen=True)
class Spending:
    """What a scope cost, window after window: `starts` grow, and `sums[n]` is the cost of the first n."""

    starts: Sequence[datetime]
    sums: Sequence[int]

    @classmethod
    def of(cls, windows: Mapping[datetime, int]) -> "Spending":
        """Return it for costs by the start of their window, in pico-USD."""
        starts = sorted(windows)
        return cls(starts, [0, *accumulate(windows[at] for at in starts)])

    def between(self, begin: datetime, end: datetime) -> int:
        """Return the cost of the windows that begin in between."""
        return self.sums[bisect_left(self.starts, end)] - self.sums[bisect_left(self.starts, begin)]


def budget(rule: Budget, spending: Spending, span: Span) -> list[Fired]:
    """Return what a budget would have told in `span`, looked at every quarter of an hour."""
    recorder, now = Recorder(cumulative=True), span.start
    while now < span.end:
        now += STEP
        period = budgets.span_of(rule, now - timedelta(microseconds=1))
        recorder.turn(now, budgets.findings(rule, period, _spent(rule, spending, period, now)))
    return recorder.fired


def _spent(rule: Budget, spending: Spending, period: Span, now: datetime) -> Spent:
    total = spending.between(period.start, now)
    before = 0
    if rule.rollover:
        earlier = budgets.span_before(rule, period)
        before = spending.between(earlier.start, earlier.end)
    burns = tuple(
        (spending.between(now - b.length, now), spending.between(now - b.length / BURN_PART, now))
        for b in rule.burns
    )
    forecast = None
    if rule.forecasts and rule.rolling is None:
        grain = forecasts.grain_for(period)
        length, newest = grain_length(grain), floor_to(now, grain)
        begins = [newest - length * n for n in range(forecasts.HISTORY[grain], 0, -1)]
        history = [spending.between(at, at + length) for at in begins]
        first = next((n for n, cost in enumerate(history) if cost), len(history))
        amount = budgets.amount_of(rule, period, before)
        forecast = forecasts.forecast(period, total, amount, history=history[first:], now=now, grain=grain)
    return Spent(total, before, burns, forecast)


def threshold_of(rule: Threshold, scope: Scope, line: Sequence[Measure], newest: datetime) -> list[Fired]:
    """Return what a threshold would have told of a scope whose series ends with the window at `newest`."""
    recorder, length = Recorder(), grain_length(rule.grain)
    for n in range(len(line)):
        at = newest - length * (len(line) - 1 - n)
        opened = recorder.opened(rule.id)
        since = {
            level: begun
            for level in ("above", "below")
            if (begun := opened.since(rule.tenant, rule.id, scope, level))
        }
        found = metrics.findings(
            rule, scope, line[n : n + 1], newest=at, final_before=at + length, open_since=since
        )  # fmt: skip
        recorder.turn(at + length, found)
    return recorder.fired


def spike(
    rule: SpendSpike, scope: Scope, line: Sequence[int], alive: Sequence[int], span: Span
) -> list[Fired]:
    """Return what a spike rule would have told of a scope in `span`, with whose last window `line` ends.

    `alive`: the places of `line` at which the tenant had anything, in order: what it had while a scope had nothing
    is history of the scope too.
    """
    recorder, length, begun = Recorder(), grain_length(rule.grain), None
    newest = floor_to(span.end - timedelta(microseconds=1), rule.grain)
    reach = episodes.reach(rule.grain)
    for n, actual in enumerate(line):
        at = newest - length * (len(line) - 1 - n)
        if at < span.start or (begun is None and actual < rule.min_cost):
            continue
        place = bisect_left(alive, n + 1 - reach)
        first = alive[place] if place < len(alive) else n
        verdict = spikes.verdict_of(rule, line[first:n], actual)
        if verdict.outcome == "spike":
            begun = begun or at
        if begun is not None:
            key = Key(rule.tenant, rule.id, scope, begun, episodes.LEVEL)
            recorder.turn(at + length, [spikes.finding(rule, key, verdict, actual)])
            begun = begun if verdict.outcome == "spike" or rule.calm else None
    return recorder.fired


def anomaly(rule: Anomaly, scope: Scope, costs: Mapping[datetime, int], span: Span) -> list[Fired]:
    """Return what an anomaly rule would have told of a scope in `span`, taught by what was before."""
    recorder, length = Recorder(), grain_length(rule.grain)
    watched = unusual.watch(rule, scope, min(costs), None)
    while watched.next < span.end:
        at = watched.next
        recorder.turn(at + length, unusual.feed(rule, watched, costs, at + length, span.start))
    return recorder.fired


def newcomers(rule: NewSpender, scope: Scope, days: Mapping[datetime, int], span: Span) -> list[Fired]:
    """Return when a scope would have been told as new, given what each of its days cost."""
    recorder, spent = Recorder(), sorted(at for at, cost in days.items() if cost > 0)
    for n, first in enumerate(spent):
        fresh = n == 0 or first - spent[n - 1] > timedelta(days=rule.days)
        if fresh and span.start <= first < span.end:
            finding = comings.newcomer(rule, scope, first=first, cost=days[first], now=first)
            recorder.turn(first + timedelta(days=1), [finding] if finding else [])
    return recorder.fired


def silences(rule: Silence, scope: Scope, minutes: Sequence[datetime], span: Span) -> list[Fired]:
    """Return when a scope would have been told as silent, given the minutes in which it sent something."""
    recorder = Recorder()
    for last, back in pairwise([*minutes, span.end]):
        if back - last >= rule.length:
            loud = comings.silence(rule, scope, last=last, now=last + rule.length, open_since={})
            recorder.turn(last + rule.length, [loud] if loud else [])
            if back < span.end:
                quiet = comings.silence(rule, scope, last=back, now=back, open_since={"silent": last})
                recorder.turn(back, [quiet] if quiet else [])
    return [fired for fired in recorder.fired if fired.at in span]


def in_time(found: Iterable[Fired], span: Span) -> list[Fired]:
    """Return what fired in `span`, the first first."""
    return sorted((one for one in found if one.at in span or one.at == span.end), key=lambda one: one.at)
