"""How long to wait before the next attempt."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Backoff:
    """Exponential waits in seconds, with full jitter over the upper half."""

    base: float = 0.2
    most: float = 15.0

    def seconds(self, attempt: int, asked: float | None, jitter: float) -> float:
        """Return the wait after failed attempt number `attempt`, counted from 0, with `jitter` from 0 to 1.

        `asked` is the wait that the other side asked for: the result is never shorter."""
        wait = min(self.most, self.base * 2.0 ** min(attempt, 30))
        return max(asked or 0.0, wait * (0.5 + jitter / 2))
