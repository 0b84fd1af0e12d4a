"""The shortest way to the endpoints: a request for one of them goes there at once, past the layers of Starlette.

They cost as much as all the rest of a single-event request. Other paths (health, the OpenAPI document,
paths that do not exist) take the usual way.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from starlette.datastructures import QueryParams
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from outlay_ingest.domain.decoded_items import Head
from outlay_ingest.domain.endpoints import ENDPOINTS, JSON, Endpoint

if TYPE_CHECKING:
    from outlay_kit.otel import Span


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
