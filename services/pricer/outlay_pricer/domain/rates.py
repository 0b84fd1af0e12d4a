"""LLM prices: which card a call is priced by, found once for each name and remembered."""

from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

from outlay_pricer.domain.cards import Card, compile_card
from outlay_pricer.domain.clauses import documented
from outlay_pricer.domain.finder import Finder, Model, NotFound, Provider, dash_dates
from outlay_pricer.domain.shapes import Amounts, Numbers, Run, Shape
from outlay_pricer.domain.units import Units
from outlay_schemas.catalog import PriceRef, RateData
from outlay_schemas.events import Quantity

MAX_LINES = 16_384
"""Names remembered. Past it the oldest is forgotten: a flood of made-up names costs time, not memory."""
MAX_CARDS = 256
MAX_HOT = 65_536
"""Names with a set of meters that are remembered."""

_EVER = datetime.min.replace(tzinfo=UTC)
Context = Mapping[str, str]
_NO_CONTEXT: Context = {}


@dataclass(frozen=True)
class Constraint:
    """When a price holds: from a date on, or in a part of the day, in UTC."""

    starts: datetime | None = None
    day: tuple[time, time] | None = None

    def active(self, at: datetime) -> bool:
        """Tell whether it holds at `at`, as the library does."""
        if self.starts is not None:
            return at >= self.starts
        if self.day is None:
            return True
        now, (first, last) = at.astimezone(UTC).time(), self.day
        return (now >= first or now < last) if last < first else first <= now < last


@dataclass(frozen=True)
class Option:
    """Prices with their condition."""

    constraint: Constraint
    prices: Mapping[str, Any]
    when: tuple[tuple[str, str], ...] = ()


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

    def card(self, at: datetime, context: Context = _NO_CONTEXT) -> Card:
        """Return the card in force at `at` for this context."""
        if self.fixed is not None:
            return self.fixed
        known = tuple([pair for pair in context.items() if pair in self.wanted]) if context else ()
        times = bisect_right(self.times, at.astimezone(UTC).time()) if self.times else 0
        cell = (bisect_right(self.dates, at), times, known)
        card = self.cards.get(cell)
        if card is None:
            options = self.in_force(at, dict(known))
            card = compile_card(self.units, [option.prices for option in options])
            card.since = options[0].constraint.starts
            card.used = frozenset(pair for option in options for pair in option.when)
            if len(self.cards) >= MAX_CARDS:
                self.cards.clear()
            self.cards[cell] = card
        return card

    def span(self, at: datetime) -> tuple[datetime | None, datetime | None]:
        """Return from when until when the card of `at` is in force; None: no bound."""
        if not self.dates and not self.times:
            return None, None
        switches = [*self.dates, *_moments(self.times, at)]
        switches.sort()
        place = bisect_right(switches, at)
        begin = switches[place - 1] if place else _EVER
        return begin, switches[place] if place < len(switches) else None

    def in_force(self, at: datetime, context: Context) -> list[Option]:
        """Return the standard prices in force, and then what overrides them, weakest first."""
        standard = self.options[0]
        for option in self.options:
            if option.constraint.active(at):
                standard = option
        matching = [
            variant
            for variant in self.variants
            if variant.constraint.active(at) and all(context.get(key) == value for key, value in variant.when)
        ]
        return [standard, *reversed(matching)]


Quote = tuple[RateLine, Shape | None, Amounts | None]
Hot = tuple[Run, Numbers, RateLine, Shape, datetime | None, datetime | None]
"""What prices a call without a context: its line, its arithmetic, and from when to when (None: always, for ever)."""


class RateBook:
    """A price data release, compiled. `quote` is the hot path."""

    def __init__(self, data: RateData) -> None:
        self.name = data.source
        self.version = data.version
        self.data = data
        self.units = Units(data.units)
        self.finder = Finder(data.providers)
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
        context: Context = _NO_CONTEXT,
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
            [_option(option) for option in raw] if isinstance(raw, list) else [Option(Constraint(), raw)]
        )
        # Context prices belong to the provider that has the model: the library leaves them out on fallbacks.
        own = model.provider == provider.id
        variants = [_option(variant) for variant in model.data.get("price_variants") or ()] if own else []
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
        )
        if len(options) == 1 and not variants:
            line.fixed = compile_card(self.units, [options[0].prices])
        return line


def _is_documented(model: Model, sku: str) -> bool:
    names = {sku.lower(), sku.lower().partition("/")[2]} - {""}
    clause = model.data["match"]
    return model.id.lower() in names or any(
        documented(clause, form) for name in names for form in (name, dash_dates(name))
    )


def _hot(line: RateLine, shape: Shape, at: datetime) -> Hot:
    return shape.run, shape.numbers, line, shape, *line.span(at)


def _moments(times: Sequence[time], at: datetime) -> list[datetime]:
    """Return when the times of day come on the UTC day of `at`, the day before and the day after."""
    noon = at.astimezone(UTC).replace(hour=12)
    days = [(noon + timedelta(days=shift)).date() for shift in (-1, 0, 1)]
    return [datetime.combine(day, moment, UTC) for day in days for moment in times]


def _option(raw: Mapping[str, Any]) -> Option:
    when = tuple(sorted((str(key), str(value)) for key, value in (raw.get("when") or {}).items()))
    return Option(_constraint(raw.get("constraint")), raw["prices"], when)


def _constraint(raw: Mapping[str, str] | None) -> Constraint:
    if raw is None:
        return Constraint()
    if "start_date" in raw:
        return Constraint(starts=datetime.combine(date.fromisoformat(raw["start_date"]), time(), UTC))
    return Constraint(day=(_utc_time(raw["start_time"]), _utc_time(raw["end_time"])))


def _utc_time(text: str) -> time:
    value = time.fromisoformat(text)
    if value.tzinfo is None:
        return value
    return datetime.combine(date(1970, 1, 1), value).astimezone(UTC).time()
