"""What a sender is answered, for each way to be right and to be wrong."""

import asyncio
import gzip
import io
import json
import zlib
from collections.abc import AsyncIterator

import httpx
import pytest
from backports import zstd
from tests.support.ingest_rig import AWAY, JSON, NDJSON, NOW, MakeRig, Rig, enveloped, ndjson, usage

from outlay_kit.kafka import OversizeError


def problem(response: httpx.Response) -> tuple[int, str]:
    assert response.headers["content-type"] == "application/problem+json"
    body = response.json()
    assert body["status"] == response.status_code
    assert body["title"]
    assert body["type"] == f"urn:outlay:problem:{body['code']}"
    return response.status_code, body["code"]


@pytest.mark.parametrize(
    ("body", "media"),
    [
        (json.dumps(usage("a")).encode(), JSON),
        (json.dumps([usage("a")], indent=2).encode(), "application/json; charset=utf-8"),
        (ndjson(usage("a")) + b"\r\n\n", NDJSON),
        (ndjson(usage("a")), "application/jsonl"),
        (json.dumps(enveloped("a")).encode(), "application/cloudevents+json"),
        (json.dumps([enveloped("a")]).encode(), "application/cloudevents-batch+json"),
    ],
)
async def test_an_event_of_any_format_is_on_the_bus_with_the_tenant_of_the_key(
    rig: Rig, body: bytes, media: str
) -> None:
    response = await rig.post(body, media)
    assert (response.status_code, response.json()) == (202, {"accepted": 1, "rejected": 0})
    (event,) = rig.sink.events()
    assert (event.id, event.source, event.tenant) == ("a", "checkout/api", "acme")
    assert event.usage == {"input_tokens": 10, "output_tokens": 5}
    assert not rig.budget.used


async def test_no_202_before_the_acknowledgement(rig: Rig) -> None:
    rig.sink.hold = True
    request = asyncio.create_task(rig.post(usage()))
    await asyncio.sleep(0.05)
    assert len(rig.sink.held) == 1
    assert not request.done()
    rig.sink.acknowledge()
    assert (await request).status_code == 202


async def test_an_acknowledgement_that_never_comes_is_503_never_202(make_rig: MakeRig) -> None:
    rig = make_rig(deliver_seconds=0.1)
    rig.sink.hold = True
    response = await rig.post(usage())
    assert problem(response) == (503, "kafka_unavailable")
    assert response.headers["retry-after"] == "2"
    assert rig.budget.used  # its fate is not known yet
    rig.sink.acknowledge()
    await asyncio.sleep(0.01)
    assert not rig.budget.used


async def test_a_bus_that_is_away_is_503_with_the_time_to_come_back(rig: Rig) -> None:
    rig.sink.failure = AWAY
    response = await rig.post(usage())
    assert problem(response) == (503, "kafka_unavailable")
    assert response.headers["retry-after"] == "3"
    assert "none will count twice" in response.json()["detail"]
    rig.sink.failure = None
    assert (await rig.post(usage())).status_code == 202


async def test_while_nothing_is_acknowledged_others_are_answered_at_once(rig: Rig) -> None:
    rig.sink.hold = True
    first = asyncio.create_task(rig.post(usage()))
    await asyncio.sleep(0.02)
    rig.clock.advance(2.1)
    assert problem(await rig.post(usage("2"))) == (503, "kafka_unavailable")
    assert len(rig.sink.sent) == 1
    rig.sink.acknowledge()
    assert (await first).status_code == 202
    rig.sink.hold = False
    assert (await rig.post(usage("2"))).status_code == 202


async def test_memory_is_bounded_and_the_sender_asked_to_come_back(make_rig: MakeRig) -> None:
    rig = make_rig(max_bytes_in_flight=2**25)
    rig.sink.hold = True
    large = ndjson(*(usage(str(n), tags={"pad": "x" * 250}) for n in range(20_000)))
    under_way = [asyncio.create_task(rig.post(large, NDJSON)) for _ in range(3)]
    done, _ = await asyncio.wait(under_way, timeout=60, return_when=asyncio.FIRST_COMPLETED)
    answers = [await task for task in done]
    assert rig.budget.used <= 2**25
    assert answers
    assert {problem(answer) for answer in answers} == {(503, "kafka_unavailable")}
    assert {answer.headers["retry-after"] for answer in answers} == {"1"}
    rig.sink.hold = False
    rig.sink.acknowledge()
    for task in under_way:
        await task
    rig.sink.acknowledge()
    await asyncio.sleep(0.01)
    assert not rig.budget.used


async def test_what_is_right_is_kept_and_what_is_wrong_is_named_with_its_place(rig: Rig) -> None:
    wrong = usage("b", usgae={"input_tokens": 1}, usage=None)
    response = await rig.post([usage("a"), wrong, usage("c", usage={"input_tokens": -1})])
    assert response.status_code == 202
    answer = response.json()
    assert (answer["accepted"], answer["rejected"]) == (1, 2)
    first, second = answer["errors"]
    assert first == {
        "index": 1,
        "id": "b",
        "code": "unknown_field",
        "path": "$[1].usgae",
        "message": "unknown field usgae; did you mean usage?",
    }
    assert (second["index"], second["path"]) == (2, "$[2].usage.input_tokens")
    assert [event.id for event in rig.sink.events()] == ["a"]


async def test_a_refused_event_is_a_dead_letter_whole(rig: Rig) -> None:
    raw = b'{"id": "x",  "source":"s" }'
    await rig.post(ndjson(usage()) + b"\n" + raw, NDJSON)
    (dead_letter,) = rig.sink.dead_letters()
    assert dead_letter.body == raw
    assert (dead_letter.tenant, dead_letter.stage, dead_letter.code, dead_letter.at) == (
        "acme",
        "ingest",
        "missing_field",
        NOW,
    )
    assert dead_letter.line == 1
    await rig.post(raw, NDJSON)
    assert (
        rig.sink.dead_letters()[1].id == dead_letter.id
    )  # a sender that repeats itself makes no new dead letter


async def test_when_no_event_is_valid_the_answer_is_422(rig: Rig) -> None:
    response = await rig.post([{"id": 1}, {}])
    assert problem(response) == (422, "all_refused")
    assert (response.json()["accepted"], response.json()["rejected"]) == (0, 2)
    assert len(rig.sink.dead_letters()) == 2


async def test_a_dead_letter_that_cannot_be_kept_is_503(rig: Rig) -> None:
    rig.sink.failure = AWAY
    assert problem(await rig.post([{}])) == (503, "kafka_unavailable")


@pytest.mark.parametrize(
    ("body", "media", "code"),
    [
        (b"", JSON, "empty"),
        (b" \n\n", NDJSON, "empty"),
        (b"[]", JSON, "empty"),
        (b'[{"id":1}', JSON, "json_malformed"),
        (b"[" * 100_000, JSON, "json_too_deep"),
        (b"[" * 100_000 + b"]" * 100_000, JSON, "json_too_deep"),
        (b"{}", "application/cloudevents-batch+json", "wrong_type"),
    ],
)
async def test_a_body_that_is_not_of_its_format_is_400(rig: Rig, body: bytes, media: str, code: str) -> None:
    assert problem(await rig.post(body, media)) == (400, code)
    assert not rig.sink.sent


async def test_who_gives_no_key_or_a_wrong_one_is_401(rig: Rig) -> None:
    revoked = rig.make_key("acme")
    rig.key_file.revoke(revoked.split("_")[2], NOW)
    rig.keys.refresh()
    wrong = rig.key[:-1] + ("a" if rig.key[-1] != "a" else "b")
    for presented in ("", "nonsense", "out_live_é_x", wrong, revoked):
        for name, value in ((b"Authorization", f"Bearer {presented}"), (b"X-API-Key", presented)):
            headers = [(name, value.encode())]
            response = await rig.client.post("/v1/events", headers=headers, json=usage())
            assert problem(response) == (401, "key_unknown" if presented else "key_missing")
            assert response.headers["www-authenticate"] == "Bearer"
    response = await rig.client.post(
        "/v1/events", headers={"Authorization": f"Basic {rig.key}"}, json=usage()
    )
    assert problem(response) == (401, "key_missing")
    assert not rig.sink.sent


async def test_a_key_may_come_in_its_own_header(rig: Rig) -> None:
    response = await rig.client.post("/v1/events", headers={"X-API-Key": rig.key}, json=usage())
    assert response.status_code == 202


async def test_a_key_without_the_scope_is_403(rig: Rig) -> None:
    reader = rig.make_key("acme", "read", "admin")
    rig.keys.refresh()
    assert problem(await rig.post(usage(), key=reader)) == (403, "scope")


async def test_another_tenants_name_is_refused(rig: Rig) -> None:
    response = await rig.post([usage("a", tenant="globex"), usage("b", tenant="acme")])
    assert [(e["code"], e["path"]) for e in response.json()["errors"]] == [("tenant_mismatch", "$[0].tenant")]
    assert [(event.id, event.tenant) for event in rig.sink.events()] == [("b", "acme")]


async def test_other_media_types_are_415(rig: Rig) -> None:
    assert problem(await rig.post(usage(), "text/plain")) == (415, "media_type")
    assert problem(await rig.post(usage(), content_encoding="br")) == (415, "encoding")


async def test_other_paths_and_methods_are_problems_too(rig: Rig) -> None:
    assert problem(await rig.client.get("/v1/events")) == (405, "method_not_allowed")
    assert problem(await rig.client.get("/v1/nothing")) == (404, "not_found")


@pytest.mark.parametrize("encoding", ["gzip", "zstd"])
@pytest.mark.parametrize("events", [1, 3000])
async def test_packed_bodies_are_unpacked(rig: Rig, encoding: str, events: int) -> None:
    body = ndjson(*(usage(f"{n:x}{zlib.crc32(b'%d' % n):x}") for n in range(events)))
    packed = gzip.compress(body, 0) if encoding == "gzip" else zstd.compress(body)
    response = await rig.post(packed, NDJSON, content_encoding=encoding)
    assert response.json() == {"accepted": events, "rejected": 0}


async def test_every_member_of_a_gzip_body_counts(rig: Rig) -> None:
    body = gzip.compress(ndjson(usage("a")) + b"\n") + gzip.compress(ndjson(usage("b")))
    assert (await rig.post(body, NDJSON, content_encoding="gzip")).json()["accepted"] == 2
    assert [event.id for event in rig.sink.events()] == ["a", "b"]


@pytest.mark.parametrize(
    ("packed", "encoding"),
    [
        (b"plain", "gzip"),
        (gzip.compress(b"{}", mtime=0)[:-4], "gzip"),
        (gzip.compress(b"{}", mtime=0) + b"garbage", "gzip"),
        (gzip.compress(b"", mtime=0) * 101, "gzip"),
        (b"plain", "zstd"),
        (zstd.compress(b"{}")[:-1], "zstd"),
    ],
)
async def test_what_cannot_be_unpacked_is_400(rig: Rig, packed: bytes, encoding: str) -> None:
    assert problem(await rig.post(packed, content_encoding=encoding)) == (400, encoding)
    assert not rig.budget.used


async def test_bodies_too_large_are_413_however_they_come(make_rig: MakeRig) -> None:
    rig = make_rig(max_body_bytes=4096)
    large = b" " * 4097

    async def pieces() -> AsyncIterator[bytes]:
        for at in range(0, len(large), 100):
            yield large[at : at + 100]

    chunked = await rig.client.post("/v1/events", content=pieces(), headers={"X-API-Key": rig.key})
    assert problem(chunked) == (413, "body_too_large")
    assert problem(await rig.post(large)) == (413, "body_too_large")
    for encoding, packed in (("gzip", gzip.compress(large)), ("zstd", zstd.compress(large))):
        response = await rig.post(packed, content_encoding=encoding)
        assert problem(response) == (413, "body_too_large")
    assert problem(await rig.post(gzip.compress(large) * 2, content_encoding="gzip"))[0] == 413
    assert (await rig.post(usage())).status_code == 202
    assert not rig.budget.used


async def test_too_many_events_are_413(make_rig: MakeRig) -> None:
    rig = make_rig(max_events=3)
    assert (await rig.post(b"1\n2\n3", NDJSON)).status_code == 422
    assert problem(await rig.post(b"1\n2\n3\n4", NDJSON)) == (413, "too_many_events")


async def test_an_answer_tells_the_first_thousand_errors_and_counts_all(rig: Rig) -> None:
    answer = (await rig.post(b"\n".join([b"1"] * 1500), NDJSON)).json()
    assert (answer["rejected"], len(answer["errors"])) == (1500, 1000)
    assert len(rig.sink.dead_letters()) == 1500


async def test_what_should_not_happen_is_500_and_says_nothing_inside(rig: Rig) -> None:
    rig.sink.failure = OversizeError("16777217 bytes at 10.0.0.7")
    response = await rig.post(usage())
    assert problem(response) == (500, "internal")
    assert "10.0.0.7" not in response.text


async def test_probes(rig: Rig) -> None:
    assert (await rig.client.get("/livez")).status_code == 200
    assert (await rig.client.get("/readyz")).status_code == 200
    rig.health.ready = False
    assert (await rig.client.get("/readyz")).status_code == 503


async def test_a_key_is_never_in_a_log_or_an_answer(rig: Rig, logs: io.StringIO) -> None:
    rig.sink.failure = OversizeError("x")
    other = rig.make_key("other", "read")
    rig.keys.refresh()
    answers = [
        await rig.post(usage()),
        await rig.post(b"{", key=rig.key),
        await rig.post(usage(), key=other),
        await rig.post(usage(), key=rig.key + "x"),
        await rig.post(usage(), "text/plain"),
    ]
    seen = logs.getvalue() + "".join(answer.text + str(answer.headers) for answer in answers)
    assert "a request failed" in seen
    for key in (rig.key, other):
        assert key.rsplit("_", 1)[1] not in seen
