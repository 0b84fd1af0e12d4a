"""Places where tests make a process die or wait: `OUTLAY_FAILPOINT=after_ledger` kills it (SIGKILL, nothing is
flushed) there, `after_ledger:3` the third time; `after_ledger=sleep:5` waits 5 s each time; `store_step:3=stop` stops
(SIGSTOP) at the third, until the test sends SIGCONT. `store_step` is before and after each statement of ClickHouse,
each delivery to Kafka and each request to ingest: all that a command does to others. Unset: off."""

import os
import signal
import time
from typing import Literal

Failpoint = Literal[
    "after_poll",
    "after_insert",
    "after_ledger",
    "after_asking",
    "before_rollup",
    "after_rollup",
    "after_commit",
    "after_produce",
    "before_ack",
    "after_send",
    "store_step",
]

_hits: dict[str, int] = {}


def failpoint(name: Failpoint) -> None:
    """Die or wait here if a test armed `name`."""
    if not (armed := os.environ.get("OUTLAY_FAILPOINT", "")):
        return
    place, _, action = armed.partition("=")
    place, _, nth = place.partition(":")
    if place != name:
        return
    _hits[name] = _hits.get(name, 0) + 1
    if action.startswith("sleep:"):
        time.sleep(float(action.removeprefix("sleep:")))
    elif _hits[name] == int(nth or 1):
        os.kill(os.getpid(), signal.SIGSTOP if action == "stop" else signal.SIGKILL)
