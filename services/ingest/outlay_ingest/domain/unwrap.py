"""Envelopes around a provider's response: result lines of batch APIs, last events of streams, gateways' wrappers."""

from collections.abc import Mapping
from typing import Any

from outlay_ingest.domain.coercion import mapping, text
from outlay_schemas.errors import Invalid

Json = Mapping[str, Any]
BATCH = {"processing": "batch"}
"""The attribute by which batch prices apply."""
_BATCH_LINE = {"custom_id", "recordId", "modelOutput", "key", "processed_time"}
_MOST = 4
"""Envelopes inside envelopes."""
_ENDS = frozenset({"response.completed", "response.incomplete", "response.failed", "response.done"})


def unwrap(body: Json) -> tuple[Json | None, dict[str, str]]:
    """Return the response itself, and attributes that its envelope stands for. None: a line of a batch whose request
    failed, which is not billed. Raises Invalid if the envelope holds a part of what was used only."""
    attributes: dict[str, str] = {}
    found: Json | None = body
    for _ in range(_MOST):
        if found is None or (inner := _inside(found)) is found:
            break
        if found.keys() & _BATCH_LINE:
            attributes |= BATCH
        found = inner
    if found is not None and found.get("object") == "batch":
        attributes |= BATCH
    return found, attributes


def _inside(body: Json) -> Json | None:
    kind = text(body.get("type"))
    if kind == "message_start":
        raise Invalid(
            "usage_not_found",
            "message_start is the begin of a stream and leaves out most of the output; let the SDK read the stream, "
            "or send its message with the fields of the last message_delta's usage put over its own",
            "$.type",
        )
    if kind in _ENDS or ("response" in body and "usage" not in body and kind is None):
        return _of_response(body)
    if "usage" in body or "usageMetadata" in body:
        return body
    if "custom_id" in body or "recordId" in body:
        return _or_none(mapping(body.get("result")).get("message") or body.get("modelOutput"))
    return _of_stream(body)


def _of_stream(body: Json) -> Json:
    delta, metadata, groq = (mapping(body.get(name)) for name in ("delta", "metadata", "x_groq"))
    if body.get("type") == "message-end":
        return {"id": body.get("id"), **delta}
    if "usage" in metadata:
        return metadata
    if isinstance(metrics := body.get("amazon-bedrock-invocationMetrics"), Mapping):
        return {"usage": metrics}
    return {**body, "usage": groq["usage"]} if "usage" in groq else body


def _of_response(body: Json) -> Json | None:
    """Open `response`: OpenAI's, Gemini's and Mistral's batch lines, Cloud Code's answers, events of Responses."""
    response = _or_none(body.get("response"))
    if response is None or "body" not in response:
        when = body.get("processed_time")
        return response if response is None or when is None else {"createTime": when, **response}
    status = response.get("status_code")
    return _or_none(response["body"]) if status is None or status == 200 else None


def _or_none(value: object) -> Json | None:
    return value if isinstance(value, Mapping) else None
