"""One bound on the bytes that this process holds for others."""

from outlay_ingest import metrics
from outlay_kit.errors import Retryable


class MemoryBudget:
    """Bytes of bodies being read, and of records that Kafka has not acknowledged."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._used = 0
        metrics.IN_FLIGHT.set_function(lambda: self._used)

    @property
    def used(self) -> int:
        """Bytes taken and not given back."""
        return self._used

    def take(self, size: int) -> None:
        """Take `size` bytes. Raises Retryable if they would be too many."""
        if self._used + size > self._limit:
            raise Retryable("too much is under way already", retry_after=1)
        self._used += size

    def force(self, size: int) -> None:
        """Take `size` bytes of what was admitted before in another form."""
        self._used += size

    def give(self, size: int) -> None:
        """Give `size` bytes back."""
        self._used -= size
