"""Steps 3 and 4 of a batch (service.py): recompute windows and publish each."""

from collections import Counter
from collections.abc import Callable, Sequence
from typing import NamedTuple

import msgspec

from outlay_aggregator import metrics
from outlay_aggregator.adapters.ledger_store import LedgerStore
from outlay_aggregator.domain import dead_letters
from outlay_aggregator.domain.windows import GRAINS, Window, chunks, widen
from outlay_aggregator.minute_checks import MinuteChecks
from outlay_aggregator.settings import Settings
from outlay_kit.broker import OversizeError, RecordSink, deliver
from outlay_kit.failpoints import failpoint
from outlay_schemas.events import Grain
from outlay_schemas.topics import ROLLUPS

_EVENT_SIZE = 50
"""Bytes of an answer that take about as long as reading an event."""


class RolledUp(NamedTuple):
    """What was recomputed: events of the minutes, and the size of the work by tenant."""

    events: int
    sizes: Counter[str]


class Rollups:
    """Recomputes windows. One for each thread, with a store of its own."""

    def __init__(self, store: LedgerStore, sink: RecordSink, settings: Settings) -> None:
        self._store, self._sink, self._settings = store, sink, settings
        self._minute_checks = MinuteChecks(store, settings.user_cells)

    def roll_up(self, minutes: set[Window], progress: Callable[[], None]) -> RolledUp:
        """Recompute minutes, the newest first, so that a backfill does not delay live ones.

        Hours follow all their minutes and days all their hours, so each is computed once. Raises Retryable.
        """
        failpoint("before_rollup")
        events, sizes = 0, Counter[str]()
        for grain in GRAINS:
            windows = {widen(minute, grain) for minute in minutes}
            for chunk in chunks(windows, self._settings.window_chunk):
                lines = self._store.recompute(grain, chunk)
                self._publish(grain, lines, sizes)
                progress()
                if grain == "minute":
                    for tenant, count in self._minute_checks.check(lines).items():
                        events += count
                        sizes[tenant] += count * _EVENT_SIZE
        failpoint("after_rollup")
        return RolledUp(events, sizes)

    def _publish(self, grain: Grain, lines: Sequence[bytes], sizes: Counter[str]) -> None:
        metrics.WINDOWS.labels(grain).inc(len(lines))
        sent = []
        for line in lines:
            name = msgspec.json.decode(line, type=_Tenant).tenant
            sizes[name] += len(line)
            tenant = name.encode()
            sent.append((line, tenant, self._sink.send(ROLLUPS.name, line, tenant)))
        for line, tenant, future in sent:
            try:
                future.result(timeout=120)
            except OversizeError:
                metrics.OVERSIZE.inc()  # publish it without its details: the rollup tables have them
                try:
                    deliver(self._sink, ROLLUPS.name, [dead_letters.thin(line)], tenant)
                except OversizeError:
                    deliver(self._sink, ROLLUPS.name, [dead_letters.thin(line, ())], tenant)


class _Tenant(msgspec.Struct):
    tenant: str
