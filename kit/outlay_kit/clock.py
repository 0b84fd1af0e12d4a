"""The only place that asks the machine what time it is."""

import time
from datetime import UTC, datetime, timedelta
from typing import Protocol

_PROBE_SECONDS = 0.02


class Clock(Protocol):
    """Source of wall time and of monotonic time."""

    def now(self) -> datetime:
        """Return the wall time, aware, UTC."""

    def monotonic(self) -> float:
        """Return seconds that never run backwards; only differences mean anything."""

    def sleep(self, seconds: float) -> None:
        """Wait for `seconds`."""


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        """Return the wall time, aware, UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Return seconds since some start."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Wait for `seconds`."""
        time.sleep(seconds)


class FakeClock:
    """A clock that only moves when it is advanced; `sleep` advances it at once."""

    def __init__(self, start: datetime) -> None:
        if start.tzinfo is None:
            raise ValueError("a clock starts at an aware time")
        self._now = start.astimezone(UTC)
        self._elapsed = 0.0

    def now(self) -> datetime:
        """Return the fake wall time."""
        return self._now

    def monotonic(self) -> float:
        """Return the seconds this clock was advanced."""
        return self._elapsed

    def sleep(self, seconds: float) -> None:
        """Advance the clock by `seconds` at once."""
        self.advance(seconds)

    def advance(self, seconds: float) -> None:
        """Move the clock forward by `seconds`."""
        self._now += timedelta(seconds=seconds)
        self._elapsed += seconds


def cpu_share() -> float:
    """Return the share of a core that a busy thread gets now: near 1 on an idle machine. Uses 20 ms of CPU time."""
    began, used = time.monotonic(), time.thread_time()
    while time.thread_time() - used < _PROBE_SECONDS:
        pass
    return min(1.0, _PROBE_SECONDS / max(time.monotonic() - began, _PROBE_SECONDS))
