"""Runs one delivery worker for each channel: those of the settings always, those of the catalog while it has them."""

import os
import threading
from collections.abc import Callable, Collection, Sequence
from datetime import datetime

from outlay_alerter.adapters.rollup_reader import RollupReader
from outlay_alerter.notify.channel import Channel
from outlay_alerter.notify.channel_registry import of_catalog
from outlay_alerter.notify.chart import pictures
from outlay_alerter.notify.delivery_worker import DeliveryWorker
from outlay_alerter.notify.outbox import Outbox
from outlay_alerter.notify.routing import Routing
from outlay_alerter.settings import Settings
from outlay_kit.clickhouse import ClickHouseClient
from outlay_kit.clock import Clock
from outlay_kit.telemetry import get_logger
from outlay_schemas.alerts import Alert
from outlay_schemas.catalog import Catalog
from outlay_schemas.catalog import channels as schema

log = get_logger(__name__)


class _Running:
    """A worker and its thread. `spec` None: the channel comes from the settings."""

    def __init__(
        self, worker: DeliveryWorker, spec: schema.Channel | None, run: "Callable[[_Running], None]"
    ) -> None:
        self.worker, self.spec, self.ended = worker, spec, threading.Event()
        self.thread = threading.Thread(target=run, args=(self,), name=worker.name, daemon=True)

    def join(self, seconds: float) -> None:
        if self.thread.ident is not None:
            self.thread.join(timeout=seconds)


class DeliveryManager:
    """Follows the channels of the catalog."""

    def __init__(
        self, settings: Settings, clock: Clock, stopped: Callable[[], bool], leads: Callable[[], bool]
    ) -> None:
        """Workers run until `stopped()`, while `leads()`: only one of several alerters sends."""
        self._settings, self._clock, self._stopped, self._leads = settings, clock, stopped, leads
        self._workers: dict[str, _Running] = {}
        self._routing = Routing()
        self._started = False

    def add_fixed(self, channels: Sequence[Channel]) -> None:
        """Add the channels that do not depend on the catalog."""
        for channel in channels:
            outbox = Outbox(ClickHouseClient(self._settings.clickhouse))
            self._workers[channel.name] = _Running(
                DeliveryWorker(channel, outbox, self._clock), None, self._run
            )

    @property
    def fixed(self) -> list[str]:
        """Names of the channels that do not depend on the catalog: they get every alert."""
        return [name for name, running in self._workers.items() if running.spec is None]

    def route(self, alert: Alert, notified: Collection[str]) -> dict[str, datetime]:
        """Return the catalog's channels for an alert, and when each is due."""
        return self._routing(alert, notified)

    def follow(self, catalog: Catalog) -> None:
        """End the workers of channels that the catalog no longer has; start those of new or changed ones."""
        channels = {channel.id: channel for channel in catalog.channels}
        taken = channels.keys() & set(self.fixed)
        for name in taken:
            log.error("a channel of the catalog has the name of one of the settings", channel=name)
        wanted = {name: spec for name, spec in channels.items() if name not in taken}
        for name, running in list(self._workers.items()):
            if running.spec is not None and wanted.get(name) != running.spec:
                self._end(self._workers.pop(name))
        for name, spec in wanted.items():
            if name not in self._workers:
                self._workers[name] = self._running(spec)
        self._routing = Routing(tuple(wanted.values()), catalog.routes)
        if self._started:
            self.start()

    def start(self) -> None:
        """Start every worker that is not running yet."""
        self._started = True
        for running in self._workers.values():
            if running.thread.ident is None:
                running.thread.start()

    def wake(self) -> None:
        """Have every worker look into the outbox now."""
        for running in self._workers.values():
            running.worker.wake.set()

    def join(self) -> None:
        """Wait for the workers after the stop, no longer than a receiver may take."""
        self.wake()
        for running in self._workers.values():
            running.join(self._settings.channel_seconds)

    def _running(self, spec: schema.Channel) -> _Running:
        clickhouse = ClickHouseClient(self._settings.clickhouse)  # threads cannot share a connection
        outbox, picture = Outbox(clickhouse), pictures(RollupReader(clickhouse))
        channel = of_catalog(spec, self._settings, self._clock, outbox, picture)
        digested = spec.digest.severities if spec.digest else ()
        return _Running(DeliveryWorker(channel, outbox, self._clock, digested), spec, self._run)

    def _end(self, running: _Running) -> None:
        """Let a worker finish its message; the others stay in the outbox, in case the channel comes back."""
        running.ended.set()
        running.worker.wake.set()
        running.join(self._settings.channel_seconds)

    def _run(self, running: _Running) -> None:
        try:
            running.worker.run(lambda: self._stopped() or running.ended.is_set(), self._leads)
        except Exception:
            log.exception("a delivery worker failed; ending the process", channel=running.worker.name)
            os._exit(70)  # no one would notice a thread that ends alone; the next process sends what is left
        running.worker.outbox.close()
