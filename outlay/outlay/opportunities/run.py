"""Runs the detectors over a span of the ledger."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from outlay.opportunities.detect import Detector, Finding, Prompts, Way, Where
from outlay.opportunities.ladder import newer, smaller
from outlay_kit.warehouse import Warehouse
from outlay_pricer.domain import CompiledCatalog, price
from outlay_pricer.domain.again import usage_of
from outlay_pricer.ledger import Ledger, Selection
from outlay_reports.adapters.books import between
from outlay_reports.periods import Span
from outlay_schemas.catalog import Catalog

_PROMPTS = (
    "SELECT tenant, team, project, provider, sku, count() AS calls,"
    " toUInt64(quantileExact(0.1)(toUInt64(usage['input_tokens']))) AS short FROM costs"
    " WHERE kind = 'llm' AND {span} GROUP BY tenant, team, project, provider, sku"
)

NEWER = "does it pass your evaluation, with as many tokens?"
SMALLER = "is it good enough? evaluate it"


@dataclass(frozen=True)
class Opportunities:
    """What was found in how many events; `whole`: whether that is all of them."""

    findings: list[Finding]
    events: int
    whole: bool
    span: Span
    cached: int
    """Pico-USD that prompt caching has already saved in these events."""


def find(
    warehouse: Warehouse, catalog: Catalog, span: Span, tenant: str, *, most: int, told: Callable[[int], None]
) -> Opportunities:
    """Price the events of a span as they might have been. `most`: events at most, the first of the span."""
    compiled = CompiledCatalog.from_catalog(catalog)
    detector = Detector(lambda event: price(event, compiled), _prompts(warehouse, span), stand_ins(catalog))
    seen = 0
    end = span.end
    whole = True
    for event in Ledger(warehouse).events(Selection(since=span.start, until=span.end, tenant=tenant)):
        if seen >= most:
            whole, end = False, event.time.replace(second=0, microsecond=0) + timedelta(minutes=1)
            break
        detector.look(event, usage_of(event))
        seen += 1
        if seen % 1000 == 0:
            told(seen)
    return Opportunities(detector.findings(), seen, whole, Span(span.start, end), detector.cached)


def stand_ins(catalog: Catalog) -> Callable[[str, str], list[tuple[str, Way]]]:
    """Return what could stand in for a model of a provider, by the price data's own list of models."""
    known = {
        provider["id"]: [model["id"] for model in provider["models"]]
        for provider in (catalog.rates.providers if catalog.rates else ())
    }
    cache: dict[tuple[str, str], list[tuple[str, Way]]] = {}

    def found(provider: str, sku: str) -> list[tuple[str, Way]]:
        key = (provider, sku)
        if key not in cache:
            models = known.get(provider.lower(), [])
            later = [(name, Way("newer model", f"use {name}", NEWER)) for name in newer(sku, models)[:2]]
            less = [(name, Way("smaller model", f"use {name}", SMALLER)) for name in smaller(sku, models)[:2]]
            cache[key] = later + less
        return cache[key]

    return found


def _prompts(warehouse: Warehouse, span: Span) -> dict[Where, Prompts]:
    rows = warehouse.rows(_PROMPTS.replace("{span}", between("minute", span)))
    return {
        (row["tenant"], row["team"], row["project"], row["provider"], row["sku"]): Prompts(
            row["calls"], row["short"]
        )
        for row in rows
    }
