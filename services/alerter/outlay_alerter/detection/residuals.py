"""How far from its prediction a window may be, by how far recent ones were.

Residuals come in units of what is usual at their time of the day: noon is noisier than night.

Means of the last 1, few and many residuals are each held against how such means were spread: one window
far off is a spike, many that are a little off are a shift or a drift. The spread is taken from the series
itself, so that residuals that remember each other need no model.
"""

from collections import deque
from collections.abc import Sequence
from math import sqrt

from outlay_alerter.detection.robust_stats import Ring

Spans = Sequence[tuple[int, float, float]]
"""Over how many windows residuals are averaged; how many spreads are too many; and by how much a mean must
also be beyond all but the most extreme recent ones. The first span is of one window."""

KEPT = 336
"""How many residuals tell the spread."""
READY = 24
"""With fewer, nothing is said."""
_FLOOR = 0.8
"""The spread of one window is at least so many usual distances."""
_EXTREME = 0.99
"""This share of the recent means is not extreme."""
_TAME = 3.0
"""A residual counts in means with at most so many spreads: a spike of an hour is not a bad morning."""
_SUSPECT = 0.6
"""From this share of its limit on, a mean is not taken for usual."""


class Residuals:
    """The newest residuals of one way to predict."""

    def __init__(self, spans: Spans) -> None:
        self._spans = spans
        self._rings = [Ring(KEPT) for _ in spans]
        self._recent: deque[float] = deque(maxlen=spans[-1][0] - 1)
        self._suspected = 0

    @property
    def ready(self) -> bool:
        """Whether there are enough of them."""
        return len(self._rings[0]) >= READY

    def room(self, sign: float, sensitivity: float) -> float:
        """Return how far above (+1) or below (-1) of what is predicted the next window may be."""
        room = float("inf")
        for n, (span, _, _) in enumerate(self._spans):
            if len(self._rings[n]) >= max(READY, 4 * span):
                before = sign * sum(self._last(span - 1))
                room = min(room, span * self.limit(n, sign) / sensitivity - before)
        return max(room, self.sigma(0))

    def limit(self, n: int, sign: float) -> float:
        """Return the limit of the mean over span number `n`, on one side."""
        extreme = self._rings[n].quantile(_EXTREME if sign > 0 else 1 - _EXTREME) * sign
        _, spreads, beyond = self._spans[n]
        return max(spreads * self.sigma(n), extreme * beyond)

    def sigma(self, n: int) -> float:
        """Return the usual spread of the mean over span number `n`, as a standard deviation."""
        ring = self._rings[n]
        middle = (ring.quantile(0.75) - ring.quantile(0.25)) / 1.349
        tail = (ring.quantile(0.9) - ring.quantile(0.1)) / 2.563
        alone = (
            self.sigma(0) / sqrt(self._spans[n][0]) if n else _FLOOR
        )  # as if they knew nothing of each other
        return max(middle, tail, alone)

    def push(self, residual: float, patience: int) -> None:
        """Add a residual. While something lasts, for at most `patience` windows, none counts as usual."""
        most = _TAME * self.sigma(0) if self.ready else float("inf")
        tame = max(-most, min(most, residual))
        means: list[float | None] = [residual]
        for span, _, _ in self._spans[1:]:
            recent = [*self._last(span - 1), tame]
            means.append(sum(recent) / span if len(recent) == span else None)
        self._recent.append(tame)
        suspect = self.ready and any(
            mean is not None and abs(mean) > _SUSPECT * self.limit(n, 1.0 if mean > 0 else -1.0)
            for n, mean in enumerate(means)
        )
        self._suspected = self._suspected + 1 if suspect else 0
        if 1 < self._suspected <= patience:
            return
        for ring, mean in zip(self._rings, means, strict=True):
            if mean is not None:
                ring.push(mean)

    def _last(self, count: int) -> list[float]:
        return list(self._recent)[-count:] if count else []
