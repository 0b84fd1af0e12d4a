"""Follows the rollups and alerts that the services publish, and keeps what the live view shows."""

import threading
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from outlay_kit.clock import Clock
from outlay_kit.kafka import Record, follow
from outlay_kit.settings import KafkaSettings
from outlay_schemas import topics
from outlay_schemas.alerts import Alert, alert_decoder
from outlay_schemas.dimensions import name_of
from outlay_schemas.events import RollupWindow, rollup_window_decoder

ALERTS_SHOWN = 8


@dataclass
class Spend:
    """The newest state of every minute window of one tenant, and how long events took to get there."""

    tenant: str
    windows: dict[datetime, RollupWindow] = field(default_factory=dict)
    alerts: deque[Alert] = field(default_factory=lambda: deque(maxlen=ALERTS_SHOWN))
    latencies: list[float] = field(default_factory=list)
    """Seconds from a batch's 202 until as many events as had been accepted by then were in the rollups."""
    events: int = 0
    """Events in the rollups."""
    _waiting: deque[tuple[int, float]] = field(default_factory=deque)

    def accepted(self, total: int, at: float) -> None:
        """Note that `total` events had been accepted at `at` (monotonic seconds)."""
        self._waiting.append((total, at))

    def take(self, window: RollupWindow, at: float) -> None:
        """Take a window's state if it is newer than what is known."""
        if window.tenant != self.tenant or window.grain != "minute":
            return
        known = self.windows.get(window.window)
        if known is not None and known.version >= window.version:
            return
        self.windows[window.window] = window
        self.events += _events(window) - (_events(known) if known else 0)
        while self._waiting and self._waiting[0][0] <= self.events:
            self.latencies.append(at - self._waiting.popleft()[1])

    @property
    def unpriced(self) -> int:
        """Events that have no price."""
        return sum(g.unpriced_events for w in self.windows.values() for g in w.groups)

    def by(self, dimension: str) -> dict[str, Decimal]:
        """Return USD by the values of a dimension."""
        spend: dict[str, Decimal] = {}
        for window in self.windows.values():
            for group in window.groups:
                name = name_of(getattr(group, dimension))
                spend[name] = spend.get(name, Decimal(0)) + Decimal(group.cost)
        return spend

    def by_minute(self) -> list[tuple[datetime, Decimal]]:
        """Return USD of each minute, in order."""
        return [
            (at, sum((Decimal(g.cost) for g in self.windows[at].groups), Decimal(0)))
            for at in sorted(self.windows)
        ]


def _events(window: RollupWindow) -> int:
    return sum(group.events for group in window.groups)


class Follower:
    """Reads cost.rollups and cost.alerts in a thread, from now on, into a `Spend`."""

    def __init__(self, kafka: KafkaSettings, spend: Spend, clock: Clock) -> None:
        self._kafka = kafka
        self._spend = spend
        self._clock = clock
        self._stop = threading.Event()
        self._ready = threading.Event()
        self.lock = threading.Lock()
        self._thread = threading.Thread(target=self._run, name="follower", daemon=True)

    def __enter__(self) -> "Follower":
        self._thread.start()
        self._ready.wait(timeout=30)
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(timeout=10)

    def _run(self) -> None:
        followed = [topics.ROLLUPS, topics.ALERTS]
        follow(self._kafka, followed, self._take, self._stop.is_set, newest=True, caught_up=self._ready.set)

    def _take(self, records: Sequence[Record]) -> None:
        now = self._clock.monotonic()
        with self.lock:
            for topic, line in ((r.topic, line) for r in records for line in r.value.splitlines()):
                if topic == topics.ROLLUPS.name:
                    self._spend.take(rollup_window_decoder.decode(line), now)
                    continue
                alert = alert_decoder.decode(line)
                if alert.tenant == self._spend.tenant:
                    self._spend.alerts.append(alert)
