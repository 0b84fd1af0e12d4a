"""One call that two instrumentations report counts once, in one request or in several."""

import json
from collections.abc import Mapping
from typing import Any

from tests.support.ingest_rig import NOW, Rig

END = int(NOW.timestamp() * 1e9) - 60_000_000_000
TRACE, OUTER, BETWEEN, INNER = "5b8efff798038103d269b633813fc60c", "a" * 16, "b" * 16, "c" * 16
USAGE = {"gen_ai.usage.input_tokens": 1200, "gen_ai.usage.output_tokens": 80}


def span(
    number: str, parent: str = "", usage: Mapping[str, int] | None = USAGE, trace: str = TRACE
) -> dict[str, Any]:
    named = {"gen_ai.operation.name": "generate_content", "gen_ai.request.model": "gemini-2.5-flash"}
    attributes: dict[str, str | int] = {} if usage is None else {**named, **usage}
    return {
        "traceId": trace, "spanId": number, "parentSpanId": parent, "name": "call",
        "startTimeUnixNano": str(END - 10**9), "endTimeUnixNano": str(END), "attributes": pairs(attributes),
    }  # fmt: skip


def pairs(attributes: Mapping[str, str | int]) -> list[dict[str, Any]]:
    kind = {str: "stringValue", int: "intValue"}
    return [{"key": name, "value": {kind[type(value)]: value}} for name, value in attributes.items()]


async def send(rig: Rig, *spans: dict[str, Any]) -> None:
    body = {"resourceSpans": [{"scopeSpans": [{"spans": list(spans)}]}]}
    await post(rig, "traces", body)


async def post(rig: Rig, signal: str, body: object) -> None:
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {rig.key}"}
    answer = await rig.client.post(f"/v1/{signal}", content=json.dumps(body), headers=headers)
    assert (answer.status_code, answer.json()) == (200, {})


def counted(rig: Rig) -> list[tuple[str, str]]:
    return [(e.id.partition("-")[2], e.attributes.get("nested_in", "")) for e in rig.sink.events()]


async def test_the_inner_span_counts_and_names_the_span_around_it(rig: Rig) -> None:
    """As Google ADK's call_llm around generate_content; LangChain has a span without usage between."""
    await send(rig, span(OUTER), span(BETWEEN, OUTER, usage=None), span(INNER, BETWEEN))
    assert counted(rig) == [(INNER, OUTER)]


async def test_three_spans_of_one_call_count_once(rig: Rig) -> None:
    await send(rig, span(INNER, BETWEEN), span(BETWEEN, OUTER), span(OUTER))
    assert counted(rig) == [(INNER, BETWEEN)]


async def test_the_span_around_comes_in_a_later_request(rig: Rig) -> None:
    await send(rig, span(INNER, OUTER))
    await send(rig, span(OUTER))
    assert counted(rig) == [(INNER, "")]


async def test_the_span_inside_comes_in_a_later_request(rig: Rig) -> None:
    await send(rig, span(OUTER))
    await send(rig, span(INNER, OUTER))
    await send(rig, span(OUTER), span(INNER, OUTER))
    assert [number for number, _ in counted(rig)] == [OUTER, OUTER], (
        "sent again under its own id, counts once"
    )


async def test_a_log_record_of_a_span_that_does_not_count_is_passed_over(rig: Rig) -> None:
    await send(rig, span(OUTER), span(INNER, OUTER))
    log = span(OUTER) | {"timeUnixNano": str(END), "eventName": "gen_ai.client.inference.operation.details"}
    await post(rig, "logs", {"resourceLogs": [{"scopeLogs": [{"logRecords": [log]}]}]})
    assert counted(rig) == [(INNER, OUTER)]


async def test_other_counts_other_traces_and_siblings_all_count(rig: Rig) -> None:
    other = "6" * 32
    more = {**USAGE, "gen_ai.usage.output_tokens": 81}
    await send(rig, span(OUTER), span(INNER, OUTER, more))
    await send(
        rig,
        span(OUTER, trace=other),
        span(BETWEEN, "d" * 16, trace=other),
        span(INNER, "d" * 16, trace=other),
    )
    assert [number for number, _ in counted(rig)] == [OUTER, INNER, OUTER, BETWEEN, INNER]


async def test_spans_that_kafka_did_not_take_are_not_remembered(rig: Rig) -> None:
    rig.sink.failure = RuntimeError("gone")
    body = {"resourceSpans": [{"scopeSpans": [{"spans": [span(INNER, OUTER)]}]}]}
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {rig.key}"}
    await rig.client.post("/v1/traces", content=json.dumps(body), headers=headers)
    rig.sink.failure = None
    rig.sink.sent.clear()
    await send(rig, span(OUTER))
    assert counted(rig) == [(OUTER, "")]


async def test_one_tenant_knows_nothing_of_the_spans_of_another(rig: Rig) -> None:
    await send(rig, span(INNER, OUTER))
    rig.key = rig.make_key("other")
    rig.clock.advance(2)
    rig.keys.refresh()
    await send(rig, span(OUTER))
    assert len(counted(rig)) == 2


async def test_spans_in_a_circle_end_the_search(rig: Rig) -> None:
    await send(rig, span(OUTER, INNER, usage=None), span(INNER, OUTER))
    assert counted(rig) == [(INNER, "")]


async def test_a_span_and_its_log_event_over_a_second_boundary_have_one_identity(rig: Rig) -> None:
    """20 ms apart, in two seconds: the time is not a part of the identity."""
    whole = END // 10**9 * 10**9
    before, after = {"endTimeUnixNano": str(whole - 10**7)}, {"timeUnixNano": str(whole + 10**7)}
    await send(rig, span(INNER) | before)
    log = span(INNER) | after | {"eventName": "gen_ai.client.inference.operation.details"}
    await post(rig, "logs", {"resourceLogs": [{"scopeLogs": [{"logRecords": [log]}]}]})
    events = rig.sink.events()
    assert len({(event.source, event.id) for event in events}) == 1
    assert [event.time.second for event in events] == [59, 0]
