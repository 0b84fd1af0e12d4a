"""Detectors that are taught side by side know what each would have learned alone, bit by bit."""

import math
import random
from datetime import UTC, datetime, timedelta

import pytest

from outlay_alerter.backtest.view import BacktestView, Loaded
from outlay_alerter.detection.detector import Detector
from outlay_alerter.detection.teaching import teach
from outlay_alerter.detection.tuning import Tuning
from outlay_alerter.rules.anomaly import KIND
from outlay_alerter.rules.base import Measure, Values
from outlay_alerter.rules.watch import compile_rule
from outlay_schemas.catalog.watch import Anomaly
from outlay_schemas.money import PICO

START = datetime(2026, 3, 4, tzinfo=UTC)
"""A Wednesday."""
KINDS = ("daily", "spikes", "shift", "sparse", "nothing", "gap")
LATER = ("falls", "bursts", "heavy", "job", "returns", "late gap")
"""What happens after the first history."""


def made(kind: str, count: int, step: int, seed: int) -> list[float]:
    """Make a series of one kind, with a spike and a lower level at its end."""
    r = random.Random(f"{kind}/{seed}")  # noqa: S311
    values = [
        (10 + 5 * math.sin(2 * math.pi * n * step / 86_400)) * math.exp(r.gauss(0, 0.2)) for n in range(count)
    ]
    for n in range(count):
        values[n] *= (
            8 if kind == "spikes" and r.random() < 0.03 else 3 if kind == "shift" and n > count // 2 else 1
        )
        values[n] *= 0 if kind == "nothing" or (kind == "sparse" and n % 3) else 1
    values[-9] *= 7
    values[-5:] = [value * 0.2 for value in values[-5:]]
    first = Tuning(step).min_history
    for n in range(first, count):
        values[n] *= 0.3 if kind == "falls" and n % 100 < 20 else 5 if kind == "bursts" and n % 24 < 2 else 1
        values[n] *= 3 if kind == "returns" and n < first + Tuning(step).level_windows * 2 else 1
    if kind == "job":  # each week at the same time, and a shift that makes it hard to expect
        hours = [n * step // 3600 for n in range(count)]
        values = [
            (200 if 50 <= hour % 168 < 60 else 10) * (3 if hour >= 380 else 1) * math.exp(r.gauss(0, 0.1))
            for hour in hours
        ]
    if kind == "heavy":
        values = [value * math.exp(r.gauss(0, 1.0)) for value in values]
        values[first + 100 : first + 101] = [max(values) * 2.5] * (count > first + 100)
    if kind == "late gap" and count > first + 20:
        values[first + 20] = math.nan
    if kind == "gap":
        values[7] = math.nan
    return values


@pytest.mark.parametrize(("step", "seed", "more"), [(3600, 1, 0), (3600, 2, 420), (900, 3, 500)])
def test_what_is_taught_side_by_side_is_what_each_learns_alone(step: int, seed: int, more: int) -> None:
    """`more`: windows beyond the first history that are taught, too."""
    tuning = Tuning(step, sensitivity=1.25, min_change=0.5)
    first, after = tuning.min_history, 30
    taken = first + more
    starts = [START + timedelta(seconds=step * n) for n in range(taken + after)]
    series = [made(kind, len(starts), step, seed) for kind in (*KINDS, *LATER)]
    together, alone = ([Detector(tuning) for _ in series] for _ in range(2))
    taught = teach(together, starts[:taken], [values[:taken] for values in series])
    assert [taught[n] for n, kind in enumerate(KINDS)] == [
        0 if kind in {"nothing", "gap"} else taken for kind in KINDS
    ]
    fired = 0
    for n, values in enumerate(series):
        expected = [alone[n].update(at, value) for at, value in zip(starts, values, strict=True)]
        begin = taught[n]
        rest = zip(starts[begin:], values[begin:], strict=True)
        assert [together[n].update(at, value) for at, value in rest] == expected[begin:]
        assert expected[-9].fired or n or more
        fired += sum(one.fired for one in expected[first:taken])
    if more:
        assert fired > 20  # what was taught holds anomalies
        assert first <= taught[-2] < taken  # it came back to an earlier level
        assert taught[-1] == first + 20  # it has a gap


def test_days_are_left_to_each() -> None:
    assert teach([Detector(Tuning(86_400))], [START], [[1.0]]) == [0]


def test_many_scopes_fire_as_one_alone_does() -> None:
    rule = compile_rule(Anomaly(id="a", name="A", group_by=("team",)), "acme")
    starts = [START + timedelta(hours=n) for n in range(222)]
    teams: dict[Values, list[float]] = {(f"team-{n}",): made("daily", 222, 3600, n) for n in range(20)}
    lines: dict[Values, list[Measure | None]] = {
        team: [Measure(round(v * PICO), 1) for v in values] for team, values in teams.items()
    }

    def judged(chosen: dict[Values, list[Measure | None]]) -> list[object]:
        evaluator, view = (
            KIND.evaluator(rule, 100),
            BacktestView(Loaded(starts, timedelta(hours=1), chosen, starts)),
        )
        view.to(starts[212] + timedelta(hours=1))
        result = evaluator.evaluate(view, {})
        view.to(starts[213] + timedelta(hours=1))
        later = evaluator.evaluate(view, {})
        return [(one.at, one.status, one.expected, one.score) for one in result.judged + later.judged]

    together = judged(lines)
    assert len(together) == 40
    alone = [judged({team: line}) for team, line in lines.items()]
    assert together == [one[0] for one in alone] + [one[1] for one in alone]
