"""The HTTP endpoint `GET /v1/budgets/{id}/status`, served beside the evaluation, and its OpenAPI 3.1 document."""

import asyncio
from functools import cache
from http import HTTPStatus
from typing import cast

import msgspec
from prometheus_client import Histogram
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from outlay_alerter.budget_api.service import Answer, BudgetStatusService, Fail, UnknownBudgetError
from outlay_kit.api_reference import reference_routes
from outlay_kit.clock import Clock
from outlay_kit.keys import KeyFileError, KeyRing
from outlay_kit.problems import Problem, require_key
from outlay_kit.telemetry import get_logger
from outlay_reports.budgets import BudgetStatus
from outlay_schemas.documents import Document, openapi

log = get_logger(__name__)
SECONDS = Histogram(
    "outlay_budget_status_seconds", "Seconds to answer a request for a budget status", ["mode"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5),
)  # fmt: skip
_MAX_AGE = 10.0
_MOST_AGE = 3600.0


class BudgetStatusApi:
    """Authenticates callers, reads their parameters, and answers."""

    def __init__(self, service: BudgetStatusService, keys: KeyRing, clock: Clock) -> None:
        self._service, self._keys, self._clock = service, keys, clock

    def routes(self) -> list[Route]:
        """Return the routes of the API and of its reference."""
        return [
            Route("/v1/budgets/{id}/status", self._status, methods=["GET"]),
            *reference_routes(document),
        ]

    async def refresh_keys(self) -> None:
        """Read the key file again every second, without end."""
        while True:
            await asyncio.sleep(1.0)
            try:
                self._keys.refresh()
            except KeyFileError:
                log.exception("the key file cannot be read; the previous keys stay valid")

    async def _status(self, request: Request) -> Response:
        started = self._clock.monotonic()
        key = require_key(self._keys, request.headers, ["ingest", "read"], "read budgets")
        name = request.path_params["id"]
        mode, max_age, fail = _wanted(request)
        try:
            answer = await self._service.ask(key.tenant, name, max_age, fail)
        except UnknownBudgetError:
            detail = f"the tenant of this key has no budget {name}; list them with: outlay budgets"
            raise Problem(HTTPStatus.NOT_FOUND, "budget_unknown", detail) from None
        body = msgspec.json.encode(_body(answer, mode, name))
        SECONDS.labels(mode).observe(self._clock.monotonic() - started)
        return Response(body, media_type="application/json", headers={"Cache-Control": "no-store"})


def _wanted(request: Request) -> tuple[str, float, Fail | None]:
    """Read the parameters: the mode, the maximum age in seconds, and the policy if the status is unknown."""
    query = request.query_params
    mode, fail = query.get("mode", "cached"), query.get("fail")
    if mode not in ("cached", "strict"):
        raise Problem(HTTPStatus.BAD_REQUEST, "parameter", "mode must be cached or strict")
    if fail not in (None, "open", "closed"):
        raise Problem(HTTPStatus.BAD_REQUEST, "parameter", "fail must be open or closed")
    try:
        age = float(query.get("max_age", _MAX_AGE))
    except ValueError:
        age = -1.0
    if not 0 <= age <= _MOST_AGE:
        raise Problem(HTTPStatus.BAD_REQUEST, "parameter", "max_age must be from 0 to 3600 seconds")
    return mode, 0.0 if mode == "strict" else age, cast(Fail | None, fail)


def _body(answer: Answer, mode: str, name: str) -> dict[str, object]:
    status = msgspec.to_builtins(answer.status) if answer.status is not None else {"budget": name}
    return {
        "allowed": answer.allowed, "known": answer.known, "mode": mode, "fail": answer.fail,
        "age_ms": round(answer.age * 1000), **status,
    }  # fmt: skip


_OWN: Document = {
    "allowed": {"type": "boolean", "description": "Whether to spend. Callers need nothing else."},
    "known": {
        "type": "boolean",
        "description": "false: the status is unknown, and `fail` decided `allowed`.",
    },
    "mode": {"enum": ["cached", "strict"]},
    "fail": {"enum": ["open", "closed"], "description": "What is allowed if the status is unknown."},
    "age_ms": {"type": "integer", "minimum": 0, "description": "Milliseconds since it was computed."},
}
_QUERY: dict[str, tuple[Document, str]] = {
    "mode": ({**_OWN["mode"], "default": "cached"}, "strict: computed from the rollups now."),
    "max_age": (
        {"type": "number", "minimum": 0, "maximum": 3600, "default": 10}, "Maximum age in seconds, if cached.",
    ),
    "fail": ({"enum": ["open", "closed"]}, "If the status is unknown. Default: the policy of the budget."),
}  # fmt: skip
_PROBLEMS = {
    "400": "A parameter is not valid.",
    "401": "The API key is missing or unknown.",
    "403": "The key has neither the scope ingest nor read.",
    "404": "The tenant has no such budget.",
}


@cache
def document() -> Document:
    """Build the OpenAPI document."""
    ref = "#/components/schemas/{name}"
    (_,), parts = msgspec.json.schema_components([BudgetStatus], ref_template=ref)
    properties = {**_OWN, **parts.pop("BudgetStatus")["properties"]}
    answer = {"type": "object", "required": [*_OWN, "budget"], "properties": properties}
    problem = {"application/problem+json": {"schema": {"$ref": ref.format(name="Problem")}}}
    named: list[Document] = [{"name": "id", "in": "path", "required": True, "schema": {"type": "string"}}]
    named += [
        {"name": name, "in": "query", "schema": schema, "description": text}
        for name, (schema, text) in _QUERY.items()
    ]
    success = {
        "description": "The status, or that it is unknown.",
        "content": {"application/json": {"schema": {"$ref": ref.format(name="BudgetStatus")}}},
    }
    problems = {code: {"description": text, "content": problem} for code, text in _PROBLEMS.items()}
    operation = {
        "operationId": "getBudgetStatus", "tags": ["budgets"], "summary": "Get the status of a budget",
        "parameters": named, "responses": {"200": success, **problems},
    }  # fmt: skip
    about = "The status of a budget, for programs that ask before they spend."
    paths = {"/v1/budgets/{id}/status": {"get": operation}}
    return openapi("Outlay budgets", about, paths, {"BudgetStatus": answer, **parts})
