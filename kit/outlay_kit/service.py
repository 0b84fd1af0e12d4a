"""The start of a service process: settings, logs, health and signals, in this order."""

from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from outlay_kit.clock import SystemClock
from outlay_kit.health import Health, Watchdog, serve_health
from outlay_kit.loop import Stop, persist
from outlay_kit.offsets import Offsets
from outlay_kit.settings import ServiceSettings, load
from outlay_kit.stalled_partitions import StalledPartitions
from outlay_kit.telemetry import configure_logging

S = TypeVar("S", bound=ServiceSettings)
T = TypeVar("T")


class Service(Generic[S]):
    """What every service has: settings, a clock, its health, and whether it was asked to stop."""

    def __init__(self, name: str, settings: type[S]) -> None:
        """Read the settings, or end with all their errors; then serve health and start the watchdog."""
        self.settings = load(settings)
        configure_logging(name, self.settings.log_level)
        self.clock = SystemClock()
        self.health = Health(self.clock, self.settings.health.stall_seconds)
        self.stop = Stop()
        serve_health(self.health, self.settings.health)
        Watchdog(self.health, self.clock).start()

    def persist(self, action: Callable[[], T]) -> T:
        """Repeat `action` while a dependency is unavailable. Raises Stopped."""
        return persist(action, self.clock, self.health, self.stop)

    def watch_partitions(
        self, group: str, topics: Sequence[str], reach: Callable[[], object] = lambda: None
    ) -> None:
        """End this process if a partition of its group makes no step for long (see `StalledPartitions`)."""
        offsets, patience = Offsets(self.settings.kafka), self.settings.health.partition_stall_seconds
        watch = StalledPartitions(offsets, group, topics, clock=self.clock, patience=patience, reach=reach)
        watch.start(self.health)
