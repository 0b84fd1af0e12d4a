"""The shortest way to endpoints, past Starlette's layers, which cost as much as the rest of a single-event request;
other paths take the usual way. Also ids of requests, and the log of refusals, bounded in lines a second."""

import itertools
import re
import secrets
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from starlette.datastructures import QueryParams
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from outlay_ingest.domain.decoded_items import Head
from outlay_ingest.domain.endpoints import ENDPOINTS, JSON, Endpoint
from outlay_ingest.domain.rejections import Rejection
from outlay_kit.telemetry import get_logger

if TYPE_CHECKING:
    from outlay_kit.otel import Span

log = get_logger(__name__)
HEADER = "x-request-id"
LINES_A_SECOND = 20
_TAKEN = re.compile(r"[A-Za-z0-9.:-]{1,64}")
"""Ids of callers that are used as they are. No `_`: an API key has one, and a key is never logged."""


@dataclass(slots=True)
class FastRequest:
    """A request for an endpoint, with no more than endpoints look at."""

    endpoint: Endpoint
    head: Head
    receive: Receive
    request_id: str = ""
    span: "Span | None" = None


class FastPath:
    """An ASGI application before another: answers for the endpoints itself."""

    def __init__(self, answer: Callable[[FastRequest], Awaitable[Response]], rest: ASGIApp) -> None:
        self._answer = answer
        self._rest = rest
        self._by_path = {endpoint.path.partition("{")[0]: endpoint for endpoint in ENDPOINTS}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a POST to an endpoint; leave all else to the application behind."""
        if scope["type"] == "http" and scope["method"] == "POST":
            begin, _, last = scope["path"].rpartition("/")
            by_provider = self._by_path.get(f"{begin}/")
            endpoint = (by_provider or self._by_path.get(scope["path"])) if last else None
            if endpoint is not None:
                head = _head(scope, last if by_provider else "")
                response = await self._answer(FastRequest(endpoint, head, receive))
                await response(scope, receive, send)
                return
        await self._rest(scope, receive, send)


def _head(scope: Scope, provider: str) -> Head:
    # Names are lower-case already; of two headers of a name the first counts.
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in reversed(scope["headers"])}
    media = headers.get("content-type", JSON).split(";", 1)[0].strip().lower()
    asked = scope["query_string"]
    return Head(media, headers, QueryParams(asked) if asked else {}, provider)


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
