"""What could be saved is found where it is, priced by the real price list, and not where it is not."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import lru_cache

import pytest

from outlay.catalog import load_default
from outlay_pricer.domain import CompiledCatalog, cost_of, price
from outlay_pricer.opportunities.alternatives import newer, smaller, stand_ins
from outlay_pricer.opportunities.detector import Cost, OpportunityDetector, Prompts, where_of
from outlay_schemas.catalog import Catalog
from outlay_schemas.events import CostEvent, UsageEvent

START = datetime(2026, 11, 24, 9, tzinfo=UTC)


@lru_cache
def catalog() -> Catalog:
    return load_default()


@lru_cache
def compiled() -> CompiledCatalog:
    return CompiledCatalog(catalog())


def call(number: int, after: float = 0.0, **more: object) -> UsageEvent:
    usage = UsageEvent(
        id=f"c-{number}", source="t", time=START + timedelta(seconds=after), kind="llm", provider="anthropic",
        sku="claude-opus-4-1", usage={"input_tokens": 10_000 + number, "output_tokens": 100}, activity="inference",
        tenant="acme", team="growth", project="chat", user="u",
    )  # fmt: skip
    for name, value in more.items():
        setattr(usage, name, value)
    return usage


def priced(usage: UsageEvent) -> CostEvent:
    return price(usage, compiled())


def cost_now(usage: UsageEvent) -> Cost:
    return cost_of(usage, compiled())


def found(events: list[UsageEvent], prompts: Prompts | None = None) -> dict[str, Decimal]:
    """Return what each way of saving would have saved, in USD."""
    costs = [priced(event) for event in events]
    known = {} if prompts is None else {where_of(costs[0]): prompts}
    detector = OpportunityDetector(cost_now, known, stand_ins(catalog()))
    for cost, usage in zip(costs, events, strict=True):
        detector.look(cost, usage)
    sums: dict[str, Decimal] = {}
    for one in detector.findings():
        sums.setdefault(f"{one.method.kind}: {one.method.recommendation}", Decimal(one.saving) / 10**12)
    return sums


def test_a_newer_and_a_smaller_model_save_what_the_price_list_says() -> None:
    sums = found([call(0)])
    # opus 4.1: 15 and 75 USD a million; opus 4.5: 5 and 25
    assert sums["newer model: use claude-opus-4-5"] == Decimal(10_000 * 10 + 100 * 50) / 10**6
    assert any(name.startswith("smaller model: use claude-sonnet-4") for name in sums)


def test_work_that_can_wait_is_priced_as_a_batch() -> None:
    patient = call(0, activity="data_processing", sku="claude-sonnet-4-5")
    assert found([patient])["batch tier: send it as a batch"] == Decimal("0.01575")  # half of 0.0315
    assert not any("batch" in name for name in found([call(0, sku="claude-sonnet-4-5")]))
    already = call(
        0, activity="data_processing", sku="claude-sonnet-4-5", attributes={"service_tier": "batch"}
    )
    assert not any("batch" in name for name in found([already]))


def test_a_cache_is_written_once_and_read_while_it_is_warm() -> None:
    calls = [call(n, after=60.0 * n, sku="claude-sonnet-4-5") for n in range(3)]
    prompts = Prompts(calls=1000, short=8000)
    # 4,000 tokens: first written at 3.75 in place of 3, then read at 0.30 in place of 3 USD a million, twice
    expected = Decimal(4000) * (2 * Decimal("2.7") - Decimal("0.75")) / 10**6
    assert found(calls, prompts)["prompt caching: cache what prompts begin with"] == expected
    cold = [call(n, after=3600.0 * n, sku="claude-sonnet-4-5") for n in range(3)]
    assert not any("caching" in name for name in found(cold, prompts))
    assert not any("caching" in name for name in found(calls, Prompts(calls=1000, short=500)))


def test_what_a_cache_has_saved_is_what_the_calls_would_have_cost_without_it() -> None:
    usage = call(
        0,
        sku="claude-sonnet-4-5",
        usage={"input_tokens": 10_000, "cache_read_tokens": 8_000, "output_tokens": 1},
    )
    detector = OpportunityDetector(cost_now, {}, stand_ins(catalog()))
    detector.look(priced(usage), usage)
    assert Decimal(detector.cached) / 10**12 == Decimal(8_000) * Decimal("2.7") / 10**6


def test_a_loop_is_found_and_one_of_each_call_is_left() -> None:
    loop = [call(7, after=n) for n in range(5)]
    each = Decimal(priced(loop[0]).cost or 0)
    name = "repeated calls: answer repeats from a cache, or stop the loop"
    assert found(loop)[name] == 4 * each
    assert name not in found([call(n) for n in range(5)])
    assert name not in found([call(7, after=700.0 * n) for n in range(5)])


@pytest.mark.parametrize(
    ("attributes", "saves"),
    [
        ({"utilization": "0.04"}, True), ({"gpu_utilization": "93%"}, False), ({"allocation": "idle"}, True),
        ({}, False), ({"utilization": "?"}, False),
    ],
)  # fmt: skip
def test_idle_machines_are_found_by_what_is_known_of_their_use(
    attributes: dict[str, str], saves: bool
) -> None:
    machine = call(0, kind="compute", provider="aws", sku="p5.48xlarge", usage={"compute_seconds": 3600})
    machine.attributes = {"region": "us-east-1", **attributes}
    assert any(name.startswith("idle machines") for name in found([machine])) is saves


def test_what_is_unpriced_is_left_alone_and_ids_are_stable() -> None:
    assert found([call(0, provider="acme", sku="acme-1")]) == {}
    detectors = []
    for _ in range(2):
        detector = OpportunityDetector(cost_now, {}, stand_ins(catalog()))
        detector.look(priced(call(0)), call(0))
        detectors.append([(one.id, one.examples) for one in detector.findings()])
    assert detectors[0] == detectors[1]
    assert detectors[0][0][1] == [("t", "c-0")]


MODELS = [
    "claude-opus-4-1",
    "claude-opus-4-5",
    "claude-sonnet-4-0",
    "claude-sonnet-4-5",
    "claude-haiku-4-5",
    "gpt-5",
    "gpt-5-mini",
    "gpt-5-nano",
    "gpt-5.1",
    "gpt-4.1",
    "gemini-2.5-pro",
    "gemini-2.5-flash",
    "gemini-2.5-flash-lite",
    "gemini-2.5-flash-preview",
]


@pytest.mark.parametrize(
    ("model", "later", "less"),
    [
        ("claude-opus-4-1", ["claude-opus-4-5"], ["claude-sonnet-4-5", "claude-sonnet-4-0"]),
        ("gpt-5", ["gpt-5.1"], ["gpt-5-mini"]),
        ("gpt-5-nano", [], []),
        ("gemini-2.5-flash", [], ["gemini-2.5-flash-lite"]),
        ("claude-haiku-4-5", [], []),
        ("whatever", [], []),
    ],
)
def test_stand_ins_are_of_the_same_family(model: str, later: list[str], less: list[str]) -> None:
    assert newer(model, MODELS) == later
    assert smaller(model, MODELS) == less
