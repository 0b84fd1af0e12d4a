"""Counts what keys with a quota have sent, in a folder beside the file of keys, so that a restart forgets nothing.

Each ingest writes a file of its own and reads those of the others, once a second. So quotas hold for all
ingests that share the folder, as they share the file of keys; within that second a key may send too much, and
a process that is killed forgets what it counted in its last one.
"""

from pathlib import Path

import msgspec

from outlay_ingest.domain.rate_limits import Counts, LimitStatus, standing
from outlay_kit.clock import Clock
from outlay_kit.keys import ApiKey
from outlay_kit.telemetry import get_logger

log = get_logger(__name__)


class Quotas:
    """What was taken from each key that has a quota."""

    def __init__(self, folder: Path, name: str, clock: Clock) -> None:
        """`name`: this process' own, the same after a restart."""
        self._folder = folder
        self._file = folder / f"{name}.json"
        self._clock = clock
        self._mine = _read(self._file) or Counts()
        self._others: list[Counts] = []
        self._changed = False
        self.sync()

    def standing(self, key: ApiKey) -> LimitStatus | None:
        """Say how a key stands; None if it has no quota."""
        limits = key.events_per_day, key.events_per_month
        if not any(limits):
            return None
        used = [counts.keys.get(key.line, (0, 0)) for counts in (self._mine, *self._others)]
        of_day, of_month = (sum(column) for column in zip(*used, strict=True))
        return standing(limits, (of_day, of_month), self._clock.now())

    def charge(self, key: ApiKey, events: int) -> None:
        """Count events of a key that has a quota."""
        if key.events_per_day or key.events_per_month:
            self._mine.add(key.line, events)
            self._changed = True

    def sync(self) -> None:
        """Begin a new day or month, write what was counted, read what others counted. A disk that fails is logged."""
        now = self._clock.now()
        self._mine.turn(now)
        try:
            if self._changed:
                self._write()
            others = (path for path in self._folder.glob("*.json") if path != self._file)
            self._others = [found for path in others if (found := _read(path)) is not None]
        except OSError as error:
            log.warning("what keys have sent cannot be kept now", error=str(error))
        for counts in self._others:
            counts.turn(now)

    def _write(self) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        partial = self._file.with_suffix(".partial")
        partial.write_bytes(msgspec.json.encode(self._mine))
        partial.replace(self._file)
        self._changed = False


def _read(path: Path) -> Counts | None:
    try:
        return msgspec.json.decode(path.read_bytes(), type=Counts)
    except FileNotFoundError:
        return None
    except (OSError, msgspec.MsgspecError) as error:
        log.warning("what keys have sent cannot be read", file=str(path), error=str(error))
        return None
