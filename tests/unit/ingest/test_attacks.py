"""What an attacker with a key of one tenant sends: other tenants' names, bombs, and requests within requests."""

import asyncio
import gzip
import json
import re
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from backports import zstd
from tests.support.ingest_rig import NOW, Rig, enveloped, usage
from tests.support.raw_http import all_of, head, serving

from outlay_ingest.domain.endpoints import ENDPOINTS, JSON, Endpoint

OTHER = "globex"
END = str(int(NOW.timestamp() * 1e9))
CALL = [
    {"key": "gen_ai.request.model", "value": {"stringValue": "m"}},
    {"key": "gen_ai.usage.input_tokens", "value": {"intValue": "5"}},
]
SPAN = {"traceId": "5" * 32, "spanId": "7" * 16, "endTimeUnixNano": END, "attributes": CALL}
LOGGED = {
    "timeUnixNano": END, "eventName": "claude_code.api_request", "traceId": "5" * 32, "spanId": "7" * 16,
    "attributes": [
        {"key": "model", "value": {"stringValue": "m"}}, {"key": "input_tokens", "value": {"intValue": "5"}}],
}  # fmt: skip
RESOURCE = {"attributes": [{"key": "service.name", "value": {"stringValue": "api"}}]}
ANSWER = {
    "id": "r",
    "created": int(NOW.timestamp()),
    "model": "m",
    "usage": {"prompt_tokens": 1, "completion_tokens": 1},
}
ALLOCATION = {
    "name": "a", "gpuHours": 1, "totalCost": 2, "properties": {"namespace": "n", "labels": {"team": "t"}},
    "window": {"start": "2026-11-24T00:00:00Z", "end": "2026-11-24T01:00:00Z"},
}  # fmt: skip
SAMPLE = {"metric": {"__name__": "DCGM_FI_DEV_GPU_UTIL", "UUID": "g", "gpu": "0", "modelName": "H100"},
          "value": [NOW.timestamp(), "5"]}  # fmt: skip
EXAMPLES: dict[str, Sequence[Any]] = {
    "/v1/events": [usage(tags={"a": "b"}, attributes={"c": "d"}), [usage("1"), usage("2", tags={"a": "b"})]],
    "/v1/litellm": [{"id": "p", "model": "m", "endTime": NOW.timestamp(), "prompt_tokens": 3, "metadata": {"a": "b"}}],
    "/v1/usage/{provider}": [ANSWER, {"response": ANSWER, "tags": {"a": "b"}}],
    "/v1/opencost": [{"code": 200, "data": [{"a": ALLOCATION}]}],
    "/v1/gpus": [{"status": "success", "data": {"resultType": "vector", "result": [SAMPLE]}}],
    "/v1/traces": [{"resourceSpans": [
        {"resource": RESOURCE, "scopeSpans": [{"scope": {"name": "s"}, "spans": [SPAN]}]}]}],
    "/v1/logs": [{"resourceLogs": [{"resource": RESOURCE, "scopeLogs": [{"logRecords": [LOGGED]}]}]}],
}  # fmt: skip
"""A right body of each endpoint; an endpoint without one fails."""
CLAIMS = [
    '"tenant":"globex"', '"tenant":"acme","tenant":"globex"', '"tenant":"globex","tenant":"acme"',
    '"\\u0074enant":"globex"', '"Tenant":"globex"', '"tenant_id":"globex"', '"outlay.tenant":"globex"',
    '"tenant":"acme\\n{\\"tenant\\":\\"globex\\"}"', '"tenant":["globex"]', '"tenant":null,"tenant":"globex"',
]  # fmt: skip
ATTRIBUTES = '{"key":"%s","value":{"stringValue":"globex"}}'
NAMES = ["tenant", "outlay.tenant", "tenant.id", "service.namespace", "x-scope-orgid"]
HEADERS = dict.fromkeys(
    (
        "tenant",
        "x-tenant",
        "x-outlay-tenant",
        "x-tenant-id",
        "x-scope-orgid",
        "ce-tenant",
        "x-forwarded-user",
    ),
    OTHER,
) | {"baggage": "tenant=globex", "tracestate": "tenant=globex"}
QUERY = dict.fromkeys(("tenant", "tenant_id", "Tenant", "source", "x-tenant"), OTHER)
NOT_JSON = {"application/x-protobuf", "text/plain"}


def claims(body: object) -> Iterator[str]:
    """Put each claim into each object of a body, however deep, and each attribute into each list of attributes."""
    text = json.dumps(body)
    for match in re.finditer(r"\{", text):
        at = match.end()
        comma = "" if text[at] == "}" else ","
        yield from (text[:at] + claim + comma + text[at:] for claim in CLAIMS)
    for match in re.finditer(r'"attributes": \[', text):
        at = match.end()
        yield from (text[:at] + ATTRIBUTES % name + "," + text[at:] for name in NAMES)


def tenants(rig: Rig) -> list[object]:
    """Return the tenants of everything that was written, read as a strict reader reads it."""

    def once(pairs: list[tuple[str, object]]) -> dict[str, object]:
        assert [name for name, _ in pairs].count("tenant") <= 1, "read by two readers in two ways"
        return dict(pairs)

    lines = [line for _, value in rig.sink.sent for line in value.split(b"\n")]
    found = [json.loads(line, object_pairs_hook=once)["tenant"] for line in lines]
    rig.sink.sent.clear()
    return found


@pytest.fixture
def rig(tmp_path: Path) -> Rig:
    return Rig(tmp_path)


async def post(
    rig: Rig, endpoint: Endpoint, body: bytes, media: str = JSON, path: str = "", **headers: str
) -> Any:
    sent = {"Content-Type": media, "Authorization": f"Bearer {rig.key}", **headers}
    params = {"time": NOW.isoformat(), "interval": "60"} if endpoint.path == "/v1/gpus" else {}
    where = path or endpoint.path.replace("{provider}", "openai")
    return await rig.client.post(
        where, content=body, headers=sent, params={**QUERY, **params} if path else params
    )


@pytest.mark.parametrize("endpoint", ENDPOINTS, ids=lambda one: one.path)
async def test_a_right_body_of_each_endpoint_is_written_for_the_tenant_of_the_key(
    rig: Rig, endpoint: Endpoint
) -> None:
    """The control: what is refused below is refused for its claim."""
    for body in EXAMPLES[endpoint.path]:
        answer = await post(rig, endpoint, json.dumps(body).encode())
        assert answer.status_code in (200, 202), answer.text
        assert rig.sink.events()
        assert set(tenants(rig)) == {"acme"}


@pytest.mark.parametrize("endpoint", ENDPOINTS, ids=lambda one: one.path)
async def test_no_place_in_a_body_names_another_tenant(rig: Rig, endpoint: Endpoint) -> None:
    for body in EXAMPLES[endpoint.path]:
        clean = json.dumps(body)
        for text in claims(body):
            answer = await post(rig, endpoint, text.encode())
            assert answer.status_code < 500, (text, answer.text)
            assert set(tenants(rig)) <= {"acme"}, text
            if "application/x-ndjson" in endpoint.media and isinstance(body, dict):
                lines = "\n".join([clean, text, clean]).encode()
                await post(rig, endpoint, lines, "application/x-ndjson")
                assert set(tenants(rig)) == {"acme"}, text


@pytest.mark.parametrize("endpoint", ENDPOINTS, ids=lambda one: one.path)
async def test_no_header_parameter_or_path_names_another_tenant(rig: Rig, endpoint: Endpoint) -> None:
    body = json.dumps(EXAMPLES[endpoint.path][0]).encode()
    plain = endpoint.path.replace("{provider}", "openai")
    paths = [
        plain,
        endpoint.path.replace("{provider}", OTHER),
        f"/{OTHER}{plain}",
        f"{plain}/{OTHER}",
        f"{plain};tenant={OTHER}",
    ]
    for path in paths:
        for name, value in HEADERS.items():
            answer = await post(rig, endpoint, body, path=path, **{name: value})
            assert answer.status_code < 500
            assert set(tenants(rig)) <= {"acme"}, (path, name)
    await post(rig, endpoint, body, path=plain, **{"X-API-Key": rig.make_key(OTHER)})
    assert len(set(tenants(rig))) <= 1, "one of two keys counts, for all of a request"


@pytest.mark.parametrize("form", ["structured", "batch", "binary"])
async def test_no_part_of_a_cloudevent_names_another_tenant(rig: Rig, form: str) -> None:
    events = next(one for one in ENDPOINTS if one.path == "/v1/events")
    for text in claims([enveloped()] if form == "batch" else enveloped()):
        if form == "binary":
            claim = json.loads(text)
            data = json.dumps(claim.get("data", {})).encode()
            attributes = {
                f"ce-{name}": str(value)
                for name, value in claim.items()
                if name != "data" and "\n" not in str(value)
            }
            await post(rig, events, data, **attributes)
        else:
            await post(
                rig,
                events,
                text.encode(),
                f"application/cloudevents{'-batch' if form == 'batch' else ''}+json",
            )
        assert set(tenants(rig)) <= {"acme"}, text


PACKERS: dict[str, Callable[[bytes], bytes]] = {"gzip": gzip.compress, "zstd": zstd.compress}
JSON_BOMBS = {
    "lists": b"[" * 200_000, "closed lists": b"[" * 100_000 + b"]" * 100_000, "objects": b'{"a":' * 200_000,
    "both": b'[{"usage":' * 100_000, "an exponent": b'{"usage":{"input_tokens":1e999999999}}',
    "digits": b'{"usage":{"input_tokens":' + b"9" * 1_000_000 + b"}}", "a text": b'"' + b"\\u0041" * 300_000 + b'"',
    "one name": b"{" + b",".join(b'"a":1' for _ in range(200_000)) + b"}",
    "names": b"{" + b",".join(b'"%d":1' % n for n in range(200_000)) + b"}",
    "commas": b"[" + b"," * 1_000_000, "surrogates": b'"' + b"\\ud800" * 100_000 + b'"',
}  # fmt: skip


@pytest.mark.parametrize("endpoint", ENDPOINTS, ids=lambda one: one.path)
@pytest.mark.parametrize("name", JSON_BOMBS)
async def test_a_body_that_is_hard_to_read_is_refused_soon(rig: Rig, endpoint: Endpoint, name: str) -> None:
    started = time.process_time()
    answer = await post(rig, endpoint, JSON_BOMBS[name])
    assert answer.status_code < 500, answer.text
    assert not rig.sink.events()
    assert time.process_time() - started < 5
    assert not rig.budget.used


@pytest.mark.parametrize("encoding", PACKERS)
async def test_a_small_body_that_unpacks_to_much_is_refused_for_its_size(
    tmp_path: Path, encoding: str
) -> None:
    rig = Rig(tmp_path, max_body_bytes=2**20)
    pack = PACKERS[encoding]
    for bomb in (
        pack(bytes(50 * 2**20)),
        pack(bytes(600_000)) * 2,
        pack(b"") * 200,
        pack(pack(bytes(50 * 2**20))),
    ):
        answer = await post(rig, ENDPOINTS[0], bomb, **{"Content-Encoding": encoding})
        assert answer.status_code in (400, 413, 422), answer.text
        assert len(answer.content) < 10_000
        assert not rig.budget.used
    for twice in (f"{encoding}, {encoding}", f"{encoding},identity", "br", "compress", "x-gzip"):
        answer = await post(rig, ENDPOINTS[0], pack(b"{}"), **{"Content-Encoding": twice})
        assert answer.status_code == 415


HIDDEN = b"GET /openapi.json HTTP/1.1\r\nHost: x\r\n\r\n"
CHUNKED = b"0\r\n\r\n" + HIDDEN
SMUGGLED: dict[str, tuple[Sequence[str], bytes]] = {
    "both lengths": (["Content-Length: 5", "Transfer-Encoding: chunked"], CHUNKED),
    "both lengths, turned": (["Transfer-Encoding: chunked", f"Content-Length: {len(CHUNKED)}"], CHUNKED),
    "two lengths": (["Content-Length: 0", f"Content-Length: {len(HIDDEN)}"], HIDDEN),
    "a list of lengths": ([f"Content-Length: 0, {len(HIDDEN)}"], HIDDEN),
    "a signed length": (["Content-Length: +5"], HIDDEN),
    "a negative length": (["Content-Length: -1"], HIDDEN),
    "a length in hex": (["Content-Length: 0x28"], HIDDEN),
    "an odd coding": (["Transfer-Encoding: xchunked"], CHUNKED),
    "a coding that is not last": (["Transfer-Encoding: chunked, identity"], CHUNKED),
    "two codings": (["Transfer-Encoding: chunked", "Transfer-Encoding: identity"], CHUNKED),
    "a blank before the colon": (["Transfer-Encoding : chunked"], CHUNKED),
    "a folded line": (["Transfer-Encoding:", " chunked"], CHUNKED),
    "a NUL": (["Content-Length: 0\x00", "X: y"], HIDDEN),
    "a bare LF": (["X: y\nTransfer-Encoding: chunked"], CHUNKED),
    "a bare CR": (["X: y\rTransfer-Encoding: chunked"], CHUNKED),
    "a chunk with a sign": (["Transfer-Encoding: chunked"], b"-1\r\n" + HIDDEN),
    "a chunk in hex": (["Transfer-Encoding: chunked"], b"0x0\r\n\r\n" + HIDDEN),
    "a chunk that is too long": (["Transfer-Encoding: chunked"], b"fffffffffffffffff\r\n" + HIDDEN),
    "a chunk that ends elsewhere": (["Transfer-Encoding: chunked"], b"1\r\nZZ0\r\n\r\n" + HIDDEN),
    "a chunk with bare LF": (["Transfer-Encoding: chunked"], b"0\n\n" + HIDDEN),
}
"""Requests that a proxy in front may cut elsewhere than ingest does."""


@pytest.mark.parametrize("name", SMUGGLED)
async def test_no_request_hides_in_another(rig: Rig, name: str) -> None:
    lines, body = SMUGGLED[name]
    async with serving(rig) as connect:
        reader, writer = await connect()
        writer.write(head(rig, "Content-Type: application/json", *lines) + body)
        answer = await all_of(reader)
        writer.close()
    assert b'"openapi"' not in answer, name
    assert answer.startswith(b"HTTP/1.1 4") or answer in (b"", b"reset"), answer
    assert not rig.sink.sent


async def test_two_requests_after_each_other_are_two(rig: Rig) -> None:
    """The control: the hidden request, sent by itself, is answered."""
    async with serving(rig) as connect:
        reader, writer = await connect()
        writer.write(HIDDEN)
        assert b" 200 " in await reader.readline()
        writer.close()


async def test_many_headers_and_long_addresses_are_refused(rig: Rig) -> None:
    many = (
        b"GET /openapi.json HTTP/1.1\r\nHost: x\r\n"
        + b"".join(b"X-%d: y\r\n" % n for n in range(20_000))
        + b"\r\n"
    )
    long = b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n"
    async with serving(rig) as connect:
        for request in (many, long):
            reader, writer = await connect()
            writer.write(request)
            assert (await all_of(reader)).startswith((b"HTTP/1.1 4", b"reset"))
            writer.close()


async def test_clients_that_send_nothing_keep_no_one_waiting(rig: Rig) -> None:
    async with serving(rig) as connect:
        idle = [await connect() for _ in range(200)]
        for _, writer in idle[::2]:
            writer.write(b"POST /v1/events HTTP/1.1\r\nX-A:")
        reader, writer = await connect()
        writer.write(HIDDEN)
        assert b" 200 " in await asyncio.wait_for(reader.readline(), 5)
        for _, one in [*idle, (reader, writer)]:
            one.close()
