"""The LLM price data, compiled: from a provider, a model name and a context to a plan of dated rate cards."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from typing import Any

from outlay_pricer.domain.first.cards import Card, compile_card
from outlay_pricer.domain.first.finder import Finder, Model, NotFound
from outlay_pricer.domain.first.units import Units
from outlay_schemas.catalog import Minimum, PriceRef, RateData

Context = tuple[tuple[str, str], ...]
"""What was said of a request that may choose a price: `(("processing", "batch"),)`."""
MAX_PLANS = 20_000
_EVER = datetime.min.replace(tzinfo=UTC)
_NEVER = datetime.max.replace(tzinfo=UTC)
Span = tuple[datetime, datetime, Card]


@dataclass(frozen=True)
class Layer:
    """Prices with the condition under which they hold."""

    prices: Mapping[str, Any]
    start: datetime | None = None
    hours: tuple[time, time] | None = None

    def active(self, at: datetime) -> bool:
        """Tell whether the prices hold at `at`."""
        if self.start is not None:
            return at >= self.start
        if self.hours is None:
            return True
        now = at.astimezone(UTC).timetz()
        begin, end = self.hours
        return (now >= begin or now < end) if end < begin else begin <= now < end


@dataclass
class Plan:
    """All prices of one model in one context, over time."""

    ref: PriceRef
    provider: str
    model: str
    units: Units
    standard: tuple[Layer, ...]
    variants: tuple[Layer, ...]
    minimum: Minimum | None = None
    span: Span | None = None
    """The span of time that was asked for last, and its card."""
    cards: dict[tuple[int, ...], Card] = field(default_factory=dict)
    text: str = field(init=False)

    def __post_init__(self) -> None:
        self.text = str(self.ref)

    def refused(self, reason: str) -> str:
        """Return the price reference of an event that this model's prices cannot price."""
        return str(PriceRef(self.ref.book, self.ref.version, reason=reason, guesses=self.ref.guesses))

    def card(self, at: datetime) -> Card:
        """Return the rate card in force at `at`."""
        span = self.span
        if span is None or not span[0] <= at < span[1]:
            span = self._span(at)
            self.span = span
        return span[2]

    def _span(self, at: datetime) -> Span:
        layers = (*self.standard, *self.variants)
        card = self._card(at)
        if any(layer.hours for layer in layers):
            return at, at, card  # asked anew each time
        starts = [layer.start for layer in layers if layer.start is not None]
        begin = max((start for start in starts if start <= at), default=_EVER)
        return begin, min((start for start in starts if start > at), default=_NEVER), card

    def _card(self, at: datetime) -> Card:
        last = len(self.standard) - 1
        chosen = next((i for i in range(last, -1, -1) if self.standard[i].active(at)), 0)
        active = tuple(i for i, layer in enumerate(self.variants) if layer.active(at))
        key = (chosen, *active)
        if key not in self.cards:
            layers = [self.standard[chosen].prices] if self.standard else []
            layers += [self.variants[i].prices for i in reversed(active)]
            self.cards[key] = compile_card(self.units, layers)
        return self.cards[key]


class Rates:
    """The price data of one catalog revision, by provider, model name and context."""

    def __init__(self, data: RateData) -> None:
        self.data = data
        self.units = Units(data.units)
        self.finder = Finder(data.providers)
        self._plans: dict[tuple[str, str, Context], Plan | NotFound] = {}

    def plan(self, provider: str, sku: str, context: Context) -> Plan | NotFound:
        """Return the plan for a call, or why there is none; `provider` may be empty."""
        key = (provider, sku, context)
        known = self._plans.get(key)
        if known is None:
            if len(self._plans) >= MAX_PLANS:  # producers that invent names must not fill the memory
                self._plans.clear()
            known = self._plans[key] = self._find(provider, sku, context)
        return known

    def _find(self, provider: str, sku: str, context: Context) -> Plan | NotFound:
        found = self.finder.find(sku, provider or None)
        if isinstance(found, NotFound):
            return found
        guesses = () if provider else ("provider",)
        owner, model = found
        own = any(model is candidate for candidate in owner.models)
        return self._compile(owner.id, model, dict(context) if own else {}, guesses)

    def _compile(
        self, owner: str, model: Model, context: Mapping[str, str], guesses: tuple[str, ...]
    ) -> Plan:
        prices = model.data["prices"]
        standard = [_layer(item) for item in prices] if isinstance(prices, list) else [Layer(prices)]
        variants = [
            _layer(item)
            for item in model.data.get("price_variants") or ()
            if context and all(context.get(key) == value for key, value in item["when"].items())
        ]
        minimums = (m for m in self.data.minimums if m.provider == owner and model.id in m.models)
        ref = PriceRef(self.data.source, self.data.version, f"{model.provider}/{model.id}", guesses=guesses)
        return Plan(ref, owner, model.id, self.units, tuple(standard), tuple(variants), next(minimums, None))


def _layer(item: Mapping[str, Any]) -> Layer:
    constraint = item.get("constraint")
    prices = item["prices"]
    if not constraint:
        return Layer(prices)
    if "start_date" in constraint:
        return Layer(prices, datetime.fromisoformat(str(constraint["start_date"])).replace(tzinfo=UTC))
    return Layer(prices, hours=(_utc(constraint["start_time"]), _utc(constraint["end_time"])))


def _utc(text: str) -> time:
    value = time.fromisoformat(text)
    offset = value.utcoffset() or timedelta()
    moment = datetime.combine(_EVER.date() + timedelta(days=1), value.replace(tzinfo=None), UTC) - offset
    return moment.timetz()


def raised(usage: Mapping[str, int | Decimal], minimum: Minimum) -> dict[str, int | Decimal]:
    """Raise a quantity to the least that the provider bills (Groq bills at least 10 seconds of audio)."""
    reported = next((usage[meter] for meter in minimum.meters if usage.get(meter)), None)
    if reported is None:
        return dict(usage)
    billed = max(reported, minimum.at_least)
    whole = int(billed) if billed == int(billed) else billed
    return {**usage, **dict.fromkeys(minimum.meters, whole)}
