"""Which provider and which model a call means: the library's rules, by index where a rule is an exact name.

The rules are JSON in the data, `{"or": [{"equals": "gpt-5"}, {"starts_with": "gpt-5-"}]}` and so on. They are compiled
to functions. All but `regex` ignore case: they are asked about text in lower case, which is all that the library
matches.
"""

import operator
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from typing import Any

_COMPACT_DATE = re.compile(r"-(20\d{6})(?=-|:|$)")
_PROVIDER_NOTATION = re.compile(
    r"(?:[^a-z0-9]|ai|amazon|anthropic|api|aws|azure|bedrock|beta|cerebras|chat|cloud|cohere|completions?|converse"
    r"|copilot|embeddings|fireworks|gcp|gemini|gen|generative|github|google|groq|hf|huggingface|inference|labs"
    r"|language|messages|mistral|moonshot|perplexity|responses|runtime|text|together|v1|vertex|voyage|xai)*"
)
"""What SDKs, gateways and telemetry put around a provider's name without meaning another provider."""
Predicate = Callable[[str], bool]
_TESTS: dict[str, Callable[[str, str], bool]] = {
    "equals": operator.eq,
    "starts_with": str.startswith,
    "ends_with": str.endswith,
    "contains": operator.contains,
}


def compile_clause(clause: dict[str, Any]) -> Predicate:
    """Make a function from a clause. Raises ValueError on a clause that is none."""
    ((word, value),) = clause.items()
    if word in {"or", "and"}:
        parts = [compile_clause(part) for part in value]
        every = all if word == "and" else any
        return lambda text: every(part(text) for part in parts)
    if word == "regex":
        search = re.compile(value).search
        return lambda text: search(text) is not None
    if word not in _TESTS:
        raise ValueError(f"unknown matching rule {word!r}")
    test, wanted = _TESTS[word], str(value).lower()
    return lambda text: test(text, wanted)


_BEFORE = re.compile(
    r"(?:arn:aws[a-z-]*:bedrock:[^:]*:[^:]*:(?:foundation-model|inference-profile)/)?"
    r"(?:projects/[^/]+/locations/[^/]+/)?(?:[a-z0-9_.-]+/)*"
    r"(?:(?:us-gov|us|eu|apac|ap|jp|au|ca|in|sa|me|af|global)\.)?(?:[a-z0-9]+\.)?(?:omni-|text-)?"
)
_AFTER = re.compile(
    r"(?:e?\d+b(?:-it)?|\d*)(?:-(?:latest|preview|exp|\d{8}|\d{2,4}(?:-\d{2}){1,2}|\d{3,4}|\d{2}-\d{4})"
    r"|-?v\d+(?::\d+)?|:\d+|@(?:\d{3,8}|latest|default))*"
)
"""What providers write around a model's name without making it another model: paths, regions, dates, versions."""


def documented(clause: dict[str, Any], text: str) -> bool:
    """Tell whether a name that fits a clause is one that its provider documents: the whole name, but for notation.

    `claude-sonnet-4-5-20250929` is; `claude-sonnet-4-5-hyper` begins like a known model and may cost something else.
    """
    ((word, value),) = clause.items()
    if word in {"or", "and"}:
        return any(documented(part, text) for part in value)
    if word == "regex":
        found = re.search(value, text)
        return found is not None and (
            value.endswith("$") or _is_notation(text[: found.start()], text[found.end() :])
        )
    wanted = str(value).lower()
    if word == "equals" or wanted not in text:
        return text == wanted
    if wanted.startswith("ft:") or wanted.endswith("ft-"):
        return text.startswith(wanted)  # what follows is the customer's own name
    place = text.rindex(wanted) if word == "ends_with" else text.index(wanted)
    if word == "starts_with" and place:
        return False
    return _is_notation(text[:place], text[place + len(wanted) :])


def _is_notation(before: str, after: str) -> bool:
    return _BEFORE.fullmatch(before) is not None and _AFTER.fullmatch(after) is not None


def split_equals(clause: dict[str, Any]) -> tuple[list[str], list[dict[str, Any]]]:
    """Take a clause apart into the exact names that it matches (lower-case) and alternatives that need a test."""
    ((word, value),) = clause.items()
    if word == "equals":
        return [str(value).lower()], []
    if word != "or":
        return [], [clause]
    parts = [split_equals(part) for part in value]
    return [name for names, _ in parts for name in names], [one for _, rest in parts for one in rest]


@dataclass(frozen=True)
class NotFound:
    """The library would raise LookupError; `message` is for people."""

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
        self.provider_match, self.model_match = (
            compile_clause(clause) if (clause := data.get(name)) is not None else None
            for name in ("provider_match", "model_match")
        )
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
        model = self._match(provider, ref)
        if model is None and (dashed := dash_dates(ref)) != ref:
            model = self._match(provider, dashed)
        if model is None:
            return NotFound("model_unknown", f"genai-prices has no model {ref} of {provider.id}")
        return provider, model

    def find_provider(self, ref: str, provider_id: str | None, api_url: str | None) -> Provider | NotFound:
        """Find the provider by its id, else by the URL called, else by the model's name."""
        if provider_id is not None:
            named = self.provider_by_id(provider_id)
            if named is not None:
                return named
            if provider_id.lower() != "litellm":
                return NotFound("provider_unknown", f"genai-prices has no provider {provider_id}")
        if api_url is not None:
            for provider in self.providers:
                if provider.api_pattern.match(api_url):
                    return provider
            return NotFound("provider_unknown", f"genai-prices has no provider at {api_url}")
        if ref:
            for provider in self.providers:
                if provider.model_match is not None and provider.model_match(ref):
                    return provider
        return NotFound("provider_unknown", f"genai-prices has no provider of a model {ref}")

    def provider_by_id(self, provider_id: str) -> Provider | None:
        """Find a provider by id, else by its own rule for ids."""
        wanted = provider_id.lower().strip()
        if wanted in self.by_id:
            return self.by_id[wanted]
        for provider in self.providers:
            if provider.provider_match is not None and provider.provider_match(wanted):
                return provider
        return None

    def _match(self, provider: Provider, ref: str) -> Model | None:
        """Find a model of a provider or, one step further, of the providers whose models it offers."""
        others = [self.by_id[name] for name in provider.fallbacks if name in self.by_id]
        return next((model for one in (provider, *others) if (model := one.match(ref)) is not None), None)


def dash_dates(ref: str) -> str:
    """Write a compact date suffix as the data does: `gpt-5.2-20251211` → `gpt-5.2-2025-12-11`."""
    return _COMPACT_DATE.sub(_dash, ref)


def _dash(found: re.Match[str]) -> str:
    try:
        return f"-{date.fromisoformat(found[1])}"
    except ValueError:
        return found[0]  # there was no such day
