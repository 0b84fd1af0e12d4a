"""How often what only the ledger knows is read: it is dear, and must not hold up the rest."""

from collections.abc import Callable
from typing import TypeVar

from outlay_kit.clock import Clock

T = TypeVar("T")
_LEAST = 15.0
"""Seconds between two readings, at least."""
_SHARE = 20
"""And so many times as long as a reading took: a twentieth of the time goes into each rule at most."""


class Pace:
    """Remembers when each rule with tags may be read again."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._next: dict[tuple[str, str], float] = {}

    def read(self, tenant: str, rule: str, work: Callable[[], T]) -> T | None:
        """Do the work if it is due; None: it is not yet."""
        began = self._clock.monotonic()
        if began < self._next.get((tenant, rule), began):
            return None
        found = work()
        took = self._clock.monotonic() - began
        self._next[tenant, rule] = began + max(_LEAST, took * _SHARE)
        return found
