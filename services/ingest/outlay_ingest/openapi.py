"""The OpenAPI 3.1 document of the endpoints, made of the table of endpoints and of the contracts."""

from functools import cache

from outlay_ingest.domain.endpoints import ENDPOINTS, Endpoint
from outlay_schemas.documents import Document, openapi, usage_schema
from outlay_schemas.events import UsageEvent

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
EXAMPLE: Document = {
    "id": "req-8f2c",
    "source": "checkout/api",
    "time": "2026-11-24T11:59:00Z",
    "kind": "llm",
    "provider": "anthropic",
    "sku": "claude-sonnet-4-5",
    "usage": {"input_tokens": 1200, "output_tokens": 300},
    "team": "growth",
    "tags": {"use-case": "search"},
}
"""An event as its sender writes it."""
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
_SAID = ("code", "path", "message")
_REFUSAL: Document = {
    "type": "object",
    "required": ["index", "code", "path", "message"],
    "properties": {"index": _COUNT, "id": {"type": ["string", "null"]}, **dict.fromkeys(_SAID, _TEXT)},
}


@cache
def document() -> Document:
    """Build the document."""
    event = usage_schema(UsageEvent)["$defs"]["UsageEvent"]
    paths = {endpoint.path: {"post": _operation(endpoint)} for endpoint in ENDPOINTS}
    about = "Ingest endpoints for usage events. 202 means that the events are durable in Kafka."
    return openapi(
        "Outlay ingest", about, paths, {"UsageEvent": event, "Outcome": _OUTCOME, "Rejection": _REFUSAL}
    )


def _operation(endpoint: Endpoint) -> Document:
    parameters: list[Document] = [
        {"name": name, "in": "query", "schema": _TEXT} for name in endpoint.parameters
    ]
    if "{provider}" in endpoint.path:
        parameters.insert(0, {"name": "provider", "in": "path", "required": True, "schema": _TEXT})
    content: Document = {media: {} for media in endpoint.media}
    problem = content if endpoint.otlp else {"application/problem+json": {"schema": _ref("Problem")}}
    note = " A google.rpc.Status." if endpoint.otlp else ""
    responses = {
        status: {"description": text + note, "content": problem} for status, text in _PROBLEMS.items()
    }
    if endpoint.otlp:
        taken = "Taken; partialSuccess names what was refused."
        responses["200"] = {"description": taken, "content": content}
    else:
        outcome = {"application/json": {"schema": _ref("Outcome")}}
        responses["202"] = {"description": "Durable; errors names what was refused.", "content": outcome}
        refused = "No event of the request is valid; errors names each."
        responses["422"] = {"description": refused, "content": problem}
    if endpoint.path == "/v1/events":
        event = _ref("UsageEvent")
        many = {"type": "array", "items": event, "minItems": 1}
        content["application/json"] = {"schema": {"anyOf": [event, many]}, "example": EXAMPLE}
    return {
        "summary": endpoint.title,
        "description": endpoint.about,
        "operationId": f"send{endpoint.path.split('/')[2].title()}",
        "tags": ["usage"],
        "parameters": parameters,
        "requestBody": {"required": True, "content": content},
        "responses": dict(sorted(responses.items())),
    }


def _ref(schema: str) -> Document:
    return {"$ref": f"#/components/schemas/{schema}"}
