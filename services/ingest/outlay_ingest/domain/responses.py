"""Responses of providers' APIs without their content: one, an array, or one a line, each in the envelope of a batch,
stream or gateway (unwrap.py), or in ours: `{"response": {…}, "time": …, "provider": …, "team": …, "tags": {…}}`.
Query parameters of the same names are the defaults. How usage is read: extract.py."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from email.utils import parsedate_to_datetime
from functools import partial
from typing import Any

import msgspec

from outlay_ingest.domain.coercion import counts, first, mapping, moment, money, text, texts
from outlay_ingest.domain.decoded_items import Head, Item, objects
from outlay_ingest.domain.extract import UNREAD, Extracted, extract
from outlay_ingest.domain.gateways import URL, azure_resource, model_of, provider_of, without_prefix
from outlay_ingest.domain.unwrap import unwrap
from outlay_schemas.dimensions import OWNERS
from outlay_schemas.errors import Invalid
from outlay_schemas.events import Activity, Quantity, UsageEvent
from outlay_schemas.providers import known_provider, provider_name

Json = Mapping[str, Any]
AUTO = "auto"
"""The provider of a path that leaves it to the response, or to `provider` beside it, to say who answered."""
_OWN = {
    "response", "time", "id", "source", "provider", "sku", "usage", "activity", "tags", "attributes", "headers",
    "reported_cost", "tenant", *OWNERS,
}  # fmt: skip
_MODEL = ("model", "modelVersion", "model_version")


def read_responses(body: bytes, head: Head) -> Iterator[Item | None]:
    """Read responses of `head.provider`; None for one that failed. Raises Invalid: no such provider, or no JSON."""
    provider = known_provider(head.provider)
    if not provider and head.provider != AUTO:
        raise Invalid(
            "provider_unknown",
            f"unknown provider {head.provider[:60]!r}; send POST /v1/usage/auto with provider beside the response",
        )
    lines = "ndjson" in head.media or "jsonl" in head.media
    return objects(body, lines, partial(_events, provider=provider, query=head.query))


def _events(body: Json, provider: str, query: Json) -> Sequence[UsageEvent]:
    wrapped = isinstance(body.get("response"), dict) and body.keys() <= _OWN
    given = {**query, "tenant": None, **(body if wrapped else {})}
    response, envelope = unwrap(body["response"] if wrapped else body)
    if response is None:
        return ()
    headers = {str(name).lower(): value for name, value in mapping(given.get("headers")).items()}
    if not provider:
        named, url = text(given.get("provider")), text(mapping(given.get("attributes")).get(URL))
        model = text(given.get("sku")) or text(first(response, *_MODEL)) or ""
        provider = provider_name(named) if named else provider_of(response, headers, url or "", model)
    return _Read(response, given, headers, envelope, provider).events()


@dataclass(frozen=True, slots=True)
class _Read:
    response: Json
    given: Json
    """What the caller says of it, and query parameters."""
    headers: Json
    """Headers of the response, names in lower case."""
    envelope: dict[str, str]
    """Attributes that the envelope stands for."""
    provider: str

    def events(self) -> list[UsageEvent]:
        """Return what is billed: one event for each model that worked on the response. Raises Invalid."""
        own, *others = [self._event(part, number) for number, part in enumerate(self._parts())]
        calls, unread = _tool_calls(self.response, own.sku)
        own.usage |= {meter: max(calls[meter], own.usage.get(meter, 0)) for meter in calls}
        if unread:
            own.attributes[UNREAD] = ",".join(filter(None, (own.attributes.get(UNREAD), *unread)))[:256]
        stated = _reported_cost(self.response, self.headers)
        own.reported_cost = money(self.given.get("reported_cost")) if stated is None else stated
        return [own, *others]

    def _parts(self) -> list[Extracted]:
        if stated := mapping(self.given.get("usage")):
            return [Extracted(text(first(self.response, *_MODEL)) or "", counts(stated))]
        api = self.given.get("api")
        return extract(self.response, self.provider, api if isinstance(api, str) else None)

    def _event(self, part: Extracted, number: int) -> UsageEvent:
        given = self.given
        better = text(given.get("sku")) or model_of(self.headers)
        model = (better if number == 0 else None) or part.model
        if not model:
            raise Invalid("missing_field", "the response does not name its model; give it as sku", "$.sku")
        identity = _identity(self.response, given)
        said = _about(self.response) | self.envelope | _labels(given, "attributes")
        said |= azure_resource(said.get(URL, ""))
        if self.provider:
            said.pop(URL, None)  # it was for finding the provider
        owners: dict[str, Any] = {name: text(given.get(name)) for name in OWNERS}
        return UsageEvent(
            id=f"{identity[:240]}/{number}" if number else identity,
            source=text(given.get("source")) or f"api/{self.provider or AUTO}",
            time=moment(_time(self.response, given, self.headers), "$.time"),
            kind="llm",
            activity=msgspec.convert(given.get("activity"), Activity | None),
            provider=self.provider,
            tenant=text(given.get("tenant")) or "",
            sku=without_prefix(model, self.provider),
            usage=part.usage,
            tags=_labels(given, "tags"),
            attributes=said | part.context,
            **owners,
        )


def _time(response: Json, given: Json, headers: Json) -> object:
    said = given.get("time") or first(response, "finished_at", "created_at", "created", "createTime")
    if said is None:
        amazon = mapping(mapping(response.get("ResponseMetadata")).get("HTTPHeaders"))
        date = headers.get("date") or amazon.get("date")
        if isinstance(date, str):
            try:
                return parsedate_to_datetime(date).isoformat()
            except ValueError:
                return date
    return said


def _identity(response: Json, given: Json) -> str:
    """Return the id: the caller's, the response's, or one made of the response and its time, the same at each try."""
    said = given.get("id") or first(response, "id", "responseId", "response_id", "generation_id")
    said = said or mapping(response.get("ResponseMetadata")).get("RequestId")
    if (shown := text(said)) is not None:
        return shown
    content = msgspec.json.encode([response, given.get("time")], order="deterministic")
    return "sha256-" + hashlib.sha256(content).hexdigest()


def _about(response: Json) -> dict[str, str]:
    tier = first(response, "service_tier", "serviceTier")
    return texts({
        "service_tier": tier.get("type") if isinstance(tier, Mapping) else tier,
        "latency": mapping(response.get("performanceConfig")).get("latency"),
        "stop_reason": first(response, "stop_reason", "stopReason"),
    })  # fmt: skip


def _labels(given: Json, name: str) -> dict[str, str]:
    return {key[:256]: text(value) or "" for key, value in mapping(given.get(name)).items() if key}


_TICKS = Decimal(10**10)
"""xAI: ticks to a dollar (docs.x.ai/developers/cost-tracking)."""


def _reported_cost(response: Json, headers: Json) -> Decimal | None:
    """Return the stated cost; or None. Amounts are cut to 1e-12 USD."""
    usage = mapping(response.get("usage"))
    if (ticks := money(usage.get("cost_in_usd_ticks"))) is not None:
        return money(ticks / _TICKS)
    stated = usage.get("cost")
    if isinstance(stated, Mapping):  # Perplexity, Bifrost
        return money(stated.get("total_cost"))
    if (cost := money(stated)) is not None:
        # The provider behind OpenRouter charges to a key of one's own; `cost` is the fee alone then.
        own_key = {} if usage.get("is_byok") is False else mapping(usage.get("cost_details"))
        return cost + (money(own_key.get("upstream_inference_cost")) or 0)
    other = money(first(usage, "total_cost", "estimated_cost"))  # DeepInfra and others
    if other is not None:
        return other
    said = first(mapping(response.get("_hidden_params")), "response_cost")
    return money(said if said is not None else headers.get("x-litellm-response-cost")) or None


_CALLS = {"web_search_call": "web_searches", "file_search_call": "storage_searches"}
_BY_TIME = {"code_interpreter_call": "code_interpreter", "image_generation_call": "image_generation"}
"""Tools billed by a container's time or by another model's tokens, which the response does not say."""


def _tool_calls(response: Json, model: str) -> tuple[dict[str, Quantity], list[str]]:
    found: dict[str, Quantity] = {}
    unread: list[str] = []
    for item in _mappings(response.get("output")):
        kind = text(item.get("type")) or ""
        if kind in _BY_TIME:
            unread.append(f"output.{_BY_TIME[kind]}")
        # OpenAI bills a search; opening a page that was found, and looking in it, are free.
        elif kind in _CALLS and mapping(item.get("action")).get("type") in (None, "search"):
            found[_CALLS[kind]] = found.get(_CALLS[kind], 0) + 1
    if queries := sum(map(_queries, _mappings(response.get("candidates")))):
        # Gemini before 3 is billed by the grounded prompt, from 3 on by the query (ai.google.dev, pricing).
        by_prompt = model.rpartition("/")[2].startswith(("gemini-1", "gemini-2"))
        found["web_searches"] = 1 if by_prompt else queries
    return found, list(dict.fromkeys(unread))


def _queries(candidate: Json) -> int:
    grounding = mapping(candidate.get("groundingMetadata") or candidate.get("grounding_metadata"))
    queries = grounding.get("webSearchQueries") or grounding.get("web_search_queries")
    return len(queries) if isinstance(queries, list) else 0


def _mappings(value: object) -> Iterator[Json]:
    return (item for item in value if isinstance(item, Mapping)) if isinstance(value, list) else iter(())
