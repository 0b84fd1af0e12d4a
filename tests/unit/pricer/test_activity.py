"""What usage was for: stated, set by a rule, or read from the kind and the names of an event."""

import json
from typing import Any

import msgspec
import pytest
from pydantic import ValidationError
from tests.support.catalogs import catalog, event

from outlay_ingest.domain.clusters import read_gpus, read_opencost
from outlay_ingest.domain.decoded_items import Head
from outlay_pricer.domain.pricing import price
from outlay_pricer.domain.repricing import usage_of
from outlay_pricer.domain.usage import fingerprint
from outlay_schemas.events import UsageEvent, encoder, usage_event_decoder


@pytest.mark.parametrize(
    ("about", "activity"),
    [
        ({"kind": "llm"}, "inference"),
        ({"kind": "llm", "attributes": {"processing": "batch"}}, "data_processing"),
        ({"kind": "llm", "attributes": {"operation": "embeddings"}}, "data_processing"),
        ({"kind": "llm", "attributes": {"call_type": "aembedding"}}, "data_processing"),
        ({"kind": "llm", "sku": "text-embedding-3-small"}, "data_processing"),
        ({"kind": "llm", "attributes": {"operation": "fine-tuning"}}, "training"),
        ({"kind": "llm", "usage": {"training_tokens": 5}}, "training"),
        ({"kind": "storage"}, "storage"),
        ({"kind": "transfer"}, "other"),
        ({"kind": "custom"}, "other"),
        ({"kind": "compute", "tags": {"pod": "llama-finetune-7"}}, "training"),
        ({"kind": "compute", "tags": {"controllerKind": "pytorchjob", "pod": "serving"}}, "training"),
        ({"kind": "compute", "tags": {"container": "vllm-openai", "host": "gpu-1"}}, "inference"),
        ({"kind": "compute", "tags": {"controller": "nightly-etl"}}, "data_processing"),
        ({"kind": "compute", "tags": {"pod": "web-7d9f"}}, "other"),
    ],
)
def test_an_activity_that_is_not_stated_is_inferred(about: dict[str, Any], activity: str) -> None:
    usage = about.pop("usage", {"units": 1})
    cost = price(event(usage, **about), catalog())
    assert (cost.activity, cost.given["activity"]) == (activity, "")
    stated = price(event(usage, **about, activity="training"), catalog())
    assert (stated.activity, "activity" in stated.given) == ("training", False)


def test_samples_of_gpus_and_allocations_of_clusters_have_an_activity() -> None:
    line = (
        'DCGM_FI_DEV_GPU_UTIL{{UUID="GPU-{0}",Hostname="n",modelName="H100",namespace="{1}",pod="{2}"}} 90\n'
    )
    samples = (
        line.format(1, "ml", "vllm-7d9f")
        + line.format(2, "training", "job-1")
        + line.format(3, "web", "web-1")
    )
    head = Head("text/plain", query={"interval": "60", "time": "2026-11-24T00:00:00Z"})
    gpus = [item.event for item in read_gpus(samples.encode(), head) if item is not None]
    window = {"start": "2026-11-24T00:00:00Z", "end": "2026-11-24T01:00:00Z"}
    allocation = {"window": window, "cpuCoreHours": 1, "totalCost": 1}
    kinds = {"a": {"controllerKind": "pytorchjob"}, "b": {"controllerKind": "cronjob"}, "c": {"pod": "web"}}
    data = {name: {**allocation, "properties": properties} for name, properties in kinds.items()}
    pods = [item.event for item in read_opencost(json.dumps({"data": [data]}).encode()) if item is not None]
    costs = [price(one, catalog()) for one in (*gpus, *pods) if isinstance(one, UsageEvent)]
    assert [cost.activity for cost in costs] == [
        "inference", "training", "other", "training", "data_processing", "other",
    ]  # fmt: skip


def test_a_rule_overrides_what_is_inferred_and_what_is_stated() -> None:
    rules = catalog(virtual_tags=[
        {"id": "a", "match": {"activity": "data_processing"}, "sets": {"activity": "inference"}},
        {"id": "b", "match": {"kind": "compute"}, "sets": {"activity": "training"}, "replace": False},
    ])  # fmt: skip
    embedding = price(event({"units": 1}, "text-embedding-3-small"), rules)
    assert (embedding.activity, embedding.given) == ("inference", {"activity": ""})
    assert price(event({"units": 1}, kind="compute"), rules).activity == "training"
    stated = price(event({"units": 1}, kind="compute", activity="other"), rules)
    assert (stated.activity, stated.given) == ("other", {})
    moved = price(event({"units": 1}, activity="data_processing"), rules)
    assert (moved.activity, moved.given) == ("inference", {"activity": "data_processing"})


def test_a_rule_names_the_provider_behind_a_gateway() -> None:
    url = {"api_url": "https://llm.example.com/v1"}
    sent = event({"input_tokens": 1_000_000}, provider_name="", attributes=url)
    assert price(sent, catalog()).price_status == "unpriced"
    rule = {
        "id": "gateway",
        "match": {"attributes": {"api_url": "https://llm.example.com/*"}},
        "sets": {"provider": "acme"},
    }
    cost = price(sent, catalog(virtual_tags=[rule]))
    assert (cost.provider, cost.price_status, cost.given["provider"]) == ("acme", "priced", "")
    with pytest.raises(ValidationError, match="activity must be one of training"):
        catalog(virtual_tags=[{**rule, "sets": {"activity": "play"}}])


@pytest.mark.parametrize("stated", [{}, {"activity": "inference"}, {"activity": "other"}])
def test_an_event_that_comes_back_from_the_ledger_is_the_same(stated: dict[str, Any]) -> None:
    sent = event({"units": 1}, kind="storage", **stated)
    again = usage_of(price(sent, catalog()))
    assert fingerprint(again) == fingerprint(sent)
    assert price(again, catalog()).activity == price(sent, catalog()).activity


def test_what_an_old_release_wrote_keeps_its_fingerprint() -> None:
    """0.1.0 left the activity `other` out when it wrote an event."""
    old = usage_event_decoder.decode(
        b'{"id":"a","source":"s","time":"2026-11-24T00:00:00Z","kind":"llm","sku":"m","usage":{"input_tokens":1}}'
    )
    stated: UsageEvent = msgspec.structs.replace(old, activity="other")
    assert fingerprint(old) == fingerprint(stated) == 514061
    assert b"activity" not in encoder.encode(old)
