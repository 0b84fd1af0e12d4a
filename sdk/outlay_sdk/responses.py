"""The part of a response that says what was used; ingest reads the numbers. Prompts, answers, arguments of tools and
vectors never leave the program: only the fields named here do, of objects, decoded JSON and events of streams."""

from collections.abc import Iterable, Mapping
from typing import Any

Response = dict[str, Any]
USAGE = (
    "usage", "usage_metadata", "usageMetadata", "usage_info", "tool_usage", "amazon-bedrock-invocationMetrics",
    "prompt_eval_count", "eval_count", "trained_tokens",
)  # fmt: skip
"""Fields that hold usage; they are sent whole."""
_ABOUT = (
    "id", "responseId", "response_id", "generation_id", "model", "modelVersion", "model_version", "object", "type",
    "status", "created", "created_at", "finished_at", "createTime", "create_time", "service_tier", "serviceTier",
    "performanceConfig", "provider", "stop_reason", "stopReason", "custom_id", "recordId", "key", "processed_time",
    "status_code", "request_id",
)  # fmt: skip
"""Fields that say whose and which it is."""
_ENVELOPES = ("response", "message", "result", "body", "modelOutput", "x_groq", "delta", "metadata")
"""Fields that may hold a response, or a part of one with usage in it."""
WITH_USAGE = (*USAGE, *_ENVELOPES, "meta")
"""Fields without which a response says nothing of its usage."""
_DEEPEST = 8
_MAKERS = {
    "mistralai": "mistral",
    "cohere": "cohere",
    "groq": "groq",
    "google": "google",
    "vertexai": "google",
}


def strip(response: object) -> Response | None:
    """Return what a response says of its usage; None if it says nothing."""
    found = _strip(fields_of(response), 0)
    return found if found is not None and _has_usage(found) else None


def maker(value: object) -> str:
    """Return the provider whose own client an object is of; empty for clients that talk to many."""
    return _MAKERS.get(type(value).__module__.partition(".")[0], "")


def identity(response: Response) -> str | None:
    """Return the provider's own id of a response."""
    amazon = response.get("ResponseMetadata", {}).get("RequestId")
    said = next((response[name] for name in _ABOUT[:4] if response.get(name)), amazon)
    return said if isinstance(said, str) else None


def model(response: Response) -> str | None:
    """Return the model that a response names."""
    return next((response[name] for name in _ABOUT[4:7] if response.get(name)), None)


def _strip(fields: Mapping[str, Any] | None, depth: int) -> Response | None:
    if fields is None or depth > _DEEPEST:
        return None
    kept: Response = {name: plain(fields[name]) for name in (*USAGE, *_ABOUT) if fields.get(name) is not None}
    for name in _ENVELOPES:
        inner = _strip(fields_of(fields.get(name)), depth + 1)
        if inner is not None and _has_usage(inner):
            kept[name] = inner
    if isinstance(billed := plain(get(fields.get("meta"), "billed_units")), dict):  # Cohere
        kept["meta"] = {"billed_units": billed}
    litellm = fields.get("_hidden_params")
    hidden = {name: plain(get(litellm, name)) for name in ("custom_llm_provider", "response_cost")}
    if any(value is not None for value in hidden.values()):
        kept["_hidden_params"] = hidden
    if isinstance(amazon := fields.get("ResponseMetadata"), Mapping):
        date = (amazon.get("HTTPHeaders") or {}).get("date")
        kept["ResponseMetadata"] = {"RequestId": amazon.get("RequestId"), "HTTPHeaders": {"date": date}}
    return kept | _tools(fields)


def _tools(fields: Mapping[str, Any]) -> Response:
    calls = [
        {"type": kind, "action": {"type": get(get(item, "action"), "type")}}
        for item in _items(fields.get("output"))
        if isinstance(kind := get(item, "type"), str) and kind.endswith("_call")
    ]
    grounded = []
    for candidate in _items(fields.get("candidates")):
        about = get(candidate, "groundingMetadata") or get(candidate, "grounding_metadata")
        queries = get(about, "webSearchQueries") or get(about, "web_search_queries")
        grounded.append({"groundingMetadata": {"webSearchQueries": [""] * len(_items(queries))}})
    return {name: found for name, found in (("output", calls), ("candidates", grounded)) if found}


def _has_usage(found: Response) -> bool:
    return any(name in found for name in WITH_USAGE)


def plain(value: Any, depth: int = 0) -> Any:
    """Return a value as JSON can hold it: what is neither data nor an object with fields is left out."""
    if value is None or isinstance(value, str | int | float):
        return value
    if depth > _DEEPEST:
        return None
    if isinstance(value, list | tuple):
        return [plain(item, depth + 1) for item in value]
    if hasattr(value, "isoformat"):
        return value.isoformat()
    fields = fields_of(value)
    if fields is None:
        return None
    return {str(name): plain(inner, depth + 1) for name, inner in fields.items() if inner is not None}


def fields_of(value: Any) -> Mapping[str, Any] | None:
    """Return the fields of a mapping or of a client's object; None if it has none."""
    if isinstance(value, Mapping):
        return value
    if isinstance(value, str | bytes | int | float | list | tuple | type | None):
        return None
    own = getattr(value, "__dict__", None)
    if own is None or "_pb" in own or "_raw_response" in own:  # protocol buffers, Vertex AI's client
        convert = getattr(type(value), "to_dict", None)
        return convert(value) if callable(convert) else None
    found = {**own, **(getattr(value, "__pydantic_extra__", None) or {})}
    if type(value).__module__.startswith("litellm"):  # where pydantic keeps what is private
        found["_hidden_params"] = getattr(value, "_hidden_params", None)
    return found


def get(value: object, name: str) -> Any:
    """Return a field of an object or of a mapping, or None."""
    return value.get(name) if isinstance(value, Mapping) else getattr(value, name, None)


def _items(value: Any) -> "list[Any]":
    return list(value) if isinstance(value, Iterable) and not isinstance(value, str | bytes | Mapping) else []
