"""The health of a process: alive, ready, making progress; and the watchdog that ends a stalled one."""

import asyncio
import os
import threading
from collections.abc import Callable, Coroutine, Iterable
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, make_server
from wsgiref.types import StartResponse, WSGIEnvironment

from prometheus_client import make_wsgi_app
from prometheus_client.exposition import ThreadingWSGIServer

from outlay_kit.clock import Clock, cpu_share
from outlay_kit.settings import HealthSettings
from outlay_kit.telemetry import get_logger

log = get_logger(__name__)
_MOST_FORGIVEN = 9
"""A stall is found after at most 1 + 9 times the stall seconds, however little CPU time the machine gave."""


def repeat(work: Callable[[], object], every: float, name: str) -> None:
    """Do some work every so many seconds, in a daemon thread. If it fails, this process ends."""

    def run() -> None:
        pause = threading.Event()
        try:
            while not pause.wait(every):
                work()
        except Exception as error:  # noqa: BLE001 (whatever it is, this process ends)
            _end(name, error)

    threading.Thread(target=run, name=name, daemon=True).start()


def forever(work: Coroutine[Any, Any, None], name: str) -> "asyncio.Task[None]":
    """Start a task that runs as long as this process. If it fails, this process ends: a task that ended would be
    missed later, as a stall without a reason, or never."""

    def ended(task: "asyncio.Task[None]") -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            _end(name, error)

    task = asyncio.create_task(work, name=name)
    task.add_done_callback(ended)
    return task


def _end(name: str, error: BaseException) -> None:
    log.critical("this process ends: what it does all the time failed", task=name, exc_info=error)
    os._exit(70)


class Health:
    """The state of one process. Work calls `progress`; probes and the watchdog ask `stalled`."""

    def __init__(self, clock: Clock, stall_seconds: float) -> None:
        self._clock = clock
        self._stall_seconds = stall_seconds
        self._last_progress = clock.monotonic()
        self._forgiven = 0.0
        self._pending: Callable[[], bool] = lambda: False
        self._suspicion: Callable[[], bool] = lambda: False
        self.ready = False
        """Whether the service does its work: connected, catalog read, partitions assigned."""

    def watch(self, pending: Callable[[], bool]) -> None:
        """Count silence as a stall only while `pending()` says that there is work (lag)."""
        self._pending = pending

    def suspect(self, stuck: Callable[[], bool]) -> None:
        """Be stalled also while `stuck()`, whatever progress this process makes."""
        self._suspicion = stuck

    def progress(self) -> None:
        """Note that work was done, or that the process waits for a dependency."""
        self._last_progress = self._clock.monotonic()
        self._forgiven = 0.0

    def forgive(self, seconds: float) -> None:
        """Do not count seconds without progress in which the machine gave this process no CPU time."""
        self._forgiven = min(self._forgiven + seconds, _MOST_FORGIVEN * self._stall_seconds)

    def silent(self) -> bool:
        """Return whether work waits, and a quarter of the stall seconds passed without progress. The seconds
        begin again while no work waits."""
        if self._clock.monotonic() - self._last_progress <= self._stall_seconds / 4:
            return False
        if self._pending():
            return True
        self.progress()
        return False

    def stalled(self) -> bool:
        """Return whether work has waited for longer than allowed without progress."""
        if self._suspicion():
            return True
        if self._clock.monotonic() - self._last_progress - self._forgiven < self._stall_seconds:
            return False
        if self._pending():
            return True
        self.progress()
        return False


class Watchdog:
    """Ends a stalled process, so that its supervisor starts another. A starved process is not a stalled one."""

    def __init__(
        self, health: Health, clock: Clock, every: float = 5.0, share: Callable[[], float] = cpu_share
    ) -> None:
        """`share()` returns the share of a core that a busy thread gets now."""
        self._health, self._clock, self._every, self._share = health, clock, every, share
        self._looked = clock.monotonic()

    def look(self) -> bool:
        """Return whether the process is stalled. Called every few seconds. Seconds without progress count by the
        share of CPU time that the machine gives: with a tenth of a core, work and the stores it waits for may take
        ten times as long. A process that was frozen looks late."""
        now = self._clock.monotonic()
        passed, self._looked = now - self._looked, now
        frozen = max(0.0, passed - 2 * self._every)
        starved = (passed - frozen) * (1 - self._share()) if self._health.silent() else 0.0
        self._health.forgive(frozen + starved)
        return self._health.stalled()

    def start(self) -> None:
        """Look in a daemon thread."""

        def watch() -> None:
            if self.look():
                log.error("stalled: work is waiting and none was done; ending this process")
                os._exit(70)

        repeat(watch, self._every, "watchdog")


class _Quiet(WSGIRequestHandler):
    timeout = 5
    """Seconds that a client may send nothing."""

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (the name is the base's)
        """Log nothing for a probe."""


def serve_health(health: Health, settings: HealthSettings) -> None:
    """Serve /livez, /readyz and /metrics in a daemon thread."""
    if not settings.port:
        return
    metrics = make_wsgi_app()

    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        path = environ.get("PATH_INFO", "")
        if path == "/metrics":
            answer: Iterable[bytes] = metrics(environ, start_response)
            return answer
        states = {"/livez": not health.stalled(), "/readyz": health.ready and not health.stalled()}
        if path not in states:
            start_response("404 Not Found", [("Content-Type", "text/plain")])
            return [b"try /livez, /readyz or /metrics\n"]
        ok = states[path]
        start_response("200 OK" if ok else "503 Service Unavailable", [("Content-Type", "text/plain")])
        return [b"ok\n" if ok else b"not ok\n"]

    server = make_server(settings.host, settings.port, app, ThreadingWSGIServer, handler_class=_Quiet)
    threading.Thread(target=server.serve_forever, name="health", daemon=True).start()
