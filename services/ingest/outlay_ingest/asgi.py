"""The shortest way to the doors: a request for one of them goes there at once, past the layers of Starlette.

They cost as much as all the rest of a single-event request. What is no door (health, the OpenAPI document,
paths that do not exist) takes the usual way.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING

from starlette.datastructures import QueryParams
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from outlay_ingest.domain.doors import GATES, Gate

if TYPE_CHECKING:
    from outlay_kit.otel import Span

_NOTHING: Mapping[str, str] = {}


class Arrival:
    """A request for a door, with no more than doors look at."""

    __slots__ = ("gate", "headers", "media", "provider", "query", "receive", "request_id", "span")

    def __init__(self, gate: Gate, provider: str, scope: Scope, receive: Receive) -> None:
        self.gate = gate
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


Answer = Callable[[Arrival], Awaitable[Response]]


class Shortcut:
    """An ASGI application before another: answers for the doors itself."""

    def __init__(self, answer: Answer, rest: ASGIApp) -> None:
        self._answer = answer
        self._rest = rest
        self._whole = {gate.path: gate for gate in GATES if "{" not in gate.path}
        self._begun = {gate.path.partition("{")[0]: gate for gate in GATES if "{" in gate.path}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a POST to a door; leave all else to the application behind."""
        if scope["type"] == "http" and scope["method"] == "POST":
            gate, provider = self._find(scope["path"])
            if gate is not None:
                response = await self._answer(Arrival(gate, provider, scope, receive))
                await response(scope, receive, send)
                return
        await self._rest(scope, receive, send)

    def _find(self, path: str) -> tuple[Gate | None, str]:
        gate = self._whole.get(path)
        if gate is None:
            begin, _, last = path.rpartition("/")
            return (self._begun.get(f"{begin}/"), last) if last else (None, "")
        return gate, ""
