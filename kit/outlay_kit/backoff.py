"""How long to wait before the next attempt, and the loop that waits."""

import random
from collections.abc import Callable
from dataclasses import dataclass
from math import inf
from typing import TYPE_CHECKING, TypeVar

from prometheus_client import Counter

from outlay_kit.clock import Clock
from outlay_kit.errors import Refused, Retryable

if TYPE_CHECKING:
    from structlog.stdlib import BoundLogger

T = TypeVar("T")
RETRIES = Counter(
    "outlay_retries_total", "Attempts repeated because Kafka, ClickHouse or ingest was unavailable"
)


@dataclass(frozen=True, slots=True)
class Backoff:
    """Exponential waits in seconds, with full jitter over the upper half."""

    base: float = 0.2
    most: float = 15.0

    def seconds(self, attempt: int, asked: float | None, jitter: float) -> float:
        """Return the wait after failed attempt number `attempt`, counted from 0, with `jitter` from 0 to 1. `asked`
        is the wait that the other side asked for: the result is never shorter."""
        wait = min(self.most, self.base * 2.0 ** min(attempt, 30))
        return max(asked or 0.0, wait * (0.5 + jitter / 2))


_BACKOFF = Backoff()


def retry(
    action: Callable[[], T],
    clock: Clock,
    backoff: Backoff = _BACKOFF,
    *,
    patience: float = inf,
    sleep: Callable[[float], None] | None = None,
    log: "BoundLogger | None" = None,
) -> T:
    """Repeat `action` while it raises Retryable; raised if the next attempt would begin over `patience` seconds after
    the first, Refused (with bounded patience) at once. `sleep` replaces the clock's; what it raises ends the loop."""
    deadline = clock.monotonic() + patience
    attempt = 0
    while True:
        try:
            return action()
        except Retryable as error:
            seconds = backoff.seconds(attempt, error.retry_after, random.random())  # noqa: S311 (jitter)
            if (isinstance(error, Refused) and patience < inf) or clock.monotonic() + seconds > deadline:
                raise
            attempt += 1
            RETRIES.inc()
            if log is not None:
                log.warning(
                    "dependency unavailable, retrying", error=str(error), attempt=attempt, seconds=seconds
                )
            (sleep or clock.sleep)(seconds)
