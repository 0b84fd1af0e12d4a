"""The OpenAPI 3.1 document of the endpoints, made of the table of endpoints and of the contracts."""

from functools import cache
from typing import Any

import msgspec

from outlay_ingest.domain.endpoints import ENDPOINTS, Endpoint
from outlay_schemas.dimensions import OWNERS
from outlay_schemas.documents import usage_schema
from outlay_schemas.errors import PROBLEM
from outlay_schemas.events import UsageEvent

Document = dict[str, Any]
_ABOUT = {
    "/v1/events": (
        "Send usage events",
        "One event, an array, one a line, or CloudEvents (structured, batch, binary).",
    ),
    "/v1/litellm": ("Send LiteLLM logs", "StandardLoggingPayloads of its generic API callback."),
    "/v1/usage/{provider}": (
        "Send responses of a provider's API",
        "Responses as received, or in an envelope (batch, stream, gateway). `auto` detects the provider.",
    ),
    "/v1/opencost": ("Send allocations of a cluster", "An answer of OpenCost's or Kubecost's /allocation."),
    "/v1/gpus": (
        "Send samples of GPUs",
        "Of NVIDIA's dcgm-exporter: text format, or an answer of Prometheus.",
    ),
    "/v1/traces": (
        "Send OpenTelemetry spans",
        "OTLP/HTTP. Spans that are not model calls are ignored.",
    ),
    "/v1/logs": (
        "Send OpenTelemetry log records",
        "OTLP/HTTP. Records that are not model calls are ignored.",
    ),
}
_PARAMETERS = {
    "/v1/usage/{provider}": (
        "time",
        "id",
        "source",
        "sku",
        "api",
        *OWNERS,
    ),
    "/v1/gpus": ("interval", "time", "sku", "provider"),
}
_PROBLEMS = {
    "400": "The body does not have its declared format.",
    "401": "The API key is missing or unknown.",
    "403": "The key may not send events.",
    "413": "More bytes or events than a request may hold.",
    "415": "The endpoint does not read this media type or encoding.",
    "429": "The key's limit for this minute is used up.",
    "500": "Internal error: send the same request again.",
    "503": "Kafka does not acknowledge: send the same again, with the same ids.",
}
_COUNT = {"type": "integer", "minimum": 0}
_OUTCOME: Document = {
    "type": "object",
    "required": ["accepted", "rejected"],
    "properties": {
        "accepted": _COUNT,
        "rejected": _COUNT,
        "ignored": {
            **_COUNT,
            "description": "Items that carry no usage, such as spans that are not model calls.",
        },
        "errors": {"type": "array", "maxItems": 1000, "items": {"$ref": "#/components/schemas/Rejection"}},
    },
}
_TEXT = {"type": "string"}
_REFUSAL: Document = {
    "type": "object",
    "required": ["index", "code", "path", "message"],
    "properties": {
        "index": _COUNT,
        "id": {"type": ["string", "null"]},
        "code": _TEXT,
        "path": _TEXT,
        "message": _TEXT,
    },
}


@cache
def encoded() -> bytes:
    """Return the document as JSON."""
    return msgspec.json.encode(document())


def document() -> Document:
    """Build the document."""
    event = usage_schema(UsageEvent)["$defs"]["UsageEvent"]
    schemas = {"UsageEvent": event, "Outcome": _OUTCOME, "Rejection": _REFUSAL, "Problem": PROBLEM}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Outlay ingest",
            "version": "0.1.0",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
            "description": "Ingest endpoints for usage events. 202 means that the events are durable in Kafka.",
        },
        "servers": [{"url": "/"}],
        "security": [{"bearer": []}, {"header": []}],
        "paths": {endpoint.path: {"post": _operation(endpoint)} for endpoint in ENDPOINTS},
        "components": {
            "schemas": schemas,
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer", "description": "out_live_…"},
                "header": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
            },
        },
    }


def _operation(endpoint: Endpoint) -> Document:
    title, about = _ABOUT[endpoint.path]
    responses: Document = {status: _problem(text, endpoint) for status, text in _PROBLEMS.items()}
    if endpoint.otlp:
        responses["200"] = {
            "description": "Taken; partialSuccess names what was refused.",
            "content": _any(endpoint.media),
        }
    else:
        answer = {"application/json": {"schema": {"$ref": "#/components/schemas/Outcome"}}}
        responses["202"] = {"description": "Durable; errors names what was refused.", "content": answer}
        responses["422"] = _problem("No event of the request is valid; errors names each.", endpoint)
    return {
        "summary": title,
        "description": about,
        "operationId": endpoint.path.removeprefix("/v1/").partition("/")[0],
        "parameters": _parameters(endpoint.path),
        "requestBody": {"required": True, "content": _content(endpoint)},
        "responses": dict(sorted(responses.items())),
    }


def _content(endpoint: Endpoint) -> Document:
    if endpoint.path != "/v1/events":
        return _any(endpoint.media)
    event = {"$ref": "#/components/schemas/UsageEvent"}
    one_or_many = {"schema": {"anyOf": [event, {"type": "array", "items": event, "minItems": 1}]}}
    return {media: one_or_many if media == "application/json" else {} for media in endpoint.media}


def _any(media: tuple[str, ...]) -> Document:
    return {name: {} for name in media}


def _problem(text: str, endpoint: Endpoint) -> Document:
    if endpoint.otlp:
        return {"description": f"{text} A google.rpc.Status.", "content": _any(endpoint.media)}
    content = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {"description": text, "content": content}


def _parameters(path: str) -> list[Document]:
    found: list[Document] = [
        {"name": name, "in": "query", "schema": _TEXT} for name in _PARAMETERS.get(path, ())
    ]
    if "{provider}" in path:
        found.insert(0, {"name": "provider", "in": "path", "required": True, "schema": _TEXT})
    return found
