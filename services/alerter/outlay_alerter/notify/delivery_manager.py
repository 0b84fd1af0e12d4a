"""One courier a channel, each in a thread of its own.

Those of the settings work for ever, those of the catalog while it has them.
"""

import os
import threading
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from outlay_alerter.adapters.rollup_reader import RollupReader
from outlay_alerter.alerts.store import Store
from outlay_alerter.notify.channel_registry import of_catalog
from outlay_alerter.notify.delivery_worker import Channel, DeliveryWorker
from outlay_alerter.notify.pictures import pictures
from outlay_alerter.notify.routing import Routing
from outlay_alerter.notify.thread_store import ClickHouseThreads
from outlay_alerter.settings import Settings
from outlay_kit.clickhouse import ClickHouseClient
from outlay_kit.clock import Clock
from outlay_kit.telemetry import get_logger
from outlay_schemas.alerts import Alert
from outlay_schemas.catalog import Catalog
from outlay_schemas.catalog import channels as schema

log = get_logger(__name__)


@dataclass
class _Line:
    """A courier at work."""

    courier: DeliveryWorker
    spec: schema.Channel | None
    """None: it is of the settings."""
    hung_up: threading.Event = field(default_factory=threading.Event)
    thread: threading.Thread | None = None


class DeliveryManager:
    """Couriers that follow the catalog."""

    def __init__(
        self, settings: Settings, clock: Clock, stopped: Callable[[], bool], leads: Callable[[], bool]
    ) -> None:
        """Couriers work until `stopped()`, while `leads()`: of several alerters one tells."""
        self._settings, self._clock, self._stopped, self._leads = settings, clock, stopped, leads
        self._lines: dict[str, _Line] = {}
        self._routing = Routing()
        self._working = False

    def always(self, channels: Sequence[Channel]) -> None:
        """Have couriers for channels that no catalog takes away."""
        for channel in channels:
            store = Store(ClickHouseClient(self._settings.clickhouse))
            self._lines[channel.name] = _Line(DeliveryWorker(channel, store, self._clock), None)

    @property
    def names(self) -> list[str]:
        """The channels of the settings, which are told everything."""
        return [name for name, line in self._lines.items() if line.spec is None]

    def routed(self, alert: Alert, notified: Collection[str]) -> dict[str, datetime]:
        """Return which channels of the catalog get an alert, and when."""
        return self._routing(alert, notified)

    def follow(self, catalog: Catalog) -> None:
        """Have the channels of a catalog: end what it no longer has, start what is new or was changed."""
        own = {channel.id: channel for channel in catalog.channels}
        taken = own.keys() & set(self.names)
        for name in taken:
            log.error("a channel of the catalog has the name of one of the settings", channel=name)
        wanted = {name: spec for name, spec in own.items() if name not in taken}
        for name, line in list(self._lines.items()):
            if line.spec is not None and wanted.get(name) != line.spec:
                self._end(self._lines.pop(name))
        for name, spec in wanted.items():
            if name not in self._lines:
                self._lines[name] = self._line(spec)
        self._routing = Routing(tuple(wanted.values()), catalog.routes)
        if self._working:
            self.start()

    def start(self) -> None:
        """Let every courier work that does not yet."""
        self._working = True
        for name, line in self._lines.items():
            if line.thread is None:
                line.thread = threading.Thread(target=self._work, args=(line,), name=name, daemon=True)
                line.thread.start()

    def call(self) -> None:
        """Tell every courier that there is something to tell."""
        for line in self._lines.values():
            line.courier.called.set()

    def join(self) -> None:
        """Wait for the couriers after the stop, but no longer than a receiver may take."""
        for line in self._lines.values():
            if line.thread is not None:
                line.thread.join(timeout=self._settings.channel_seconds)

    def _line(self, spec: schema.Channel) -> _Line:
        # Of the courier's own: a connection is not shared among threads.
        clickhouse = ClickHouseClient(self._settings.clickhouse)
        channel = of_catalog(
            spec,
            self._settings,
            self._clock,
            ClickHouseThreads(clickhouse),
            pictures(RollupReader(clickhouse)),
        )
        digested = spec.digest.severities if spec.digest else ()
        return _Line(DeliveryWorker(channel, Store(clickhouse), self._clock, digested), spec)

    def _end(self, line: _Line) -> None:
        """Let a courier finish what it is at; what waits for it waits on, in case its channel comes back."""
        line.hung_up.set()
        line.courier.called.set()
        if line.thread is not None:
            line.thread.join(timeout=self._settings.channel_seconds)

    def _work(self, line: _Line) -> None:
        try:
            line.courier.run(lambda: self._stopped() or line.hung_up.is_set(), self._leads)
        except Exception:
            log.exception("a courier failed; ending this process", channel=line.courier.name)
            os._exit(70)  # its successor tells what is left; a thread that ends alone would never be missed
        line.courier.close()
