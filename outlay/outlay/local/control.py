"""Starts, stops and asks the system of this machine from another process."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil

from outlay.embedded.errors import AlreadyRunningError, ChildDiedError, DiskError, StackError
from outlay.embedded.lock import holder
from outlay.embedded.progress import Progress
from outlay.local.state import LocalState, home_folder, running
from outlay_kit.clock import Clock

_STOP_SECONDS = 90.0


def start(progress: Progress, fixed: bool) -> LocalState:
    """Start the system in the background and wait until it is ready. Raises StackError."""
    home = home_folder()
    if pid := holder(home):
        hint = "see it: outlay status; stop it: outlay down; or choose another folder: OUTLAY_HOME=DIR"
        raise AlreadyRunningError(f"a system runs already in {home} (pid {pid})", hint)
    try:
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        message = f"{home} cannot be a folder: {error.strerror}"
        raise DiskError(message, "choose another: OUTLAY_HOME=DIR") from None
    reading, writing = os.pipe()
    command = [sys.executable, "-m", "outlay.local.daemon", "--report", str(writing)]
    with (home / "system.log").open("ab") as log:
        process = subprocess.Popen(
            [*command, "--fixed"] if fixed else command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            pass_fds=(writing,),
            start_new_session=True,
            cwd="/",
            env={**os.environ, "OUTLAY_HOME": str(home)},
        )
    os.close(writing)
    try:
        _follow(reading, progress, home)
    except BaseException:
        process.terminate()
        process.wait(timeout=_STOP_SECONDS)
        raise
    state = running(home)
    if state is None:
        raise ChildDiedError("the system ended as soon as it was ready", f"read {home / 'system.log'}")
    return state


def _follow(descriptor: int, progress: Progress, home: Path) -> None:
    with os.fdopen(descriptor, "rb") as lines:
        for line in lines:
            what, *found = json.loads(line)
            if what == "ready":
                return
            if what == "error":
                raise StackError(*found)
            getattr(progress, what)(*found)
    raise ChildDiedError("the system ended while it was starting", f"read {home / 'system.log'}")


def stop(clock: Clock) -> bool:
    """Stop the system of the data folder; False if none ran. Raises StackError if it does not end."""
    pid = holder(home_folder())
    if pid is None:
        return False
    os.kill(pid, signal.SIGTERM)
    deadline = clock.monotonic() + _STOP_SECONDS
    while holder(home_folder()) is not None:
        if clock.monotonic() > deadline:
            message = f"the system (pid {pid}) did not end in {_STOP_SECONDS:.0f} s"
            raise StackError(message, f"kill -9 {pid} ends all of it")
        clock.sleep(0.1)
    return True


def memory(pid: int) -> tuple[int, float]:
    """Return (bytes of memory, seconds of CPU) of a process and its children, zeros if it is gone."""
    try:
        process = psutil.Process(pid)
        family = [process, *process.children(recursive=True)]
        times = [member.cpu_times() for member in family]
        return sum(m.memory_info().rss for m in family), sum(t.user + t.system for t in times)
    except psutil.Error:
        return 0, 0.0
