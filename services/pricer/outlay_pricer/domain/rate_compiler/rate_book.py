"""LLM prices: which card a call is priced by, found once for each name and remembered."""

from collections.abc import Callable, Mapping
from datetime import datetime
from decimal import Decimal

from outlay_pricer.domain.matching import compile_words
from outlay_pricer.domain.rate_compiler.match_rules import documented
from outlay_pricer.domain.rate_compiler.model_matcher import (
    Model,
    ModelMatcher,
    NotFound,
    Provider,
    dash_dates,
)
from outlay_pricer.domain.rate_compiler.rate_card import (
    NO_CONTEXT,
    Card,
    Constraint,
    Context,
    Option,
    Rate,
    RateLine,
    compile_card,
    read_option,
)
from outlay_pricer.domain.rate_compiler.rate_codegen import Amounts, Numbers, Run, Shape
from outlay_pricer.domain.rate_compiler.units import Modality, Units
from outlay_schemas.catalog import Models, RateData
from outlay_schemas.events import Quantity

MAX_LINES = 16_384
"""Names remembered. Past it the oldest is forgotten: a flood of made-up names costs time, not memory."""
MAX_HOT = 65_536
"""Names with a set of meters that are remembered."""

Quote = tuple[RateLine, Shape | None, Amounts | None]
Hot = tuple[Run, Numbers, RateLine, Shape, datetime | None, datetime | None]
"""What prices a call without a context: its line, its arithmetic, and from when to when (None: always)."""


class RateBook:
    """A price data release, compiled. `quote` is the hot path."""

    def __init__(self, data: RateData) -> None:
        self.name = data.source
        self.version = data.version
        self.data = data
        self.units = Units(data.units)
        self.finder = ModelMatcher(data.providers)
        self._lines: dict[tuple[str, str], RateLine] = {}
        self._hot: dict[str, dict[str, dict[tuple[str, ...], Hot]]] = {}
        self._remembered = 0
        self.resolve: Callable[[str, str], RateLine] = self.find
        """How a name that is not remembered is found; a catalog puts its own maps before the data's rules."""
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
        if not context:
            try:
                run, numbers, line, shape, begin, end = self._hot[provider][sku][tuple(usage)]
                if begin is None or (at >= begin and (end is None or at < end)):
                    return line, shape, run(usage, numbers)
            except KeyError:
                pass  # the first call of this name with these meters
        line = self.line(provider, sku, self.resolve)
        card = None if line.refused else line.card(at, context)
        if card is None or card.error is not None or line.minimum is not None:
            return line, None, None
        shape = card.shape(tuple(usage))
        if not context:
            self._models(provider).setdefault(sku, {})[tuple(usage)] = _hot(line, shape, at)
        return line, shape, shape.amounts(usage)

    def _models(self, provider: str) -> dict[str, dict[tuple[str, ...], Hot]]:
        """Return what is remembered of a provider's models, having forgotten all if it became too much."""
        self._remembered += 1
        if self._remembered > MAX_HOT:
            self._remembered = 0
            self._hot.clear()
        return self._hot.setdefault(provider, {})

    def line(self, provider: str, sku: str, find: Callable[[str, str], RateLine]) -> RateLine:
        """Remember, or find by `find`, the line of a provider and a model name."""
        key = (provider, sku)
        line = self._lines.get(key)
        if line is None:
            line = find(provider, sku)
            if len(self._lines) >= MAX_LINES:
                del self._lines[next(iter(self._lines))]
            self._lines[key] = line
        return line

    def find(self, provider: str, sku: str, api_url: str | None = None) -> RateLine:
        """Find a line by the library's own rules."""
        found = self.finder.find(sku, provider or None, api_url)
        if isinstance(found, NotFound):
            return RateLine((self.name, self.version), provider, sku, provider, self.units, refused=found)
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
        options = (
            [read_option(option) for option in raw] if isinstance(raw, list) else [Option(Constraint(), raw)]
        )
        # Context prices belong to the provider that has the model: the library leaves them out on fallbacks.
        own = model.provider == provider.id
        variants = [read_option(variant) for variant in model.data.get("price_variants") or ()] if own else []
        constraints = [option.constraint for option in (*options, *variants)]
        line = RateLine(
            book=(self.name, self.version),
            provider=provider.id,
            model=model.id,
            owner=model.provider,
            units=self.units,
            minimum=self._minimums.get((provider.id, model.id)),
            guesses=() if own else ("fallback",),
            options=options,
            variants=variants,
            dates=sorted({c.starts for c in constraints if c.starts is not None}),
            times=sorted({moment for c in constraints if c.day is not None for moment in c.day}),
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
        meters = {
            meter
            for models in self.data.general_prices
            if _is_about(models, model)
            for meter in models.meters
        }
        found = {self.units.by_usage[meter].modality for meter in meters if meter in self.units.by_usage}
        return frozenset(modality for modality in found if modality is not None)


def _is_documented(model: Model, sku: str) -> bool:
    names = {sku.lower(), sku.lower().partition("/")[2]} - {""}
    clause = model.data["match"]
    return model.id.lower() in names or any(
        documented(clause, form) for name in names for form in (name, dash_dates(name))
    )


def _is_about(models: Models, model: Model) -> bool:
    ours = models.provider in {"*", model.provider}
    return ours and compile_words(models.models)(model.id)


def _hot(line: RateLine, shape: Shape, at: datetime) -> Hot:
    return shape.run, shape.numbers, line, shape, *line.span(at)
