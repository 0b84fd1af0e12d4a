"""Every promise of docs/guarantees.md in one run: `pytest tests --promises`, with a table of what was survived.

The page names the tests of each promise. The option takes those and no others; whatever a test tells
`tally` (events, kills, cells that were wrong) is added up by promise at the end.
"""

import re
from dataclasses import asdict, dataclass
from pathlib import Path

import msgspec
import pytest

PAGE = Path(__file__).parents[2] / "docs" / "guarantees.md"
SURVIVED = "survived"


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


class Tally:
    """Notes what a test survived, for the table at the end. A property of a test reaches it from every worker."""

    def __init__(self, properties: list[tuple[str, object]]) -> None:
        self._properties = properties

    def __call__(self, promise: str, what: str, events: int, kills: int, mismatches: int) -> None:
        self._note(Line(promise, what, events, kills, mismatches))

    def control(self, promise: str, what: str, events: int, kills: int, mismatches: int) -> None:
        """Note what was wrong where the steps were broken on purpose."""
        self._note(Line(promise, what, events, kills, mismatches, control=True))

    def _note(self, line: Line) -> None:
        self._properties.append((SURVIVED, asdict(line)))


def promises() -> list[Promise]:
    """Return the promises and the names of their tests, as the page has them."""
    rows = re.findall(r"^\| (P\d+) \| (.*?) \| (.*`test_\w+`.*) \|$", PAGE.read_text(), re.MULTILINE)
    return [Promise(name, what, frozenset(re.findall(r"`(test_\w+)`", tests))) for name, what, tests in rows]


@pytest.fixture
def tally(request: pytest.FixtureRequest) -> Tally:
    return Tally(request.node.user_properties)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--promises", action="store_true", help="only the tests that docs/guarantees.md names")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if not config.getoption("--promises"):
        return
    named = {test for promise in promises() for test in promise.tests}
    kept = [item for item in items if _function(item.nodeid) in named]
    config.hook.pytest_deselected(items=[item for item in items if item not in kept])
    items[:] = kept


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    of_all = [report for reports in terminalreporter.stats.values() for report in reports]
    reports = [report for report in of_all if isinstance(report, pytest.TestReport)]
    found = [
        msgspec.convert(value, Line)
        for report in reports
        for name, value in report.user_properties
        if name == SURVIVED and report.when == "teardown"  # its last report has all of them
    ]
    lines = sorted(found, key=lambda each: (int(each.promise[1:]), each.control, each.what))
    if lines:
        terminalreporter.section("promises kept")
        for row in _survived(lines):
            terminalreporter.write_line(row)
    if config.getoption("--promises"):
        results: dict[str, list[bool]] = {}
        for report in reports:
            if report.when == "call" or report.failed:
                results.setdefault(_function(report.nodeid), []).append(report.passed)
        terminalreporter.section("every promise")
        for row in _by_promise(lines, results):
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
