"""Keeps the system running in the background: `python -m outlay.local.daemon [--fixed] --report FD`.

Until it is ready it reports, one JSON object a line, on the descriptor that it was given: steps, downloads,
and the end: `ready`, or an error with its hint.
"""

import argparse
import json
import os
import signal
import threading
from contextlib import suppress

from outlay.embedded import StackError
from outlay.local.state import home_folder
from outlay.local.system import LocalSystem
from outlay_kit.clock import SystemClock
from outlay_kit.errors import Retryable


class Report:
    """Tells who started us, for as long as they listen."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._lock = threading.Lock()

    def step(self, text: str) -> None:
        """A step begins."""
        self.say({"step": text})

    def bytes(self, done: int, total: int) -> None:
        """`done` of `total` bytes of a download are here."""
        self.say({"done": done, "total": total})

    def say(self, what: dict[str, object]) -> None:
        """Write one line; whoever has gone away does not stop us."""
        with self._lock, suppress(OSError):
            os.write(self._descriptor, json.dumps(what).encode() + b"\n")

    def close(self) -> None:
        """Say no more."""
        os.close(self._descriptor)


def main() -> None:
    """Run until SIGTERM or Ctrl-C; then stop everything in order."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--fixed", action="store_true", help="take the usual ports")
    parser.add_argument("--report", type=int, required=True, help="descriptor to report on")
    args = parser.parse_args()
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda *_: ended.set())
    report = Report(args.report)
    try:
        with LocalSystem(home_folder(), SystemClock(), report, fixed=args.fixed) as system:
            report.say({"ready": True})
            report.close()
            while not ended.wait(1.0):
                with suppress(
                    OSError
                ):  # a full disk stops the report, never the system; the next second retries
                    system.write_state()
    except StackError as error:
        report.say({"error": error.message, "hint": error.hint})
        raise SystemExit(1) from None
    except Retryable as error:
        report.say({"error": str(error), "hint": f"read the logs in {home_folder() / 'logs'}"})
        raise SystemExit(1) from None


if __name__ == "__main__":
    main()
