"""Robust statistics over the newest values of a series: bounded memory, the same answer every time.

Floats are for statistics only; money is judged here and never counted.
"""

from array import array
from bisect import bisect_left, insort

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

    def spread(self) -> float:
        """Return the median distance from the median, as a standard deviation."""
        middle = self.median()
        distances = sorted(abs(value - middle) for value in self._by_size)
        return TO_SIGMA * distances[len(distances) // 2] if distances else 0.0


class Season:
    """What is usual at each place of a cycle: the median of its last passes.

    A place is a stretch of the cycle, such as an hour of the week; a pass that has several values counts
    with their mean.
    """

    __slots__ = ("_count", "_passes", "_place", "_rings", "_sum")

    def __init__(self, passes: int) -> None:
        self._passes = passes
        self._rings: dict[int, Ring] = {}
        self._place = -1
        self._sum = 0.0
        self._count = 0

    def usual(self, place: int) -> float | None:
        """Return what is usual at a place; None if it was never passed."""
        ring = self._rings.get(place)
        return ring.median() if ring else None

    def seen(self, place: int) -> int:
        """Return how many passes are known of a place."""
        ring = self._rings.get(place)
        return len(ring) if ring else 0

    def spread(self, place: int) -> float:
        """Return how much the passes of a place differ; 0 if there are too few to say."""
        ring = self._rings.get(place)
        return ring.spread() if ring and len(ring) >= 4 else 0.0

    def learn(self, place: int, value: float) -> None:
        """Add a value of a place."""
        if place != self._place:
            if self._count:
                self._rings.setdefault(self._place, Ring(self._passes)).push(self._sum / self._count)
            self._place, self._sum, self._count = place, 0.0, 0
        self._sum += value
        self._count += 1
