"""How requests to the read API are read and refused: one way for every path."""

from collections.abc import Awaitable, Callable
from functools import wraps
from http import HTTPStatus

from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import Response

from outlay_kit.errors import Retryable
from outlay_kit.problems import Problem
from outlay_reports.errors import QueryError
from outlay_schemas.currency import NoRateError

Endpoint = Callable[[Request], Awaitable[Response]]


def refusing(ask: Endpoint) -> Endpoint:
    """Return an endpoint that answers what `ask` raises as a problem document."""

    @wraps(ask)
    async def answer(request: Request) -> Response:
        try:
            return await ask(request)
        except Problem as problem:
            return problem.response()
        except (QueryError, NoRateError) as error:
            return Problem(HTTPStatus.BAD_REQUEST, "parameter", f"{error}; {error.hint}").response()
        except Retryable as error:
            away = HTTPStatus.SERVICE_UNAVAILABLE
            return Problem(away, "clickhouse_unavailable", str(error), retry_after=5).response()

    return answer


def check(params: QueryParams, known: frozenset[str]) -> None:
    """Refuse a parameter that is not known: it would be left out in silence. Raises QueryError."""
    if unknown := ", ".join(sorted(set(params) - known)):
        raise QueryError(f"{unknown} cannot be asked here", f"use {', '.join(sorted(known))}")


def number(params: QueryParams, name: str, default: int, most: int) -> int:
    """Return a number from 1 to `most`. Raises QueryError."""
    text = params.get(name, str(default))
    if not text.isascii() or not text.isdigit() or not 1 <= int(text[:6]) <= most:
        raise QueryError(f"{name} is {text!r}", f"give a number from 1 to {most}")
    return int(text)
