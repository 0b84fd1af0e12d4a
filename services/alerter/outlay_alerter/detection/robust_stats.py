"""Robust statistics over the newest values of a series: bounded memory, the same answer every time.

Floats are for statistics only; money is judged here and never counted.
"""

from array import array
from bisect import bisect_left, insort
from collections.abc import Sequence
from statistics import median

TO_SIGMA = 1.4826
"""Turns a median absolute deviation into a standard deviation of the normal distribution."""


class Ring:
    """The newest `size` values, kept in order of age and of size."""

    __slots__ = ("_by_age", "_by_size", "_size")

    def __init__(self, size: int) -> None:
        self._size = size
        self._by_age = array("d")
        self._by_size = array("d")

    def __len__(self) -> int:
        return len(self._by_age)

    def copy(self) -> "Ring":
        """Return one with the same values."""
        ring = Ring(self._size)
        ring._by_age, ring._by_size = self._by_age[:], self._by_size[:]
        return ring

    def push(self, value: float) -> None:
        """Add a value; the oldest goes if there are too many."""
        self._by_age.append(value)
        insort(self._by_size, value)
        if len(self._by_age) > self._size:
            oldest = self._by_age.pop(0)
            del self._by_size[bisect_left(self._by_size, oldest)]

    def median(self) -> float:
        """Return the median, 0 of nothing."""
        return self.quantile(0.5)

    def quantile(self, share: float) -> float:
        """Return the value below which `share` of the values are, between its neighbours; 0 of nothing."""
        if not self._by_size:
            return 0.0
        place = share * (len(self._by_size) - 1)
        low = int(place)
        high = min(low + 1, len(self._by_size) - 1)
        return self._by_size[low] + (self._by_size[high] - self._by_size[low]) * (place - low)

    def values(self) -> Sequence[float]:
        """Return the values, the smallest first."""
        return self._by_size

    def spread(self) -> float:
        """Return the median distance from the median, as a standard deviation."""
        middle = self.median()
        distances = sorted(abs(value - middle) for value in self._by_size)
        return TO_SIGMA * distances[len(distances) // 2] if distances else 0.0


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

    def __init__(self, passes: int) -> None:
        self._passes = passes
        self._rings: dict[int, Ring] = {}
        self._place = -1
        self._now: list[float] = []

    def usual(self, place: int, reference: float | None = None) -> float | None:
        """Return what is usual at a place; None if it was never passed.

        One or two passes have no majority: one of them may have been a spike. Where they are far from `reference`
        (without one, from what is usual around the place), that decides.
        """
        ring = self._rings.get(place)
        if ring is None or len(ring) > _FEW:
            return ring.median() if ring else None
        low, high = ring.quantile(0.0), ring.quantile(1.0)
        far = _FAR
        if reference is None:
            around = self._around(place)
            if len(around) < _LEAST_AROUND:
                return ring.median()
            reference, far = around.median(), max(_FAR, 3 * around.spread())
        if high - low <= far / 2:  # they agree, or there is only one
            only = len(ring) == 1 and abs(low - reference) > far
            return reference if only else ring.median()
        return low if abs(low - reference) <= abs(high - reference) else high

    def _around(self, place: int) -> Ring:
        around = Ring(100)
        for near in range(place - _AROUND, place + _AROUND + 1):
            if near != place and near in self._rings:
                for value in self._rings[near].values():
                    around.push(value)
        return around

    def known(self, place: int) -> bool:
        """Return whether enough passes are known of a place."""
        ring = self._rings.get(place)
        return ring is not None and len(ring) > _FEW

    def seen(self, place: int) -> float | None:
        """Return the median of the first passes of a place, which `usual` may doubt; None: it has none, or more."""
        ring = self._rings.get(place)
        return ring.median() if ring and len(ring) <= _FEW else None

    def learn(self, place: int, value: float) -> None:
        """Add a value of a place."""
        if place != self._place:
            if self._now:
                self._rings.setdefault(self._place, Ring(self._passes)).push(median(self._now))
            self._place, self._now = place, []
        self._now.append(value)
