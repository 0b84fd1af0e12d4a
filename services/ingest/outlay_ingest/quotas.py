"""What keys with a quota have sent, over all replicas, on the compacted topic `keys.quotas`: each publishes its
counts once a second and follows the others'. A key can exceed its quota by about a second's events at other replicas
and the request that crosses it; a killed process forgets its last second."""

from collections.abc import Callable
from concurrent.futures import Future

import msgspec

from outlay_ingest.domain.rate_limits import Counts, LimitStatus, standing
from outlay_kit.broker import Record
from outlay_kit.clock import Clock
from outlay_kit.keys import ApiKey
from outlay_kit.telemetry import get_logger

log = get_logger(__name__)


class Quotas:
    """What was taken from each key that has a quota."""

    def __init__(self, name: str, publish: Callable[[bytes, bytes], "Future[None]"], clock: Clock) -> None:
        """`name`: this process' own, the same after a restart. `publish` sends a record: its key and its value."""
        self._name = name
        self._publish = publish
        self._clock = clock
        self._mine = Counts()
        self._others: dict[str, Counts] = {}
        self._published = b""
        self._mine.turn(clock.now())

    def take(self, record: Record) -> None:
        """Take the counts of a process; its own are those from before a restart, until it has counted itself."""
        try:
            counts = msgspec.json.decode(record.value, type=Counts)
        except msgspec.MsgspecError:
            log.exception("the counts of another ingest cannot be read", offset=record.offset)
            return
        counts.turn(self._clock.now())
        name = (record.key or b"").decode()
        if name != self._name:
            self._others[name] = counts
        elif not self._published:
            self._mine = counts

    def standing(self, key: ApiKey) -> LimitStatus | None:
        """Say how a key stands; None if it has no quota."""
        limits = key.events_per_day, key.events_per_month
        if not any(limits):
            return None
        used = [counts.keys.get(key.line, (0, 0)) for counts in (self._mine, *list(self._others.values()))]
        of_day, of_month = (sum(column) for column in zip(*used, strict=True))
        return standing(limits, (of_day, of_month), self._clock.now())

    def charge(self, key: ApiKey, events: int) -> None:
        """Count events of a key that has a quota."""
        if key.events_per_day or key.events_per_month:
            self._mine.add(key.line, events)

    def sync(self) -> None:
        """Begin a new day or month, and publish what was counted since the last time."""
        now = self._clock.now()
        for counts in (self._mine, *list(self._others.values())):
            counts.turn(now)
        fresh = msgspec.json.encode(self._mine)
        if self._mine.keys and fresh != self._published:
            self._published = fresh
            self._publish(self._name.encode(), fresh).add_done_callback(self._settled)

    def _settled(self, fate: "Future[None]") -> None:
        if (error := fate.exception()) is not None:
            log.warning("dependency unavailable, quotas are counted alone", error=str(error))
            self._published = b"?"  # so that the next second sends it again
