"""Fills the real ledger as the aggregator does, and knows the sums by an oracle that knows nothing of SQL."""

import random
from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from hashlib import sha256

from outlay_aggregator.adapters.ledger_store import LedgerStore as Writer
from outlay_aggregator.domain.windows import Window
from outlay_kit.clickhouse import ClickHouseClient
from outlay_kit.settings import ClickHouseSettings
from outlay_kit.time_ranges import TimeRange
from outlay_schemas.events import CostEvent, Grain, PriceStatus, encoder
from outlay_schemas.money import Usd, to_pico, to_usd

GRAINS: tuple[tuple[Grain, int], ...] = (("minute", 60), ("hour", 3600), ("day", 86_400))


def cost_event(
    tenant: str,
    number: int,
    time: datetime,
    cost: str | None,
    *,
    team: str = "growth",
    unit: str = "consumer",
    user: str = "u-1",
    sku: str = "gpt-5",
    provider: str = "openai",
    tokens: int = 10,
    tags: dict[str, str] | None = None,
    guessed: bool = False,
    charged: str | None = None,
) -> CostEvent:
    return CostEvent(
        id=f"e-{number}", source="test", time=time, kind="llm", sku=sku, provider=provider, tenant=tenant,
        usage={"input_tokens": tokens, "output_tokens": 1}, activity="inference", revision=1,
        fingerprint=int.from_bytes(sha256(str(number).encode()).digest()[:2], "big"),
        cost=None if cost is None else Usd(cost), charged=None if charged is None else Usd(charged),
        price_status=_status(cost, guessed),
        price_ref="book@1#rule", team=team, user=user, business_unit=unit, project="p", tags=tags or {},
        cost_parts={} if cost is None else {"input_tokens": Usd(cost)},
    )  # fmt: skip


def _status(cost: str | None, guessed: bool) -> PriceStatus:
    if cost is None:
        return "unpriced"
    return "estimated" if guessed else "priced" if Decimal(cost) else "free"


def random_events(tenant: str, span: TimeRange, count: int, seed: int) -> list[CostEvent]:
    """Return events all over a span, some unpriced, some unassigned."""
    draw = random.Random(seed)  # noqa: S311 (the same events each time)
    minutes = int(span.length / timedelta(minutes=1))
    found = []
    for number in range(count):
        at = span.start + timedelta(minutes=draw.randrange(minutes), seconds=draw.randrange(60))
        pico = None if draw.random() < 0.1 else draw.randrange(10**14) * (number % 4 > 0)
        cost = None if pico is None else to_usd(pico)
        charged = None if pico is None or draw.random() < 0.5 else to_usd(pico + draw.randrange(10**13))
        found.append(
            cost_event(
                tenant, number, at, cost, team=draw.choice(["growth", "platform", ""]),
                unit=draw.choice(["consumer", ""]), user=f"u-{draw.randrange(5)}",
                sku=draw.choice(["gpt-5", "gpt-5-mini"]),
                tokens=draw.randrange(1000), tags={"env": "prod"} if draw.random() < 0.5 else {},
                guessed=draw.random() < 0.2, charged=charged,
            )
        )  # fmt: skip
    return found


def write(settings: ClickHouseSettings, events: Sequence[CostEvent], cells: int = 1000) -> None:
    """Append events to the ledger and compute every window that they touch. `cells`: with a user, in a window."""
    clickhouse = ClickHouseClient(settings)
    writer = Writer(clickhouse, cells=cells)
    writer.append("ledger_input", b"\n".join(encoder.encode(event) for event in events))
    for grain, seconds in GRAINS:
        touched = {(int(e.time.timestamp()) // seconds * seconds, e.tenant) for e in events}
        for some in batched([Window(start, tenant) for start, tenant in sorted(touched)]):
            writer.recompute(grain, some)
    clickhouse.close()


def batched(windows: list[Window], most: int = 100) -> list[list[Window]]:
    """Cut windows into lists that fit into a URL."""
    return [windows[n : n + most] for n in range(0, len(windows), most)]


def value_of(event: CostEvent, name: str) -> str:
    """Return a dimension of an event as the ledger's row has it."""
    return event.tags.get(name[5:], "") if name.startswith("tags.") else str(getattr(event, name))


Measures = tuple[int, int, int, Decimal, int, int, int, int]
"""Pico-USD, events, unpriced events, input tokens, pico-USD charged, estimated events, their pico-USD, free events."""


def expected(
    events: Iterable[CostEvent], bounds: Sequence[datetime], by: Sequence[str]
) -> dict[tuple[int, tuple[str, ...]], Measures]:
    """Return the measures of each piece and combination of values."""
    found: dict[tuple[int, tuple[str, ...]], Measures] = defaultdict(
        lambda: (0, 0, 0, Decimal(0), 0, 0, 0, 0)
    )
    for event in events:
        if not bounds[0] <= event.time < bounds[-1]:
            continue
        bucket = max(n for n, at in enumerate(bounds) if at <= event.time)
        key = (bucket, tuple(value_of(event, name) for name in by))
        cost, count, unpriced, tokens, charged, estimated, guessed, free = found[key]
        mine = to_pico(event.cost or "0")
        guess = event.price_status == "estimated"
        found[key] = (
            cost + mine, count + 1, unpriced + (event.cost is None), tokens + Decimal(event.usage["input_tokens"]),
            charged + (mine if event.charged is None else to_pico(event.charged)), estimated + guess,
            guessed + mine * guess, free + (event.price_status == "free"),
        )  # fmt: skip
    return dict(found)
