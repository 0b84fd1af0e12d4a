"""When a rule would have fired, on any series."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from math import isfinite

from outlay_alerter.domain import spikes
from outlay_alerter.domain.budgets import amount_of, crossed, share_of, span_of
from outlay_alerter.domain.detector import Detector, Tuning
from outlay_alerter.domain.watches import Anomaly, Budget, SpendSpike, Threshold, Watch
from outlay_schemas.events import Grain
from outlay_schemas.money import PICO

Row = tuple[datetime, float | None]
"""Start of a window, and its value; None: it is missing."""


@dataclass(frozen=True, slots=True)
class Point:
    """What a rule says of one window. None: nothing can be said, for there is too little history."""

    at: datetime
    value: float | None
    expected: float | None
    lower: float | None
    upper: float | None
    score: float
    """0 is as expected, 0.5 at the limit, 1 infinitely far."""
    fired: bool
    status: str
    """`normal`, `anomaly`, `insufficient_history`, `missing`, `below_minimum`."""


def step_of(times: Iterable[datetime]) -> int:
    """Return the seconds from one window to the next: the median. Raises ValueError if there are not two times."""
    ordered = sorted(set(times))
    if len(ordered) < 2:
        raise ValueError("a series needs at least two different timestamps")
    gaps = sorted((b - a).total_seconds() for a, b in pairwise(ordered))
    return max(1, int(gaps[len(gaps) // 2]))


def backtest(rows: Iterable[Row], rule: Watch) -> Iterator[Point]:
    """Judge each window of a series by those before it, as `rule` would have. The step is the series' own.

    For a threshold the values are its metric, for all others USD. Raises ValueError if there are not two different
    timestamps, or the rule judges no series.
    """
    ordered = sorted(rows, key=lambda row: row[0])
    step = step_of(at for at, _ in ordered)
    if isinstance(rule, Anomaly):
        return _anomalies(ordered, step, rule)
    if isinstance(rule, SpendSpike):
        return _spikes(ordered, step, rule)
    if isinstance(rule, Threshold):
        return _thresholds(ordered, rule)
    if isinstance(rule, Budget):
        return _budget(ordered, timedelta(seconds=step), rule)
    raise ValueError(f"{rule.id} judges no series")


def tuning_of(rule: Anomaly, step: int) -> Tuning:
    """Return how a detector judges for a rule."""
    return Tuning(step, rule.sensitivity, rule.min_cost / PICO, rule.direction, rule.zone, rule.holidays)


def _anomalies(rows: Iterable[Row], step: int, rule: Anomaly) -> Iterator[Point]:
    detector = Detector(tuning_of(rule, step))
    for at, value in rows:
        j = detector.update(at, value)
        yield Point(at, value, j.expected, j.lower, j.upper, j.score, j.fired, j.status)


def _thresholds(rows: Iterable[Row], rule: Threshold) -> Iterator[Point]:
    above = None if rule.above is None else float(rule.above)
    below = None if rule.below is None else float(rule.below)
    for at, value in rows:
        if value is None or not isfinite(value):
            yield Point(at, value, None, below, above, 0.0, False, "missing")
            continue
        high, low = above is not None and value > above, below is not None and value < below
        far = max(_share(value, above) if above else 0.0, _share(below, value) if below else 0.0)
        fired, score = high or low, far / (1 + far)
        score = max(score, 0.5) if fired else min(score, 0.5)
        yield Point(at, value, None, below, above, score, fired, "anomaly" if fired else "normal")


def _share(part: float, whole: float | None) -> float:
    return part / whole if whole else 0.0


def _budget(rows: Iterable[Row], step: timedelta, rule: Budget) -> Iterator[Point]:
    """`expected` and `upper` are what is left until the next level, before the window."""
    totals: list[Row] = []
    levels = sorted(set(rule.thresholds))
    for at, value in rows:
        if value is None or not isfinite(value):
            yield Point(at, value, None, None, None, 0.0, False, "missing")
            continue
        span = span_of(rule, at + step - timedelta(microseconds=1))
        totals = [(begun, cost) for begun, cost in totals if begun in span]
        before = sum(round((cost or 0.0) * PICO) for _, cost in totals)
        totals.append((at, value))
        after, amount = before + round(value * PICO), amount_of(rule, span)
        fired = any(crossed(after, amount, t) and not crossed(before, amount, t) for t in levels)
        left = next((share_of(amount, t) - before for t in levels if not crossed(before, amount, t)), None)
        room = None if left is None else left / PICO
        score = after / (after + amount) if after > 0 else 0.0
        yield Point(
            at, value, room, None, room, max(score, 0.5) if fired else min(score, 0.5), fired,
            "anomaly" if fired else "normal",
        )  # fmt: skip


def _spikes(rows: Iterable[Row], step: int, rule: SpendSpike) -> Iterator[Point]:
    grain: Grain = "day" if step >= 86_400 else "hour" if step >= 3600 else "minute"
    history: list[int] = []
    for at, value in rows:
        if value is None or not isfinite(value):
            yield Point(at, value, None, None, None, 0.0, False, "missing")
            continue
        actual = round(value * PICO)
        verdict = spikes.judge(history, actual, grain, rule.min_cost, rule.sensitivity)
        history = [*history[-spikes.HISTORY[grain] :], actual]
        yield _spike_point(at, value, verdict)


def _spike_point(at: datetime, value: float, verdict: spikes.Verdict) -> Point:
    if verdict.expected is None or verdict.limit is None:
        return Point(at, value, None, None, None, 0.0, False, verdict.outcome)
    expected, upper = verdict.expected / PICO, verdict.limit / PICO
    share = max(0.0, value - expected) / max(upper - expected, 1e-12)
    fired = verdict.outcome == "spike"
    score = share / (1 + share)
    return Point(
        at, value, expected, None, upper, score if fired else min(score, 0.5), fired, verdict.outcome
    )
