"""The OpenAPI 3.1 document of the budget status API."""

from functools import cache
from typing import Any

import msgspec

from outlay_reports.budgets import BudgetStatus
from outlay_schemas.errors import PROBLEM

Document = dict[str, Any]
_TEXT = {"type": "string"}
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
_PROBLEMS = {
    "400": "A parameter is not valid.",
    "401": "The API key is missing or unknown.",
    "403": "The key has neither the scope ingest nor read.",
    "404": "The tenant has no such budget.",
}


@cache
def encoded() -> bytes:
    """Return the document as JSON."""
    return msgspec.json.encode(document())


def document() -> Document:
    """Build the document."""
    (_,), parts = msgspec.json.schema_components([BudgetStatus], ref_template="#/components/schemas/{name}")
    status = parts.pop("BudgetStatus")
    answer = {
        "type": "object",
        "required": [*_OWN, "budget"],
        "properties": {**_OWN, **status["properties"]},
    }
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Outlay budgets",
            "version": "0.1.0",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
            "description": "The status of a budget, for programs that ask before they spend.",
        },
        "servers": [{"url": "/"}],
        "security": [{"bearer": []}, {"header": []}],
        "paths": {"/v1/budgets/{id}/status": {"get": _operation()}},
        "components": {
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer"},
                "header": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
            },
            "schemas": {"BudgetStatus": answer, "Problem": PROBLEM, **parts},
        },
    }


def _operation() -> Document:
    problem = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    query = [
        (
            "mode",
            {"enum": ["cached", "strict"], "default": "cached"},
            "strict: computed from the rollups now.",
        ),
        (
            "max_age",
            {"type": "number", "minimum": 0, "maximum": 3600, "default": 10},
            "Maximum age in seconds, if cached.",
        ),
        (
            "fail",
            {"enum": ["open", "closed"]},
            "If the status is unknown. Default: the policy of the budget.",
        ),
    ]
    named = [{"name": "id", "in": "path", "required": True, "schema": _TEXT}]
    named += [{"name": n, "in": "query", "schema": schema, "description": d} for n, schema, d in query]
    return {
        "operationId": "budgetStatus",
        "summary": "Get the status of a budget",
        "parameters": named,
        "responses": {
            "200": {
                "description": "The status, or that it is unknown.",
                "content": {"application/json": {"schema": {"$ref": "#/components/schemas/BudgetStatus"}}},
            },
            **{code: {"description": text, "content": problem} for code, text in _PROBLEMS.items()},
        },
    }
