"""How a detector judges, and what it says of a window."""

from collections.abc import Set
from dataclasses import dataclass, field
from datetime import UTC, date, tzinfo
from math import inf
from typing import Literal

import msgspec

Direction = Literal["up", "down", "both"]
Status = Literal["insufficient_history", "missing", "normal", "anomaly", "below_minimum", "expected"]

Spans = tuple[tuple[int, float, float], ...]
"""Over how many windows residuals are averaged; how many spreads are too many; and by how much a mean must
also be beyond all but the most extreme recent ones. The first span is of one window."""

DAY, WEEK = 86_400, 604_800
"""In seconds."""


@dataclass(frozen=True, slots=True)
class Tuning:
    """How a detector judges. `step` is seconds from one window to the next."""

    step: int
    sensitivity: float = 1.0
    """2 fires at half the distance, 0.5 at twice."""
    min_change: float = 0.0
    """A smaller difference, in the series' own unit, never fires."""
    direction: Direction = "both"
    zone: tzinfo = UTC
    """Where the days and weeks of the series begin."""
    holidays: Set[date] = field(default_factory=frozenset)
    """Days that are like Sundays."""

    @property
    def level_windows(self) -> int:
        """Windows whose median is the level; a shift is learned after half of them."""
        return 14 if self.step >= DAY else 48 if self.step >= 3600 else 144

    @property
    def min_history(self) -> int:
        """With fewer windows nothing is said: a week and a day, for who never saw a weekend takes it for an outage.

        Of windows shorter than a quarter of an hour, a day.
        """
        if self.step >= DAY:
            return 14
        return 8 * DAY // self.step if self.step >= 900 else min(DAY // self.step, 1440)

    @property
    def usual_episodes(self) -> tuple[int, int]:
        """What so many episodes within so many days reached is usual."""
        return (8, 14) if self.step >= 3600 else (4, 28)

    @property
    def record(self) -> float:
        """A value of so many times the highest of the last weeks is a spike; of few windows, one is soon far above."""
        return inf if self.step >= DAY else 2.0 if self.step >= 3600 else 1.2

    @property
    def spans(self) -> Spans:
        """Over how many windows residuals are averaged, and what is too much."""
        if self.step >= DAY:
            return ((1, 4.0, 1.5), (3, 4.0, 1.2), (7, 4.0, 1.2))
        if self.step >= 3600:
            return ((1, 4.0, 1.8), (4, 4.0, 1.5), (24, 3.75, 1.2))
        far = 4.5 if self.step >= 300 else 5.5  # of many windows a day, one is soon far off by chance
        return ((1, far, 1.6), (6, 4.5, 1.8))  # means of hours wander with the level, which is one of hours


class Verdict(msgspec.Struct, frozen=True):
    """What one window is. The band is what would have been normal; None: nothing can be said."""

    status: Status
    expected: float | None = None
    lower: float | None = None
    upper: float | None = None
    score: float = 0.0
    """0 is as expected, 0.5 is at the limit, 1 is infinitely far."""
    after_nothing: bool = False
    """Every window before was zero, for long enough to count as history: the limit is the least change."""

    @property
    def fired(self) -> bool:
        """Whether it is an anomaly."""
        return self.status == "anomaly"


UNKNOWN = Verdict("insufficient_history")


def after_nothing(tuning: Tuning, value: float) -> Verdict:
    """Judge a window after a whole history of zeros, while no size is known: by the least change alone."""
    least = tuning.min_change
    if not value:
        return Verdict("normal", 0.0, 0.0 - least, least, after_nothing=True)
    score = abs(value) / (abs(value) + least)
    status: Status = "normal"
    if tuning.direction in ("both", "up" if value > 0 else "down"):
        status = "anomaly" if abs(value) >= least else "below_minimum"
    score = score if status == "anomaly" else min(score, 0.5)
    return Verdict(status, 0.0, 0.0 - least, least, score, after_nothing=True)
