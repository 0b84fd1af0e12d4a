"""Runs the system of the data folder in this process: `python -m outlay.local.daemon [--fixed] --report FD`.

On the descriptor it reports steps and downloads, then `ready` or an error with its hint, one JSON array per line.
`outlay up` starts it in the background; `outlay up --foreground` calls `serve` under systemd or launchd.
"""

import argparse
import json
import os
import signal
import socket
import threading
from collections.abc import Callable
from contextlib import suppress

from outlay.embedded.errors import StackError
from outlay.embedded.progress import Progress
from outlay.local.state import home_folder
from outlay.local.system import LocalSystem
from outlay_kit.clock import SystemClock
from outlay_kit.errors import Retryable


def serve(progress: Progress, ready: Callable[[], None], *, fixed: bool) -> None:
    """Run the system until SIGTERM, SIGINT or SIGHUP, then stop it in order. Raises StackError and Retryable."""
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda *_: ended.set())
    with LocalSystem(home_folder(), SystemClock(), progress, fixed=fixed) as system:
        notify_systemd("READY=1")
        ready()
        while not ended.wait(1.0):
            with suppress(OSError):  # a full disk must not stop the system; the next second tries again
                system.write_state()
        notify_systemd("STOPPING=1")


def notify_systemd(state: str) -> None:
    """Report the state of a service of `Type=notify` (man sd_notify); nothing happens outside systemd."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if address:
        with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as connection:
            connection.connect(address.replace("@", "\0", 1) if address.startswith("@") else address)
            connection.sendall(state.encode())


class PipeProgress:
    """Reports progress on a pipe, for as long as the process that started this one reads it."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._lock = threading.Lock()

    def step(self, text: str) -> None:
        """A step begins."""
        self.write("step", text)

    def bytes(self, done: int, total: int) -> None:
        """`done` of `total` bytes of a download have arrived."""
        self.write("bytes", done, total)

    def write(self, *report: object) -> None:
        """Write one line; a closed pipe is not an error."""
        with self._lock, suppress(OSError):
            os.write(self._descriptor, json.dumps(report).encode() + b"\n")

    def ready(self) -> None:
        """Report that the system is ready, and close the pipe."""
        self.write("ready")
        os.close(self._descriptor)


def main() -> None:
    """Run until a signal; a start that fails is reported on the pipe."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--fixed", action="store_true", help="take the usual ports")
    parser.add_argument("--report", type=int, required=True, help="descriptor to report on")
    args = parser.parse_args()
    progress = PipeProgress(args.report)
    try:
        serve(progress, progress.ready, fixed=args.fixed)
    except (StackError, Retryable) as error:
        logs = f"read the logs in {home_folder() / 'logs'}"
        progress.write("error", str(error), error.hint if isinstance(error, StackError) else logs)
        raise SystemExit(1) from None


if __name__ == "__main__":
    main()
