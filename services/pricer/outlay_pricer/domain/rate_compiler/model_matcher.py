"""Which provider and which model a call means: the library's rules, by index where a rule is an exact name."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from outlay_pricer.domain.rate_compiler.match_rules import Predicate, compile_clause, split_equals

_COMPACT_DATE = re.compile(r"(-)(20\d{2})(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])(?=-|:|$)")
_DAYS = (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)


_PROVIDER_NOTATION = re.compile(
    r"(?:[^a-z0-9]|ai|amazon|anthropic|api|aws|azure|bedrock|beta|cerebras|chat|cloud|cohere|completions?|converse"
    r"|copilot|embeddings|fireworks|gcp|gemini|gen|generative|github|google|groq|hf|huggingface|inference|labs"
    r"|language|messages|mistral|moonshot|perplexity|responses|runtime|text|together|v1|vertex|voyage|xai)*"
)
"""What SDKs, gateways and telemetry put around a provider's name without meaning another provider."""


@dataclass(frozen=True)
class NotFound:
    """The library would raise LookupError with this message."""

    code: str
    message: str


@dataclass(frozen=True)
class Model:
    """A model as the data describes it, and who owns it."""

    provider: str
    id: str
    data: Mapping[str, Any]


class Provider:
    """A provider, and its models by name."""

    def __init__(self, data: Mapping[str, Any]) -> None:
        self.id = str(data["id"])
        self.data = data
        self.fallbacks: Sequence[str] = data.get("fallback_model_providers") or ()
        self.provider_match = _optional(data.get("provider_match"))
        self.model_match = _optional(data.get("model_match"))
        self.api_pattern = re.compile(str(data["api_pattern"]))

    def is_called(self, name: str) -> bool:
        """Tell whether this is how producers write the provider, and not a name that only contains it."""
        own = name.lower().strip()
        return own == self.id or _PROVIDER_NOTATION.fullmatch(own.replace(self.id, "")) is not None

    @cached_property
    def models(self) -> list[Model]:
        """The models, in the order in which the data wants them tried."""
        return [Model(self.id, str(raw["id"]), raw) for raw in self.data.get("models") or ()]

    @cached_property
    def _index(self) -> tuple[dict[str, int], list[tuple[int, Predicate]]]:
        names: dict[str, int] = {}
        tests: list[tuple[int, Predicate]] = []
        for place, model in enumerate(self.models):
            exact, rest = split_equals(model.data["match"])
            for name in exact:
                names.setdefault(name, place)
            tests += [(place, compile_clause(clause)) for clause in rest]
        return names, tests

    def match(self, ref: str) -> Model | None:
        """Return the first model whose rule fits the lower-case `ref`."""
        names, tests = self._index
        exact = names.get(ref)
        for place, test in tests:
            if exact is not None and place >= exact:
                break
            if test(ref):
                return self.models[place]
        return None if exact is None else self.models[exact]


class ModelMatcher:
    """All providers of a price data release."""

    def __init__(self, providers: Sequence[Mapping[str, Any]]) -> None:
        self.providers = [Provider(data) for data in providers]
        self.by_id: dict[str, Provider] = {}
        for provider in self.providers:
            self.by_id.setdefault(provider.id, provider)

    def find(
        self, ref: str, provider_id: str | None = None, api_url: str | None = None
    ) -> tuple[Provider, Model] | NotFound:
        """Find provider and model exactly as `genai_prices` does, refusals included."""
        ref = ref.lower()
        if provider_id and provider_id.lower() == "litellm" and "/" in ref:
            actual, rest = ref.split("/", 1)
            if actual and self.provider_by_id(actual):
                provider_id, ref = actual, rest
        provider = self.find_provider(ref, provider_id, api_url)
        if isinstance(provider, NotFound):
            return provider
        model = self.find_model(provider, ref)
        if model is None:
            return NotFound("model_unknown", f"Unable to find model with model_ref={ref!r} in {provider.id}")
        return provider, model

    def find_provider(self, ref: str, provider_id: str | None, api_url: str | None) -> Provider | NotFound:
        """Find the provider by its id, else by the URL called, else by the model's name."""
        if provider_id is not None:
            named = self.provider_by_id(provider_id)
            if named is not None:
                return named
            if provider_id.lower() != "litellm":
                return NotFound("provider_unknown", f"Unable to find provider {provider_id=}")
        if api_url is not None:
            for provider in self.providers:
                if provider.api_pattern.match(api_url):
                    return provider
            return NotFound("provider_unknown", f"Unable to find provider provider_api_url={api_url!r}")
        if ref:
            for provider in self.providers:
                if provider.model_match is not None and provider.model_match(ref):
                    return provider
        return NotFound("provider_unknown", f"Unable to find provider with model matching {ref!r}")

    def provider_by_id(self, provider_id: str) -> Provider | None:
        """Find a provider by id, else by its own rule for ids."""
        wanted = provider_id.lower().strip()
        if wanted in self.by_id:
            return self.by_id[wanted]
        for provider in self.providers:
            if provider.provider_match is not None and provider.provider_match(wanted):
                return provider
        return None

    def find_model(self, provider: Provider, ref: str) -> Model | None:
        """Find a model of a provider or, one step further, of the providers whose models it offers."""
        found = self._match(provider, ref)
        if found is None:
            dashed = dash_dates(ref)
            if dashed != ref:
                found = self._match(provider, dashed)
        return found

    def _match(self, provider: Provider, ref: str) -> Model | None:
        found = provider.match(ref)
        if found is not None:
            return found
        for other_id in provider.fallbacks:
            other = self.by_id.get(other_id)
            found = other.match(ref) if other else None
            if found is not None:
                return found
        return None


def dash_dates(ref: str) -> str:
    """Write a compact date suffix as the data does: `gpt-5.2-20251211` → `gpt-5.2-2025-12-11`."""
    return _COMPACT_DATE.sub(_dash, ref)


def _dash(found: re.Match[str]) -> str:
    year, month, day = (int(found.group(index)) for index in range(2, 5))
    leap = month == 2 and year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    if day > _DAYS[month - 1] + leap:
        return found.group(0)
    return f"-{year:04d}-{month:02d}-{day:02d}"


def _optional(clause: dict[str, Any] | None) -> Predicate | None:
    return None if clause is None else compile_clause(clause)
