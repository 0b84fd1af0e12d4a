"""From the names on an event to a rate line: the catalog's maps, then the data's rules, then marked guesses.

Model names come with prefixes of clouds and gateways, versions, dates and fine-tunes. Each step that leaves a part out
is a guess and is named in `price_ref`; a name that still matches nothing stays unknown.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace

from outlay_pricer.domain.rate_compiler.rate_book import RateBook
from outlay_pricer.domain.rate_compiler.rate_card import RateLine
from outlay_schemas.catalog import AzureDeployment
from outlay_schemas.providers import known_provider

Step = tuple[str, Callable[[str], str]]

_ARN = re.compile(r"^arn:aws[a-z-]*:(?:bedrock|sagemaker):[^:]*:[^:]*:(?:[a-z-]+)/(.+)$")
_REGION = re.compile(r"^(?:us-gov|us|eu|apac|ap|jp|au|ca|sa|me|af|global)\.(?=[a-z0-9-]+\.)")
_BEDROCK_VERSION = re.compile(r"(?:-v\d+)?:\d+(?::\d+k|:mm)?$")
_VENDOR = re.compile(
    r"^(?:anthropic|meta|amazon|mistral|cohere|ai21|deepseek|openai|qwen|google|minimax|moonshot)\."
)
_VERTEX = re.compile(r"@(?:\d{3,8}|default|latest)$")
_VERTEX_PATH = re.compile(r"^(?:projects/[^/]+/locations/[^/]+/)?(?:publishers/[^/]+/)?models/(.+)$")
_FINE_TUNE = re.compile(r"^ft:([^:]+)(?::.*)?$")
_ROUTE = re.compile(r":(?:nitro|floor|online|thinking|beta|extended|exacto)$")
_DATE = re.compile(r"-(?:20\d{2}-?[01]\d-?[0-3]\d|[01]\d-20\d{2}|[01]\d[0-3]\d|[01]\d-[0-3]\d)$")
_ALIAS = re.compile(r"-(?:latest|preview|default|stable)$")
_DOTTED = re.compile(r"(?<=\d)\.(?=\d)")
_DASHED = re.compile(r"(?<=-\d)-(?=\d(?:-|$))")

_STEPS: tuple[Step, ...] = (
    ("name-arn", lambda ref: _ARN.sub(r"\1", ref)),
    ("name-path", lambda ref: _VERTEX_PATH.sub(r"\1", ref)),
    ("name-region", lambda ref: _REGION.sub("", ref)),
    ("name-fine_tune", lambda ref: _FINE_TUNE.sub(r"\1", ref)),
    ("name-route", lambda ref: _ROUTE.sub("", ref)),
    ("name-version", lambda ref: _BEDROCK_VERSION.sub("", ref)),
    ("name-version", lambda ref: _VERTEX.sub("", ref)),
    ("name-vendor", lambda ref: _VENDOR.sub("", ref)),
    ("name-date", lambda ref: _DATE.sub("", ref)),
    ("name-alias", lambda ref: _ALIAS.sub("", ref)),
)
_SPELLINGS: tuple[Callable[[str], str], ...] = (
    lambda ref: _DOTTED.sub("-", ref),
    lambda ref: _DASHED.sub(".", ref),
)


def candidates(name: str) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yield other names that `name` may stand for, nearest first, with the steps that led there."""
    seen = {name.lower()}
    ref = name.lower()
    steps: tuple[str, ...] = ()
    for guess, step in ((None, str.lower), *_STEPS):
        shorter = step(ref)
        if guess is not None and shorter == ref:
            continue
        ref = shorter
        if guess is not None and guess not in steps:
            steps = (*steps, guess)
        for spelling in (ref, *(respell(ref) for respell in _SPELLINGS)):
            if spelling not in seen:
                seen.add(spelling)
                yield spelling, steps if spelling == ref else (*steps, "name-dots")


def split_prefix(name: str) -> tuple[str, str] | None:
    """Take off the first part of `openrouter/anthropic/claude…` or `bedrock/…`; None if it has none."""
    prefix, slash, rest = name.partition("/")
    return (prefix.lower(), rest) if slash and prefix and rest else None


AZURE_RESOURCE = "azure_resource"
API_URL = "api_url"
MODEL_ATTRIBUTES = frozenset({API_URL, AZURE_RESOURCE})
"""Attributes that change which model is meant."""


class Lookup:
    """Finds lines for one catalog."""

    def __init__(self, rates: RateBook, deployments: tuple[AzureDeployment, ...]) -> None:
        self._rates = rates
        rates.resolve = self.find
        self._deployments = {(item.resource, item.deployment.lower()): item.model for item in deployments}

    def line(self, provider: str, sku: str, attributes: Mapping[str, str]) -> RateLine:
        """Return the line for an event's names."""
        url = attributes.get(API_URL)
        if url and not provider:
            # Not remembered: URLs are too many. Producers that name the provider are faster.
            return self.find(provider, sku, url)
        resource = attributes.get(AZURE_RESOURCE)
        model = self._deployments.get((resource, sku.lower())) if resource else None
        return self._rates.line(provider, model or sku, self.find)

    def find(self, provider: str, sku: str, url: str | None = None) -> RateLine:
        """Find a line by the catalog's map, the data's rules, a guess at the name, a prefix."""
        if provider.lower().startswith("azure"):
            sku = self._deployments.get(("", sku.lower()), sku)
        if provider and provider.lower() not in self._rates.finder.by_id:
            provider = known_provider(provider) or provider
        line = self._rates.find(provider, sku, url)
        if line.refused is None:
            return line
        if url and line.refused.code == "provider_unknown":
            return self.find(provider, sku)  # a gateway: whoever is behind it, the model's name says more
        guessed = self._guess(provider, sku, url)
        if guessed is not None:
            return guessed
        parts = split_prefix(sku)
        if parts is None:
            return line
        prefix, rest = parts
        behind = self._prefixed(known_provider(prefix) or prefix, rest)
        if behind is None:
            return line
        named = self._rates.finder.provider_by_id(provider) if provider else None
        stated = provider.lower() in {"", "litellm"} or (named is not None and named.id == behind.provider)
        word = "name-prefix" if stated else "other-provider"
        return replace(behind, guesses=(word, *behind.guesses), refs={})

    def _prefixed(self, provider: str, sku: str) -> RateLine | None:
        """Read `provider/model`, where the first part is a provider that the data knows."""
        if self._rates.finder.provider_by_id(provider) is None:
            return None
        line = self.find(provider, sku)
        return None if line.refused else line

    def _guess(self, provider: str, sku: str, url: str | None) -> RateLine | None:
        for name, steps in candidates(sku):
            line = self._rates.find(provider, name, url)
            if line.refused is None:
                return replace(line, guesses=(*line.guesses, *steps), refs={})
        return None
