"""The stores of the embedded stack, started and stopped together in one folder."""

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Self

from pydantic import SecretStr

from outlay.embedded.clickhouse import CONSOLE, READER, WRITER, ClickHouse
from outlay.embedded.errors import DiskError
from outlay.embedded.kafka import KafkaBroker
from outlay.embedded.lock import FolderLock
from outlay.embedded.ports import free_ports, require_free
from outlay.embedded.progress import Progress, Silent
from outlay.embedded.supervisor import Child, Supervisor
from outlay_kit.clock import Clock
from outlay_kit.settings import ClickHouseSettings, KafkaSettings

_FREE_BYTES = 500 * 2**20


class EmbeddedStack:
    """Kafka and ClickHouse in `home`, for as long as this process lives. Use it as a context manager.
    `ports` are those of `ports.LISTENERS`, free ones by default. Raises StackError, with what to do, if it cannot
    start (fewer than `least_free` bytes on the disk); then nothing of it is left running. `preload`: what processes of
    the supervisor with a module share (fork_server.py)."""

    def __init__(
        self,
        home: Path,
        clock: Clock,
        ports: Mapping[str, int] | None = None,
        progress: Progress | None = None,
        *,
        least_free: int = _FREE_BYTES,
        preload: Sequence[str] = (),
    ) -> None:
        self.home = home
        self._least_free = least_free
        self._clock = clock
        self._ports = ports or free_ports()
        self._progress = progress or Silent()
        self._lock = FolderLock(home)
        self.supervisor = Supervisor(home / "logs", clock, preload=preload)
        self.broker = KafkaBroker(home / "kafka", self._ports["kafka"], self._ports["controller"])
        self.clickhouse = ClickHouse(home / "clickhouse", self._ports["clickhouse"])

    def __enter__(self) -> Self:
        self._lock.acquire()
        try:
            self._start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def kafka(self) -> KafkaSettings:
        """How to reach Kafka."""
        return KafkaSettings(bootstrap=self.broker.bootstrap)

    @property
    def writer(self) -> ClickHouseSettings:
        """How to reach ClickHouse as its writer."""
        return self._as(WRITER)

    @property
    def reader(self) -> ClickHouseSettings:
        """How to reach ClickHouse as the user that can only read."""
        return self._as(READER)

    @property
    def console(self) -> ClickHouseSettings:
        """How the console reads ClickHouse."""
        return self._as(CONSOLE)

    def stop(self) -> None:
        """Stop everything that was started under the supervisor, services first."""
        self.supervisor.stop()
        self._lock.release()

    def _start(self) -> None:
        if self._lock.reclaimed:
            self._progress.step("the last stack here was killed; going on from its data")
        free = shutil.disk_usage(self.home).free
        if free < self._least_free:
            raise DiskError(
                f"{free // 2**20} MB are free on the disk of {self.home}; the stack needs {self._least_free // 2**20}",
                "free some space, or choose another folder: OUTLAY_HOME=DIR",
            )
        require_free(self._ports)
        self.supervisor.warm_up()
        self._progress.step("starting ClickHouse and Kafka")
        self.supervisor.launch(Child("clickhouse", self.clickhouse.prepare(), self.clickhouse.answers))
        kafka = self.broker.prepare(self._progress)
        self.supervisor.launch(Child("kafka", kafka, self.broker.answers, stop_seconds=20))
        self.supervisor.wait_for("clickhouse", "kafka", seconds=90)

    def _as(self, user: str) -> ClickHouseSettings:
        password = SecretStr(self.clickhouse.passwords()[user])
        return ClickHouseSettings(url=self.clickhouse.url, user=user, password=password)
