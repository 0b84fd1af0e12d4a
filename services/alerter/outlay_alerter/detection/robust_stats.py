"""Robust statistics over the newest values of a series: bounded memory, the same answer every time.

Floats are for statistics only; money is judged here and never counted.
"""

from array import array
from bisect import bisect_left, insort
from collections.abc import Sequence
from functools import lru_cache
from statistics import median
from typing import Literal

TO_SIGMA = 1.4826
"""Turns a median absolute deviation into a standard deviation of the normal distribution."""
Kind = Literal["d", "f"]


class Ring:
    """The newest `size` values, kept in order of age and of size."""

    __slots__ = ("_by_size", "_median", "_size", "by_age")

    def __init__(self, size: int, kind: Kind = "d") -> None:
        """`kind`: as in `array`; "f" takes half of the memory and keeps seven digits."""
        self._size = size
        self.by_age = array(kind)
        self._by_size = array(kind)
        self._median: float | None = 0.0

    def __len__(self) -> int:
        return len(self.by_age)

    @classmethod
    def of(
        cls, size: int, kind: Kind, values: "array[float]", by_size: "array[float] | None" = None
    ) -> "Ring":
        """Return one with these values, the oldest first, at most `size`; `by_size`: the same ones in order."""
        ring = cls(size, kind)
        ring.by_age = values
        ring._by_size = array(kind, sorted(values)) if by_size is None else by_size
        ring._median = None if values else 0.0
        return ring

    def copy(self) -> "Ring":
        """Return one with the same values."""
        return Ring.of(self._size, "d", self.by_age[:], self._by_size[:])

    def push(self, value: float) -> None:
        """Add a value; the oldest goes if there are too many."""
        ages, sizes = self.by_age, self._by_size
        if len(ages) == self._size:
            del sizes[bisect_left(sizes, ages.pop(0))]
        ages.append(value)
        insort(sizes, value)
        self._median = None

    def median(self) -> float:
        """Return the median, 0 of nothing."""
        if self._median is None:
            sizes = self._by_size
            half, odd = divmod(len(sizes), 2)
            middle = sizes[half]
            self._median = middle if odd else (sizes[half - 1] + middle) / 2
        return self._median

    def quantiles(self, shares: tuple[float, ...]) -> list[float]:
        """Return the values below which these shares of the values are, between their neighbours; 0 of nothing."""
        sizes = self._by_size
        if not sizes:
            return [0.0] * len(shares)
        return [
            sizes[low] + (sizes[high] - sizes[low]) * part for low, high, part in _places(len(sizes), shares)
        ]


@lru_cache(1024)
def _places(count: int, shares: tuple[float, ...]) -> list[tuple[int, int, float]]:
    """Return between which two of so many values, in order, each quantile is, and where between them."""
    places = [share * (count - 1) for share in shares]
    return [(int(place), min(int(place) + 1, count - 1), place - int(place)) for place in places]


def spread(values: Sequence[float]) -> float:
    """Return the median distance from the median, as a standard deviation; 0 of nothing."""
    if not values:
        return 0.0
    middle = median(values)
    distances = sorted(abs(value - middle) for value in values)
    return TO_SIGMA * distances[len(distances) // 2]


def usual_size(values: Sequence[float]) -> float:
    """Return the median size of values; of mostly zeros the mean."""
    sizes = sorted(abs(value) for value in values)
    return sizes[len(sizes) // 2] or sum(sizes) / len(sizes)


MANY = 3
"""Fewer passes have no majority."""
AROUND, LEAST_AROUND = 3, 6
"""How many places on each side are nearby, and how many of their passes say what is usual there."""
FAR = 0.7
"""What differs by less on the scale of the detector (twice as much, about) is not a spike."""


class Season:
    """What is usual at each place of a cycle: the median of its last passes.

    A place is a stretch of the cycle, such as an hour of the week; a pass that has several values counts
    with their median.
    """

    __slots__ = ("_counts", "_now", "_passes", "_place", "_values")

    def __init__(self, passes: int, places: int) -> None:
        self._passes = passes
        self._values = array("f", bytes(4 * passes * places))
        """Of each place its last passes, the newest over the oldest."""
        self._counts = bytearray(places)
        """How often each place was passed; beyond twice the passes, less so many passes."""
        self._place = -1
        self._now: list[float] = []

    @classmethod
    def of(
        cls, passes: int, values: "array[float]", counts: bytearray, place: int, now: list[float]
    ) -> "Season":
        """Return one that knows these passes."""
        season = cls(passes, 0)
        season._values, season._counts, season._place, season._now = values, counts, place, now
        return season

    def _of(self, place: int) -> "array[float]":
        begin = place * self._passes
        return self._values[begin : begin + min(self._counts[place], self._passes)]

    def usual(self, place: int, reference: float | None = None, like: int = -1) -> float | None:
        """Return what is usual at a place; None if it was never passed.

        One or two passes have no majority: one of them may have been a spike. Where they are far from `reference`
        (without one, from what is usual around the place, or at the place `like` it on other days), that decides.
        """
        count = self._counts[place]
        if not count:
            return None
        passes, begin = self._passes, place * self._passes
        values = sorted(self._values[begin : begin + min(count, passes)])
        half, odd = divmod(len(values), 2)
        middle = values[half] if odd else (values[half - 1] + values[half]) / 2
        if count >= MANY:
            return middle
        low, high, far = values[0], values[-1], FAR
        if reference is None:
            around = self._around(place)
            if len(around) < LEAST_AROUND:
                return middle
            reference, far = median(around), max(FAR, 3 * spread(around))
            if like not in (place, -1) and self._counts[like] >= MANY:
                reference = min(reference, median(self._of(like)), key=lambda one: abs(one - middle))
        if high - low <= far / 2:  # they agree, or there is only one
            return reference if count == 1 and abs(low - reference) > far else middle
        return low if abs(low - reference) <= abs(high - reference) else high

    def _around(self, place: int) -> Sequence[float]:
        around: list[float] = []
        for near in range(max(0, place - AROUND), min(len(self._counts), place + AROUND + 1)):
            if near != place:
                around += self._of(near)
        return around

    def passes(self, place: int) -> int:
        """Return how many passes of a place are known, at most `MANY`: enough of them."""
        count = self._counts[place]
        return min(count, MANY)

    def seen(self, place: int) -> float:
        """Return the median of the passes of a place, which `usual` may doubt."""
        return median(self._of(place))

    def learn(self, place: int, value: float) -> None:
        """Add a value of a place."""
        if place != self._place:
            if now := self._now:
                passed, last = self._counts[self._place], self._place * self._passes
                self._values[last + passed % self._passes] = now[0] if len(now) == 1 else median(now)
                self._counts[self._place] = (
                    passed + 1 if passed < 2 * self._passes else passed + 1 - self._passes
                )
            self._place, self._now = place, []
        self._now.append(value)
