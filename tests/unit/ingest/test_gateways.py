"""Who is behind a gateway: by its headers, its response, its address and its names for models."""

import json
from typing import Any

import pytest

from outlay_ingest.domain.decoded_items import Head
from outlay_ingest.domain.responses import read_responses
from outlay_schemas.events import UsageEvent
from outlay_schemas.providers import known_provider, provider_name

CHAT = {
    "id": "c",
    "created": 1795600000,
    "model": "gpt-4o",
    "usage": {"prompt_tokens": 5, "completion_tokens": 1},
}


def read(response: dict[str, Any], **beside: Any) -> UsageEvent:
    body = {"response": response, **beside}
    (item,) = read_responses(json.dumps(body).encode(), Head("application/json", provider="auto"))
    assert item is not None
    assert isinstance(item.event, UsageEvent), item.event
    return item.event


def named(model: str) -> dict[str, Any]:
    return {**CHAT, "model": model}


@pytest.mark.parametrize(
    ("response", "beside", "provider", "sku"),
    [
        (CHAT, {"headers": {"X-Portkey-Provider": "azure-openai"}}, "azure", "gpt-4o"),
        (CHAT, {"headers": {"x-bifrost-provider": "bedrock", "x-bifrost-resolved-model": "m-1"}}, "aws", "m-1"),
        (CHAT, {"headers": {"x-litellm-model-api-base": "https://api.groq.com/openai/v1"}}, "groq", "gpt-4o"),
        (CHAT, {"headers": {"apim-request-id": "1", "x-ms-deployment-name": "prod"}}, "azure", "gpt-4o"),
        (named("prod"), {"headers": {"x-ms-served-model": "gpt-5-nano-2025-08-07"}}, "azure", "gpt-5-nano-2025-08-07"),
        (CHAT, {"headers": {"x-ai-eg-selected-backend": "default/llm-azure-west"}}, "azure", "gpt-4o"),
        ({**CHAT, "_hidden_params": {"custom_llm_provider": "vertex_ai"}}, {}, "google", "gpt-4o"),
        ({**named("openai/gpt-4o"), "id": "gen-1", "provider": "Azure"}, {}, "openrouter", "openai/gpt-4o"),
        (named("azure/gpt-4o"), {}, "azure", "gpt-4o"),
        (named("bedrock/anthropic.claude-sonnet-4-5"), {}, "aws", "anthropic.claude-sonnet-4-5"),
        (named("house/model"), {}, "", "house/model"),
        (CHAT, {"attributes": {"api_url": "https://api.mistral.ai/v1"}}, "mistral", "gpt-4o"),
        (CHAT, {"attributes": {"api_url": "https://llm.example.com/v1"}}, "", "gpt-4o"),
        (CHAT, {"provider": "xai.chat", "headers": {"x-portkey-provider": "openai"}}, "x-ai", "gpt-4o"),
        (CHAT, {"provider": "our-own"}, "our-own", "gpt-4o"),
    ],
)  # fmt: skip
def test_the_provider_behind_a_gateway(
    response: dict[str, Any], beside: dict[str, Any], provider: str, sku: str
) -> None:
    event = read(response, **beside)
    assert (event.provider, event.sku) == (provider, sku)


def test_an_address_is_kept_where_it_did_not_name_the_provider() -> None:
    unknown = read(CHAT, attributes={"api_url": "https://llm.example.com/v1"})
    assert unknown.attributes["api_url"] == "https://llm.example.com/v1"
    azure = read(CHAT, attributes={"api_url": "https://acme.openai.azure.com/openai/"})
    assert (azure.provider, azure.attributes) == ("azure", {"azure_resource": "acme"})


@pytest.mark.parametrize(
    ("spelt", "provider"),
    [
        ("azure.chat", "azure"), ("azure.responses", "azure"), ("az.ai.openai", "azure"),
        ("azure_openai", "azure"),
        ("azure.ai.inference", "azure"), ("xai.chat", "x-ai"), ("xai.responses", "x-ai"), ("groq.chat", "groq"),
        ("openai.responses", "openai"), ("google.generative-ai", "google"), ("google.vertex.chat", "google"),
        ("vertex.anthropic.messages", "google"), ("gcp.vertex_ai", "google"), ("amazon-bedrock", "aws"),
        ("aws.bedrock", "aws"), ("anthropic.messages", "anthropic"), ("mistral_ai", "mistral"),
        ("fireworks_ai", "fireworks"), ("together_ai", "together"), ("GROQ", "groq"), ("acme.chat", ""),
    ],
)  # fmt: skip
def test_a_provider_goes_by_the_names_that_sdks_give_it(spelt: str, provider: str) -> None:
    assert known_provider(spelt) == provider
    assert provider_name(spelt) == (provider or spelt)
