"""Names each request of a door, and logs those of which something was refused: whoever asks why can be answered.

A sender that goes wrong does so a thousand times a second: so many lines are logged, and the rest is counted.
"""

import itertools
import re
import secrets
from collections.abc import Callable, Mapping, Sequence

from outlay_ingest.asgi import Arrival
from outlay_ingest.domain.refusals import Refusal
from outlay_kit.telemetry import get_logger

log = get_logger(__name__)
HEADER = "x-request-id"
LINES_A_SECOND = 20
_TAKEN = re.compile(r"[A-Za-z0-9.:-]{1,64}")
"""Ids of callers that are used as they are. No `_`: an API key has one, and a key is never logged."""


class Names:
    """Gives each request an id: the caller's own, or one that no other process gives."""

    def __init__(self) -> None:
        self._process = secrets.token_hex(6)
        self._numbers = itertools.count(1)

    def name(self, headers: Mapping[str, str]) -> str:
        """Return the id of a request."""
        own = headers.get(HEADER)
        if own is not None and _TAKEN.fullmatch(own):
            return own
        return f"{self._process}-{next(self._numbers):x}"


class Journal:
    """Logs refusals, with the ids of request, event and trace."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._second = 0
        self._lines = 0
        self._left_out = 0

    def request(self, arrival: Arrival, status: int, code: str) -> None:
        """Log a request that was refused as a whole."""
        self._write("a request was refused", arrival, status=int(status), code=code)

    def events(self, arrival: Arrival, refusals: Sequence[Refusal]) -> None:
        """Log that events of a request became dead letters, with the first of them."""
        first = refusals[0]
        self._write("dead letters", arrival, count=len(refusals), event_id=first.id, code=first.code)

    def _write(self, what: str, arrival: Arrival, **why: object) -> None:
        second = int(self._monotonic())
        if second != self._second:
            self._second, self._lines = second, 0
        if self._lines >= LINES_A_SECOND:
            self._left_out += 1
            return
        self._lines += 1
        if self._left_out:
            why["left_out"] = self._left_out
            self._left_out = 0
        log.warning(what, path=arrival.gate.path, **names(arrival), **why)


def names(arrival: Arrival) -> dict[str, str]:
    """Return what logs call a request."""
    if arrival.span is None:
        return {"request_id": arrival.request_id}
    return {"request_id": arrival.request_id, "trace_id": arrival.span.trace_id}
