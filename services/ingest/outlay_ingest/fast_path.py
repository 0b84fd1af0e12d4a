"""The shortest way to the endpoints: a request for one of them goes there at once, past the layers of Starlette.

They cost as much as all the rest of a single-event request. Other paths (health, the OpenAPI document,
paths that do not exist) takes the usual way.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING

from starlette.datastructures import QueryParams
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from outlay_ingest.domain.endpoints import ENDPOINTS, Endpoint

if TYPE_CHECKING:
    from outlay_kit.otel import Span

_NOTHING: Mapping[str, str] = {}


class FastRequest:
    """A request for an endpoint, with no more than endpoints look at."""

    __slots__ = ("endpoint", "headers", "media", "provider", "query", "receive", "request_id", "span")

    def __init__(self, endpoint: Endpoint, provider: str, scope: Scope, receive: Receive) -> None:
        self.endpoint = endpoint
        self.provider = provider
        self.receive = receive
        self.request_id = ""
        self.span: Span | None = None
        # Names are lower-case already; of two headers of a name the first counts.
        self.headers = {
            name.decode("latin-1"): value.decode("latin-1") for name, value in reversed(scope["headers"])
        }
        asked = scope["query_string"]
        self.query: Mapping[str, str] = QueryParams(asked) if asked else _NOTHING
        self.media = self.headers.get("content-type", "application/json").split(";", 1)[0].strip().lower()


Answer = Callable[[FastRequest], Awaitable[Response]]


class FastPath:
    """An ASGI application before another: answers for the endpoints itself."""

    def __init__(self, answer: Answer, rest: ASGIApp) -> None:
        self._answer = answer
        self._rest = rest
        self._whole = {endpoint.path: endpoint for endpoint in ENDPOINTS if "{" not in endpoint.path}
        self._begun = {
            endpoint.path.partition("{")[0]: endpoint for endpoint in ENDPOINTS if "{" in endpoint.path
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a POST to an endpoint; leave all else to the application behind."""
        if scope["type"] == "http" and scope["method"] == "POST":
            endpoint, provider = self._find(scope["path"])
            if endpoint is not None:
                response = await self._answer(FastRequest(endpoint, provider, scope, receive))
                await response(scope, receive, send)
                return
        await self._rest(scope, receive, send)

    def _find(self, path: str) -> tuple[Endpoint | None, str]:
        endpoint = self._whole.get(path)
        if endpoint is None:
            begin, _, last = path.rpartition("/")
            return (self._begun.get(f"{begin}/"), last) if last else (None, "")
        return endpoint, ""
