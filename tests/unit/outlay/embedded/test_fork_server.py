"""Processes that are forked from one that has imported what they share."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from tests.support.waiting import until

from outlay.embedded.errors import ChildDiedError
from outlay.embedded.fork_server import AVAILABLE, Forked, ForkServer
from outlay.embedded.supervisor import Child, Supervisor
from outlay.local.system import SHARED
from outlay_kit.clock import SystemClock

pytestmark = pytest.mark.skipif(not AVAILABLE, reason="elsewhere processes are not forked")

MODULE = """
import atexit, os, pathlib, signal, sys, threading, time
place = pathlib.Path(os.environ["PLACE"])
said = {"argv": sys.argv, "session": os.getsid(0) == os.getpid(), "shared": "colorsys" in sys.modules,
        "main": __name__, "threads": threading.active_count(), "umask": oct(os.umask(0))}
print(said, flush=True)
atexit.register(lambda: print("goodbye"))
(place / f"{os.getpid()}.pid").touch()
while os.environ["END"] == "wait":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    time.sleep(0.05)
sys.exit(int(os.environ["END"]))
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "forked_thing.py").write_text(MODULE)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    return tmp_path


@pytest.fixture
def server(folder: Path) -> Iterator[ForkServer]:
    server = ForkServer(["colorsys", "there.is.no.such.module"], folder / "server.log")
    server.start()
    yield server
    server.close()


@pytest.fixture
def fork(server: ForkServer, folder: Path) -> Callable[[str], Forked]:
    return lambda end: server.fork(
        "thing", "forked_thing", {"PLACE": str(folder), "END": end}, folder / "thing.log"
    )


def test_it_is_like_a_process_of_its_own_and_has_what_was_imported(
    fork: Callable[[str], Forked], folder: Path
) -> None:
    process = fork("3")
    assert process.wait(30) == 3
    said = (folder / "thing.log").read_text()
    assert "'argv': ['forked_thing']" in said or "forked_thing.py" in said
    for what in (
        "'session': True",
        "'shared': True",
        "'main': '__main__'",
        "'threads': 1",
        "'umask': '0o77'",
    ):
        assert what in said
    assert said.endswith("goodbye\n")  # it ends in order
    assert process.poll() == 3


def test_it_can_be_asked_to_end_and_is_waited_for(fork: Callable[[str], Forked], folder: Path) -> None:
    one, other = fork("wait"), fork("wait")
    until(lambda: (folder / f"{one.pid}.pid").exists() and (folder / f"{other.pid}.pid").exists())
    with pytest.raises(subprocess.TimeoutExpired):
        one.wait(0.1)
    assert psutil.Process(one.pid).name() == "outlay-thing"
    one.terminate()
    assert one.wait(30) == 0
    assert other.poll() is None
    other.terminate()
    assert other.wait(30) == 0
    other.terminate()  # nothing happens


def test_however_many_threads_ask_its_end_is_known(fork: Callable[[str], Forked]) -> None:
    for _ in range(20):
        process = fork("0")
        threads = [threading.Thread(target=process.wait, args=(30,)) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        assert process.poll() == 0


def test_what_it_forked_ends_with_the_server_and_the_next_fork_starts_another(
    server: ForkServer, fork: Callable[[str], Forked], folder: Path
) -> None:
    process, first = fork("wait"), server.pid
    assert first is not None
    until((folder / f"{process.pid}.pid").exists)
    os.kill(first, signal.SIGKILL)
    assert process.wait(30) == -signal.SIGKILL
    until(lambda: not psutil.pid_exists(process.pid))
    assert fork("0").wait(30) == 0
    assert server.pid != first


def test_the_supervisor_starts_forked_children_again_and_none_outlives_its_parent(folder: Path) -> None:
    code = (
        "import pathlib, signal, sys\n"
        "from outlay.embedded.supervisor import Child, Supervisor\n"
        "from outlay_kit.clock import SystemClock\n"
        "folder = pathlib.Path(sys.argv[1])\n"
        "supervisor = Supervisor(folder / 'logs', SystemClock(), preload=['colorsys'])\n"
        "env = {'PLACE': str(folder), 'END': 'wait'}\n"
        "supervisor.start(Child('thing', [], lambda: True, env, module='forked_thing'), wait=30)\n"
        "signal.pause()\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", code, str(folder)])

    def pids() -> set[int]:
        return {int(file.stem) for file in folder.glob("*.pid")}

    until(lambda: len(pids()) == 1)
    (first,) = pids()
    os.kill(first, signal.SIGKILL)
    until(lambda: len(pids()) == 2)
    family = [process.pid for process in psutil.Process(parent.pid).children(recursive=True)]
    parent.kill()
    parent.wait(10)
    until(lambda: not any(psutil.pid_exists(pid) for pid in family))


def test_what_runs_once_is_not_started_again_and_its_failure_is_reported(folder: Path) -> None:
    supervisor = Supervisor(folder / "logs", SystemClock(), preload=["colorsys"])

    def child(end: str) -> Child:
        env = {"PLACE": str(folder), "END": end}
        return Child("once", [], lambda: True, env, module="forked_thing")

    try:
        supervisor.run(child("0"), wait=30)
        assert supervisor.status() == []
        with pytest.raises(ChildDiedError, match="once failed"):
            supervisor.run(child("1"), wait=30)
        assert len(list(folder.glob("*.pid"))) == 2
    finally:
        supervisor.stop()


def test_what_services_share_starts_no_thread(tmp_path: Path) -> None:
    """A fork has only the thread that made it: locks that another held would stay locked."""
    server = ForkServer(SHARED, tmp_path / "server.log")
    server.start()
    try:
        assert server.fork("empty", "this", {}, tmp_path / "this.log").wait(60) == 0  # after all imports
        assert server.pid is not None
        assert len(list(Path(f"/proc/{server.pid}/task").iterdir())) == 1
    finally:
        server.close()
    assert (tmp_path / "server.log").read_text() == ""
