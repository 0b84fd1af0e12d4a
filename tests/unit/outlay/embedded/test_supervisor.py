"""Children that end, that cannot start, that have children; a parent that is killed."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from tests.support.waiting import until

from outlay.embedded.errors import ChildDiedError, DiskError
from outlay.embedded.supervisor import Child, ChildStatus, Supervisor
from outlay_kit.backoff import Backoff
from outlay_kit.clock import SystemClock

FAMILY = "sleep 300 & echo $! > {child}; echo $$ > {self}; wait"
"""A child that starts one of its own and leaves both pids in files."""


@pytest.fixture
def supervisor(tmp_path: Path) -> Iterator[Supervisor]:
    supervisor = Supervisor(tmp_path / "logs", SystemClock())
    yield supervisor
    supervisor.stop()


def family(folder: Path) -> Child:
    script = FAMILY.format(child=folder / "grandchild", self=folder / "child")
    return Child("family", ["/bin/sh", "-c", script], lambda: pid(folder / "child") is not None)


def pid(file: Path) -> int | None:
    text = file.read_text().strip() if file.exists() else ""
    return int(text) if text else None


def gone(number: int | None) -> bool:
    """Tell whether a process has ended; one that was not asked after yet has ended too."""
    assert number is not None
    try:
        return psutil.Process(number).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def test_a_child_that_is_killed_is_started_again(supervisor: Supervisor, tmp_path: Path) -> None:
    supervisor.start(family(tmp_path), wait=10)
    first, grandchild = pid(tmp_path / "child"), pid(tmp_path / "grandchild")
    assert first is not None
    os.kill(first, signal.SIGKILL)
    until(lambda: supervisor.pids().get("family", first) != first)
    until(lambda: gone(grandchild), what="the end of what the dead child had started")
    (status,) = supervisor.status()
    assert (status.pid, status.restarts) == (supervisor.pids()["family"], 1)


@pytest.mark.timeout(1200)
def test_the_supervisor_survives_a_thousand_deaths_during_status_calls(tmp_path: Path) -> None:
    supervisor = Supervisor(tmp_path / "logs", SystemClock(), Backoff(base=0.0))
    children = [Child(f"child-{n}", ["/bin/false"], _slow_and_ready) for n in range(10)]
    statuses: list[ChildStatus] = []
    with contextlib.suppress(ChildDiedError):
        supervisor.start(*children, wait=10)
    try:
        for child in supervisor._kept.values():
            child.stopping = False  # `start` gives up on a child that ends; keep restarting it

        def deaths() -> int:
            nonlocal statuses
            supervisor._wake.set()  # look at the children again now, not in half a second
            statuses = supervisor.status()
            return sum(status.restarts for status in statuses)

        # A busy machine may take minutes, so only a supervisor that stops restarting fails.
        while (before := deaths()) < 1000:
            until(lambda before=before: deaths() > before, seconds=60)  # type: ignore[misc]
        assert supervisor._thread.is_alive()
    finally:
        supervisor.stop()
    assert {status.name for status in statuses} == {child.name for child in children}


def _slow_and_ready() -> bool:
    """A readiness check that is still running when the child dies."""
    time.sleep(0.5)
    return True


def test_what_a_child_has_started_ends_with_it(supervisor: Supervisor, tmp_path: Path) -> None:
    supervisor.start(family(tmp_path), wait=10)
    grandchild = pid(tmp_path / "grandchild")
    supervisor.stop()
    assert gone(pid(tmp_path / "child"))
    until(lambda: gone(grandchild))
    (status,) = supervisor.status()
    assert status.pid is None


def test_a_child_that_does_not_listen_is_killed(supervisor: Supervisor, tmp_path: Path) -> None:
    stubborn = f"trap '' TERM; echo $$ > {tmp_path / 'child'}; while :; do sleep 0.1; done"
    ready = lambda: pid(tmp_path / "child") is not None  # noqa: E731
    supervisor.start(Child("stubborn", ["/bin/sh", "-c", stubborn], ready, stop_seconds=0.2), wait=10)
    supervisor.stop()
    assert gone(pid(tmp_path / "child"))


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGINT])
def test_nothing_outlives_the_parent_however_it_ends(tmp_path: Path, end: signal.Signals) -> None:
    code = (
        "import pathlib, signal, sys\n"
        "from outlay.embedded.supervisor import Child, Supervisor\n"
        "from outlay_kit.clock import SystemClock\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"  # a shell in the background ignores it
        "folder = pathlib.Path(sys.argv[1])\n"
        "supervisor = Supervisor(folder, SystemClock())\n"
        "child = Child('family', ['/bin/sh', '-c', sys.argv[2]], (folder / 'child').exists)\n"
        "supervisor.start(child, wait=10)\n"
        "try: signal.pause()\n"
        "except KeyboardInterrupt: supervisor.stop()\n"
    )
    script = FAMILY.format(child=tmp_path / "grandchild", self=tmp_path / "child")
    parent = subprocess.Popen([sys.executable, "-c", code, str(tmp_path), script])
    until(lambda: pid(tmp_path / "child") is not None)
    everybody = [process.pid for process in psutil.Process(parent.pid).children(recursive=True)]
    assert len(everybody) >= 3  # the child, its child and the orphan reaper
    time.sleep(0.2)
    parent.send_signal(end)
    assert parent.wait(10) == (0 if end == signal.SIGINT else -signal.SIGKILL)
    until(lambda: all(gone(number) for number in everybody))


def test_a_program_that_is_not_there_is_named(supervisor: Supervisor, tmp_path: Path) -> None:
    with pytest.raises(ChildDiedError) as caught:
        supervisor.start(Child("ghost", ["/nowhere/ghost"], lambda: False), wait=10)
    assert "/nowhere/ghost cannot be started: No such file or directory" in caught.value.message
    supervisor.start(family(tmp_path), wait=10)  # the others are still looked after


def test_a_child_that_ends_at_once_is_reported_with_the_end_of_its_log(supervisor: Supervisor) -> None:
    child = Child("faller", ["/bin/sh", "-c", "echo because of this; exit 3"], lambda: False)
    with pytest.raises(ChildDiedError, match="because of this") as caught:
        supervisor.start(child, wait=10)
    assert "faller.log" in caught.value.hint


def test_a_child_that_is_never_ready_is_given_up(supervisor: Supervisor) -> None:
    with pytest.raises(ChildDiedError, match="not ready after 0 s"):
        supervisor.start(Child("sleeper", ["/bin/sleep", "300"], lambda: False), wait=0.3)


def test_a_full_disk_is_said_as_such(supervisor: Supervisor) -> None:
    child = Child("writer", ["/bin/sh", "-c", "cat /dev/zero > /dev/full"], lambda: False)
    with pytest.raises(DiskError, match="no space left"):
        supervisor.start(child, wait=10)
