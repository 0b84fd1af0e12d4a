"""When a rule would have fired: the live evaluators and the live state machine, moment by moment on the past.

A moment is the end of a window. A window that fires live while it still fills counts here when it is over.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from fractions import Fraction
from math import isfinite

import msgspec
from msgspec import structs

from outlay_alerter.adapters.rollup_reader import RollupReader
from outlay_alerter.alerts.states import AlertRecord, Finding, RenotifyPolicy, transitions
from outlay_alerter.backtest.view import BacktestView, Loaded, Spending, dense, step_of
from outlay_alerter.rules.base import Judged, Measure, Needs, Total, largest
from outlay_alerter.rules.registry import KINDS
from outlay_alerter.rules.watch import Budget, Rule, Scope, Watch
from outlay_kit.time_ranges import TimeRange, floor_to, grain_length
from outlay_schemas.events import Grain
from outlay_schemas.money import PICO

MOST_SCOPES = 100
"""Scopes of one rule that are tried on the ledger, those that cost most."""
Row = tuple[datetime, float | None]
"""Start of a window, and its value; None: it is missing."""


class NotPossibleError(ValueError):
    """A rule of this kind cannot be tried on the past, or not on a series."""


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
    unpriced: int = 0
    """Events without a price in `actual`, if that is USD."""


class Recorder:
    """Remembers what fires, and when it is over."""

    def __init__(self) -> None:
        self.fired: list[Fired] = []
        self.known: dict[str, AlertRecord] = {}
        """The alerts that are not over."""
        self._over: dict[str, AlertRecord] = {}
        self._open: dict[str, int] = {}
        self._calm: dict[str, datetime] = {}

    def turn(self, now: datetime, findings: Sequence[Finding]) -> list[Fired]:
        """Take what holds at a moment; return what begins to fire."""
        if not findings:
            return []
        began = len(self.fired)
        for finding in findings:
            self._count(finding)
        known = {i: k for f in findings if (k := self.known.get(i := f.key.id()) or self._over.get(i))}
        for step in transitions(findings, known, RenotifyPolicy(now, calm=self._calm)):
            key, finding = step.finding.key, step.finding
            one = AlertRecord(step.id, key.rule, step.state, step.seq, key.window, now, line=key.line())
            (self.known if one.active else self._over)[step.id] = one
            if step.state == "firing":
                self._open[step.id] = len(self.fired)
                saved = 0 if finding.money and finding.expected is not None else None
                self.fired.append(
                    Fired(
                        key.rule, key.scope, key.level, now, None, finding.title, finding.actual, finding.expected,
                        finding.unit, saved, finding.unpriced,
                    )
                )  # fmt: skip
            elif step.state == "resolved":
                self.known.pop(step.id, None)
                if (place := self._open.pop(step.id, None)) is not None:
                    self.fired[place] = replace(self.fired[place], until=now)
        return self.fired[began:]

    def _count(self, finding: Finding) -> None:
        place = self._open.get(finding.key.id())
        if place is None or not finding.breached or self.fired[place].saved is None:
            return
        one = self.fired[place]
        if finding.judged is None:  # its figure is a sum that grows
            saved = finding.actual - one.actual
        else:
            saved = (one.saved or 0) + max(0, finding.actual - (finding.expected or 0))
        self.fired[place] = replace(one, saved=max(0, saved))


@dataclass(frozen=True, slots=True)
class BacktestResult:
    """When a rule would have fired, and in how many scopes it was tried."""

    fired: list[Fired]
    scopes: int
    tried: int
    daily: list[tuple[datetime, int]]
    """What its whole scope cost each day, in pico-USD."""


class Point(msgspec.Struct, frozen=True):
    """What a rule says of one row of a series."""

    judged: Judged
    fired: bool
    """Whether an alert begins to fire with it."""


class Backtest:
    """Tries rules on a tenant's ledger."""

    def __init__(self, rollups: RollupReader) -> None:
        self._rollups = rollups

    def run(self, rule: Watch, span: TimeRange) -> BacktestResult:
        """Try a rule on a time range of whole minutes. Raises NotPossibleError and Retryable."""
        kind = KINDS[rule.type]
        if kind.no_backtest:
            raise NotPossibleError(f"{rule.id} cannot be tried on the past: {kind.no_backtest}")
        span = self._with_data(rule.tenant, span)
        daily, needs = self._costs(rule, "day", span), kind.evaluator(rule, MOST_SCOPES).needs(span.start)
        loaded, scopes = self._load(rule, needs, span)
        found = on_past(rule, loaded, moments(needs, span))
        fired = sorted((one for one in found if span.start < one.at <= span.end), key=lambda one: one.at)
        tried = len(loaded.lines if loaded.minutes is None else loaded.minutes)
        return BacktestResult(fired, scopes, tried, [(at, one.cost) for at, one in sorted(daily.items())])

    def _with_data(self, tenant: str, span: TimeRange) -> TimeRange:
        """Return a time range from the day on in which the tenant's costs begin: empty years take long to judge."""
        first = self._rollups.oldest(tenant, span) or span.end - timedelta(minutes=1)
        return TimeRange(max(span.start, floor_to(first, "day")), span.end)

    def _load(self, rule: Watch, needs: Needs, span: TimeRange) -> tuple[Loaded, int]:
        length = grain_length(needs.grain)
        if needs.reads == "spending":
            cut = floor_to(span.start, "hour")
            costs = self._costs(rule, "hour", TimeRange(floor_to(needs.since, "hour"), cut))
            costs |= self._costs(rule, "minute", TimeRange(cut, span.end))
            return Loaded([], length, {(): ()}, spending=Spending.of(costs)), 1
        if needs.reads == "minutes":
            minutes = self._rollups.minutes(rule, TimeRange(needs.since, span.end), MOST_SCOPES)
            return Loaded([], length, {}, minutes=minutes), len(minutes)
        starts = _starts(needs.grain, TimeRange(needs.since, span.end))
        lines = self._rollups.windows(rule, starts, needs.grain, meters=needs.meters)
        chosen = largest({values: line.values() for values, line in lines.items()}, MOST_SCOPES)
        alive = sorted(self._rollups.series(rule.tenant, needs.grain, starts, {}))
        chosen_lines = dense({values: lines[values] for values in chosen}, starts)
        return Loaded(starts, length, chosen_lines, alive), len(lines)

    def _costs(self, rule: Watch, grain: Grain, span: TimeRange) -> dict[datetime, Total]:
        amount = rule.counts if isinstance(rule, Budget) else "cost"
        return self._rollups.series(rule.tenant, grain, _starts(grain, span), rule.scope, amount=amount)


def on_past(rule: Watch, loaded: Loaded, at: Iterable[datetime]) -> list[Fired]:
    """Return what a rule would have fired at these moments, which grow."""
    evaluator, past = KINDS[rule.type].evaluator(rule, MOST_SCOPES), BacktestView(loaded)
    recorder = Recorder()
    for moment in at:
        past.to(moment)
        recorder.turn(moment, evaluator.evaluate(past, recorder.known).findings)
    return recorder.fired


def on_series(rule: Watch, rows: Iterable[Row]) -> Iterator[Point]:
    """Judge each window of a series by those before it, as a rule would have. The step is the series' own.

    For a threshold the values are its metric, for all others USD. Of several rows at one time the last counts.
    Raises NotPossibleError, and ValueError if there are not two different timestamps.
    """
    kind = KINDS[rule.type]
    if kind.no_series:
        raise NotPossibleError(f"{rule.id} cannot be tried on a series: {kind.no_series}")
    values = dict(rows)
    starts = sorted(values)
    length = step_of(starts)
    line = [_measure(values[at]) for at in starts]
    spending = Spending.of({at: Total(m.cost) for at, m in zip(starts, line, strict=True) if m})
    past = BacktestView(Loaded(starts, length, {(): line}, starts, spending=spending))
    evaluator, recorder = kind.evaluator(_on_step(rule, length), 1), Recorder()
    for at in starts:
        past.to(at + length)
        result = evaluator.evaluate(past, recorder.known)
        began = recorder.turn(at + length, result.findings)
        judged = Judged(at, None, "missing")
        if result.judged:
            judged = structs.replace(result.judged[0], at=at, value=values[at])
        yield Point(judged, bool(began))


def _on_step(rule: Watch, step: timedelta) -> Watch:
    """Make it a rule on the windows of a series, which are as long as the series' own step."""
    grain = "day" if step >= timedelta(days=1) else "hour" if step >= timedelta(hours=1) else "minute"
    if isinstance(rule, Rule) and hasattr(rule.spec, "grain"):
        rule = replace(rule, spec=rule.spec.model_copy(update={"grain": grain}))
    return replace(rule, by=(), scope={})


def _measure(value: float | None) -> Measure | None:
    if value is None or not isfinite(value):
        return None
    return Measure(round(value * PICO), 1, metric=Fraction(value))


def moments(needs: Needs, span: TimeRange) -> Iterator[datetime]:
    """Return when a rule is evaluated in a time range: at the end of each window, or step by step."""
    step = needs.step or grain_length(needs.grain)
    at = (span.start if needs.step else floor_to(span.start, needs.grain)) + step
    while at <= span.end:
        yield at
        at += step


def _starts(grain: Grain, span: TimeRange) -> list[datetime]:
    length, first = grain_length(grain), floor_to(span.start, grain)
    count = max(0, -((first - span.end) // length)) if span.end > span.start else 0
    return [first + length * n for n in range(count)]
