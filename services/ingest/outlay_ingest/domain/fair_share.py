"""How much of a tenant's work may wait to be counted, so that no tenant's backlog delays another (docs/adr/0019).

A window bounds the bytes that were accepted and are not counted yet, as congestion control does: it grows while the
pipeline counts what was accepted in less than the time wanted, and shrinks while it takes longer. A tenant may hold as
much of it as is free (dynamic thresholds, Choudhury and Hahne 1998): one greedy tenant gets half of the window, two get
a third each, and the rest stays free for those who send little. Each tenant may always hold an equal share. While only
one tenant sends, the time wanted is longer: it delays no one, until another one comes.
"""

from collections import Counter, deque
from datetime import datetime, timedelta

LEAST_WINDOW = 4 * 2**20
"""Bytes that may always wait, all tenants together: about 14,000 events."""
_HEADROOM, _DECAY = 8, 0.9
"""The window grows up to so many times what a round counted; above that it decays."""
_ALONE, _PATIENCE = timedelta(minutes=1), 5
"""After this time without another tenant, the one that sends may wait so many times as long."""


class FairShare:
    """The work of all tenants that waits, and the window for it."""

    def __init__(self, seconds: float, now: datetime) -> None:
        """`seconds`: how old accepted work may be before the window shrinks."""
        self._late = timedelta(seconds=seconds)
        self._waiting: deque[tuple[datetime, str, int]] = deque()
        self._held: Counter[str] = Counter()
        self._counted = self._set = now
        self._last, self._shared = "", now - 2 * _ALONE
        """The tenant that sent last, and when another one sent before it."""
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
        if tenant != self._last:
            self._last, self._shared = tenant, now if self._last else self._shared
        self._waiting.append((now, tenant, size))
        self._held[tenant] += size
        self.total += size

    def count(self, until: datetime, known: datetime, now: datetime) -> None:
        """Note that at `known` everything accepted before `until` was counted, and set the window by it."""
        alone = now - self._shared > _ALONE
        late = self._late * (_PATIENCE if alone else 1)
        if until > self._counted:
            counted = self._forget(until)
            self._counted = until
            took = max(known - until, late / 4, timedelta.resolution)
            # The root damps it: what a round took follows from the window of the round before.
            fitting = self.window * (late / took) ** (1 if alone else 0.5)
            self.window = max(LEAST_WINDOW, min(fitting, max(_HEADROOM * counted, _DECAY * self.window)))
            self._set = now
        elif self._waiting and now - self._waiting[0][0] > 2 * late and now - self._set > late:
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
