"""OpenCost's allocations and DCGM's samples: each counted once, however often it is asked for."""

import json
from decimal import Decimal
from pathlib import Path

import httpx
import pytest
from tests.support.ingest_rig import JSON, Rig

from outlay.catalog import load_default
from outlay_pricer.domain import CompiledCatalog, price

GOLDEN = Path(__file__).parents[2] / "golden"
OPENCOST = (GOLDEN / "opencost-allocation.json").read_bytes()
DCGM = (GOLDEN / "dcgm-exporter.txt").read_bytes()
GPUS = "/v1/gpus?interval=60&time=2026-11-24T11:00:30Z&provider=own"


async def post(rig: Rig, path: str, body: bytes, media: str = JSON) -> httpx.Response:
    headers = {"Content-Type": media, "Authorization": f"Bearer {rig.key}"}
    return await rig.client.post(path, content=body, headers=headers)


async def test_allocations_of_opencost(rig: Rig) -> None:
    answer = await post(rig, "/v1/opencost", OPENCOST)
    assert answer.json() == {"accepted": 2, "rejected": 0, "ignored": 1}
    small, training = rig.sink.events()
    assert small.usage == {
        "cpu_core_hours": Decimal("0.025"),
        "ram_gb_hours": Decimal("0.010906112"),
        "network_gb": Decimal("0.033787026"),
    }
    assert (small.source, small.project, small.team) == (
        "opencost/default-cluster",
        "kube-system",
        "platform",
    )
    assert (training.project, training.team, training.tags["pod"]) == ("training", "research", "llm-7b-0")
    assert training.usage["gpu_hours"] == 8
    cost = price(training, CompiledCatalog(load_default()))
    assert (cost.price_status, cost.cost) == ("reported", "31.25")
    await post(rig, "/v1/opencost", OPENCOST)
    assert len({event.id for event in rig.sink.events()}) == 2


async def test_the_idle_part_of_a_cluster_says_so(rig: Rig) -> None:
    body = json.loads(OPENCOST)
    allocation = next(iter(body["data"][0].values()))
    body["data"] = [{"one/__idle__": allocation, "__idle__": allocation, "idle": allocation}]
    await post(rig, "/v1/opencost", json.dumps(body).encode())
    found = {event.tags["allocation"]: event.attributes for event in rig.sink.events()}
    assert found == {
        "one/__idle__": {"allocation": "idle"},
        "__idle__": {"allocation": "idle"},
        "idle": {},
    }


async def test_samples_that_an_exporter_gave(rig: Rig) -> None:
    recorded = (GOLDEN / "dcgm-exporter-recorded.txt").read_bytes()
    answer = await post(rig, GPUS, recorded, "text/plain; version=0.0.4")
    assert answer.json() == {"accepted": 1, "rejected": 0, "ignored": 3}
    (idle,) = rig.sink.events()
    assert (idle.usage, idle.sku, idle.project) == ({"gpu_seconds": 60}, "Tesla T4", None)
    assert idle.attributes == {"allocation": "idle", "utilization": "0"}


async def test_samples_of_gpus_in_prometheus_text(rig: Rig) -> None:
    answer = await post(rig, GPUS, DCGM, "text/plain; version=0.0.4")
    assert answer.json() == {"accepted": 2, "rejected": 0, "ignored": 1}
    busy, idle = rig.sink.events()
    assert (busy.usage, busy.sku, busy.project) == ({"gpu_seconds": 60}, "NVIDIA H100 80GB HBM3", "training")
    assert busy.tags["pod"] == "llm-7b-0"
    assert busy.attributes == {"utilization": "0.97"}
    assert (idle.project, idle.attributes) == (None, {"allocation": "idle", "utilization": "0"})
    await post(rig, GPUS.replace(":30Z", ":50Z"), DCGM, "text/plain")
    assert rig.sink.events()[2].id == busy.id  # the same minute of the same GPU
    await post(rig, GPUS.replace(":00:30Z", ":01:10Z"), DCGM, "text/plain")
    assert rig.sink.events()[4].id != busy.id


async def test_samples_of_gpus_in_an_answer_of_prometheus(rig: Rig) -> None:
    metric = {"__name__": "DCGM_FI_DEV_GPU_UTIL", "UUID": "GPU-1", "Hostname": "dgx-1", "exported_pod": "p"}
    values = [[1795517940, "97"], [1795518000, "95"]]
    matrix = {"resultType": "matrix", "result": [{"metric": metric, "values": values}]}
    body = json.dumps({"status": "success", "data": matrix}).encode()
    answer = await post(rig, "/v1/gpus?interval=60&sku=h100", body)
    assert answer.json()["accepted"] == 2
    one, two = rig.sink.events()
    assert (one.sku, one.tags["pod"], one.id != two.id) == ("h100", "p", True)


@pytest.mark.parametrize(
    ("path", "body", "media", "code"),
    [
        ("/v1/opencost", b"{}", JSON, "missing_field"),
        ("/v1/opencost", b"{", JSON, "json_malformed"),
        ("/v1/gpus", DCGM, "text/plain", "missing_field"),
        (GPUS, b"\xff", "text/plain", "not_utf8"),
        (GPUS, b"metric{ 1", "text/plain", "exposition_malformed"),
        (GPUS, b"{}", JSON, "missing_field"),
        (GPUS, b"{", JSON, "json_malformed"),
    ],
)
async def test_what_is_none_of_them(rig: Rig, path: str, body: bytes, media: str, code: str) -> None:
    answer = await post(rig, path, body, media)
    assert (answer.status_code, answer.json()["code"]) == (400, code)


async def test_parts_that_cannot_be_used_are_named_one_by_one(rig: Rig) -> None:
    body = json.loads(OPENCOST)
    for allocation in body["data"][0].values():
        allocation["window"] = {"start": "never"}
    answer = await post(rig, "/v1/opencost", json.dumps(body).encode())
    assert answer.status_code == 422
    assert answer.json()["rejected"] == 2
    nameless = DCGM.replace(b"UUID=", b"uid=").replace(b'gpu="', b'no="')
    assert (await post(rig, GPUS, nameless, "text/plain")).json()["rejected"] == 2
    timeless = await post(rig, "/v1/gpus?interval=60", DCGM, "text/plain")
    assert timeless.json()["errors"][0]["code"] == "missing_field"
