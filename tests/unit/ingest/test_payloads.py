"""Every shape of usage that providers and gateways send: by curl or by our SDK, the same meters, the same cost."""

import json
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from random import Random
from typing import Any

import pytest
from tests.support.otlp_requests import json_request, log_request
from tests.support.sdk_rig import make

from outlay.catalog import load_default
from outlay_ingest.domain.decoded_items import Head, Item
from outlay_ingest.domain.litellm import read_litellm
from outlay_ingest.domain.otlp import read_logs, read_traces
from outlay_ingest.domain.responses import read_responses
from outlay_pricer.domain import CompiledCatalog, price
from outlay_schemas.errors import Invalid
from outlay_schemas.events import UsageEvent

ROWS: list[dict[str, Any]] = json.loads((Path(__file__).parents[2] / "golden" / "payloads.json").read_text())
TIME = "2026-11-26T00:00:00Z"
SECRET = "a secret"


@pytest.fixture(scope="module")
def catalog() -> CompiledCatalog:
    return CompiledCatalog(load_default())


def directly(row: dict[str, Any]) -> list[UsageEvent]:
    """Read a payload as it comes from curl, an exporter of OpenTelemetry or LiteLLM."""
    if (form := row.get("format", "response")) != "response":
        return [made(item.event) for item in READERS[form](row["payload"]) if item is not None]
    query = {"time": TIME, **({"sku": row["sku"]} if "sku" in row else {})}
    body = {"response": row["payload"], "headers": row["headers"]} if "headers" in row else row["payload"]
    head = Head("application/json", query=query, provider=row["provider"] or "auto")
    return [made(item.event) for item in read_responses(json.dumps(body).encode(), head) if item is not None]


def _spans(attributes: dict[str, Any]) -> Iterator[Item | None]:
    return read_traces(json.dumps(json_request(attributes)).encode(), as_json=True)


def _logs(said: dict[str, Any]) -> Iterator[Item | None]:
    return read_logs(log_request(said["attributes"], said["body"]), as_json=True)


READERS: dict[str, Callable[[dict[str, Any]], Iterator[Item | None]]] = {
    "spans": _spans,
    "logs": _logs,
    "litellm": lambda payload: read_litellm(json.dumps(payload).encode()),
}


def made(event: UsageEvent | Invalid) -> UsageEvent:
    if isinstance(event, Invalid):
        raise event
    return event


def by_sdk(row: dict[str, Any], streamed: bool) -> list[UsageEvent]:
    """Read a payload as our SDK sees it: as the response that a client returned, or as a stream of one."""
    outlay, held = make(clock=lambda: int(datetime.fromisoformat(TIME).timestamp()) * 10**9)
    provider, model, headers = row["provider"], row.get("sku", ""), row.get("headers", {})
    if streamed:
        for _ in outlay.stream(iter(row["stream"]), provider=provider, model=model, headers=headers):
            pass
    else:
        outlay.record(row["payload"], provider=provider, model=model, headers=headers)
    assert outlay.close(2)
    assert outlay.stats.unread == (0 if row["usd"] else 1)
    assert SECRET not in json.dumps(held.events())
    return held.usage()


def seen(events: list[UsageEvent], catalog: CompiledCatalog) -> list[tuple[object, ...]]:
    """What must be equal on both ways: meters, the stated cost and the cost."""
    return [
        (
            e.provider,
            e.sku,
            {k: v for k, v in e.usage.items() if v},
            e.reported_cost,
            cost.cost,
            cost.price_status,
        )
        for e in events
        for cost in [price(e, catalog)]
    ]


@pytest.mark.parametrize("row", ROWS, ids=[row["name"] for row in ROWS])
def test_a_payload_costs_the_same_however_it_comes(row: dict[str, Any], catalog: CompiledCatalog) -> None:
    direct = directly(row)
    for streamed in (False, True) if "stream" in row else (False,) if "format" not in row else ():
        assert seen(by_sdk(row, streamed), catalog) == seen(direct, catalog)
    costs = [price(event, catalog) for event in direct]
    assert [(cost.price_status, cost.cost) for cost in costs] == [
        (row["status"], usd) for usd in row["usd"]
    ], [(cost.price_ref, cost.unpriced_meters) for cost in costs]
    for name, value in row.get("attributes", {}).items():
        assert direct[0].attributes.get(name) == value


HOLDERS = (
    "usage",
    "usageMetadata",
    "usage_metadata",
    "usage_info",
    "usage_object",
    "amazon-bedrock-invocationMetrics",
)
NEW = {"brand_new_tokens": 7, "brandNewMode": "turbo"}


def with_a_new_field(payload: Any, name: str) -> Any:
    """Add an unknown field to the usage of a payload, wherever that is."""
    if isinstance(payload, list):
        return [with_a_new_field(item, name) for item in payload]
    if not isinstance(payload, dict):
        return payload
    added = {key: with_a_new_field(value, name) for key, value in payload.items()}
    for holder in HOLDERS:
        if isinstance(added.get(holder), dict):
            added[holder] = {**added[holder], name: NEW[name]}
    return added


@pytest.mark.parametrize("name", NEW)
@pytest.mark.parametrize("row", ROWS, ids=[row["name"] for row in ROWS])
def test_an_unknown_field_is_marked(row: dict[str, Any], name: str, catalog: CompiledCatalog) -> None:
    """A price may depend on it: the event is no longer sure, in whatever shape of usage it came."""
    if row.get("format") == "spans":
        changed: Any = {**row["payload"], f"gen_ai.usage.{name}": NEW[name]}
    elif row.get("format") == "logs":
        changed = {**row["payload"], "attributes": {**row["payload"]["attributes"], "brand_new_tokens": 7}}
        name = "brand_new_tokens"
    else:
        changed = with_a_new_field(row["payload"], name)
    if changed == row["payload"] or not row["usd"]:
        pytest.skip("no object that holds usage")
    events = directly({**row, "payload": changed})
    found = [event.attributes["unread_usage"] for event in events if "unread_usage" in event.attributes]
    words = [_plain(word.rpartition(".")[2]) for text in found for word in text.split(",")]
    assert _plain(name) in words
    sure = {price(event, catalog).price_status for event in events if "unread_usage" in event.attributes}
    assert not sure & {"priced", "free"}


def _plain(name: str) -> str:
    return name.lower().replace("_", "")


def test_the_table_of_payloads_is_the_corpus() -> None:
    """tests/golden/README.md lists each payload with its source, its day and its right value."""
    text = (Path(__file__).parents[2] / "golden" / "README.md").read_text()
    lines = text.partition("## Payloads that were tried")[2].splitlines()
    assert [line for line in lines if line.startswith("| `")] == [table_row(row) for row in ROWS]
    assert len(ROWS) >= 60


def table_row(row: dict[str, Any]) -> str:
    value = " + ".join("no price" if usd is None else usd for usd in row["usd"]) or "not billed"
    status = "" if row["status"] == "priced" or not row["usd"] else f" ({row['status']})"
    return f"| `{row['name']}` | {row['source']} | {row['date']} | {value}{status} |"


ODD: list[Any] = [None, 0, -1, 1.5, "", "x", "1e999999999", True, [], {}, [1], {"a": 1}, 10**30]


def spoilt(value: Any, choose: Random) -> Any:
    """Put something odd in place of a part of a payload, or of two."""
    if choose.random() < 0.08:
        return choose.choice(ODD)
    if isinstance(value, dict):
        return {key: spoilt(inner, choose) for key, inner in value.items()}
    return [spoilt(inner, choose) for inner in value] if isinstance(value, list) else value


@pytest.mark.parametrize("row", [row for row in ROWS if "format" not in row], ids=lambda row: row["name"])
def test_a_payload_that_is_spoilt_is_read_or_refused_and_nothing_falls_over(row: dict[str, Any]) -> None:
    choose = Random(row["name"])  # noqa: S311 (the same each time)
    for _ in range(40):
        payload = spoilt(row["payload"], choose)
        headers = spoilt(row.get("headers", {"x-portkey-provider": "openai"}), choose)
        body = json.dumps(
            choose.choice([payload, {"response": payload, "headers": headers, "time": TIME}])
        ).encode()
        head = Head("application/json", query={"time": TIME, "sku": "m"}, provider=row["provider"] or "auto")
        with suppress(Invalid):  # of the whole body: an empty array
            for item in read_responses(body, head):
                assert item is None or isinstance(item.event, UsageEvent | Invalid)
        outlay, held = make()
        outlay.record(payload, model="m")
        for _piece in outlay.stream(iter([payload, *row.get("stream", ())]), model="m"):
            pass
        outlay.close(1)
        assert outlay.stats.tracked + outlay.stats.unread + outlay.stats.dropped >= 1
        assert SECRET not in json.dumps(held.events())
