"""Every shape of usage that providers and gateways send: by curl or by our SDK, the same meters, the same cost."""

import json
from pathlib import Path
from typing import Any

import pytest
from tests.unit.sdk.rig import make

from outlay.catalog import load_default
from outlay_ingest.domain.items import Head
from outlay_ingest.domain.responses import read_responses
from outlay_pricer.domain import CompiledCatalog, price
from outlay_schemas.errors import Invalid
from outlay_schemas.events import UsageEvent

ROWS: list[dict[str, Any]] = json.loads((Path(__file__).parents[2] / "golden" / "payloads.json").read_text())
TIME = "2026-11-26T00:00:00Z"
SECRET = "a secret"


@pytest.fixture(scope="module")
def catalog() -> CompiledCatalog:
    return CompiledCatalog.from_catalog(load_default())


def directly(row: dict[str, Any]) -> list[UsageEvent]:
    """Read a payload as it comes from curl."""
    query = {"time": TIME, **({"sku": row["sku"]} if "sku" in row else {})}
    body = {"response": row["payload"], "headers": row["headers"]} if "headers" in row else row["payload"]
    head = Head("application/json", query=query, provider=row["provider"] or "auto")
    return [made(item.event) for item in read_responses(json.dumps(body).encode(), head) if item is not None]


def made(event: UsageEvent | Invalid) -> UsageEvent:
    if isinstance(event, Invalid):
        raise event
    return event


def by_sdk(row: dict[str, Any], streamed: bool) -> list[UsageEvent]:
    """Read a payload as our SDK sees it: as the response that a client returned, or as a stream of one."""
    outlay, held = make()
    provider, model, headers = row["provider"], row.get("sku", ""), row.get("headers", {})
    if streamed:
        for _ in outlay.stream(iter(row["stream"]), provider=provider, model=model, headers=headers):
            pass
    else:
        outlay.record(row["payload"], provider=provider, model=model, headers=headers)
    assert outlay.close(2)
    assert outlay.stats.unread == 0
    assert SECRET not in json.dumps(held.events())
    return held.usage()


def seen(events: list[UsageEvent]) -> list[tuple[str, str, dict[str, Any], object]]:
    return [(e.provider, e.sku, {k: v for k, v in e.usage.items() if v}, e.reported_cost) for e in events]


@pytest.mark.parametrize("row", ROWS, ids=[row["name"] for row in ROWS])
def test_a_payload_costs_the_same_however_it_comes(row: dict[str, Any], catalog: CompiledCatalog) -> None:
    direct = directly(row)
    for streamed in (False, True) if "stream" in row else (False,):
        assert seen(by_sdk(row, streamed)) == seen(direct)
    costs = [price(event, catalog) for event in direct]
    assert [(cost.price_status, cost.cost) for cost in costs] == [(row["status"], usd) for usd in row["usd"]]
    for name, value in row.get("attributes", {}).items():
        assert direct[0].attributes.get(name) == value
