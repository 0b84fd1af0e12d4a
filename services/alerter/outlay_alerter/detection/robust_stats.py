"""Robust statistics over the newest values of a series: bounded memory, the same answer every time.

Floats are for statistics only; money is judged here and never counted.
"""

from array import array
from bisect import bisect_left, insort
from collections.abc import Sequence
from statistics import median
from typing import Literal

TO_SIGMA = 1.4826
"""Turns a median absolute deviation into a standard deviation of the normal distribution."""


class Ring:
    """The newest `size` values, kept in order of age and of size."""

    __slots__ = ("_by_age", "_by_size", "_size")

    def __init__(self, size: int, kind: Literal["d", "f"] = "d") -> None:
        """`kind`: as in `array`; "f" takes half of the memory and keeps seven digits."""
        self._size = size
        self._by_age = array(kind)
        self._by_size = array(kind)

    def __len__(self) -> int:
        return len(self._by_age)

    def copy(self) -> "Ring":
        """Return one with the same values."""
        ring = Ring(self._size)
        ring._by_age, ring._by_size = self._by_age[:], self._by_size[:]
        return ring

    def push(self, value: float) -> None:
        """Add a value; the oldest goes if there are too many."""
        ages, sizes = self._by_age, self._by_size
        ages.append(value)
        if len(ages) > self._size:
            del sizes[bisect_left(sizes, ages.pop(0))]
        insort(sizes, value)

    def median(self) -> float:
        """Return the median, 0 of nothing."""
        sizes = self._by_size
        count = len(sizes)
        if not count:
            return 0.0
        half = count // 2
        return sizes[half] if count % 2 else sizes[half - 1] + (sizes[half] - sizes[half - 1]) * 0.5

    def quantile(self, share: float) -> float:
        """Return the value below which `share` of the values are, between its neighbours; 0 of nothing."""
        sizes = self._by_size
        last = len(sizes) - 1
        if last < 0:
            return 0.0
        place = share * last
        low = int(place)
        value = sizes[low]
        return value + (sizes[low + 1] - value) * (place - low) if low < last else value

    def spread(self) -> float:
        """Return the median distance from the median, as a standard deviation."""
        return spread(self._by_size)


def spread(values: Sequence[float]) -> float:
    """Return the median distance from the median, as a standard deviation; 0 of nothing."""
    if not values:
        return 0.0
    middle = median(values)
    distances = sorted(abs(value - middle) for value in values)
    return TO_SIGMA * distances[len(distances) // 2]


_FEW = 2
"""So many passes have no majority."""
_AROUND, _LEAST_AROUND = 3, 6
"""How many places on each side are nearby, and how many of their passes say what is usual there."""
_FAR = 0.7
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
        values = sorted(self._of(place))
        half = len(values) // 2
        middle = values[half] if len(values) % 2 else (values[half - 1] + values[half]) / 2
        if count > _FEW:
            return middle
        low, high, far = values[0], values[-1], _FAR
        if reference is None:
            around = self._around(place)
            if len(around) < _LEAST_AROUND:
                return middle
            reference, far = median(around), max(_FAR, 3 * spread(around))
            if like not in (place, -1) and self.known(like):
                reference = min(reference, median(self._of(like)), key=lambda one: abs(one - middle))
        if high - low <= far / 2:  # they agree, or there is only one
            return reference if count == 1 and abs(low - reference) > far else middle
        return low if abs(low - reference) <= abs(high - reference) else high

    def _around(self, place: int) -> Sequence[float]:
        around: list[float] = []
        for near in range(max(0, place - _AROUND), min(len(self._counts), place + _AROUND + 1)):
            if near != place:
                around += self._of(near)
        return around

    def known(self, place: int) -> bool:
        """Return whether enough passes are known of a place."""
        return self._counts[place] > _FEW

    def seen(self, place: int) -> float | None:
        """Return the median of the first passes of a place, which `usual` may doubt; None: it has none, or more."""
        return median(self._of(place)) if 0 < self._counts[place] <= _FEW else None

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
