"""Rate cards, and rate lines: what one provider charges for one model, at a time and in a context.

Costs are linear in the reported counts: the count of a unit that is paid at its own rate is what was reported for it
minus what lies in more special priced units (`input_tokens` minus `cache_read_tokens`). So for a given set of reported
meters, in a given order, a card becomes a few integer multiplications: a *shape*. Shapes of equal structure share one
generated function (`rate_codegen`); the rates are its arguments.
"""

from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal, InvalidOperation
from functools import cached_property, lru_cache
from math import gcd, lcm
from typing import Any

from outlay_pricer.domain.rate_compiler.model_matcher import NotFound
from outlay_pricer.domain.rate_compiler.rate_codegen import Bands, Shape, build_shape
from outlay_pricer.domain.rate_compiler.units import Modality, Unit, Units
from outlay_schemas.catalog import PriceRef
from outlay_schemas.money import PICO

MAX_SHAPES = 512
"""Sets of meters remembered by card: producers that shuffle their keys must not fill the memory."""
MAX_CARDS = 256
_INVALID = "Invalid price value for {key}: expected a finite non-negative Decimal or valid tiered prices"
_EVER = datetime.min.replace(tzinfo=UTC)
Context = Mapping[str, str]
NO_CONTEXT: Context = {}


@dataclass(frozen=True)
class Rate:
    """USD for `unit.per` counts of a unit: a base price, and prices from a number of input tokens on."""

    unit: Unit
    base: Decimal
    tiers: tuple[tuple[int, Decimal], ...] = ()

    def at(self, input_tokens: int | Decimal) -> Decimal:
        """Return the price that applies when a call has this many input tokens."""
        price = self.base
        for start, tier_price in self.tiers:
            if input_tokens > start:
                price = tier_price
        return price


@dataclass
class Card:
    """Rates by unit, in the order of the data."""

    units: Units
    rates: tuple[Rate, ...]
    error: str | None = None
    """Set: the library refuses to price anything with these prices, and says this."""
    since: datetime | None = None
    """When the standard prices came into force; None: always."""
    used: frozenset[tuple[str, str]] = frozenset()
    """The pairs of the price context that these prices are for."""
    general: frozenset[Modality] = frozenset()
    """Modalities that are billed apart elsewhere, and that the general price of this model is for too."""

    @cached_property
    def shape(self) -> Callable[[tuple[str, ...]], Shape]:
        """The arithmetic for events that report exactly these meters, in this order."""
        priced, bands = [rate.unit for rate in self.rates], self._bands()
        return lru_cache(MAX_SHAPES)(
            lambda meters: build_shape(self.units, priced, meters, bands, self.general)
        )

    def _bands(self) -> Bands:
        """Thresholds, the rates between them, and their denominator: whole pico-USD / denominator a count."""
        starts = sorted({start for rate in self.rates for start, _ in rate.tiers})
        exact = [[_pico_rate(rate, above) for rate in self.rates] for above in (0, *(n + 1 for n in starts))]
        denominator = lcm(1, *(bottom for band in exact for _, bottom in band))
        bands = tuple([tuple([top * (denominator // bottom) for top, bottom in band]) for band in exact])
        return tuple(starts), bands, denominator


def _pico_rate(rate: Rate, input_tokens: int) -> tuple[int, int]:
    """Return pico-USD for one count, as a fraction in lowest terms."""
    top, bottom = rate.at(input_tokens).as_integer_ratio()
    top, bottom = top * PICO, bottom * rate.unit.per
    common = gcd(top, bottom)
    return top // common, bottom // common


def compile_card(
    units: Units, prices: Sequence[Mapping[str, Any]], general: frozenset[Modality] = frozenset()
) -> Card:
    """Make a card from price mappings of the data; a later mapping overrides an earlier one key by key.

    Price keys that no unit has are left out, as the library does with a warning.
    """
    merged: dict[str, Any] = {}
    for layer in prices:
        merged.update({key: value for key, value in layer.items() if value is not None})
    rates: list[Rate] = []
    for key, value in merged.items():
        if key in units.by_price:
            try:
                rates.append(_rate(units.by_price[key], value))
            except (InvalidOperation, KeyError, TypeError, ValueError):
                return Card(units, (), _INVALID.format(key=key))
    return Card(units, tuple(rates), units.coverage_error(rate.unit for rate in rates), general=general)


def _rate(unit: Unit, value: Any) -> Rate:
    if not isinstance(value, Mapping):
        value = {"base": value, "tiers": ()}
    tiers = [(int(tier["start"]), Decimal(str(tier["price"]))) for tier in value["tiers"]]
    tiers.sort(key=lambda tier: tier[0])
    rate = Rate(unit, Decimal(str(value["base"])), tuple(tiers))
    for start, price in ((0, rate.base), *tiers):
        if not price.is_finite() or price < 0 or start < 0:
            raise ValueError("not a price")
    return rate


@dataclass(frozen=True)
class Option:
    """Prices with their condition: from a date on, or in a part of the day, in UTC; `when`: in this context."""

    prices: Mapping[str, Any]
    starts: datetime | None = None
    day: tuple[time, time] | None = None
    when: tuple[tuple[str, str], ...] = ()

    def active(self, at: datetime) -> bool:
        """Tell whether it holds at `at`, as the library does."""
        if self.starts is not None:
            return at >= self.starts
        if self.day is None:
            return True
        now, (first, last) = at.astimezone(UTC).time(), self.day
        return (now >= first or now < last) if last < first else first <= now < last


@dataclass(slots=True)
class RateLine:
    """What one provider charges for one model. `refused` is set where there is no such thing."""

    book: tuple[str, str]
    """Name and version of the price data."""
    provider: str
    model: str
    owner: str
    """The provider whose data has the model: another one where models are offered on."""
    units: Units
    fixed: Card | None = None
    """The card, where neither time nor context makes a difference."""
    refused: NotFound | None = None
    guesses: tuple[str, ...] = ()
    minimum: tuple[tuple[str, ...], Decimal] | None = None
    options: Sequence[Option] = ()
    variants: Sequence[Option] = ()
    dates: Sequence[datetime] = ()
    times: Sequence[time] = ()
    wanted: frozenset[tuple[str, str]] = frozenset()
    free: bool = False
    """The data has no price for the model, and its provider publishes it as free."""
    general: frozenset[Modality] = frozenset()
    """Modalities that the general price is for, though they are mostly billed apart."""
    cards: dict[tuple[Any, ...], Card] = field(default_factory=dict)
    refs: dict[tuple[str, ...], str] = field(default_factory=dict)

    def ref(self, guesses: tuple[str, ...] = (), reason: str = "") -> str:
        """Return the price reference, with what was guessed beyond the name."""
        key = (reason, *guesses)
        known = self.refs.get(key)
        if known is None:
            own = self.owner == self.provider
            rule = f"{self.provider}/{self.model}" if own else f"{self.provider}:{self.owner}/{self.model}"
            known = str(PriceRef(*self.book, rule, reason, guesses=(*self.guesses, *guesses)))
            if len(self.refs) < MAX_CARDS:
                self.refs[key] = known
        return known

    def card(self, at: datetime, context: Context = NO_CONTEXT) -> Card:
        """Return the card in force at `at` for this context."""
        if self.fixed is not None:
            return self.fixed
        known = tuple([pair for pair in context.items() if pair in self.wanted]) if context else ()
        times = bisect_right(self.times, at.astimezone(UTC).time()) if self.times else 0
        cell = (bisect_right(self.dates, at), times, known)
        card = self.cards.get(cell)
        if card is None:
            options = self._in_force(at, dict(known))
            card = compile_card(self.units, [option.prices for option in options], self.general)
            card.since = options[0].starts
            card.used = frozenset(pair for option in options for pair in option.when)
            if len(self.cards) >= MAX_CARDS:
                self.cards.clear()
            self.cards[cell] = card
        return card

    def span(self, at: datetime) -> tuple[datetime | None, datetime | None]:
        """Return from when until when the card of `at` is in force; None: no bound."""
        if not self.dates and not self.times:
            return None, None
        noon = at.astimezone(UTC).replace(hour=12)
        days = [(noon + timedelta(days=shift)).date() for shift in (-1, 0, 1)]
        switches = [datetime.combine(day, moment, UTC) for day in days for moment in self.times]
        switches = sorted([*self.dates, *switches])
        place = bisect_right(switches, at)
        begin = switches[place - 1] if place else _EVER
        return begin, switches[place] if place < len(switches) else None

    def _in_force(self, at: datetime, context: Context) -> list[Option]:
        """Return the standard prices in force, and then what overrides them, weakest first."""
        standard = [self.options[0], *(option for option in self.options if option.active(at))][-1]
        matching = [
            variant
            for variant in self.variants
            if variant.active(at) and all(context.get(key) == value for key, value in variant.when)
        ]
        return [standard, *reversed(matching)]


def read_option(raw: Mapping[str, Any]) -> Option:
    """Read prices with their condition from the data."""
    when = tuple(sorted((str(key), str(value)) for key, value in (raw.get("when") or {}).items()))
    limit = raw.get("constraint") or {}
    starts = day = None
    if "start_date" in limit:
        starts = datetime.combine(date.fromisoformat(limit["start_date"]), time(), UTC)
    elif limit:
        day = (_utc_time(limit["start_time"]), _utc_time(limit["end_time"]))
    return Option(raw["prices"], starts, day, when)


def _utc_time(text: str) -> time:
    value = time.fromisoformat(text)
    if value.tzinfo is None:
        return value
    return datetime.combine(date(1970, 1, 1), value).astimezone(UTC).time()
