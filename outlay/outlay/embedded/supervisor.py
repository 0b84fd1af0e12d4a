"""Starts processes, starts them again when they end, and takes them all along when it goes.
On Linux the kernel kills a child when the thread that started it ends (PR_SET_PDEATHSIG), so one thread that lives as
long as the process starts all. Children have a session of their own: Ctrl-C reaches the parent only, which stops them
in order. What they started ends with the session: by this process, or by the orphan reaper where it is killed."""

import contextlib
import os
import shutil
import signal
import subprocess
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol

from outlay.embedded.errors import ChildDiedError, DiskError
from outlay.embedded.fork_server import AVAILABLE, ENVIRONMENT, ForkServer, die_with
from outlay_kit.backoff import Backoff
from outlay_kit.clock import Clock
from outlay_kit.private_files import make_private_folder

_LOG_BYTES = 20 * 2**20
_BACKOFF = Backoff(base=0.2, most=30.0)
_REAPER = """
while read -r line; do groups=$line; done
for group in $groups; do kill -s KILL -- "-$group" 2>/dev/null; done
"""


@dataclass(frozen=True)
class Child:
    """A process to keep running: how to start it, how to tell that it is ready, how long it may take to stop. One that
    runs a Python `module` is forked from the fork server where there is one, and so starts without `argv`."""

    name: str
    argv: Sequence[str]
    ready: Callable[[], bool]
    env: Mapping[str, str] = field(default_factory=dict)
    stop_seconds: float = 15.0
    module: str = ""
    once: bool = False
    """Whether it runs once: it is not started again."""


class Running(Protocol):
    """A process, however it was started: the part of `subprocess.Popen` that is needed."""

    pid: int
    returncode: int | None

    def poll(self) -> int | None:
        """Return its exit status, None while it runs."""

    def terminate(self) -> None:
        """Ask it to end."""

    def wait(self, timeout: float) -> int:
        """Wait until it has ended. Raises subprocess.TimeoutExpired."""


@dataclass(frozen=True)
class ChildStatus:
    """The process of a child (None while it is being restarted) and how often it was restarted."""

    name: str
    pid: int | None
    restarts: int


@dataclass
class _Kept:
    child: Child
    log: Path
    process: Running | None = None
    restarts: int = -1
    start_at: float = 0.0
    started_at: float = 0.0
    stopping: bool = False
    spawned: threading.Event = field(default_factory=threading.Event)


class Supervisor:
    """Keeps children running until `stop`."""

    def __init__(
        self, logs: Path, clock: Clock, backoff: Backoff = _BACKOFF, preload: Sequence[str] = ()
    ) -> None:
        """`preload`: what the fork server imports for all children with a module; with nothing, children are
        started by `argv`."""
        self._logs = logs
        self._clock = clock
        self._backoff = backoff
        self._kept: dict[str, _Kept] = {}
        self._wake = threading.Event()
        self._ended = False
        self._reaper = OrphanReaper()
        self._forks = ForkServer(preload, logs / "fork-server.log") if preload and AVAILABLE else None
        self._thread = threading.Thread(target=self._run, name="supervisor", daemon=True)

    def warm_up(self) -> None:
        """Start the fork server, if there is to be one: it imports while other things begin."""
        make_private_folder(self._logs)
        if not self._thread.is_alive():
            self._thread.start()

    def start(self, *children: Child, wait: float) -> None:
        """Start children side by side and wait until each is ready, at most `wait` seconds. Raises ChildDiedError, with
        the end of the log of the one that is not."""
        self.launch(*children)
        self.wait_for(*(child.name for child in children), seconds=wait)

    def launch(self, *children: Child) -> None:
        """Start children side by side, and wait for none."""
        self.warm_up()
        self._kept |= {child.name: _Kept(child, self._logs / f"{child.name}.log") for child in children}
        self._wake.set()

    def wait_for(self, *names: str, seconds: float) -> None:
        """Wait until each of these children is ready; errors as of `start`."""
        deadline = self._clock.monotonic() + seconds
        for kept in [self._kept[name] for name in names]:
            kept.spawned.wait(timeout=seconds)
            self._await(kept, deadline, seconds)

    def run(self, child: Child, wait: float) -> None:
        """Run a child once, to its end. Raises ChildDiedError if it fails, or takes longer than `wait` seconds."""
        self.launch(replace(child, once=True))
        kept = self._kept[child.name]
        deadline = self._clock.monotonic() + wait
        while (status := kept.process.poll() if kept.process else None) is None:
            if self._clock.monotonic() > deadline:
                raise self._died(kept, f"did not end in {wait:.0f} s")
            self._clock.sleep(0.02)
        del self._kept[child.name]
        if status:
            raise self._died(kept, "failed")

    def _await(self, kept: _Kept, deadline: float, wait: float) -> None:
        while not kept.child.ready():
            died = kept.restarts > 0 or kept.process is None
            if died or self._clock.monotonic() > deadline:
                kept.stopping = True
                how = "ended while it was starting" if died else f"was not ready after {wait:.0f} s"
                raise self._died(kept, how)
            self._clock.sleep(0.05)

    def stop(self) -> None:
        """Stop every child, the last started first: SIGTERM, and SIGKILL if that takes too long."""
        for kept in self._kept.values():
            kept.stopping = True
        for kept in reversed(list(self._kept.values())):
            self._stop(kept)
        self._ended = True
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join(timeout=5)
        for kept in self._kept.values():
            self._stop(kept)  # what was being started just then
        if self._forks is not None:
            self._forks.close()
        self._reaper.watch(())
        self._reaper.close()

    def pids(self) -> dict[str, int]:
        """Return the process of each child that runs."""
        return {status.name: status.pid for status in self.status() if status.pid is not None}

    def status(self) -> list[ChildStatus]:
        """Return the state of each child. Other threads call this while children are restarted: it reads each shared
        field once, and asks no process. Whether a child is ready only the child can say."""
        found = []
        for kept in list(self._kept.values()):
            process = kept.process  # the supervisor's thread may replace it at any moment
            pid = process.pid if process is not None and process.returncode is None else None
            found.append(ChildStatus(kept.child.name, pid, max(0, kept.restarts)))
        return found

    def _run(self) -> None:
        if self._forks is not None:
            with contextlib.suppress(OSError):  # the first fork tries again, and says so
                self._forks.start()
        while not self._ended:
            for kept in list(self._kept.values()):
                self._keep(kept)
            self._wake.wait(timeout=0.5)
            self._wake.clear()

    def _keep(self, kept: _Kept) -> None:
        now = self._clock.monotonic()
        if kept.process is not None:
            if kept.process.poll() is None or kept.stopping or kept.child.once:
                _cut_log(kept.log)
                return
            lived = now - kept.started_at
            _kill_group(kept.process.pid)
            kept.process = None
            # A child that lived for a minute worked; one that keeps failing waits longer each time.
            kept.start_at = now + self._backoff.seconds(0 if lived > 60 else kept.restarts, None, jitter=1.0)
        if kept.stopping or now < kept.start_at:
            return
        kept.restarts += 1
        kept.started_at = now
        try:
            kept.process = self._spawn(kept)
            self._reaper.watch(self.pids().values())
        except OSError as error:
            with contextlib.suppress(OSError), kept.log.open("a") as file:
                file.write(f"{kept.child.argv[0]} cannot be started: {error.strerror}\n")
            kept.start_at = now + self._backoff.most
        kept.spawned.set()

    def _spawn(self, kept: _Kept) -> Running:
        child, parent = kept.child, os.getpid()
        if child.module and self._forks is not None:
            return self._forks.fork(child.name, child.module, child.env, kept.log)
        with kept.log.open("ab") as log:
            return subprocess.Popen(
                child.argv,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env={**ENVIRONMENT, **os.environ, **child.env},
                start_new_session=True,
                umask=0o077,  # costs, logs and settings are of the owner alone
                preexec_fn=lambda: die_with(parent),  # noqa: PLW1509 (one libc call, made ready before any thread)
            )

    def _stop(self, kept: _Kept) -> None:
        process = kept.process
        if process is None:
            return
        if process.poll() is None:
            process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(timeout=kept.child.stop_seconds)
        _kill_group(process.pid)
        process.wait(timeout=10)

    def _died(self, kept: _Kept, how: str) -> ChildDiedError | DiskError:
        tail = kept.log.read_bytes()[-4000:].decode(errors="replace").strip() if kept.log.exists() else ""
        if "No space left on device" in tail:
            message = f"{kept.child.name} {how}: no space left on device"
            return DiskError(message, f"free space on {self._logs}'s disk")
        message = f"{kept.child.name} {how}. The end of its log:\n" + "\n".join(tail.splitlines()[-8:])
        return ChildDiedError(message, f"read {kept.log}; see: outlay doctor")


class OrphanReaper:
    """Ends what the children of a killed parent had started, which the kernel leaves. A small shell reads the process
    groups that run, a line at each change, and kills those of the last line when the pipe ends. A parent that ends in
    order leaves an empty line."""

    def __init__(self) -> None:
        self._shell: subprocess.Popen[bytes] | None = None

    def watch(self, groups: Iterable[int]) -> None:
        """Have these process groups ended, and no others, should this process die."""
        line = " ".join(map(str, groups)).encode() + b"\n"
        if not self._write(line):
            # It was killed, or this is the first time.
            self.close()
            self._shell = subprocess.Popen(
                ["/bin/sh", "-c", _REAPER],
                bufsize=0,
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
                cwd="/",
            )
            self._write(line)

    def close(self) -> None:
        """End it; what it watched is left alone if the last line was empty."""
        if self._shell is None:
            return
        if self._shell.stdin:
            self._shell.stdin.close()
        self._shell.wait(timeout=10)
        self._shell = None

    def _write(self, line: bytes) -> bool:
        if self._shell is None or self._shell.stdin is None:
            return False
        try:
            self._shell.stdin.write(line)
        except BrokenPipeError:
            return False
        return True


def _kill_group(group: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, signal.SIGKILL)


def _cut_log(log: Path) -> None:
    """Keep a log and its predecessor bounded; the writer appends, so it goes on at the new start."""
    with contextlib.suppress(OSError):
        if log.stat().st_size > _LOG_BYTES:
            shutil.copyfile(log, log.with_suffix(".log.1"))
            os.truncate(log, 0)
