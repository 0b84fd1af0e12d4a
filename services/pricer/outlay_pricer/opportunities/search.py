"""Runs the detectors over a span of the ledger."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from outlay_kit.clickhouse import ClickHouseClient
from outlay_pricer.domain import CompiledCatalog, price
from outlay_pricer.domain.repricing import usage_of
from outlay_pricer.ledger import LedgerReader, Selection
from outlay_pricer.opportunities.commitments import reservations
from outlay_pricer.opportunities.detector import (
    Opportunity,
    OpportunityDetector,
    Prompts,
    SavingMethod,
    Where,
)
from outlay_pricer.opportunities.model_alternatives import newer, smaller
from outlay_pricer.opportunities.resource_alternatives import neighbours
from outlay_schemas.catalog import Catalog

_PROMPTS = (
    "SELECT tenant, team, project, provider, sku, count() AS calls,"
    " toUInt64(quantileExact(0.1)(toUInt64(usage['input_tokens']))) AS short FROM costs"
    " WHERE kind = 'llm' AND minute >= toDateTime({since:UInt32}, 'UTC') AND minute < toDateTime({until:UInt32}, 'UTC')"
    " AND ({tenant:String} = '' OR tenant = {tenant:String}) GROUP BY tenant, team, project, provider, sku"
)

NEWER = "does it pass your evaluation, with as many tokens?"
SMALLER = "is it good enough? evaluate it"


@dataclass(frozen=True)
class Opportunities:
    """What was found in how many events; `whole`: whether that is all of them."""

    findings: list[Opportunity]
    events: int
    whole: bool
    since: datetime
    until: datetime
    """From the minute of the first event that was looked at, up to the end: what monthly figures are made from."""
    cached: int
    """Pico-USD that prompt caching has already saved in these events."""


def find(
    clickhouse: ClickHouseClient,
    catalog: Catalog,
    wanted: Selection,
    *,
    most: int,
    progress: Callable[[int], None] = lambda _: None,
) -> Opportunities:
    """Price the events of a selection as they might have been. `most`: events at most, the first of them.

    `wanted` must say since when and until when, in whole minutes, and may name a tenant. Raises Retryable.
    """
    if wanted.since is None or wanted.until is None:
        raise ValueError("a selection without bounds is all of the ledger")
    compiled = CompiledCatalog(catalog)
    detector = OpportunityDetector(
        lambda event: price(event, compiled), _prompts(clickhouse, wanted), stand_ins(catalog)
    )
    seen = 0
    since, until = wanted.since, wanted.until
    whole = True
    for event in LedgerReader(clickhouse).events(wanted):
        if seen >= most:
            whole, until = False, event.time.replace(second=0, microsecond=0) + timedelta(minutes=1)
            break
        if not seen:
            since = max(since, event.time.replace(second=0, microsecond=0))
        detector.look(event, usage_of(event))
        seen += 1
        if seen % 1000 == 0:
            progress(seen)
    reserved = reservations(clickhouse, compiled, replace(wanted, until=until))
    findings = sorted([*detector.findings(), *reserved], key=lambda one: (-one.saving, one.id))
    return Opportunities(findings, seen, whole, since, until, detector.cached)


def stand_ins(catalog: Catalog) -> Callable[[str, str], list[tuple[str, SavingMethod]]]:
    """Return what could stand in for a sku of a provider: by the price data's list of models, and the price books."""
    known = {
        provider["id"]: [model["id"] for model in provider["models"]]
        for provider in (catalog.rates.providers if catalog.rates else ())
    }
    cache: dict[tuple[str, str], list[tuple[str, SavingMethod]]] = {}

    def found(provider: str, sku: str) -> list[tuple[str, SavingMethod]]:
        key = (provider, sku)
        if key not in cache:
            models = known.get(provider.lower(), [])
            later = [
                (name, SavingMethod("newer model", f"use {name}", NEWER)) for name in newer(sku, models)[:2]
            ]
            less = [
                (name, SavingMethod("smaller model", f"use {name}", SMALLER))
                for name in smaller(sku, models)[:2]
            ]
            cache[key] = later + less or neighbours(catalog, provider, sku)
        return cache[key]

    return found


def _prompts(clickhouse: ClickHouseClient, wanted: Selection) -> dict[Where, Prompts]:
    rows = clickhouse.rows(
        _PROMPTS,
        {
            "since": int(wanted.since.timestamp()) if wanted.since else 0,
            "until": int(wanted.until.timestamp()) if wanted.until else 2**32 - 1,
            "tenant": wanted.tenant,
        },
    )
    return {
        (row["tenant"], row["team"], row["project"], row["provider"], row["sku"]): Prompts(
            row["calls"], row["short"]
        )
        for row in rows
    }
