"""Starts Python processes that share what they have in common: a fork server imports it once and forks for each.

Six services then hold one copy of Kafka's client, ClickHouse's, pydantic and uvicorn, and none imports them again: less
memory, and a start that takes half the CPU time. A forked process is like one of `python -m MODULE`: a session, a log
and an environment of its own. Linux only: elsewhere system libraries do not survive a fork. The server has one thread,
so that none of its locks is held in a fork.
"""

import ctypes
import gc
import json
import os
import runpy
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from importlib import import_module
from pathlib import Path

AVAILABLE = sys.platform == "linux"
ENVIRONMENT = {"MALLOC_ARENA_MAX": "2"}
"""Of every process: glibc keeps free memory for each of its arenas, by default eight for each core."""
_LIBC = ctypes.CDLL(None) if AVAILABLE else None
_PR_SET_PDEATHSIG, _PR_SET_NAME = 1, 15
_FORK_SECONDS = 300.0
"""A first fork waits for the imports, on a machine that may have too much to do."""


def die_with(parent: int) -> None:
    """Have the kernel kill this process, a child just made, when the thread of `parent` that made it ends."""
    if _LIBC is not None:
        _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(1)


class ForkServerGoneError(OSError):
    """The fork server ended or does not answer."""

    def __init__(self) -> None:
        super().__init__(0, "the fork server ended")


class Forked:
    """A process of the fork server, by the part of `subprocess.Popen`'s interface that the supervisor uses."""

    def __init__(self, server: "ForkServer", pid: int) -> None:
        self._server = server
        self.pid = pid
        self.returncode: int | None = None

    def poll(self) -> int | None:
        """Return its exit status, None while it runs."""
        # Reported once: of two threads that ask, one is given it.
        if self.returncode is None and (status := self._server.status(self.pid)) is not None:
            self.returncode = status
        return self.returncode

    def terminate(self) -> None:
        """Ask it to end."""
        if self.poll() is None:
            with suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGTERM)

    def wait(self, timeout: float) -> int:
        """Wait until it has ended. Raises subprocess.TimeoutExpired."""
        until = time.monotonic() + timeout
        while (status := self.poll()) is None:
            if time.monotonic() > until:
                raise subprocess.TimeoutExpired(str(self.pid), timeout)
            self._server.listen(0.05)
        return status


class ForkServer:
    """The fork server, started and asked from this process. For several threads."""

    def __init__(self, preload: Sequence[str], log: Path) -> None:
        """`preload`: the modules to import before any fork. Nothing starts before `start`."""
        self._preload, self._log = preload, log
        self._lock = threading.RLock()
        self._process: subprocess.Popen[bytes] | None = None
        self._channel: socket.socket | None = None
        self._buffer = b""
        self._forked: list[int] = []
        self._ended: dict[int, int] = {}
        self._running: set[int] = set()

    @property
    def pid(self) -> int | None:
        """The server's own process."""
        return self._process.pid if self._process is not None else None

    def start(self) -> None:
        """Start it, and its imports. The thread that calls this must live as long as this process. Raises OSError."""
        with self._lock:
            if self._channel is not None:
                return
            self.close()
            ours, its = socket.socketpair()
            parent = os.getpid()
            with its, self._log.open("ab") as log:
                try:
                    self._process = subprocess.Popen(
                        [sys.executable, "-m", __name__, str(its.fileno()), *self._preload],
                        stdin=subprocess.DEVNULL,
                        stdout=log,
                        stderr=subprocess.STDOUT,
                        # BLAS, which comes with numpy, starts threads when it is imported, unless it may have one only
                        env={**ENVIRONMENT, **os.environ, "OPENBLAS_NUM_THREADS": "1"},
                        pass_fds=(its.fileno(),),
                        start_new_session=True,
                        umask=0o077,
                        preexec_fn=lambda: die_with(parent),  # noqa: PLW1509 (one libc call)
                    )
                except BaseException:
                    ours.close()
                    raise
            self._channel = ours

    def fork(self, name: str, module: str, env: Mapping[str, str], log: Path) -> Forked:
        """Fork a process that runs `module`, as `python -m` would. Raises OSError."""
        with self._lock:
            self.start()
            request = {"name": name, "module": module, "env": {**os.environ, **env}, "log": str(log)}
            self._send(json.dumps(request).encode() + b"\n")
            until = time.monotonic() + _FORK_SECONDS
            while not self._forked:
                if self._channel is None or time.monotonic() > until:
                    self.close()
                    raise ForkServerGoneError
                self.listen(1.0)
            return Forked(self, self._forked.pop())

    def status(self, pid: int) -> int | None:
        """Return the exit status of a forked process, None while it runs."""
        with self._lock:
            self.listen(0.0)
            return self._ended.pop(pid, None)

    def listen(self, seconds: float) -> None:
        """Take up what the server reports within some seconds."""
        with self._lock:
            if self._channel is None:
                return
            readable, _, _ = select.select([self._channel], [], [], seconds)
            if not readable:
                return
            data = b""
            with suppress(OSError):
                data = self._channel.recv(65536)
            if not data:
                self._lose()
                return
            *lines, self._buffer = (self._buffer + data).split(b"\n")
            for line in lines:
                pid, status = json.loads(line)
                if status is None:
                    self._forked.append(pid)
                    self._running.add(pid)
                else:
                    self._ended[pid] = status
                    self._running.discard(pid)

    def close(self) -> None:
        """End the server; what it forked, and still runs, is killed with it."""
        with self._lock:
            self._lose()
            if self._process is not None:
                self._process.kill()
                self._process.wait()
                self._process = None

    def _send(self, request: bytes) -> None:
        try:
            if self._channel is not None:
                self._channel.sendall(request)
        except OSError:
            self._lose()

    def _lose(self) -> None:
        """The server has ended: the kernel kills what it forked."""
        if self._channel is not None:
            self._channel.close()
            self._channel, self._buffer = None, b""
            self._forked.clear()
            self._ended |= dict.fromkeys(self._running, -signal.SIGKILL)
            self._running.clear()


class _Server:
    """The server's own process."""

    def __init__(self, channel: socket.socket) -> None:
        self._channel = channel
        self._woken, self._wake = os.pipe()
        os.set_blocking(self._woken, False)
        os.set_blocking(self._wake, False)
        self._requests = b""

    def serve(self) -> str | None:
        """Fork as asked until the channel closes. Returns None then; in each forked process, the module to run."""
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(self._wake)
        while True:
            readable, _, _ = select.select([self._channel.fileno(), self._woken], [], [])
            if self._woken in readable:
                os.read(self._woken, 4096)
                self._report_ended()
            if self._channel.fileno() in readable:
                if not (data := self._channel.recv(65536)):
                    return None
                *lines, self._requests = (self._requests + data).split(b"\n")
                for line in lines:
                    if (module := self._fork(json.loads(line))) is not None:
                        return module

    def _fork(self, request: dict[str, str]) -> str | None:
        parent, pid = os.getpid(), os.fork()
        if pid:
            self._report(pid, None)
            return None
        os.setsid()
        die_with(parent)
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        self._channel.close()
        os.close(self._woken)
        os.close(self._wake)
        _take_on(request)
        return request["module"]

    def _report_ended(self) -> None:
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if not pid:
                return
            self._report(pid, os.waitstatus_to_exitcode(status))

    def _report(self, pid: int, status: int | None) -> None:
        with suppress(OSError):  # who asked is gone: the next read says so
            self._channel.sendall(json.dumps([pid, status]).encode() + b"\n")


def _take_on(request: dict[str, str]) -> None:
    """Be the process that is asked for: its log, its environment, its name."""
    log = os.open(request["log"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.close(log)
    environment: Mapping[str, str] = request["env"]  # type: ignore[assignment]
    os.environ.clear()
    os.environ.update(environment)
    sys.argv = [request["module"]]
    if _LIBC is not None:
        _LIBC.prctl(_PR_SET_NAME, f"outlay-{request['name']}".encode())


def main() -> None:
    """Import, then fork as asked: `python -m outlay.embedded.fork_server DESCRIPTOR MODULE…`."""
    descriptor, *modules = sys.argv[1:]
    for module in modules:
        with suppress(ImportError):  # the service that needs it says so in its own log
            import_module(module)
    gc.collect()
    gc.freeze()  # the collector would write to pages that are shared
    if (wanted := _Server(socket.socket(fileno=int(descriptor))).serve()) is not None:
        runpy.run_module(wanted, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
