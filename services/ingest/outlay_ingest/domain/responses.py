"""Raw answers of providers' APIs, read by genai-prices' extractors: OpenAI, Anthropic, Gemini, Bedrock and others.

An answer is sent as it came (one, an array, or one a line), or wrapped with what only the caller knows:
`{"response": {…}, "time": …, "id": …, "team": …, "tags": {…}}`. Query parameters of the same names are the defaults.
"""

import hashlib
from collections.abc import Iterator, Mapping
from email.utils import parsedate_to_datetime
from functools import cache, partial
from typing import Any

import msgspec
from genai_prices import data_snapshot
from genai_prices.types import UsageExtractor

from outlay_ingest.domain.fields import count, first, moment, text
from outlay_ingest.domain.formats import is_array, split
from outlay_ingest.domain.items import Head, Item
from outlay_ingest.domain.refusals import explain
from outlay_schemas.dimensions import OWNERS
from outlay_schemas.errors import UNREADABLE, Invalid
from outlay_schemas.events import Quantity, UsageEvent

Json = Mapping[str, Any]
PROVIDERS = {
    "openai": "openai",
    "azure": "azure",
    "anthropic": "anthropic",
    "gemini": "google",
    "google": "google",
    "vertex": "google",
    "bedrock": "aws",
    "aws": "aws",
    "mistral": "mistral",
    "groq": "groq",
    "cohere": "cohere",
    "deepseek": "deepseek",
    "openrouter": "openrouter",
    "x-ai": "x-ai",
    "perplexity": "perplexity",
    "together": "together",
    "fireworks": "fireworks",
}
"""The last part of the path → the provider by genai-prices' name."""
_OWN = {"response", "time", "id", "source", "sku", "tags", "attributes", *OWNERS}
_decoder = msgspec.json.Decoder(dict[str, Any])


def read_responses(body: bytes, head: Head) -> Iterator[Item]:
    """Read answers of `head.provider`. Raises Invalid: no such provider, or no JSON."""
    provider = PROVIDERS.get(head.provider)
    if provider is None:
        known = ", ".join(PROVIDERS)
        raise Invalid("provider_unknown", f"{head.provider[:60]} is not one of {known}; send POST /v1/events")
    lines = "ndjson" in head.media or "jsonl" in head.media
    parts, places = split(body, "ndjson" if lines else "json")
    for index, raw in enumerate(parts):
        place = f"line {places[index]}" if places else f"$[{index}]" if is_array(body) else ""
        try:
            found: UsageEvent | Invalid = _event(_decoder.decode(raw), provider, head)
        except (*UNREADABLE, Invalid) as error:
            found = explain(error, raw)
        yield Item(found, partial(bytes, raw), place)


def _event(body: Json, provider: str, head: Head) -> UsageEvent:
    wrapped = isinstance(body.get("response"), dict) and body.keys() <= _OWN
    answer: Json = body["response"] if wrapped else body
    given = {**head.query, **(body if wrapped else {})}
    model, usage = _extract(answer, provider, given)
    owners: dict[str, Any] = {name: text(given.get(name)) for name in OWNERS}
    return UsageEvent(
        id=_identity(answer, given),
        source=text(given.get("source")) or f"api/{provider}",
        time=moment(_time(answer, given), "$.time"),
        kind="llm",
        activity="inference",
        provider=provider,
        sku=model,
        usage=usage,
        tags=_labels(given, "tags"),
        attributes=_attributes(answer) | _labels(given, "attributes"),
        **owners,
    )


def _extract(answer: Json, provider: str, given: Json) -> tuple[str, dict[str, Quantity]]:
    """Return model and usage by the first flavour of the provider's extractors that fits. Raises Invalid."""
    asked = given.get("api")
    why = "no extractor fits"
    for extractor in _extractors(provider, answer, asked if isinstance(asked, str) else None):
        try:
            named, usage = extractor.extract(answer)
        except (ValueError, LookupError) as error:
            why = str(error)
            continue
        counts = {name: value for name, raw in usage.__dict__.items() if (value := count(raw))}
        model = text(given.get("sku")) or text(named) or text(answer.get("model"))
        if model is None:
            raise Invalid("missing_field", "the answer names no model; give it as sku", "$.sku")
        return model, counts or {"requests": 1}
    raise Invalid("usage_not_found", f"no usage as {provider} reports it: {why[:200]}", "$.usage")


@cache
def _by_provider() -> dict[str, list[UsageExtractor]]:
    return {p.id: p.extractors or [] for p in data_snapshot.get_snapshot().providers}


def _extractors(provider: str, answer: Json, asked: str | None) -> list[UsageExtractor]:
    """Return the provider's extractors, those first that the shape of the answer suggests."""
    known = _by_provider().get(provider) or _by_provider()["openai"]
    if asked is not None:
        return [extractor for extractor in known if extractor.api_flavor == asked]
    first_ones = ["images"] if "data" in answer and "output" not in answer else ["responses", "chat"]
    return sorted(known, key=lambda extractor: extractor.api_flavor not in first_ones)


def _time(answer: Json, given: Json) -> object:
    """Return when the answer was made, as the caller says, else as the answer says."""
    said = given.get("time") or first(answer, "created_at", "created", "createTime")
    if said is None:
        date = _lower(_mapping(_mapping(answer.get("ResponseMetadata")).get("HTTPHeaders"))).get("date")
        if isinstance(date, str):
            try:
                return parsedate_to_datetime(date).isoformat()
            except ValueError:
                return date
    return said


def _identity(answer: Json, given: Json) -> str:
    """Return the id: the caller's, the answer's, or one made of the answer and its time, the same at each try."""
    said = given.get("id") or first(answer, "id", "responseId", "generation_id")
    said = said or _mapping(answer.get("ResponseMetadata")).get("RequestId")
    if (shown := text(said)) is not None:
        return shown
    content = msgspec.json.encode([answer, given.get("time")], order="deterministic")
    return "sha256-" + hashlib.sha256(content).hexdigest()


def _attributes(answer: Json) -> dict[str, str]:
    usage = _mapping(answer.get("usage"))
    found = {
        "service_tier": first(answer, "service_tier") or usage.get("service_tier"),
        "inference_geo": usage.get("inference_geo"),
        "stop_reason": first(answer, "stop_reason", "stopReason"),
        "traffic_type": _mapping(answer.get("usageMetadata")).get("trafficType"),
    }
    return {name: shown for name, value in found.items() if (shown := text(value)) is not None}


def _labels(given: Json, name: str) -> dict[str, str]:
    found = given.get(name)
    if not isinstance(found, Mapping):
        return {}
    return {key[:256]: text(value) or "" for key, value in found.items() if key}


def _lower(headers: Json) -> Json:
    return {name.lower(): value for name, value in headers.items()}


def _mapping(value: object) -> Json:
    return value if isinstance(value, Mapping) else {}
