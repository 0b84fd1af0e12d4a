"""No request, however it is formed, writes to another tenant than its key's."""

import asyncio
import json
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.support.ingest_rig import NOW, Rig, enveloped, usage

from outlay_ingest.domain.endpoints import ENDPOINTS
from outlay_schemas.topics import DEAD_LETTER, USAGE_EVENTS

OTHER = "globex"
MEDIA = [media for endpoint in ENDPOINTS for media in endpoint.media]
PATHS = [endpoint.path.replace("{provider}", "openai") for endpoint in ENDPOINTS]
END = str(int(NOW.timestamp() * 1e9))

ALLOCATION = {
    "name": "a", "gpuHours": 1, "totalCost": 2,
    "window": {"start": "2026-11-24T00:00:00Z", "end": "2026-11-24T01:00:00Z"},
}  # fmt: skip
GPUS = b'DCGM_FI_DEV_GPU_UTIL{gpu="0",UUID="g",modelName="H100",tenant="globex",namespace="globex"} 97\n'
claims = st.dictionaries(
    st.sampled_from(["tenant", "Tenant", "tenant_id", "outlay.tenant", "x-tenant", "ce-tenant"]),
    st.sampled_from([OTHER, "acme", "", f"acme\n{OTHER}", f'acme","tenant":"{OTHER}']),
)
labels = st.dictionaries(st.sampled_from(["tenant", "outlay.tenant", "team"]), st.just(OTHER))


@st.composite
def bodies(draw: st.DrawFn) -> bytes:
    """Events, envelopes, spans, payloads and answers that claim another tenant somewhere; and any bytes."""
    claim = draw(claims)
    tags = draw(labels)
    pairs = [{"key": name, "value": {"stringValue": value}} for name, value in {**claim, **tags}.items()]
    calls = [{"key": "gen_ai.request.model", "value": {"stringValue": "m"}},
             {"key": "gen_ai.usage.input_tokens", "value": {"intValue": "5"}}]  # fmt: skip
    span = {
        "traceId": "5" * 32,
        "spanId": "7" * 16,
        "endTimeUnixNano": END,
        "attributes": [*calls, *pairs],
        **claim,
    }
    answer = {
        "id": "r",
        "created": NOW.timestamp(),
        "model": "m",
        "usage": {"prompt_tokens": 1, "completion_tokens": 1},
    }
    payload = {
        "id": "p",
        "model": "m",
        "endTime": NOW.timestamp(),
        "prompt_tokens": 3,
        "metadata": dict(claim),
        **claim,
    }
    shapes: list[Any] = [
        {**usage(tags=tags), **claim},
        [usage("a"), {**usage("b", attributes=tags), **claim}],
        {**enveloped(), **claim},
        [enveloped(), enveloped(data={**enveloped()["data"], **claim})],
        {"resourceSpans": [{"resource": {"attributes": pairs}, "scopeSpans": [{"spans": [span]}]}], **claim},
        {**answer, **claim},
        {"response": answer, "tags": tags, **claim},
        payload,
        {"code": 200, "data": [{"a": {
            **ALLOCATION, "properties": {"namespace": OTHER, "labels": tags, **claim}, **claim}}]},
        {"resourceLogs": [{"resource": {"attributes": pairs}, "scopeLogs": [{"logRecords": [
            {**span, "eventName": "claude_code.api_request", "timeUnixNano": END}]}]}], **claim},
        {"status": "success", "data": {"resultType": "vector", "result": [
            {"metric": {"__name__": "DCGM_FI_DEV_GPU_UTIL", "UUID": "g", **claim, **tags},
             "value": [NOW.timestamp(), "5"]}]}},
    ]  # fmt: skip
    body = json.dumps(draw(st.sampled_from(shapes))).encode()
    twice = body.replace(b'{"id"', b'{"tenant": "globex", "id"')
    return draw(
        st.sampled_from([body, twice, body + b"\n" + body, body[:-1], GPUS, draw(st.binary(max_size=60))])
    )


def names(value: Mapping[str, str]) -> dict[str, str]:
    return {name: text for name, text in value.items() if "\n" not in text and "." not in name}


@settings(max_examples=250, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from(PATHS), st.sampled_from(MEDIA), bodies(), claims, claims)
def test_whatever_is_sent_belongs_to_the_tenant_of_the_key(
    path: str, media: str, body: bytes, query: dict[str, str], headers: dict[str, str]
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        rig = Rig(Path(folder))
        sent = {**names(headers), "Content-Type": media, "Authorization": f"Bearer {rig.key}"}
        asyncio.run(_post(rig, path, body, sent, query))
        for topic, value in rig.sink.sent:
            assert topic in (USAGE_EVENTS.name, DEAD_LETTER.name)
            for line in value.split(b"\n"):
                assert json.loads(line)["tenant"] == "acme"


async def _post(rig: Rig, path: str, body: bytes, headers: dict[str, str], query: dict[str, str]) -> None:
    answer = await rig.client.post(path, content=body, headers=headers, params=query)
    assert answer.status_code < 500


def test_the_examples_do_reach_the_bus() -> None:
    """The control: a right event of each endpoint is written, so that the property above is about something."""
    with tempfile.TemporaryDirectory() as folder:
        rig = Rig(Path(folder))
        headers = {"Content-Type": "application/json", "Authorization": f"Bearer {rig.key}"}
        answer = {
            "created": NOW.timestamp(),
            "model": "m",
            "usage": {"prompt_tokens": 1, "completion_tokens": 1},
        }
        asyncio.run(_post(rig, "/v1/usage/openai", json.dumps(answer).encode(), headers, {"tenant": OTHER}))
        asyncio.run(_post(rig, "/v1/events", json.dumps(usage(tags={"tenant": OTHER})).encode(), headers, {}))
        text = {**headers, "Content-Type": "text/plain"}
        now = {"time": NOW.isoformat(), "interval": "60", "tenant": OTHER}
        asyncio.run(_post(rig, "/v1/gpus", GPUS, text, now))
        allocations = json.dumps({"code": 200, "data": [{"a": ALLOCATION}]}).encode()
        asyncio.run(_post(rig, "/v1/opencost", allocations, headers, {"tenant": OTHER}))
        assert [event.tenant for event in rig.sink.events()] == ["acme"] * 4
