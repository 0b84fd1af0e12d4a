"""Names each request of an endpoint, and logs those of which something was refused: whoever asks why can be answered.

A sender that goes wrong does so a thousand times a second: so many lines are logged, and the rest is counted.
"""

import itertools
import re
import secrets
from collections.abc import Callable, Mapping, Sequence

from outlay_ingest.domain.rejections import Rejection
from outlay_ingest.fast_path import FastRequest
from outlay_kit.telemetry import get_logger

log = get_logger(__name__)
HEADER = "x-request-id"
LINES_A_SECOND = 20
_TAKEN = re.compile(r"[A-Za-z0-9.:-]{1,64}")
"""Ids of callers that are used as they are. No `_`: an API key has one, and a key is never logged."""


class RequestIds:
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


class RefusalLog:
    """Logs rejections, with the ids of request, event and trace."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._second = 0
        self._lines = 0
        self._left_out = 0

    def request(self, request: FastRequest, status: int, code: str) -> None:
        """Log a request that was refused as a whole."""
        self._write("a request was refused", request, status=int(status), code=code)

    def events(self, request: FastRequest, rejections: Sequence[Rejection]) -> None:
        """Log that events of a request became dead letters, with the first of them."""
        first = rejections[0]
        self._write("dead letters", request, count=len(rejections), event_id=first.id, code=first.code)

    def _write(self, what: str, request: FastRequest, **why: object) -> None:
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
        log.warning(what, path=request.endpoint.path, **names(request), **why)


def names(request: FastRequest) -> dict[str, str]:
    """Return what logs call a request."""
    if request.span is None:
        return {"request_id": request.request_id}
    return {"request_id": request.request_id, "trace_id": request.span.trace_id}
