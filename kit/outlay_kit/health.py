"""How a service tells that it is alive, ready and moving, and how it ends itself when it is stuck."""

import os
import threading
from collections.abc import Callable, Iterable
from wsgiref.simple_server import WSGIRequestHandler, make_server
from wsgiref.types import StartResponse, WSGIEnvironment

from prometheus_client import make_wsgi_app

from outlay_kit.clock import Clock
from outlay_kit.settings import HealthSettings
from outlay_kit.telemetry import get_logger

log = get_logger(__name__)


class Health:
    """The state of one process. Work calls `progress`; a probe or the watchdog asks `stalled`."""

    def __init__(self, clock: Clock, stall_seconds: float) -> None:
        self._clock = clock
        self._stall_seconds = stall_seconds
        self._last_progress = clock.monotonic()
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
        """Work was done, or it was found that the world is away and we are waiting for it."""
        self._last_progress = self._clock.monotonic()

    def stalled(self) -> bool:
        """Tell whether work has waited for longer than allowed without progress."""
        if self._suspicion():
            return True
        if self._clock.monotonic() - self._last_progress < self._stall_seconds:
            return False
        if self._pending():
            return True
        self.progress()
        return False


def end_when_stalled(health: Health, every: float = 5.0) -> None:
    """Start the watchdog: a process that is stuck ends, hard, so that its supervisor starts another."""

    def watch() -> None:
        while True:
            threading.Event().wait(every)
            if health.stalled():
                log.error("stalled: work is waiting and none was done; ending this process")
                os._exit(70)

    threading.Thread(target=watch, name="watchdog", daemon=True).start()


class _Quiet(WSGIRequestHandler):
    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (the name is the base's)
        """Probes are not worth a line each."""


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

    server = make_server(settings.host, settings.port, app, handler_class=_Quiet)
    threading.Thread(target=server.serve_forever, name="health", daemon=True).start()
