"""Every promise of docs/guarantees.md in one run: `pytest tests --promises`, with a table of what was survived.

The page names the tests of each promise. The option takes those and no others; whatever a test tells
`tally` (events, kills, cells that were wrong) is added up by promise at the end.
"""

import re
from dataclasses import dataclass
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[2] / "docs" / "guarantees.md"


@dataclass(frozen=True)
class Line:
    """What one test did to the system, and how many cells were wrong after it."""

    promise: str
    what: str
    events: int
    kills: int
    mismatches: int
    control: bool = False
    """Whether the order of steps was broken on purpose, so that something must be wrong."""


@dataclass(frozen=True)
class Promise:
    """A row of the page."""

    name: str
    what: str
    tests: frozenset[str]


LINES = pytest.StashKey[list[Line]]()
RESULTS = pytest.StashKey[dict[str, list[bool]]]()


class Tally:
    """Notes what tests survived, for the table at the end."""

    def __init__(self, lines: list[Line]) -> None:
        self._lines = lines

    def __call__(self, promise: str, what: str, events: int, kills: int, mismatches: int) -> None:
        self._lines.append(Line(promise, what, events, kills, mismatches))

    def control(self, promise: str, what: str, events: int, kills: int, mismatches: int) -> None:
        """Note what was wrong where the steps were broken on purpose."""
        self._lines.append(Line(promise, what, events, kills, mismatches, control=True))


def promises() -> list[Promise]:
    """Return the promises and the names of their tests, as the page has them."""
    rows = re.findall(r"^\| (P\d+) \| (.*?) \| (.*`test_\w+`.*) \|$", PAGE.read_text(), re.MULTILINE)
    return [Promise(name, what, frozenset(re.findall(r"`(test_\w+)`", tests))) for name, what, tests in rows]


@pytest.fixture
def tally(request: pytest.FixtureRequest) -> Tally:
    return Tally(request.config.stash.setdefault(LINES, []))


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--promises", action="store_true", help="only the tests that docs/guarantees.md names")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if not config.getoption("--promises"):
        return
    named = {test for promise in promises() for test in promise.tests}
    kept = [item for item in items if _function(item.nodeid) in named]
    config.hook.pytest_deselected(items=[item for item in items if item not in kept])
    items[:] = kept
    config.stash[RESULTS] = {}


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item):  # type: ignore[no-untyped-def]
    report = yield
    results = item.config.stash.get(RESULTS, None)
    if results is not None and (report.when == "call" or report.failed):
        results.setdefault(_function(item.nodeid), []).append(report.passed)
    return report


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    found: list[Line] = config.stash.get(LINES, [])
    lines = sorted(found, key=lambda each: (int(each.promise[1:]), each.control, each.what))
    if lines:
        terminalreporter.section("promises kept")
        for row in _survived(lines):
            terminalreporter.write_line(row)
    if RESULTS in config.stash:
        terminalreporter.section("every promise")
        for row in _by_promise(lines, config.stash[RESULTS]):
            terminalreporter.write_line(row)


def _survived(lines: list[Line]) -> list[str]:
    rows = [f"{'':4} {'what was done':70} {'events':>9} {'kills':>6} {'mismatches':>11}"]
    for line in lines:
        what = f"CONTROL, must mismatch: {line.what}" if line.control else line.what
        rows.append(f"{line.promise:4} {what:70} {line.events:>9,} {line.kills:>6} {line.mismatches:>11,}")
    return rows


def _by_promise(lines: list[Line], results: dict[str, list[bool]]) -> list[str]:
    """One row a promise: its tests that passed, what they did to the system, and what came of its controls."""
    rows = [f"{'':4} {'tests passed':>12} {'events':>10} {'kills':>6} {'mismatches':>11}  controls"]
    for promise in promises():
        controls = {name for name in promise.tests if "negative_control" in name}
        ran = [passed for name in promise.tests - controls for passed in results.get(name, [False])]
        broke = [passed for name in controls for passed in results.get(name, [False])]
        own = [line for line in lines if line.promise == promise.name]
        real = [line for line in own if not line.control]
        numbers = [sum(getattr(line, name) for line in real) for name in ("events", "kills", "mismatches")]
        counts = f"{numbers[0]:>10,} {numbers[1]:>6} {numbers[2]:>11,}" if real else f"{'':>29}"
        wrong = sum(line.mismatches for line in own if line.control)
        result = "" if not broke else f"{sum(broke)} of {len(broke)} fail as they must"
        result += f": {wrong:,} wrong" if wrong else ""
        rows.append(f"{promise.name:4} {f'{sum(ran)} of {len(ran)}':>12} {counts}  {result}".rstrip())
    return rows


def _function(node: str) -> str:
    return node.rpartition("::")[2].partition("[")[0]
