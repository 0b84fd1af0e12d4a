"""Places where tests make a process die or wait: `OUTLAY_FAILPOINT=after_ledger` kills it (SIGKILL, nothing is
flushed) there, `after_ledger:3` the third time; `after_ledger=sleep:5` waits 5 s each time. Unset: off."""

import os
import signal
import time
from typing import Final, Literal

Failpoint = Literal[
    "after_poll",
    "after_insert",
    "after_ledger",
    "before_rollup",
    "after_rollup",
    "after_commit",
    "after_produce",
    "before_ack",
    "after_send",
]

_ARMED: Final = os.environ.get("OUTLAY_FAILPOINT", "")
_hits: dict[str, int] = {}


def failpoint(name: Failpoint) -> None:
    """Die or wait here if a test armed `name`."""
    if not _ARMED:
        return
    place, _, action = _ARMED.partition("=")
    place, _, nth = place.partition(":")
    if place != name:
        return
    _hits[name] = _hits.get(name, 0) + 1
    if action.startswith("sleep:"):
        time.sleep(float(action.removeprefix("sleep:")))
    elif _hits[name] == int(nth or 1):
        os.kill(os.getpid(), signal.SIGKILL)
