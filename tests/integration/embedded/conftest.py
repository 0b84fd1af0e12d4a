"""The interface over chDB, in a process of its own, as the stack runs it."""

from collections.abc import Iterator

import pytest
from tests.support.chdb_server import Server, command

from outlay.embedded.ports import free_port
from outlay.embedded.supervisor import Child, Supervisor
from outlay_kit.clock import SystemClock


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("server")
    running = Server(free_port())
    supervisor = Supervisor(folder / "logs", SystemClock())
    argv = command(folder, running.port, "--max-body", str(8 * 2**20))
    supervisor.start(Child("clickhouse", argv, running.answers), wait=60)
    yield running
    supervisor.stop()
