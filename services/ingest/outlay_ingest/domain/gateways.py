"""Who is behind a gateway. Sources of the header names: docs.litellm.ai/docs/proxy/response_headers, maximhq/bifrost,
Portkey-AI/gateway `responseService.ts`, envoyproxy/ai-gateway, openai/openai-python#3271 (Azure)."""

import re
from collections.abc import Mapping
from functools import cache
from typing import Any

from outlay_ingest.domain.coercion import first, mapping, text
from outlay_ingest.domain.extract import price_data
from outlay_schemas.providers import known_provider

Json = Mapping[str, Any]
_NAMED = ("x-portkey-provider", "x-bifrost-provider", "x-litellm-provider", "llm_provider")
"""Headers whose value is the provider's name."""
_MODELS = ("x-ms-served-model", "x-bifrost-resolved-model")
"""Headers that name the model better than a response does that repeats an alias."""
_SIGNS = {
    "x-ms-deployment-name": "azure",
    "x-ms-served-model": "azure",
    "azureml-model-session": "azure",
    "apim-request-id": "azure",
    "anthropic-organization-id": "anthropic",
    "x-amzn-bedrock-invocation-latency": "aws",
    "x-groq-region": "groq",
}
"""Headers that only one provider sends."""
_BACKEND = "x-ai-eg-selected-backend"
URL = "api_url"
"""Attribute of an event: the address that was called."""
_AZURE = (".openai.azure.com", ".cognitiveservices.azure.com", ".services.ai.azure.com")
_WORD = re.compile(r"[a-z0-9]+")


def provider_of(response: Json, headers: Json, url: str, model: str) -> str:
    """Return the price data's name of a provider, or empty. `headers` in lower case; `url`: that was called."""
    hidden = mapping(response.get("_hidden_params"))
    stated = text(first(headers, *_NAMED)) or text(hidden.get("custom_llm_provider"))
    stated = stated or text(mapping(response.get("extra_fields")).get("provider"))
    # OpenRouter says in each response who answered, but the bill is its own.
    is_openrouter = isinstance(response.get("provider"), str) and str(response.get("id", "")).startswith(
        "gen-"
    )
    return (
        (known_provider(stated) if stated else "")
        or ("openrouter" if is_openrouter else "")
        or _by_url(text(headers.get("x-litellm-model-api-base")) or "")
        or next((provider for name, provider in _SIGNS.items() if headers.get(name)), "")
        or next(filter(None, map(known_provider, _WORD.findall(text(headers.get(_BACKEND)) or ""))), "")
        or _by_url(url)
        or known_provider(model.partition("/")[0] if "/" in model else "")
        or _by_shape(response)
    )


def model_of(headers: Json) -> str | None:
    """Return the model that a gateway's headers name."""
    return text(first(headers, *_MODELS))


def without_prefix(model: str, provider: str) -> str:
    """Return a model's name without the provider that a gateway puts before it: `azure/gpt-4o`."""
    prefix, slash, rest = model.partition("/")
    return rest if slash and rest and provider and known_provider(prefix) == provider else model


def azure_resource(url: str) -> dict[str, str]:
    """Return the attribute that distinguishes Azure deployments of the same name, if `url` is Azure's."""
    host = (url.partition("://")[2] or url).partition("/")[0].partition(":")[0]
    return {"azure_resource": host.partition(".")[0]} if host.endswith(_AZURE) else {}


def _by_url(url: str) -> str:
    if not url:
        return ""
    return next((provider for pattern, provider in _patterns() if pattern.match(url)), "")


@cache
def _patterns() -> tuple[tuple[re.Pattern[str], str], ...]:
    return tuple((re.compile(provider.api_pattern), name) for name, provider in price_data().items())


def _by_shape(response: Json) -> str:
    if "usageMetadata" in response or "usage_metadata" in response:
        return "google"
    if response.get("type") == "message":
        return "anthropic"
    return "aws" if "inputTokens" in mapping(response.get("usage")) else ""
