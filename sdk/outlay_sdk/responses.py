"""What an answer says that it used: objects and mappings of OpenAI, Anthropic, Gemini, Bedrock and LiteLLM."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

Usage = dict[str, Any]
_OPENAI = (
    (("prompt_tokens_details", "input_tokens_details"), "cached_tokens", "cache_read_tokens"),
    (("prompt_tokens_details", "input_tokens_details"), "cache_creation_tokens", "cache_write_tokens"),
    (("prompt_tokens_details", "input_tokens_details"), "audio_tokens", "input_audio_tokens"),
    (("completion_tokens_details", "output_tokens_details"), "reasoning_tokens", "output_reasoning_tokens"),
    (("completion_tokens_details", "output_tokens_details"), "audio_tokens", "output_audio_tokens"),
)
_GEMINI = {
    "prompt_token_count": "input_tokens",
    "cached_content_token_count": "cache_read_tokens",
    "thoughts_token_count": "output_reasoning_tokens",
}


@dataclass
class Found:
    """A call of a model and what it used. `id` is the provider's; None if it gave none."""

    model: str
    usage: Usage
    provider: str
    id: str | None = None
    attributes: dict[str, object] = field(default_factory=dict)


def get(value: object, name: str) -> Any:
    """Return a field of an object or of a mapping, None if there is none."""
    return value.get(name) if isinstance(value, Mapping) else getattr(value, name, None)


def read(response: object, provider: str = "") -> Found | None:
    """Return what an answer used, None if it does not say."""
    usage, maker = usage_of(response)
    model = get(response, "model") or get(response, "model_version") or get(response, "modelVersion")
    if not usage or not isinstance(model, str):
        return None
    hidden = get(response, "_hidden_params")
    behind = get(hidden, "custom_llm_provider") if hidden else None
    identity = get(response, "id") or get(response, "response_id")
    found = Found(model, usage, provider or behind or maker, identity if isinstance(identity, str) else None)
    tier = get(response, "service_tier") or get(get(response, "usage"), "service_tier")
    if isinstance(tier, str):
        found.attributes["service_tier"] = tier
    return found


def usage_of(response: object) -> tuple[Usage, str]:
    """Return the counts by Outlay's names, and whose way of counting it is."""
    if (counts := get(response, "usage_metadata")) is not None:
        return _gemini(counts), "google"
    counts = get(response, "usage")
    if counts is None:
        return {}, ""
    if (tokens := get(counts, "inputTokens")) is not None:
        return _bedrock(counts, tokens), "aws"
    if get(counts, "prompt_tokens") is None and _is_anthropic(response, counts):
        return anthropic(counts), "anthropic"
    return _openai(counts), "openai"


def _is_anthropic(response: object, counts: object) -> bool:
    return get(response, "type") == "message" or get(counts, "cache_read_input_tokens") is not None


def anthropic(counts: object) -> Usage:
    """Count as Outlay does: Anthropic's input_tokens are without those read from or written to a cache."""
    read, written = (
        get(counts, "cache_read_input_tokens") or 0,
        get(counts, "cache_creation_input_tokens") or 0,
    )
    ttl = get(counts, "cache_creation")
    return _present({
        "input_tokens": (get(counts, "input_tokens") or 0) + read + written,
        "cache_read_tokens": read,
        "cache_write_tokens": written,
        "cache_write_5m_tokens": get(ttl, "ephemeral_5m_input_tokens"),
        "cache_write_1h_tokens": get(ttl, "ephemeral_1h_input_tokens"),
        "output_tokens": get(counts, "output_tokens"),
        "web_searches": get(get(counts, "server_tool_use"), "web_search_requests"),
    })  # fmt: skip


def _openai(counts: object) -> Usage:
    usage: Usage = {
        "input_tokens": get(counts, "prompt_tokens") or get(counts, "input_tokens"),
        "output_tokens": get(counts, "completion_tokens") or get(counts, "output_tokens"),
    }
    for groups, name, meter in _OPENAI:
        for group in groups:
            usage[meter] = usage.get(meter) or get(get(counts, group), name)
    usage["cache_read_tokens"] = usage["cache_read_tokens"] or get(counts, "cache_read_input_tokens")
    usage["cache_write_tokens"] = usage["cache_write_tokens"] or get(counts, "cache_creation_input_tokens")
    return _present(usage)


def _bedrock(counts: object, tokens: int) -> Usage:
    read, written = get(counts, "cacheReadInputTokens") or 0, get(counts, "cacheWriteInputTokens") or 0
    return _present({
        "input_tokens": tokens + read + written,
        "cache_read_tokens": read,
        "cache_write_tokens": written,
        "output_tokens": get(counts, "outputTokens"),
    })  # fmt: skip


def _gemini(counts: object) -> Usage:
    usage: Usage = {meter: get(counts, name) for name, meter in _GEMINI.items()}
    thoughts = usage["output_reasoning_tokens"] or 0
    usage["output_tokens"] = (get(counts, "candidates_token_count") or 0) + thoughts
    return _present(usage)


def _present(usage: Usage) -> Usage:
    return {name: value for name, value in usage.items() if isinstance(value, int) and value > 0}
