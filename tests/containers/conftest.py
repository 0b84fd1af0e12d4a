"""docker-compose.yml brought up as a user would: `make containers`. Needs a Docker engine and docker compose."""

import shutil
import subprocess
from collections.abc import Iterator

import pytest
from tests.support.composition import NO_ULIMITS, ROOT, Composition, may_raise_ulimits

ROWS = pytest.StashKey[list[str]]()
LOGS = pytest.StashKey[str]()


@pytest.fixture(scope="session")
def composition(
    tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[Composition]:
    folder = tmp_path_factory.mktemp("composition") / "outlay"
    subprocess.run(["git", "clone", "-q", str(ROOT), str(folder)], check=True)
    override = "services: {}\n" if may_raise_ulimits() else NO_ULIMITS
    (folder / "docker-compose.override.yml").write_text(override)
    subprocess.run([folder / "deploy/compose-init"], check=True, capture_output=True)
    made = Composition(folder)
    request.config.stash[ROWS] = made.rows
    yield made
    if request.session.testsfailed:
        request.config.stash[LOGS] = made.compose("logs", "--timestamps", "--tail", "400")
    made.compose("--profile", "*", "down", "-v")
    shutil.rmtree(folder)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    logs = config.stash.get(LOGS, "")
    if logs:
        terminalreporter.section("logs of the composition")
        terminalreporter.write(logs)
    rows = config.stash.get(ROWS, [])
    if rows:
        terminalreporter.section("the composition")
        for row in ("| Done | Result |", "|---|---|", *rows):
            terminalreporter.write_line(row)
