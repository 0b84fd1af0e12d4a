"""Stores that may be killed, and the table of what was survived."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.chaos.rig import Pipeline
from tests.chaos.stores import Stores
from tests.processes import end_all


@dataclass
class Line:
    """What one test did to the system, and how many cells were wrong after it."""

    promise: str
    what: str
    events: int
    kills: int
    mismatches: int


TALLY = pytest.StashKey[list[Line]]()


class Tally:
    """Notes what tests survived, for the table at the end."""

    def __init__(self, lines: list[Line]) -> None:
        self._lines = lines

    def __call__(self, promise: str, what: str, events: int, kills: int, mismatches: int) -> None:
        self._lines.append(Line(promise, what, events, kills, mismatches))


@pytest.fixture
def tally(request: pytest.FixtureRequest) -> Tally:
    return Tally(request.config.stash.setdefault(TALLY, []))


@pytest.fixture(scope="session")
def stores(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stores]:
    made = Stores(tmp_path_factory.mktemp("chaos"))
    yield made
    made.stop()


@pytest.fixture
def pipeline(stores: Stores, tmp_path: Path) -> Iterator[Pipeline]:
    """A pipeline that is up; what is left of it in the end is killed."""
    yield Pipeline(stores, tmp_path / "run").start()
    end_all()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    lines = config.stash.get(TALLY, [])
    if not lines:
        return
    terminalreporter.section("what the books survived")
    terminalreporter.write_line(f"{'':4} {'what was done':58} {'events':>9} {'kills':>6} {'mismatches':>11}")
    for line in sorted(lines, key=lambda each: (int(each.promise[1:]), each.what)):
        terminalreporter.write_line(
            f"{line.promise:4} {line.what:58} {line.events:>9,} {line.kills:>6} {line.mismatches:>11}"
        )
