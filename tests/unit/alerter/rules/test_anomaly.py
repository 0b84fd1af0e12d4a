"""What anomaly alerts say."""

from collections import deque
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from outlay_alerter.detection.detector import Detector
from outlay_alerter.detection.tuning import Tuning
from outlay_alerter.rules.anomaly import WatchedScope
from outlay_alerter.rules.base import Measure
from outlay_alerter.rules.watch import compile_rule
from outlay_kit.time_ranges import TimeRange
from outlay_schemas.catalog.watch import Anomaly
from outlay_schemas.money import PICO

START = datetime(2026, 3, 2, tzinfo=UTC)
HOUR = timedelta(hours=1)


def test_spending_after_nothing_says_so() -> None:
    rule = compile_rule(Anomaly(id="a", name="A", min_usd=Decimal(5)), "acme")
    watched = WatchedScope(rule, {}, START, HOUR)
    at = START + timedelta(hours=500)
    costs = [(START + timedelta(hours=n), Measure()) for n in range(500)]
    (finding,) = watched.feed([*costs, (at, Measure(5000 * PICO))], at)
    assert finding.breached
    assert finding.severity == "critical"
    assert "Nothing was spent before; $5.00 or more is an anomaly." in finding.summary


def test_what_somebody_expected_is_learned_and_its_like_does_not_fire() -> None:
    rule = compile_rule(Anomaly(id="a", name="A", min_usd=Decimal(5)), "acme")
    hours = [START + timedelta(hours=n) for n in range(20 * 24)]
    costs = {at: (50 + 20 * (at.hour > 8) + n % 3) * PICO for n, at in enumerate(hours)}
    batch = START + timedelta(days=10, hours=2)
    later = batch + timedelta(days=3, minutes=60)
    costs |= {batch: 400 * PICO, later: 430 * PICO}

    def fired(expected: Sequence[TimeRange], **more: int) -> list[datetime]:
        watched = WatchedScope(rule, {}, START, HOUR, expected=expected)
        changed = costs | {START + timedelta(hours=int(name[1:])): v * PICO for name, v in more.items()}
        found = watched.feed(((at, Measure(cost)) for at, cost in changed.items()), START)
        return sorted({f.key.window for f in found if f.breached})

    meant = [TimeRange(batch, batch + timedelta(hours=3))]
    assert fired([]) == [batch, later]
    assert fired(meant) == [batch]  # which the state machine knows to be expected
    assert fired(meant, h360=600) == [batch, START + timedelta(hours=360)]  # at the hour, and far more
    assert fired(meant, h370=400) == [
        batch,
        START + timedelta(hours=370),
    ]  # as much, at another time of the day


def test_what_was_expected_is_forgotten_when_the_rule_looks_back_no_further() -> None:
    rule = compile_rule(Anomaly(id="a", name="A", min_usd=Decimal(5)), "acme")
    hours = [START + timedelta(hours=n) for n in range(60 * 24)]
    costs = {at: (50 + 20 * (at.hour > 8) + n % 3) * PICO for n, at in enumerate(hours)}
    batch = START + timedelta(days=10, hours=2)
    again = batch + timedelta(days=36)
    costs |= {batch: 400 * PICO, again: 400 * PICO}
    watched = WatchedScope(rule, {}, START, HOUR, expected=[TimeRange(batch, batch + timedelta(hours=3))])
    found = watched.feed(((at, Measure(cost)) for at, cost in costs.items()), START)
    assert again in {f.key.window for f in found if f.breached}


def held(thing: object, seen: set[int]) -> int:
    """Count the objects that a thing holds."""
    if id(thing) in seen or isinstance(thing, str | int | float | bool | datetime | type | None):
        return 0
    seen.add(id(thing))
    if isinstance(thing, dict):
        return len(thing) + sum(held(value, seen) for value in thing.values())
    if isinstance(thing, list | tuple | deque | set | frozenset):
        return len(thing) + sum(held(value, seen) for value in thing)
    slots = [name for kind in type(thing).__mro__ for name in getattr(kind, "__slots__", ())]
    names = [*slots, *getattr(thing, "__dict__", {})]
    return len(names) + sum(held(getattr(thing, name, None), seen) for name in names)


@pytest.mark.parametrize("step", [60, 3600, 86_400])
def test_a_detector_holds_no_more_after_years_than_after_its_history(step: int) -> None:
    detector, sizes = Detector(Tuning(step)), list[int]()
    weeks = {60: 2, 3600: 20, 86_400: 150}[step]
    for part in range(2):
        for n in range(weeks * 7 * 86_400 // step):
            at = START + timedelta(seconds=step * (n + part * weeks * 7 * 86_400 // step))
            detector.update(at, 50.0 + n % 24 + n % 7)
        sizes.append(held(detector, set()))
    assert sizes[1] <= sizes[0] * 1.01
    assert sizes[1] < 30_000
