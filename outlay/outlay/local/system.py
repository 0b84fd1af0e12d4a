"""Kafka, ClickHouse and every service, started in order, kept running, stopped in order."""

import os
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal

import msgspec

from outlay.catalog import load_default
from outlay.catalog.publish import publish_if_absent
from outlay.embedded.ports import free_port, free_ports, usual_ports
from outlay.embedded.progress import Progress
from outlay.embedded.stack import EmbeddedStack
from outlay.embedded.supervisor import Child
from outlay.local.state import TENANT, LocalState, Process, keys_path, local_keys, running, state_file
from outlay_kit.backoff import Backoff, retry
from outlay_kit.clock import Clock, SystemClock
from outlay_kit.keys import KeyFile
from outlay_kit.migrator import migrate
from outlay_kit.private_files import write_private
from outlay_kit.settings import ClickHouseSettings, KafkaSettings
from outlay_kit.topics import Durability, create_topics
from outlay_schemas import topics

_BACKOFF = Backoff(most=1.0)
SERVICES = {
    "ingest": "outlay_ingest.main",
    "pricer": "outlay_pricer.main",
    "repricer": "outlay_pricer.repricing.main",
    "aggregator": "outlay_aggregator.main",
    "alerter": "outlay_alerter.main",
    "console": "outlay.setup",
}
"""The module of each, in the order in which they stop, so that what came in is counted."""


class LocalSystem(EmbeddedStack):
    """The whole system in one folder, for as long as this process lives. Use it as a context manager.
    `fixed` takes the usual ports (or the environment's) and raises PortTakenError where one is taken; else free ones
    are chosen. Raises StackError, with what to do, if it cannot start; then nothing of it is left running."""

    def __init__(
        self, home: Path, clock: Clock | None = None, progress: Progress | None = None, fixed: bool = False
    ) -> None:
        ports = usual_ports() if fixed else free_ports()
        super().__init__(home, clock or SystemClock(), ports, progress)
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
        """Write down how others reach this system, if that changed."""
        state = self.state()
        if state != self._written:
            write_private(state_file(self.home), msgspec.json.encode(state))
            self._written = state

    _written: LocalState | None = None

    def stop(self) -> None:
        """Stop everything, services first."""
        state_file(self.home).unlink(missing_ok=True)
        super().stop()

    def _start(self) -> None:
        super()._start()
        prepare(self.kafka, self.writer, self._clock, lambda what: self._progress.step(f"preparing {what}"))
        self.create_key(TENANT)
        self._progress.step(f"starting {', '.join(SERVICES)}")
        self.supervisor.start(*(self._child(name) for name in reversed(list(SERVICES))), wait=90)
        self.write_state()

    def _child(self, name: str) -> Child:
        clickhouse = self.console if name == "console" else self.writer
        keys = str(keys_path(self.home))
        env = {
            "OUTLAY_ENV": "dev",
            "OUTLAY_KAFKA": self.kafka.bootstrap,
            "OUTLAY_CLICKHOUSE": clickhouse.url,
            "OUTLAY_CLICKHOUSE_USER": clickhouse.user,
            "OUTLAY_CLICKHOUSE_PASSWORD": clickhouse.password.get_secret_value(),
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
        return Child(name, [sys.executable, "-m", SERVICES[name]], lambda: answers(url), env)

    def _health_url(self, name: str) -> str:
        return f"http://127.0.0.1:{self._health[name]}" if name in self._health else ""


def prepare(
    kafka: KafkaSettings,
    clickhouse: ClickHouseSettings,
    clock: Clock,
    report: Callable[[str], None],
    patience: float = 60.0,
    *,
    direct_tenants: Sequence[str] = (),
    durability: Durability | None = None,
    cluster: str = "",
) -> list[str]:
    """Create topics and tables, and publish a first catalog if none exists; repeatable. Returns warnings about topics.
    `direct_tenants` publish to Kafka themselves: each has its own topic. `cluster`: of ClickHouse, whose nodes get the
    tables. Raises Retryable if a store does not answer for `patience` seconds, or at once if it refuses the user."""
    warnings: list[str] = []
    wanted = [*topics.ALL, *map(topics.usage_topic, direct_tenants)]
    steps: tuple[tuple[str, Callable[[], object]], ...] = (
        ("topics", lambda: warnings.extend(create_topics(kafka, wanted, durability or Durability()))),
        ("tables", lambda: migrate(clickhouse, cluster=cluster)),
        ("catalog", lambda: publish_if_absent(kafka, load_default(), clock)),
    )
    deadline = clock.monotonic() + patience
    for name, step in steps:
        report(name)
        retry(step, clock, _BACKOFF, patience=deadline - clock.monotonic())
    return warnings


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
