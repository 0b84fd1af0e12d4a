"""What runs on this machine and how it is."""

import re
import urllib.request
from dataclasses import asdict, dataclass, field
from math import isnan

from outlay.local.control import memory
from outlay.local.state import LocalState, Process, home_folder, running
from outlay.local.system import answers
from outlay_kit.errors import Retryable
from outlay_kit.settings import ClickHouseSettings

_HIGH_CARDINALITY = """
SELECT tenant, source, argMax(dimension, cells) AS dimension, argMax(distinct, cells) AS distinct,
    max(cells) AS most_cells, count() AS minutes
FROM high_cardinality_sources FINAL WHERE found_at > now() - INTERVAL 1 DAY
GROUP BY tenant, source ORDER BY most_cells DESC LIMIT 10"""
_LAG = re.compile(r"^outlay_(?:group_)?lag_records (\S+)$", re.MULTILINE)
"""Of its own partitions, and of the whole group: what others do not do counts too."""


@dataclass(frozen=True)
class ProcessStatus:
    """One process: memory in bytes, CPU in seconds, lag in Kafka records (None: it has none)."""

    name: str
    state: str
    pid: int
    restarts: int
    rss: int
    cpu_seconds: float
    lag: int | None
    url: str


@dataclass(frozen=True)
class SystemStatus:
    """The whole system."""

    home: str
    processes: list[ProcessStatus]
    reader: str = ""  # the ClickHouse user for BI tools, which can only read, and its password
    reader_password: str = ""
    high_cardinality: list[dict[str, object]] = field(default_factory=list)
    """Producers that sent more values in a minute of the last day than a rollup names."""

    @property
    def healthy(self) -> bool:
        """Whether everything runs and says that it does its work."""
        return bool(self.processes) and all(part.state == "ready" for part in self.processes)

    def as_dict(self) -> dict[str, object]:
        """Return it for JSON."""
        return {"running": bool(self.processes), "healthy": self.healthy, **asdict(self)}


def system_status(ask_engine: bool = True) -> SystemStatus:
    """Ask every process of the local system how it is, and the engine for sources of high cardinality, which takes a
    client of it. Raises StateError."""
    state = running()
    if state is None:
        return SystemStatus(str(home_folder()), [])
    processes = [_part(state, process) for process in state.processes]
    found = high_cardinality(state.clickhouse_settings()) if ask_engine else []
    return SystemStatus(str(home_folder()), processes, state.reader, state.reader_password, found)


def high_cardinality(settings: ClickHouseSettings) -> list[dict[str, object]]:
    """Return the worst minute of each producer; none if the engine does not say."""
    from clickhouse_connect.driver.exceptions import DatabaseError

    from outlay_kit.clickhouse import ClickHouseClient

    clickhouse = ClickHouseClient(settings)
    try:
        return clickhouse.rows(_HIGH_CARDINALITY)
    except (Retryable, DatabaseError):
        return []
    finally:
        clickhouse.close()


def _part(state: LocalState, process: Process) -> ProcessStatus:
    rss, cpu = memory(process.pid)
    ready = answers(process.health) if process.health else rss > 0
    how = "ready" if ready else "not ready" if rss else "stopped"
    where = getattr(state, process.name, process.health and f"{process.health}/metrics")
    lag = lag_of(process.health)
    return ProcessStatus(process.name, how, process.pid, process.restarts, rss, cpu, lag, where)


def lag_of(health: str) -> int | None:
    """Return the records that a service has still to process, by its health address; None if it does not say."""
    if not health:
        return None
    try:
        with urllib.request.urlopen(f"{health}/metrics", timeout=2) as answer:  # noqa: S310 (loopback)
            found = _LAG.findall(answer.read().decode())
    except OSError:  # URLError is one
        return None
    known = [int(lag) for lag in map(float, found) if not isnan(lag)]
    return max(known, default=None)
