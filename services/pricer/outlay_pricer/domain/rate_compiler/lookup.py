"""From the names on an event to a rate line: the catalog's maps first, then the data's rules, then marked guesses."""

from collections.abc import Mapping
from dataclasses import replace

from outlay_pricer.domain.rate_compiler.model_names import candidates, split_prefix
from outlay_pricer.domain.rate_compiler.rate_book import RateBook
from outlay_pricer.domain.rate_compiler.rate_line import RateLine
from outlay_schemas.catalog import AzureDeployment
from outlay_schemas.providers import known_provider

AZURE_RESOURCE = "azure_resource"
API_URL = "api_url"


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
