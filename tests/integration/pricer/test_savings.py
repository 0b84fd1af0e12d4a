"""The dollars of every kind of saving are those of the ledger's events, priced again as they might have been."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import msgspec
import pytest
from tests.support.ledger import write
from tests.support.stack import Stack

from outlay.catalog import load_default
from outlay_kit.clickhouse import ClickHouseClient
from outlay_kit.migrator import migrate
from outlay_kit.time_ranges import TimeRange
from outlay_pricer.domain import CompiledCatalog, price
from outlay_pricer.domain.repricing import usage_of
from outlay_pricer.ledger import LedgerReader, Selection
from outlay_pricer.opportunities.detector import Opportunity
from outlay_pricer.opportunities.search import find
from outlay_reports.adapters.cost_reader import CostReader
from outlay_reports.cost_query import CostQuery
from outlay_schemas.events import CostEvent, UsageEvent

pytestmark = pytest.mark.stack

HOURS = 96
START = datetime(2026, 11, 16, tzinfo=UTC)
TENANT = "savings"
ALL = Selection(since=START, until=START + timedelta(hours=HOURS), tenant=TENANT)
CATALOG = load_default()
COMPILED = CompiledCatalog(CATALOG)


def machines(hour: int) -> int:
    """Return how many m6a.xlarge run: two by night, five by day."""
    return 5 if 8 <= hour % 24 < 18 else 2


def event(name: str, hour: int, **more: object) -> UsageEvent:
    base = UsageEvent(
        id=f"{name}-{hour}", source="t", time=START + timedelta(hours=hour, minutes=5), kind="compute", sku="x",
        usage={}, tenant=TENANT, team="ml", project="p", provider="aws", attributes={"region": "us-east-1"},
    )  # fmt: skip
    return msgspec.structs.replace(base, **more)


def used(hour: int) -> list[UsageEvent]:
    """Return an hour of everything that could be had for less."""
    return [
        event("fleet", hour, sku="m6a.xlarge", usage={"compute_seconds": 3600 * machines(hour)}),
        event(
            "leased", hour, sku="m6a.xlarge", usage={"compute_seconds": 3600},
            attributes={"lease": "reserved-1y"},
        ),
        event(
            "big", hour, sku="g5.12xlarge", usage={"compute_seconds": 3600}, attributes={"utilization": "0.12"}
        ),
        event("idle", hour, sku="m5.xlarge", usage={"compute_seconds": 60}, attributes={"allocation": "idle"}),
        event(
            "store", hour, kind="storage", sku="s3-standard",
            usage={"gb_hours": 73_000, "retrieved_gb": Decimal("0.5")},
        ),
        event("path", hour, kind="transfer", sku="inter-region", usage={"gb": 12 + hour}),
        event("zones", hour, kind="transfer", sku="inter-az", usage={"gb": 5}),
        event(
            "batch", hour, kind="llm", provider="anthropic", sku="claude-sonnet-4-5", attributes={},
            activity="data_processing", usage={"input_tokens": 20_000 + hour, "output_tokens": 300},
        ),
        event(
            "flex", hour, kind="llm", provider="openai", sku="gpt-5", attributes={}, activity="data_processing",
            usage={"input_tokens": 400 + hour, "output_tokens": 30},
        ),
    ]  # fmt: skip


@pytest.fixture(scope="module")
def ledger(stack: Stack) -> Iterator[tuple[ClickHouseClient, list[CostEvent]]]:
    settings = stack.writer.model_copy(update={"database": "savings"})
    migrate(settings)
    write(settings, [price(one, COMPILED) for hour in range(HOURS) for one in used(hour)])
    clickhouse = ClickHouseClient(settings)
    yield clickhouse, list(LedgerReader(clickhouse).events(ALL))
    clickhouse.close()


@pytest.fixture(scope="module")
def found(ledger: tuple[ClickHouseClient, list[CostEvent]]) -> list[Opportunity]:
    return find(ledger[0], CATALOG, ALL, most=10_000).findings


def one(found: list[Opportunity], what: str) -> Opportunity:
    (finding,) = [finding for finding in found if finding.method.recommendation.startswith(what)]
    return finding


def reprice(events: list[CostEvent], change: Callable[[UsageEvent], UsageEvent]) -> Decimal:
    """Return what events of the ledger cost, less what they cost priced again, changed."""
    total = Decimal(0)
    for event in events:
        assert event.cost is not None
        total += Decimal(event.cost) - Decimal(price(change(usage_of(event)), COMPILED).cost or 0)
    return total


def named(ledger: tuple[ClickHouseClient, list[CostEvent]], name: str) -> list[CostEvent]:
    return [event for event in ledger[1] if event.id.startswith(f"{name}-")]


@pytest.mark.parametrize(
    ("what", "name", "sku"),
    [
        ("keep it in s3-standard-ia", "store", "s3-standard-ia"),
        ("keep it in s3-glacier-instant", "store", "s3-glacier-instant"),
        ("keep both ends in one region: inter-az", "path", "inter-az"),
        ("use g5.xlarge", "big", "g5.xlarge"),
    ],
)
def test_a_neighbour_saves_what_its_price_says(
    ledger: tuple[ClickHouseClient, list[CostEvent]], found: list[Opportunity], what: str, name: str, sku: str
) -> None:
    finding = one(found, what)
    events = named(ledger, name)
    assert Decimal(finding.saving) / 10**12 == reprice(
        events, lambda usage: msgspec.structs.replace(usage, sku=sku)
    )
    assert (finding.events, Decimal(finding.cost) / 10**12) == (
        len(events),
        sum(Decimal(e.cost or 0) for e in events),
    )
    assert set(finding.examples) <= {(event.source, event.id) for event in events}


def test_a_colder_class_is_paid_with_what_is_read_from_it(
    ledger: tuple[ClickHouseClient, list[CostEvent]], found: list[Opportunity]
) -> None:
    # 100 GB for an hour are 100/730 GB-months: 0.023 down to 0.0125 USD, and half a GB read at 0.01
    each = (Decimal(73_000) / 730) * (Decimal("0.023") - Decimal("0.0125")) - Decimal("0.5") * Decimal("0.01")
    assert Decimal(one(found, "keep it in s3-standard-ia").saving) / 10**12 == HOURS * each
    assert "105% of it read" in one(found, "keep it in s3-standard-ia").method.prerequisite
    assert not any(finding.where[4] == "inter-az" for finding in found)


def test_work_that_can_wait_is_a_batch_and_what_is_idle_costs_all_of_it(
    ledger: tuple[ClickHouseClient, list[CostEvent]], found: list[Opportunity]
) -> None:
    batched = reprice(
        named(ledger, "batch"),
        lambda usage: msgspec.structs.replace(usage, attributes={"service_tier": "batch"}),
    )
    (batch,) = [finding for finding in found if finding.method.recommendation == "send it as a batch"]
    assert Decimal(batch.saving) / 10**12 == batched
    flexed = reprice(
        named(ledger, "flex"),
        lambda usage: msgspec.structs.replace(usage, attributes={"service_tier": "flex"}),
    )
    assert Decimal(one(found, "send it as a batch, or as flex").saving) / 10**12 == flexed > 0
    idle = one(found, "release what nothing runs on")
    assert idle.saving == idle.cost
    assert Decimal(idle.cost) / 10**12 == sum(Decimal(e.cost or 0) for e in named(ledger, "idle"))


@pytest.mark.parametrize(("lease", "rate"), [("reserved-1y", "0.11431"), ("reserved-3y", "0.07838")])
def test_a_commitment_is_the_best_of_all_and_says_when_it_pays(
    found: list[Opportunity], lease: str, rate: str
) -> None:
    finding = next(
        f
        for f in found
        if f.method.recommendation == f"commit to {lease} in us-east-1" and f.where[4] == "m6a.xlarge"
    )
    demand, reserved = Decimal("0.1728"), Decimal(rate)
    savings = {
        units: sum(demand * min(units, machines(hour)) for hour in range(HOURS)) - reserved * units * HOURS
        for units in range(1, 6)
    }
    units = max(savings, key=lambda one: savings[one])
    assert Decimal(finding.saving) / 10**12 == pytest.approx(savings[units], abs=Decimal("1e-9"))
    assert finding.events == HOURS
    assert finding.where == (TENANT, "", "", "aws", "m6a.xlarge")
    assert finding.method.prerequisite.startswith(
        f"{units} of them: each pays from {730 * reserved / demand:.0f} hours"
    )


def test_a_short_history_is_no_reason_to_commit(ledger: tuple[ClickHouseClient, list[CostEvent]]) -> None:
    some = Selection(since=START, until=START + timedelta(hours=48), tenant=TENANT)
    kinds = {finding.method.kind for finding in find(ledger[0], CATALOG, some, most=10_000).findings}
    assert "commitment" not in kinds


def test_the_query_of_a_finding_lists_its_events(
    ledger: tuple[ClickHouseClient, list[CostEvent]], found: list[Opportunity]
) -> None:
    for what in ("commit to reserved-1y in us-east-1", "keep it in s3-standard-ia"):
        finding = next(one for one in found if one.method.recommendation == what)
        rows = ledger[0].rows(finding.query(START, START + timedelta(hours=HOURS)))
        assert set(finding.examples) <= {(row["source"], row["id"]) for row in rows}
    odd = Opportunity(found[0].method, ("a'b\\", "", "", "", ""))
    assert ledger[0].rows(odd.query(START, START + timedelta(hours=1))) == []


def test_what_caching_saved_is_what_the_calls_would_have_cost_without_it(stack: Stack) -> None:
    settings = stack.writer.model_copy(update={"database": "savings"})
    migrate(settings)
    calls = [
        event(
            "call", n, kind="llm", provider="anthropic", sku=sku, attributes={}, tenant="cached", team=team,
            usage={"input_tokens": 9_000 + n, "output_tokens": 50, **cache},
        )
        for n, (sku, team, cache) in enumerate(
            [
                ("claude-sonnet-4-5", "a", {"cache_read_tokens": 8_000}),
                ("claude-sonnet-4-5", "a", {"cache_write_tokens": 8_000}),
                ("claude-sonnet-4-5", "b", {}),
                ("claude-haiku-4-5", "b", {"cache_read_tokens": 7_001, "cache_write_tokens": 99}),
            ]
        )
    ]  # fmt: skip
    write(settings, [price(one, COMPILED) for one in calls])
    clickhouse = ClickHouseClient(settings)
    span = TimeRange(START, START + timedelta(hours=HOURS))
    saved = CostReader(clickhouse).cache_savings(CostQuery(span, ZoneInfo("UTC"), ("team",), {}, ("cached",)))
    whole = find(clickhouse, CATALOG, Selection(since=span.start, until=span.end, tenant="cached"), most=100)
    clickhouse.close()
    without = {
        team: sum(
            Decimal(price(msgspec.structs.replace(one, usage={
                name: count for name, count in one.usage.items() if not name.startswith("cache_")
            }), COMPILED).cost or 0) - Decimal(price(one, COMPILED).cost or 0)
            for one in calls if one.team == team
        )
        for team in ("a", "b")
    }  # fmt: skip
    assert {keys[0]: Decimal(pico) / 10**12 for keys, pico in saved.items()} == without
    assert sum(saved.values()) == whole.cached


def test_of_calls_too(stack: Stack) -> None:
    """Newer and smaller models, prompt caching, repeats: each against the ledger, priced again by hand."""
    settings = stack.writer.model_copy(update={"database": "savings"})
    migrate(settings)
    sent = [
        event(
            "long", 0, id=f"long-{n}", time=START + timedelta(minutes=2 * n), kind="llm", provider="anthropic",
            sku="claude-opus-4-1", attributes={}, tenant="calls", activity="inference", user="u",
            usage={"input_tokens": 10_000 + 7 * n, "output_tokens": 100},
        )
        for n in range(30)
    ]  # fmt: skip
    loop = [
        event(
            "loop", 0, id=f"loop-{n}", time=START + timedelta(hours=3, minutes=n), kind="llm", provider="anthropic",
            sku="claude-haiku-4-5", attributes={}, tenant="calls", activity="inference", user="u",
            usage={"input_tokens": 900, "output_tokens": 10},
        )
        for n in range(6)
    ]  # fmt: skip
    write(settings, [price(one, COMPILED) for one in [*sent, *loop]])
    clickhouse = ClickHouseClient(settings)
    wanted = Selection(since=START, until=START + timedelta(hours=HOURS), tenant="calls")
    found = find(clickhouse, CATALOG, wanted, most=1000).findings
    events = list(LedgerReader(clickhouse).events(wanted))
    clickhouse.close()
    calls = [one for one in events if one.id.startswith("long-")]

    def saved(what: str) -> Decimal:
        return Decimal(one(found, what).saving) / 10**12

    def as_model(sku: str) -> Callable[[UsageEvent], UsageEvent]:
        return lambda usage: msgspec.structs.replace(usage, sku=sku)

    smaller = next(f for f in found if f.method.kind == "smaller model" and f.where[4] == "claude-opus-4-1")
    for what in ("use claude-opus-4-5", smaller.method.recommendation):
        assert saved(what) == reprice(calls, as_model(what.removeprefix("use ")))
    # Nine of ten prompts have 10,021 tokens: half of that is cached, written once and then read while it is warm.
    half = (10_000 + 7 * 3) // 2
    cacheable = [call for call in calls if call.usage["input_tokens"] >= 10_021]
    first, rest = cacheable[:1], cacheable[1:]

    def with_cache(meter: str) -> Callable[[UsageEvent], UsageEvent]:
        return lambda usage: msgspec.structs.replace(usage, usage={**usage.usage, meter: half})

    assert saved("cache what prompts begin with") == reprice(
        first, with_cache("cache_write_tokens")
    ) + reprice(rest, with_cache("cache_read_tokens"))
    repeats = [call for call in events if call.id.startswith("loop-")]
    assert saved("answer repeats") == sum((Decimal(call.cost or 0) for call in repeats[1:]), Decimal(0))
