"""How often somebody may try a key."""

from collections import OrderedDict

_MOST = 10_000
"""Most addresses remembered; the one that was quiet for longest is forgotten first."""


class Throttle:
    """A bucket of tries for each address: `burst` at once, then one every `seconds`."""

    def __init__(self, burst: int, seconds: float) -> None:
        self._burst = burst
        self._seconds = seconds
        self._known: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def wait(self, who: str, now: float) -> float:
        """Take one try of `who` at `now` (monotonic seconds). Return 0, or the seconds until there is one."""
        left, at = self._known.pop(who, (float(self._burst), now))
        left = min(float(self._burst), left + (now - at) / self._seconds)
        allowed = left >= 1
        self._known[who] = (left - 1 if allowed else left, now)
        while len(self._known) > _MOST:
            self._known.popitem(last=False)
        return 0.0 if allowed else (1 - left) * self._seconds
