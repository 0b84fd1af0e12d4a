"""One data set that has everything that makes figures differ, and what it comes to by plain sums.

Fourteen days of hourly calls of three tenants, priced by the pricer: a negotiated discount, a markup, tags, events
that are corrected, a model without a price, a model whose price is a guess, and an incident of the last hour.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from zoneinfo import ZoneInfo

from outlay.catalog import load_default
from outlay_pricer.domain import CompiledCatalog, price
from outlay_schemas.catalog import Catalog, FxRate, Match, Negotiated
from outlay_schemas.catalog.watch import Budget
from outlay_schemas.events import CostEvent, UsageEvent

NOW = datetime(2026, 11, 25, 14, 42, 7, tzinfo=UTC)
TENANT = "consistent"
OTHERS = ("neighbour", "stranger")
DAYS = 14
ZONES = ("UTC", "Asia/Kolkata", "America/New_York")
USD_PER_MILLION = {
    "gpt-5": (Decimal("1.25"), Decimal(10)),
    "gpt-5-mini": (Decimal("0.25"), Decimal(2)),
    "gpt-5-latest": (Decimal("1.25"), Decimal(10)),
}
"""List prices of input and output tokens, by hand from the provider's page; the last is priced as gpt-5, by a guess."""
DISCOUNT, MARKUP = Decimal("0.20"), Decimal("0.10")
BUDGETS = (
    Budget(
        id="all",
        name="All AI",
        tenant=TENANT,
        amount=Decimal(2000),
        thresholds=(Decimal("0.001"),),
        forecast_thresholds=(Decimal("0.001"),),
    ),
    Budget(
        id="charged",
        name="Charged",
        tenant=TENANT,
        amount=Decimal(20_000),
        counts="charged",
    ),
    Budget(id="prod", name="Production", tenant=TENANT, amount=Decimal(500), scope={"tags.env": ("prod",)}),
)
TERMS = (
    Negotiated(id="edp", match=Match(team=("platform",)), discount_percent=DISCOUNT * 100),
    Negotiated(id="platform-fee", match=Match(team=("research",)), markup_percent=MARKUP * 100),
)

FX = (
    FxRate.model_validate({"currency": "EUR", "usd": "1.10", "to": "2026-11-18", "source": "ECB"}),
    FxRate.model_validate({"currency": "EUR", "usd": "1.17", "from": "2026-11-18", "source": "ECB"}),
)


def catalog() -> Catalog:
    """The default catalog, with the terms and the budgets."""
    content = load_default().model_copy(update={"budgets": BUDGETS, "negotiated": TERMS, "fx": FX})
    return content.model_copy(update={"revision": 1, "created_at": NOW})


@dataclass(frozen=True)
class Used:
    """One call as the test holds it: nothing in here comes from the pipeline."""

    id: str
    time: datetime
    team: str
    user: str
    sku: str
    env: str
    tokens: tuple[int, int]
    tenant: str = TENANT
    stale: bool = False
    """Whether a later body under the same id replaced it."""

    @property
    def cost(self) -> Decimal | None:
        """What the provider charges; None: unknown."""
        prices = USD_PER_MILLION.get(self.sku)
        if prices is None:
            return None
        listed = sum((n * price for n, price in zip(self.tokens, prices, strict=True)), Decimal(0)) / 10**6
        return listed * (1 - DISCOUNT) if self.team == "platform" else listed

    @property
    def charged(self) -> Decimal | None:
        """What the internal customer pays."""
        return (
            None if self.cost is None else self.cost * (1 + MARKUP) if self.team == "research" else self.cost
        )

    def usage(self) -> UsageEvent:
        return UsageEvent(
            id=self.id, source="consistency", time=self.time, tenant=self.tenant, kind="llm", provider="openai",
            sku=self.sku, usage={"input_tokens": self.tokens[0], "output_tokens": self.tokens[1]},
            activity="inference", team=self.team or None, user=self.user, business_unit="rd", project="assistant",
            tags={"env": self.env} if self.env else {},
        )  # fmt: skip


def used() -> list[Used]:
    """Every call, in the order of acceptance."""
    return [*_history(), *_corrections(), *_others(), *_incident()]


def past(days: int) -> Iterator[Used]:
    """The calls before those of `used`, of so many days in all: weeks that differ by the day."""
    for call in _history():
        for back in range(DAYS, days, DAYS):
            if call.time - timedelta(days=back) >= NOW - timedelta(days=days):
                yield replace(call, id=f"{call.id}-{back}", time=call.time - timedelta(days=back))


def _history() -> Iterator[Used]:
    start = NOW.replace(minute=5, second=0) - timedelta(days=DAYS)
    places = (
        ("growth", "ann", "gpt-5", "prod"), ("platform", "bob", "gpt-5-mini", "dev"),
        ("research", "cem", "gpt-5", ""), ("", "dee", "gpt-5-mini", "prod"),
    )  # fmt: skip
    for hour in range(24 * DAYS):
        at = start + timedelta(hours=hour)
        busy = 3 if 8 <= at.hour < 18 and at.weekday() < 5 else 1
        for n, (team, user, sku, env) in enumerate(places):
            tokens = (400_000 * busy + 1000 * (hour % 7), 20_000 * busy + n)
            yield Used(f"h{hour}-{n}", at, team, user, sku, env, tokens)
        if hour % 24 == 3:
            yield Used(f"u{hour}", at, "growth", "ann", "mystery-1", "prod", (1000, 10))
            yield Used(f"g{hour}", at, "research", "cem", "gpt-5-latest", "dev", (90_000, 900))


def _corrections() -> Iterator[Used]:
    """The last five hours of growth were reported too low."""
    for old in [one for one in _history() if one.id.startswith("h") and one.id.endswith("-0")][-5:]:
        yield replace(old, tokens=(old.tokens[0] * 2, old.tokens[1] * 2))


def _others() -> Iterator[Used]:
    for n, tenant in enumerate(OTHERS):
        yield Used(
            f"o{n}", NOW - timedelta(hours=1), "growth", "zoe", "gpt-5", "prod", (9_000_000, 0), tenant
        )


def _incident() -> Iterator[Used]:
    for n in range(30):
        at = NOW - timedelta(minutes=20, seconds=n)
        yield Used(f"i{n}", at, "growth", "u-loop", "gpt-5", "prod", (1_000_000, 10_000))


def priced(calls: Sequence[Used], content: Catalog) -> list[CostEvent]:
    """Price the calls, each accepted a millisecond after the one before."""
    compiled = CompiledCatalog(content)
    found = []
    for n, call in enumerate(calls):
        cost = price(call.usage(), compiled)
        cost.accepted_ms = int(NOW.timestamp() * 1000) + n
        found.append(cost)
    return found


@dataclass
class Oracle:
    """Plain sums over the calls that count: of those under one id, the one accepted last."""

    calls: Sequence[Used] = field(default_factory=used)

    def __post_init__(self) -> None:
        self.calls = tuple({(call.tenant, call.id): call for call in self.calls}.values())

    def some(self, since: datetime, until: datetime = NOW, **wanted: str) -> list[Used]:
        """The calls of the tenant in a time."""
        return [
            call for call in self.calls
            if call.tenant == TENANT and since <= call.time < until
            and all(getattr(call, name) == value for name, value in wanted.items())
        ]  # fmt: skip

    def cost(self, since: datetime, until: datetime = NOW, **wanted: str) -> Decimal:
        return sum((call.cost or Decimal(0) for call in self.some(since, until, **wanted)), Decimal(0))

    def euros(self, since: datetime, until: datetime = NOW, amount: str = "cost", **wanted: str) -> Fraction:
        """Cost, or what is charged, in EUR: each call at the rate of its own day."""
        return sum(
            (
                Fraction(getattr(call, amount) or 0) / Fraction("1.10" if call.time.day < 18 else "1.17")
                for call in self.some(since, until, **wanted)
            ),
            Fraction(0),
        )

    def charged(self, since: datetime) -> Decimal:
        return sum((call.charged or Decimal(0) for call in self.some(since)), Decimal(0))

    def by(self, of: Callable[[Used], str], since: datetime) -> dict[str, Decimal]:
        """Cost by a value of the calls."""
        found: dict[str, Decimal] = {}
        for call in self.some(since):
            found[of(call)] = found.get(of(call), Decimal(0)) + (call.cost or 0)
        return found

    def unpriced(self, since: datetime, until: datetime = NOW) -> int:
        return sum(call.cost is None for call in self.some(since, until))

    def estimated(self, since: datetime) -> Decimal:
        """What events cost whose price is a guess."""
        return self.cost(since, sku="gpt-5-latest")

    def effects(
        self, before: tuple[datetime, datetime], after: tuple[datetime, datetime]
    ) -> dict[str, Fraction]:
        """Price, volume, mix, new and gone between two times: volume is in tokens, things are models."""
        found = dict.fromkeys(("price", "volume", "mix", "new", "gone"), Fraction(0))
        sums = []
        for since, until in (before, after):
            of: dict[str, tuple[Fraction, int]] = {}
            for call in self.some(since, until):
                cost, tokens = of.get(call.sku, (Fraction(0), 0))
                of[call.sku] = cost + Fraction(call.cost or 0), tokens + sum(call.tokens)
            sums.append(of)
        old, new = sums
        both = old.keys() & new.keys()
        found["new"] = sum((new[sku][0] for sku in new.keys() - both), Fraction(0))
        found["gone"] = -sum((old[sku][0] for sku in old.keys() - both), Fraction(0))
        growth = Fraction(sum(new[sku][1] for sku in both), sum(old[sku][1] for sku in both))
        for sku in both:
            (cost0, tokens0), (cost1, tokens1) = old[sku], new[sku]
            found["volume"] += cost0 * (growth - 1)
            found["mix"] += cost0 * Fraction(tokens1, tokens0) - cost0 * growth
            found["price"] += cost1 - cost0 * Fraction(tokens1, tokens0)
        return found


def midnight(zone: str) -> datetime:
    return NOW.astimezone(ZoneInfo(zone)).replace(hour=0, minute=0, second=0, microsecond=0)


def first_of_month(zone: str) -> datetime:
    return midnight(zone).replace(day=1)
