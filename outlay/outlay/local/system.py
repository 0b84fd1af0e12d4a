"""Kafka, ClickHouse and every service, started in order, kept running, stopped in order."""

import os
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Literal

import msgspec

from outlay.embedded.ports import free_port, free_ports, usual_ports
from outlay.embedded.progress import Progress
from outlay.embedded.stack import EmbeddedStack
from outlay.embedded.supervisor import Child, ChildStatus
from outlay.local.state import TENANT, LocalState, Process, keys_path, local_keys, running, state_file
from outlay_kit.clock import Clock, SystemClock
from outlay_kit.keys import KeyFile
from outlay_kit.private_files import write_private
from outlay_kit.settings import ClickHouseSettings

SERVICES = {
    "ingest": "outlay_ingest.main",
    "pricer": "outlay_pricer.main",
    "repricer": "outlay_pricer.repricing.main",
    "aggregator": "outlay_aggregator.main",
    "alerter": "outlay_alerter.main",
    "console": "outlay.setup",
}
"""The module of each, in the order in which they stop, so that what came in is counted."""
SHARED = (
    "outlay_kit.service", "outlay_kit.clickhouse", "outlay_kit.migrator", "outlay_kit.catalog_feed",
    "outlay_kit.revocations", "outlay_kit.http_protocol", "outlay_kit.tracing", "outlay_kit.watermark",
    "outlay_schemas.catalog", "outlay_schemas.alerts", "clickhouse_connect.driver.httpclient", "jinja2", "uvloop",
    "anyio._backends._asyncio", "starlette.applications", "starlette.requests", "starlette.responses",
    "starlette.routing", "uvicorn.lifespan.on", "concurrent.futures.thread", "numpy",
    "outlay_reports.adapters.forecast_cache",
)  # fmt: skip
"""What services have in common. No service: its metrics would be those of all. Nothing that starts a thread: a fork has
only the thread that made it."""


class LocalSystem(EmbeddedStack):
    """The whole system in one folder, for as long as this process lives. Use it as a context manager.
    `fixed` takes the usual ports (or the environment's) and raises PortTakenError where one is taken; else free ones
    are chosen. Raises StackError, with what to do, if it cannot start; then nothing of it is left running."""

    def __init__(
        self, home: Path, clock: Clock | None = None, progress: Progress | None = None, fixed: bool = False
    ) -> None:
        ports = usual_ports() if fixed else free_ports()
        super().__init__(home, clock or SystemClock(), ports, progress, preload=SHARED)
        # where events are sent, where people look, and where programs ask how a budget stands
        self.ingest_url, self.console_url, self.alerter_url = (
            f"http://127.0.0.1:{ports[name]}" for name in ("ingest", "console", "alerter")
        )
        self._health = {name: free_port() for name in SERVICES}

    def create_key(self, tenant: str) -> str:
        """Return the key with which this folder's own commands send as `tenant`, made at the first call."""
        return create_key(self.home, tenant, self._clock)

    def pids(self) -> dict[str, int]:
        """Return the process of each part that runs."""
        return self.supervisor.pids()

    def state(self) -> LocalState:
        """Return how others reach this system."""
        writer, reader = self.writer, self.reader
        processes = [
            Process(child.name, child.pid or 0, child.restarts, self._health_url(child.name))
            for child in self.supervisor.status()
        ]
        return LocalState(
            pid=os.getpid(), kafka=self.kafka.bootstrap, clickhouse=writer.url, ingest=self.ingest_url,
            console=self.console_url,
            writer=writer.user, writer_password=writer.password.get_secret_value(),
            reader=reader.user, reader_password=reader.password.get_secret_value(), processes=processes,
            budgets=self.alerter_url,
        )  # fmt: skip

    def write_state(self) -> None:
        """Write down how others reach this system, if its processes changed."""
        status = self.supervisor.status()
        if status != self._written:
            write_private(state_file(self.home), msgspec.json.encode(self.state()))
            self._written = status

    _written: list[ChildStatus] | None = None

    def stop(self) -> None:
        """Stop everything, services first."""
        state_file(self.home).unlink(missing_ok=True)
        super().stop()

    def _start(self) -> None:
        super()._start()
        self._progress.step("preparing topics, tables and the catalog")
        self.supervisor.run(self._preparation(), wait=90)
        self.create_key(TENANT)
        self._progress.step(f"starting {', '.join(SERVICES)}")
        self.supervisor.start(*(self._child(name) for name in reversed(list(SERVICES))), wait=90)
        self.write_state()

    def _preparation(self) -> Child:
        """In a process of its own: what it imports and reads would stay in this one for as long as it runs."""
        return _python("preparation", "outlay.local.preparation", lambda: True, self._stores(self.writer))

    def _stores(self, clickhouse: ClickHouseSettings) -> dict[str, str]:
        return {
            "OUTLAY_KAFKA": self.kafka.bootstrap,
            "OUTLAY_CLICKHOUSE": clickhouse.url,
            "OUTLAY_CLICKHOUSE_USER": clickhouse.user,
            "OUTLAY_CLICKHOUSE_PASSWORD": clickhouse.password.get_secret_value(),
        }

    def _child(self, name: str) -> Child:
        keys = str(keys_path(self.home))
        env = {
            **self._stores(self.console if name == "console" else self.writer),
            "OUTLAY_ENV": "dev",
            "OUTLAY_HEALTH_PORT": str(self._health[name]),
            "OUTLAY_INGEST_PORT": str(self._ports["ingest"]),
            "OUTLAY_INGEST_KEYS_FILE": keys,
            "OUTLAY_ALERTER_PORT": str(self._ports["alerter"]),
            "OUTLAY_ALERTER_KEYS_FILE": keys,
            "OUTLAY_ALERTER_CONSOLE_URL": self.console_url,
            "OUTLAY_CONSOLE_INGEST_URL": self.ingest_url,
            "OUTLAY_CONSOLE_PORT": str(self._ports["console"]),
            "OUTLAY_CONSOLE_KEYS_FILE": keys,
            "OUTLAY_CONSOLE_SECRET_FILE": str(self.home / "console.secret"),
            "OUTLAY_CONSOLE_WRITER_USER": self.writer.user,
            "OUTLAY_CONSOLE_WRITER_PASSWORD": self.writer.password.get_secret_value(),
        }
        url = self._health_url(name)
        return _python(name, SERVICES[name], lambda: answers(url), env)

    def _health_url(self, name: str) -> str:
        return f"http://127.0.0.1:{self._health[name]}" if name in self._health else ""


def _python(name: str, module: str, ready: Callable[[], bool], env: Mapping[str, str]) -> Child:
    return Child(name, [sys.executable, "-m", module], ready, env, module=module)


def create_key(home: Path, tenant: str, clock: Clock) -> str:
    """Return the key, in force, with which this folder's own commands send as `tenant`, made at the first call."""
    known = local_keys(home)
    if tenant not in known:
        key = KeyFile(keys_path(home)).create(
            tenant, ("ingest", "read", "admin"), clock.now(), name="local commands"
        )
        write_private(home / "local-keys.json", msgspec.json.encode(known | {tenant: key}))
        if running(home) is not None:
            clock.sleep(2.0)  # services look for new keys every second
        return key
    return known[tenant]


Readiness = Literal["ready", "not ready", "not reachable"]


def readiness(health: str, seconds: float = 2.0) -> Readiness:
    """Ask a service, by its health address, whether it does its work."""
    try:
        with urllib.request.urlopen(f"{health}/readyz", timeout=seconds) as answer:  # noqa: S310 (http)
            return "ready" if answer.status == 200 else "not ready"
    except urllib.error.HTTPError:
        return "not ready"
    except OSError:  # URLError is one
        return "not reachable"


def answers(health: str) -> bool:
    """Return whether a service does its work."""
    return readiness(health) == "ready"
