"""The OpenAPI 3.1 document of the budget door."""

from functools import cache
from typing import Any

import msgspec

from outlay_reports.budgets import BudgetStatus
from outlay_schemas.errors import PROBLEM

Document = dict[str, Any]
_TEXT = {"type": "string"}
_OWN: Document = {
    "allowed": {"type": "boolean", "description": "Whether to spend. Callers need look at nothing else."},
    "known": {"type": "boolean", "description": "false: it could not be read, and `fail` decided `allowed`."},
    "mode": {"enum": ["cached", "strict"]},
    "fail": {"enum": ["open", "closed"], "description": "What is allowed when nobody can say."},
    "age_ms": {"type": "integer", "minimum": 0, "description": "Milliseconds since it was reckoned."},
}
_PROBLEMS = {
    "400": "A parameter is none.",
    "401": "The API key is missing or not known.",
    "403": "The key may neither send nor read.",
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
            "description": "How a budget stands, for programs that want to know before they spend.",
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
        ("mode", {"enum": ["cached", "strict"], "default": "cached"}, "strict: summed from the rollups now."),
        (
            "max_age",
            {"type": "number", "minimum": 0, "maximum": 3600, "default": 10},
            "Seconds, when cached.",
        ),
        ("fail", {"enum": ["open", "closed"]}, "When nobody can say; default: as the budget says."),
    ]
    named = [{"name": "id", "in": "path", "required": True, "schema": _TEXT}]
    named += [{"name": n, "in": "query", "schema": schema, "description": d} for n, schema, d in query]
    return {
        "operationId": "budgetStatus",
        "summary": "Tell how a budget stands",
        "parameters": named,
        "responses": {
            "200": {
                "description": "How it stands, or that nobody can say.",
                "content": {"application/json": {"schema": {"$ref": "#/components/schemas/BudgetStatus"}}},
            },
            **{code: {"description": text, "content": problem} for code, text in _PROBLEMS.items()},
        },
    }
