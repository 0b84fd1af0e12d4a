"""What LiteLLM and the providers' own APIs send becomes events with the right counts, time, owner and price."""

import json
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.support.ingest_rig import JSON, NDJSON, NOW, MakeRig, Rig, enveloped

from outlay.catalog import load_default
from outlay_pricer.domain import CompiledCatalog, price

GOLDEN = Path(__file__).parents[2] / "golden"
ANSWERS: dict[str, Any] = json.loads((GOLDEN / "responses.json").read_text())
RECORDED: dict[str, dict[str, Any]] = json.loads((GOLDEN / "recorded.json").read_text())
LITELLM: list[dict[str, Any]] = json.loads((GOLDEN / "litellm-1.110.2-generic-api.json").read_text())


@pytest.fixture(scope="module")
def catalog() -> CompiledCatalog:
    return CompiledCatalog(load_default())


@pytest.fixture
def late(make_rig: MakeRig) -> Rig:
    """An endpoint on a day after that on which the payloads were made."""
    rig = make_rig()
    rig.clock.advance(3 * 86_400)
    return rig


async def send(rig: Rig, path: str, body: object, media: str = JSON, **headers: str) -> httpx.Response:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    sent = {"Content-Type": media, "Authorization": f"Bearer {rig.key}", **headers}
    return await rig.client.post(path, content=content, headers=sent)


async def test_litellm_is_read_as_its_own_callback_sends_it(late: Rig, catalog: CompiledCatalog) -> None:
    answer = await send(late, "/v1/litellm", LITELLM)
    assert (answer.status_code, answer.json()) == (202, {"accepted": 3, "rejected": 0, "ignored": 1})
    plain, stream, anthropic = late.sink.events()
    assert plain.usage == {"input_tokens": 10, "output_tokens": 20}
    assert stream.usage == {"input_tokens": 10, "output_tokens": 8, "output_reasoning_tokens": 0}
    assert anthropic.usage == {
        "input_tokens": 4408,
        "output_tokens": 6,
        "cache_read_tokens": 4096,
        "cache_write_tokens": 300,
        "output_reasoning_tokens": 0,
    }
    for event, payload in zip((plain, stream, anthropic), (LITELLM[0], LITELLM[1], LITELLM[3]), strict=True):
        assert (event.id, event.source, event.tenant) == (payload["id"], "litellm", "acme")
        assert (event.team, event.user, event.use_case) == ("growth", "u-17", "support-chat")
        assert event.tags["env"] == "prod"
        assert event.tags["beta"] == "true"
        assert abs(event.time.timestamp() - payload["endTime"]) < 1e-5
        # LiteLLM and we agree to the last digit on what the three calls cost.
        cost = price(event, catalog)
        assert cost.price_status == "priced"
        assert Decimal(cost.cost or 0) == event.reported_cost


async def test_litellm_sends_lines_as_json_too(late: Rig) -> None:
    lines = b"\n".join(json.dumps(payload).encode() for payload in LITELLM)
    assert (await send(late, "/v1/litellm", lines)).json()["accepted"] == 3
    assert (await send(late, "/v1/litellm", LITELLM[0])).json()["accepted"] == 1


async def test_litellm_answers_from_a_cache_cost_nothing_and_are_passed_over(late: Rig) -> None:
    answer = await send(late, "/v1/litellm", {**LITELLM[0], "cache_hit": True, "response_cost": 0})
    assert answer.json() == {"accepted": 0, "rejected": 0, "ignored": 1}
    assert not late.sink.sent


async def test_litellm_payloads_that_are_invalid_are_named_one_by_one(late: Rig) -> None:
    nameless = {key: value for key, value in LITELLM[0].items() if key not in ("id", "litellm_call_id")}
    answer = await send(late, "/v1/litellm", [nameless, LITELLM[0], 7, {**LITELLM[0], "endTime": "soon"}])
    errors = [(e["index"], e["code"], e["path"]) for e in answer.json()["errors"]]
    assert errors == [
        (0, "missing_field", "$[0]: $.id"),
        (2, "wrong_type", "$[2]"),
        (3, "wrong_type", "$[3]: $.endTime"),
    ]
    assert json.loads(late.sink.dead_letters()[0].body) == nameless


@pytest.mark.parametrize(
    ("provider", "name", "query", "sku", "usage", "usd"),
    [
        ("openai", "openai-chat", "", "gpt-4.1-2025-04-14",
         {"input_tokens": 2006, "cache_read_tokens": 1920, "input_audio_tokens": 0, "output_audio_tokens": 0,
          "output_reasoning_tokens": 0, "output_tokens": 300}, "0.003532"),
        ("openai", "openai-responses", "", "gpt-4.1-2025-04-14",
         {"input_tokens": 36, "cache_read_tokens": 0, "output_tokens": 87, "output_reasoning_tokens": 64},
         "0.000768"),
        ("openai", "openai-embeddings", "time=2026-11-24T00:00:00Z", "text-embedding-3-small",
         {"input_tokens": 8}, "0.00000016"),
        ("anthropic", "anthropic-messages", "time=2026-11-24T00:00:00Z", "claude-sonnet-4-5-20250929",
         {"input_tokens": 4408, "cache_read_tokens": 4096, "cache_write_tokens": 300, "output_tokens": 503,
          "cache_write_5m_tokens": 200, "cache_write_1h_tokens": 100, "web_searches": 2}, "0.0301598"),
        ("gemini", "gemini-generate", "time=1795600000.5", "gemini-2.5-flash",
         {"input_tokens": 10, "cache_read_tokens": 0, "output_tokens": 520, "input_text_tokens": 10,
          "output_reasoning_tokens": 500},
         "0.001303"),
        ("bedrock", "bedrock-converse", "sku=us.anthropic.claude-sonnet-4-5-20250929-v1:0",
         "us.anthropic.claude-sonnet-4-5-20250929-v1:0",
         {"input_tokens": 1149, "output_tokens": 60, "cache_read_tokens": 1024, "cache_write_tokens": 0}, None),
    ],
)  # fmt: skip
async def test_answers_of_providers(
    late: Rig, catalog: CompiledCatalog, provider: str, name: str, query: str, sku: str,
    usage: dict[str, int], usd: str | None,
) -> None:  # fmt: skip
    answer = await send(late, f"/v1/usage/{provider}?team=growth&{query}", ANSWERS[name])
    assert (answer.status_code, answer.json()) == (202, {"accepted": 1, "rejected": 0})
    (event,) = late.sink.events()
    assert (event.sku, event.usage, event.team) == (sku, usage, "growth")
    cost = price(event, catalog)
    assert cost.price_status == "priced", cost.price_ref
    if usd is not None:
        assert cost.cost == usd


@pytest.mark.parametrize("name", sorted(RECORDED))
async def test_recorded_answers_cost_what_they_do_by_hand(
    late: Rig, catalog: CompiledCatalog, name: str
) -> None:
    recorded = RECORDED[name]
    assert set(recorded["source"]) == {"repository", "path", "commit", "license"}
    known = {"sku": recorded["sku"]} if "sku" in recorded else {}
    wrapped = {"response": recorded["answer"], "time": NOW.isoformat(), **known}
    answer = await send(late, f"/v1/usage/{recorded['provider']}", wrapped)
    assert answer.json() == {"accepted": 1, "rejected": 0}
    cost = price(late.sink.events()[0], catalog)
    assert (cost.price_status, cost.cost) == ("priced", recorded["usd"])


async def test_a_wrapped_answer_brings_what_only_the_caller_knows(late: Rig) -> None:
    wrapped = {
        "response": ANSWERS["anthropic-messages"],
        "time": "2026-11-25T08:00:00+01:00",
        "project": "assistant",
        "tags": {"env": "prod", "build": 7},
    }
    lines = json.dumps(wrapped).encode() + b"\n" + json.dumps({**wrapped, "id": "mine"}).encode()
    assert (await send(late, "/v1/usage/anthropic", lines, NDJSON)).json()["accepted"] == 2
    first, second = late.sink.events()
    assert (first.id, second.id) == ("msg_01XFDUDYJgAACzvnptvVoYEL", "mine")
    assert first.time == datetime(2026, 11, 25, 7, tzinfo=UTC)
    assert (first.project, first.tags) == ("assistant", {"env": "prod", "build": "7"})
    assert first.attributes["service_tier"] == "standard"


async def test_a_stated_cost_is_kept_beside_the_computed_one_and_a_difference_is_marked(
    late: Rig, catalog: CompiledCatalog
) -> None:
    chat = {"id": "x-1", "created": 1795600000, "model": "grok-4-0709"}
    usage = {"prompt_tokens": 1000, "completion_tokens": 100, "cost_in_usd_ticks": 45_000_000}
    await send(late, "/v1/usage/x-ai", {**chat, "usage": usage})
    await send(
        late, "/v1/usage/x-ai", {**chat, "id": "x-2", "usage": {**usage, "cost_in_usd_ticks": 60_000_000}}
    )
    agreed, other = (price(event, catalog) for event in late.sink.events())
    assert (agreed.cost, agreed.reported_cost, agreed.price_ref[-6:]) == ("0.0045", "0.0045", "4-0709")
    assert (other.cost, other.reported_cost, other.price_ref[-6:]) == ("0.0045", "0.006", "~drift")


async def test_a_response_of_another_tenant_is_refused(late: Rig) -> None:
    wrapped = {"response": ANSWERS["openai-chat"], "tenant": "acme"}
    assert (await send(late, "/v1/usage/openai", wrapped)).json()["accepted"] == 1
    answer = await send(late, "/v1/usage/openai", {**wrapped, "tenant": "other"})
    assert answer.json()["errors"][0]["code"] == "tenant_mismatch"


async def test_an_answer_without_an_id_has_the_same_at_each_try(late: Rig) -> None:
    for _ in range(2):
        await send(late, "/v1/usage/openai?time=1795600000", ANSWERS["openai-embeddings"])
    await send(late, "/v1/usage/openai?time=1795600001", ANSWERS["openai-embeddings"])
    one, again, other = late.sink.events()
    assert one.id == again.id != other.id


@pytest.mark.parametrize(
    ("provider", "body", "status", "code"),
    [
        ("openai", {"object": "list"}, 422, "usage_not_found"),
        ("anthropic", ANSWERS["anthropic-messages"], 422, "missing_field"),
        ("openai", {**ANSWERS["openai-chat"], "created": {}}, 422, "wrong_type"),
        ("openai", {**ANSWERS["openai-chat"], "created": 10**40}, 422, "wrong_type"),
        ("unknown", {}, 400, "provider_unknown"),
        ("openai", b"[", 400, "json_malformed"),
    ],
)
async def test_answers_that_cannot_be_used(
    late: Rig, provider: str, body: object, status: int, code: str
) -> None:
    answer = await send(late, f"/v1/usage/{provider}", body)
    answered = answer.json()
    assert answer.status_code == status
    assert code in (answered["code"], *(error["code"] for error in answered.get("errors", ())))


async def test_a_cloud_event_may_come_in_headers(rig: Rig) -> None:
    envelope = enveloped()
    data = json.dumps(envelope.pop("data")).encode()
    headers = {f"ce-{name}": str(value) for name, value in envelope.items()}
    headers["ce-source"] = "checkout%2Fapi%20%E2%82%AC"
    assert (await send(rig, "/v1/events", data, **headers)).status_code == 202
    (event,) = rig.sink.events()
    assert (event.id, event.source) == ("1", "checkout/api €")
    assert event.usage == {"input_tokens": 10, "output_tokens": 5}
    del headers["ce-id"]
    answer = await send(rig, "/v1/events", data, **headers)
    assert answer.json()["errors"][0]["path"] == "$.id"
    assert (await send(rig, "/v1/events", b"{", **headers)).json()["code"] == "json_malformed"
    assert rig.clock.now() == NOW
