"""The HTTP server of the alerter, beside the evaluation: what its APIs share. Every alerter answers, also a standby."""

import contextlib
import threading
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from outlay_kit.health import forever
from outlay_kit.http_protocol import GuardedProtocol, RestingServer
from outlay_kit.problems import Problem, from_router, internal
from outlay_kit.telemetry import get_logger

log = get_logger(__name__)

Work = Callable[[], Coroutine[Any, Any, None]]
"""What runs as long as the server."""


def application(routes: Sequence[Route], work: Sequence[Work] = ()) -> Starlette:
    """Return the ASGI application; it starts `work` beside the routes."""

    @contextlib.asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        running = [forever(one(), one.__name__) for one in work]
        yield
        for task in running:
            task.cancel()

    return Starlette(
        routes=routes,
        exception_handlers={Problem: _problem, HTTPException: _http_error, Exception: _bug},
        lifespan=lifespan,
    )


def serve(app: Starlette, host: str, port: int) -> threading.Thread:
    """Serve in a thread until the process ends."""
    config = uvicorn.Config(
        app, host=host, port=port, http=GuardedProtocol, access_log=False, proxy_headers=False, log_config=None,
        server_header=False, limit_concurrency=1000,
    )  # fmt: skip
    thread = threading.Thread(target=RestingServer(config).run, name="http", daemon=True)
    thread.start()
    return thread


async def _problem(_: Request, error: Exception) -> Response:
    assert isinstance(error, Problem)  # noqa: S101 (for the type checker)
    return error.response()


async def _http_error(_: Request, error: Exception) -> Response:
    return from_router(error, "use GET /v1/budgets/{id}/status; see /openapi.json").response()


async def _bug(_: Request, error: Exception) -> Response:
    log.error("request failed", exc_info=error)
    return internal("try again").response()
