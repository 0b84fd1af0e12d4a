"""Names of a model call's attributes: OpenTelemetry, OpenInference, OpenLLMetry, Sentry, AI SDK; the first that is
there counts. OpenTelemetry renamed several (`prompt_tokens` → `input_tokens`), and instrumentations lag behind."""

from collections.abc import Mapping
from typing import Any

from outlay_schemas.dimensions import OWNERS

GEN, LLM, OI, AI = "gen_ai.usage.", "llm.usage.", "llm.token_count.", "ai.usage."
COUNTS = (GEN, LLM, OI, AI)
"""How the names of counts begin."""

USAGE: dict[str, tuple[str, ...]] = {
    "input_tokens": (
        GEN + "input_tokens", GEN + "prompt_tokens", LLM + "prompt_tokens", OI + "prompt", AI + "inputTokens",
        AI + "promptTokens", AI + "tokens",
    ),
    "output_tokens": (
        GEN + "output_tokens", GEN + "completion_tokens", LLM + "completion_tokens", OI + "completion",
        AI + "outputTokens", AI + "completionTokens",
    ),
    "cache_read_tokens": (
        GEN + "cache_read.input_tokens", GEN + "cache_read_input_tokens", GEN + "input_tokens.cached",
        GEN + "details.cache_read_tokens", GEN + "details.cache_read_input_tokens", GEN + "cached_tokens",
        LLM + "cache_read_input_tokens", OI + "prompt_details.cache_read", AI + "inputTokenDetails.cacheReadTokens",
        AI + "cachedInputTokens", GEN + "details.cached_tokens",
    ),
    "cache_write_tokens": (
        GEN + "cache_write.input_tokens", GEN + "cache_creation.input_tokens",
        GEN + "cache_creation_input_tokens", GEN + "cache_write_input_tokens", GEN + "input_tokens.cache_write",
        GEN + "details.cache_write_tokens", GEN + "details.cache_creation_input_tokens",
        LLM + "cache_creation_input_tokens", OI + "prompt_details.cache_write",
        AI + "inputTokenDetails.cacheWriteTokens",
    ),
    "output_reasoning_tokens": (
        GEN + "reasoning.output_tokens", GEN + "output_tokens.reasoning", GEN + "reasoning_tokens",
        GEN + "details.reasoning_tokens", LLM + "reasoning_tokens", OI + "completion_details.reasoning",
        AI + "outputTokenDetails.reasoningTokens", AI + "reasoningTokens",
    ),
    "input_audio_tokens": (
        GEN + "audio.input_tokens", GEN + "details.input_audio_tokens", OI + "prompt_details.audio",
    ),
    "output_audio_tokens": (
        GEN + "audio.output_tokens", GEN + "details.output_audio_tokens", OI + "completion_details.audio",
    ),
    "input_image_tokens": (GEN + "image.input_tokens",),
    "input_video_tokens": (GEN + "video.input_tokens",),
}  # fmt: skip
"""Our meters, and how they are spelt. Counts of input include what came from a cache, as OpenTelemetry asks."""
PART_OF_OTHERS = frozenset([
    GEN + "total_tokens", LLM + "total_tokens", OI + "total", AI + "totalTokens", GEN + "cost", GEN + "total_cost",
    AI + "inputTokenDetails.noCacheTokens", AI + "outputTokenDetails.textTokens",
    *(f"{GEN}details.{name}" for name in (
        "input_tokens", "output_tokens", "total_tokens", "thoughts_tokens", "text_prompt_tokens",
        "text_candidates_tokens", "text_cache_tokens", "accepted_prediction_tokens", "rejected_prediction_tokens",
    )),
])  # fmt: skip
"""Counts that others hold already."""

MODEL = (
    "gen_ai.response.model", "gen_ai.request.model", "llm.response.model", "llm.request.model", "llm.model_name",
    "embedding.model_name", "reranker.model_name", "ai.response.model", "ai.model.id",
)  # fmt: skip
PROVIDER = (
    "gen_ai.provider.name", "gen_ai.system", "llm.provider", "llm.system", "llm.vendor", "ai.model.provider",
)  # fmt: skip
OPERATION = "gen_ai.operation.name"
CALLS = frozenset({"chat", "text_completion", "generate_content", "embeddings", "completion", "rerank"})
NO_CALLS = frozenset({"invoke_agent", "create_agent", "execute_tool", "invoke_workflow", "plan"})
"""Spans around calls. Where they carry usage, it is the sum of the calls inside them, which come as well."""
OI_KIND, OI_CALLS = "openinference.span.kind", frozenset({"LLM", "EMBEDDING", "RERANKER"})
TRACELOOP_KIND = "traceloop.span.kind"
"""OpenLLMetry's workflows, tasks, agents and tools; it does not set this on calls."""
TRACELOOP_TYPE = "llm.request.type"
AI_SDK, AI_SDK_CALL = "ai.operationId", ".do"
"""AI SDK: `ai.generateText` is around the calls, which are `ai.generateText.doGenerate`."""
AI_SDK_5, AI_SDK_6 = AI + "cachedInputTokens", AI + "inputTokenDetails."
EXCLUSIVE = ("anthropic", "amazon-bedrock", "vertex.anthropic", "bedrock")
"""AI SDK 5 leaves the cache out of the input of these providers; 6 does not, and gives `inputTokenDetails`."""

_OTHERS: dict[str, tuple[str, ...]] = {
    "project": ("openinference.project.name",),
    "team": ("team.id", "team"),
    "user": ("user.id", "enduser.id", "langfuse.user.id", "user.email"),
    "business_unit": ("department",),
}
LABELS = {name: (f"outlay.{name}", *_OTHERS.get(name, ())) for name in OWNERS}
"""Whose the usage is: on the span, or on its resource (`OTEL_RESOURCE_ATTRIBUTES=outlay.team=growth`)."""
ENVIRONMENT = ("deployment.environment.name", "deployment.environment")
TAG = "outlay.tag."
KEPT: dict[str, tuple[str, ...]] = {
    "operation": (OPERATION, OI_KIND, TRACELOOP_TYPE),
    "response_id": ("gen_ai.response.id",),
    "conversation_id": ("gen_ai.conversation.id", "session.id"),
    "agent": ("gen_ai.agent.name", "gen_ai.agent.id"),
    "speed": ("gen_ai.response.speed", "anthropic.response.speed"),
    "service_tier": (
        "openai.response.service_tier", "gen_ai.openai.response.service_tier", "openai.request.service_tier",
        "gen_ai.openai.request.service_tier",
    ),
    "error_type": ("error.type",),
    "usage_convention": ("outlay.usage_convention",),
}  # fmt: skip
"""Our attributes, and where they come from."""
ADDRESS = ("server.address", "gen_ai.openai.api_base")

WANTED = frozenset(
    name
    for group in (*USAGE.values(), *LABELS.values(), *KEPT.values(), MODEL, PROVIDER, ENVIRONMENT, ADDRESS)
    for name in group
) | {OPERATION, OI_KIND, TRACELOOP_KIND, TRACELOOP_TYPE, AI_SDK, "service.name", "event.name"}
"""Names that are read, beside those of tags and counts."""
READ = frozenset(name for group in USAGE.values() for name in group) | PART_OF_OTHERS


def spellings(table: dict[str, tuple[str, ...]]) -> tuple[tuple[str, str], ...]:
    """Return each spelling with our name for it; the one that counts before others comes after them."""
    return tuple((each, name) for name, group in table.items() for each in reversed(group))


def by_our_names(attributes: Mapping[str, Any], spelt: tuple[tuple[str, str], ...]) -> dict[str, Any]:
    """Return the values that are there and not empty by our names."""
    return {name: attributes[each] for each, name in spelt if each in attributes and attributes[each] != ""}


def wanted(name: str) -> bool:
    """Tell whether an attribute is read. Prompts and answers, which are large and confidential, stay packed."""
    return name in WANTED or name.startswith((TAG, *COUNTS))
