"""LLM prices: which card a call is priced by, found once for each name and remembered.

From the names on an event to a rate line: the catalog's maps, then the data's rules, then marked guesses. Model names
come with prefixes of clouds and gateways, versions, dates and fine-tunes. Each step that leaves a part out is a guess
and is named in `price_ref`; a name that still matches nothing stays unknown.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from functools import lru_cache

from outlay_pricer.domain.matching import compile_words
from outlay_pricer.domain.rate_compiler.model_matcher import (
    Model,
    ModelMatcher,
    NotFound,
    Provider,
    dash_dates,
    documented,
)
from outlay_pricer.domain.rate_compiler.rate_card import (
    NO_CONTEXT,
    Card,
    Context,
    Option,
    Rate,
    RateLine,
    compile_card,
    read_option,
)
from outlay_pricer.domain.rate_compiler.rate_codegen import Amounts, Numbers, Run, Shape
from outlay_pricer.domain.rate_compiler.units import Modality, Units
from outlay_schemas.catalog import AzureDeployment, Models, RateData
from outlay_schemas.events import PriceStatus, Quantity
from outlay_schemas.providers import known_provider

MAX_LINES = 16_384
"""Names remembered. Past it the oldest is forgotten: a flood of made-up names costs time, not memory."""
AZURE_RESOURCE = "azure_resource"
API_URL = "api_url"
MODEL_ATTRIBUTES = frozenset({API_URL, AZURE_RESOURCE})
"""Attributes that change which model is meant."""

Quote = tuple[RateLine, Shape | None, Amounts | None]


@dataclass(slots=True)
class PlainCall:
    """How calls of a model with one set of meters are priced, where that is plain."""

    run: Run
    numbers: Numbers
    since: datetime | None
    until: datetime | None
    """From when to when; None: always."""
    pairs: Sequence[tuple[str, str]]
    """Meters that lie in others, each with the one it lies in."""
    names: Sequence[str]
    """For each amount what stands before it in JSON: nothing before the total, else its meter."""
    status: PriceStatus
    text: str
    """The status and the price reference, as JSON."""

    def holds(self, at: datetime) -> bool:
        """Tell whether this is the price at `at`."""
        return (self.since is None or self.since <= at) and (self.until is None or at < self.until)


_STEPS = tuple(
    (guess, re.compile(pattern), kept)
    for guess, pattern, kept in (
        ("name-arn", r"^arn:aws[a-z-]*:(?:bedrock|sagemaker):[^:]*:[^:]*:(?:[a-z-]+)/(.+)$", r"\1"),
        ("name-path", r"^(?:projects/[^/]+/locations/[^/]+/)?(?:publishers/[^/]+/)?models/(.+)$", r"\1"),
        ("name-region", r"^(?:us-gov|us|eu|apac|ap|jp|au|ca|sa|me|af|global)\.(?=[a-z0-9-]+\.)", ""),
        ("name-fine_tune", r"^ft:([^:]+)(?::.*)?$", r"\1"),
        ("name-route", r":(?:nitro|floor|online|thinking|beta|extended|exacto)$", ""),
        ("name-version", r"(?:-v\d+)?:\d+(?::\d+k|:mm)?$", ""),
        ("name-version", r"@(?:\d{3,8}|default|latest)$", ""),
        (
            "name-vendor",
            r"^(?:anthropic|meta|amazon|mistral|cohere|ai21|deepseek|openai|qwen|google|minimax|moonshot)\.",
            "",
        ),
        ("name-date", r"-(?:20\d{2}-?[01]\d-?[0-3]\d|[01]\d-20\d{2}|[01]\d[0-3]\d|[01]\d-[0-3]\d)$", ""),
        ("name-alias", r"-(?:latest|preview|default|stable)$", ""),
    )
)
"""What is left out of a name, one after the other: the guess, and what is put in its place."""
_DOTTED = re.compile(r"(?<=\d)\.(?=\d)")
_DASHED = re.compile(r"(?<=-\d)-(?=\d(?:-|$))")


def candidates(name: str) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yield other names that `name` may stand for, nearest first, with the steps that led there."""
    ref, steps = name.lower(), tuple[str, ...]()
    forms = [(ref, steps)]
    for guess, pattern, kept in _STEPS:
        if (shorter := pattern.sub(kept, ref)) != ref:
            ref, steps = shorter, tuple(dict.fromkeys((*steps, guess)))
            forms.append((ref, steps))
    seen = {name.lower()}
    for form, steps in forms:
        for spelling in (form, _DOTTED.sub("-", form), _DASHED.sub(".", form)):
            if spelling not in seen:
                seen.add(spelling)
                yield spelling, steps if spelling == form else (*steps, "name-dots")


def split_prefix(name: str) -> tuple[str, str] | None:
    """Take off the first part of `openrouter/anthropic/claude…` or `bedrock/…`; None if it has none."""
    prefix, slash, rest = name.partition("/")
    return (prefix.lower(), rest) if slash and prefix and rest else None


class RateBook:
    """A price data release, compiled for a catalog."""

    def __init__(self, data: RateData, deployments: Iterable[AzureDeployment] = ()) -> None:
        self.data = data
        self.units = Units(data.units)
        self.finder = ModelMatcher(data.providers)
        self.line = lru_cache(MAX_LINES)(self._search)
        """The line of a provider and a model name, remembered."""
        self._deployments = {(item.resource, item.deployment.lower()): item.model for item in deployments}
        self._minimums = {
            (minimum.provider, model): (minimum.meters, minimum.at_least)
            for minimum in data.minimums
            for model in minimum.models
        }

    def quote(
        self,
        provider: str,
        sku: str,
        usage: Mapping[str, Quantity],
        at: datetime,
        context: Context = NO_CONTEXT,
    ) -> Quote:
        """Price a call: the line, the shape and the amounts (total first, pico-USD / shape.denominator).

        No amounts: refused, or left to exact arithmetic (`exact.price_lines` says which, and why).
        """
        line = self.line(provider, sku)
        card = None if line.refused else line.card(at, context)
        if card is None or card.error is not None or line.minimum is not None:
            return line, None, None
        shape = card.shape(tuple(usage))
        return line, shape, shape.amounts(usage)

    def line_of(self, provider: str, sku: str, attributes: Mapping[str, str]) -> RateLine:
        """Return the line for an event's names."""
        url = attributes.get(API_URL)
        if url and not provider:
            # Not remembered: URLs are too many. Producers that name the provider are faster.
            return self._search(provider, sku, url)
        resource = attributes.get(AZURE_RESOURCE)
        model = self._deployments.get((resource, sku.lower())) if resource else None
        return self.line(provider, model or sku)

    def _search(self, provider: str, sku: str, url: str | None = None) -> RateLine:
        if provider.lower().startswith("azure"):
            sku = self._deployments.get(("", sku.lower()), sku)
        if provider and provider.lower() not in self.finder.by_id:
            provider = known_provider(provider) or provider
        line = self.find(provider, sku, url)
        if line.refused is None:
            return line
        if url and line.refused.code == "provider_unknown":
            return self._search(provider, sku)  # a gateway: whoever is behind it, the model's name says more
        for name, steps in candidates(sku):
            guess = self.find(provider, name, url)
            if guess.refused is None:
                guess.guesses = (*guess.guesses, *steps)
                return guess
        prefix, rest = split_prefix(sku) or ("", "")
        prefix = known_provider(prefix) or prefix
        if not prefix or self.finder.provider_by_id(prefix) is None:
            return line
        behind = self._search(prefix, rest)
        if behind.refused:
            return line
        named = self.finder.provider_by_id(provider) if provider else None
        stated = provider.lower() in {"", "litellm"} or (named is not None and named.id == behind.provider)
        behind.guesses = ("name-prefix" if stated else "other-provider", *behind.guesses)
        return behind

    def find(self, provider: str, sku: str, api_url: str | None = None) -> RateLine:
        """Find a line by the library's own rules. It is a new one each time."""
        found = self.finder.find(sku, provider or None, api_url)
        if isinstance(found, NotFound):
            book = (self.data.source, self.data.version)
            return RateLine(book, provider, sku, provider, self.units, refused=found)
        line = self._make(*found)
        if not api_url:
            line.guesses = (*self._provider_guess(provider, sku), *line.guesses)
        if not _is_documented(found[1], sku):
            line.guesses = (*line.guesses, "name-like")
        return line

    def _provider_guess(self, provider: str, sku: str) -> tuple[str, ...]:
        """Name the guess at the provider; none where it is named, or stands before the slash of a gateway's name."""
        said = sku.partition("/")[0] if provider.lower() == "litellm" else provider
        named = self.finder.provider_by_id(said) if said else None
        if named is None:
            return ("provider",)
        return () if named.is_called(said) else ("provider-like",)

    def _make(self, provider: Provider, model: Model) -> RateLine:
        raw = model.data.get("prices") or {}
        options = [read_option(option) for option in raw] if isinstance(raw, list) else [Option(raw)]
        # Context prices belong to the provider that has the model: the library leaves them out on fallbacks.
        own = model.provider == provider.id
        variants = [read_option(variant) for variant in model.data.get("price_variants") or ()] if own else []
        every = (*options, *variants)
        line = RateLine(
            book=(self.data.source, self.data.version),
            provider=provider.id,
            model=model.id,
            owner=model.provider,
            units=self.units,
            minimum=self._minimums.get((provider.id, model.id)),
            guesses=() if own else ("fallback",),
            options=options,
            variants=variants,
            dates=sorted({option.starts for option in every if option.starts is not None}),
            times=sorted({moment for option in every for moment in option.day or ()}),
            wanted=frozenset(pair for variant in variants for pair in variant.when),
            general=self._general(model),
            free=not raw and any(_is_about(models, model) for models in self.data.free),
        )
        if line.free:
            line.fixed = Card(self.units, tuple(Rate(unit, Decimal(0)) for unit in self.units.tokens))
        elif len(options) == 1 and not variants:
            line.fixed = compile_card(self.units, [options[0].prices], line.general)
        return line

    def _general(self, model: Model) -> frozenset[Modality]:
        """Return the modalities that the general price of a model is for, though they are mostly billed apart."""
        about = [models for models in self.data.general_prices if _is_about(models, model)]
        units = (self.units.by_usage.get(meter) for models in about for meter in models.meters)
        return frozenset(unit.modality for unit in units if unit is not None and unit.modality is not None)


def _is_documented(model: Model, sku: str) -> bool:
    names = {sku.lower(), sku.lower().partition("/")[2]} - {""}
    clause = model.data["match"]
    return model.id.lower() in names or any(
        documented(clause, form) for name in names for form in (name, dash_dates(name))
    )


def _is_about(models: Models, model: Model) -> bool:
    return models.provider in {"*", model.provider} and compile_words(models.models)(model.id)
