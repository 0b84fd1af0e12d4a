"""How much of a tenant's work may wait to be counted, so that no tenant's backlog delays another (docs/adr/0019).

A window bounds the bytes that were accepted and are not counted yet, as congestion control does: it grows while the
pipeline counts what was accepted in less than the time wanted, and shrinks while it takes longer. A tenant may hold as
much of it as is free (dynamic thresholds, Choudhury and Hahne 1998): one greedy tenant gets half of the window, two get
a third each, and the rest stays free for those who send little. Each tenant may always hold an equal share.
"""

from collections import Counter, deque
from datetime import datetime, timedelta

LEAST_WINDOW = 2 * 2**20
"""Bytes that may always wait, all tenants together: about 7,000 events."""
_HEADROOM, _DECAY = 8, 0.9
"""The window grows up to so many times what a round counted; above that it decays."""


class FairShare:
    """The work of all tenants that waits, and the window for it."""

    def __init__(self, seconds: float, now: datetime) -> None:
        """`seconds`: how old accepted work may be before the window shrinks."""
        self._late = timedelta(seconds=seconds)
        self._waiting: deque[tuple[datetime, str, int]] = deque()
        self._held: Counter[str] = Counter()
        self._counted = self._set = now
        self.total = 0
        """Bytes that wait."""
        self.window = float(LEAST_WINDOW)
        """Bytes that may wait."""

    def admits(self, tenant: str) -> bool:
        """Return whether a tenant may send more. What it then sends is taken whole, whatever its size."""
        held = self._held[tenant]
        share = self.window / (len(self._held) + (not held) + 1)
        return not held or held < max(share, self.window - self.total)

    def take(self, tenant: str, size: int, now: datetime) -> None:
        """Note accepted work of `size` bytes."""
        self._waiting.append((now, tenant, size))
        self._held[tenant] += size
        self.total += size

    def count(self, until: datetime, known: datetime, now: datetime) -> None:
        """Note that at `known` everything accepted before `until` was counted, and set the window by it."""
        if until > self._counted:
            counted = self._forget(until)
            self._counted = until
            took = max(known - until, self._late / 4, timedelta.resolution)
            # The root damps it: what a round took follows from the window of the round before.
            fitting = self.window * (self._late / took) ** 0.5
            self.window = max(LEAST_WINDOW, min(fitting, max(_HEADROOM * counted, _DECAY * self.window)))
            self._set = now
        elif self._waiting and now - self._waiting[0][0] > 2 * self._late and now - self._set > self._late:
            self.window = max(LEAST_WINDOW, self.window / 2)
            self._set = now

    def _forget(self, until: datetime) -> int:
        before = self.total
        while self._waiting and self._waiting[0][0] < until:
            _, tenant, size = self._waiting.popleft()
            self.total -= size
            self._held[tenant] -= size
            if self._held[tenant] <= 0:
                del self._held[tenant]
        return before - self.total
