"""The real clients of OpenAI and Anthropic, wrapped: calls and streams, whole and given up."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anthropic
import httpx2
import openai
import pytest
from tests.support.sdk_rig import Held, make

from outlay_sdk import Outlay

ANSWERS: dict[str, Any] = json.loads((Path(__file__).parents[2] / "golden" / "responses.json").read_text())
ASK: Any = [{"role": "user", "content": "Hello?"}]


def sse(*events: dict[str, Any], named: bool = False) -> bytes:
    lines = [
        (f"event: {event['type']}\n" if named else "") + f"data: {json.dumps(event)}\n\n" for event in events
    ]
    return "".join(lines).encode() + (b"" if named else b"data: [DONE]\n\n")


def chunk(text: str, **more: Any) -> dict[str, Any]:
    choice = {"index": 0, "delta": {"content": text}, "finish_reason": None}
    head = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "gpt-4o-mini"}
    return {**head, "choices": [choice], **more}


OPENAI_STREAM = [chunk("Hel"), chunk("lo"), chunk("!")]
OPENAI_USAGE = {"prompt_tokens": 9, "completion_tokens": 3, "total_tokens": 12}
ANTHROPIC_STREAM: list[dict[str, Any]] = [
    {"type": "message_start", "message": {**ANSWERS["anthropic-messages"], "content": [], "stop_reason": None,
     "usage": {"input_tokens": 12, "cache_read_input_tokens": 4096, "output_tokens": 1}}},
    {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Hel"}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "lo"}},
    {"type": "content_block_stop", "index": 0},
    {"type": "message_delta", "delta": {"stop_reason": "end_turn", "stop_sequence": None},
     "usage": {"output_tokens": 25}},
    {"type": "message_stop"},
]  # fmt: skip


def answer(request: httpx2.Request) -> httpx2.Response:
    asked = json.loads(request.content)
    if request.url.path.endswith("/messages"):
        if asked.get("stream"):
            content = sse(*ANTHROPIC_STREAM, named=True)
            return httpx2.Response(200, content=content, headers={"content-type": "text/event-stream"})
        return httpx2.Response(200, json=ANSWERS["anthropic-messages"])
    if request.url.path.endswith("/responses"):
        return httpx2.Response(200, json=ANSWERS["openai-responses"])
    if request.url.path.endswith("/embeddings"):
        return httpx2.Response(200, json=ANSWERS["openai-embeddings"])
    if asked.get("stream"):
        wants = (asked.get("stream_options") or {}).get("include_usage")
        last = [chunk("", choices=[], usage=OPENAI_USAGE)] if wants else []
        return httpx2.Response(
            200, content=sse(*OPENAI_STREAM, *last), headers={"content-type": "text/event-stream"}
        )
    return httpx2.Response(200, json=ANSWERS["openai-chat"])


@pytest.fixture
def made() -> Iterator[tuple[Outlay, Held]]:
    outlay, held = make()
    yield outlay, held
    outlay.close(2)


def tell(outlay: Outlay, held: Held) -> list[tuple[str, str, dict[str, Any]]]:
    assert outlay.flush()
    return [
        (event.provider, event.sku, {meter: count for meter, count in event.usage.items() if count})
        for event in held.usage()
    ]


def test_calls_of_openai(made: tuple[Outlay, Held]) -> None:
    outlay, held = made
    with httpx2.Client(transport=httpx2.MockTransport(answer)) as http:
        client = outlay.wrap(openai.OpenAI(api_key="x", http_client=http), team="growth")
        outlay.wrap(client)  # a second time changes nothing
        said = client.chat.completions.create(model="gpt-4.1", messages=ASK)
        assert said.choices[0].message.content == "Hello!"
        client.responses.create(model="gpt-4.1", input="Hi")
        client.embeddings.create(model="text-embedding-3-small", input="Hi")
    assert tell(outlay, held) == [
        (
            "openai",
            "gpt-4.1-2025-04-14",
            {"input_tokens": 2006, "cache_read_tokens": 1920, "output_tokens": 300},
        ),
        (
            "openai",
            "gpt-4.1-2025-04-14",
            {"input_tokens": 36, "output_tokens": 87, "output_reasoning_tokens": 64},
        ),
        ("openai", "text-embedding-3-small", {"input_tokens": 8}),
    ]
    first = held.usage()[0]
    assert (first.id, first.team) == ("chatcmpl-B9MBs8CjcvOU2jLn4n570S5qMJKcT", "growth")
    assert first.attributes == {"service_tier": "default"}


def test_a_stream_of_openai_is_asked_for_its_usage_and_looks_as_before(made: tuple[Outlay, Held]) -> None:
    outlay, held = made
    with httpx2.Client(transport=httpx2.MockTransport(answer)) as http:
        client = outlay.wrap(openai.OpenAI(api_key="x", http_client=http))
        with client.chat.completions.create(model="gpt-4o-mini", messages=ASK, stream=True) as stream:
            text = "".join(piece.choices[0].delta.content or "" for piece in stream)
    assert text == "Hello!"
    assert tell(outlay, held) == [("openai", "gpt-4o-mini", {"input_tokens": 9, "output_tokens": 3})]


def test_who_asks_for_the_usage_sees_it(made: tuple[Outlay, Held]) -> None:
    outlay, held = made
    with httpx2.Client(transport=httpx2.MockTransport(answer)) as http:
        client = outlay.wrap(openai.OpenAI(api_key="x", http_client=http))
        options: Any = {"include_usage": True}
        stream = client.chat.completions.create(
            model="gpt-4o-mini", messages=ASK, stream=True, stream_options=options
        )
        assert list(stream)[-1].usage is not None
    assert len(tell(outlay, held)) == 1


def test_a_stream_of_openai_that_is_given_up_is_a_hole_and_no_zero(made: tuple[Outlay, Held]) -> None:
    outlay, held = made
    with httpx2.Client(transport=httpx2.MockTransport(answer)) as http:
        client = outlay.wrap(openai.OpenAI(api_key="x", http_client=http))
        stream = client.chat.completions.create(model="gpt-4o-mini", messages=ASK, stream=True)
        next(iter(stream))
        next(iter(stream))
        stream.close()
    assert tell(outlay, held) == [("openai", "gpt-4o-mini", {"output_tokens": 2, "unreported_calls": 1})]
    assert held.usage()[0].attributes == {"aborted": "true", "usage_estimated": "output_tokens"}


def test_calls_and_streams_of_anthropic(made: tuple[Outlay, Held]) -> None:
    outlay, held = made
    with httpx2.Client(transport=httpx2.MockTransport(answer)) as http:
        client = outlay.wrap(anthropic.Anthropic(api_key="x", http_client=http))
        client.messages.create(model="claude-x", max_tokens=9, messages=ASK)
        for _ in client.messages.create(model="claude-x", max_tokens=9, messages=ASK, stream=True):
            pass
    whole, streamed = tell(outlay, held)
    assert whole == (
        "anthropic", "claude-sonnet-4-5-20250929",
        {"input_tokens": 4408, "cache_read_tokens": 4096, "cache_write_tokens": 300, "cache_write_5m_tokens": 200,
         "cache_write_1h_tokens": 100, "output_tokens": 503, "web_searches": 2},
    )  # fmt: skip
    assert streamed[2] == {"input_tokens": 4108, "cache_read_tokens": 4096, "output_tokens": 25}
    assert "aborted" not in held.usage()[1].attributes


def test_a_stream_of_anthropic_that_is_given_up_counts_its_input(made: tuple[Outlay, Held]) -> None:
    outlay, held = made
    with httpx2.Client(transport=httpx2.MockTransport(answer)) as http:
        client = outlay.wrap(anthropic.Anthropic(api_key="x", http_client=http))
        with client.messages.create(model="claude-x", max_tokens=9, messages=ASK, stream=True) as stream:
            for piece in stream:
                if piece.type == "content_block_delta":
                    break
    ((_, _, usage),) = tell(outlay, held)
    assert usage == {"input_tokens": 4108, "cache_read_tokens": 4096, "output_tokens": 1}
    assert held.usage()[0].attributes["aborted"] == "true"


async def test_the_async_clients(made: tuple[Outlay, Held]) -> None:
    outlay, held = made
    async with httpx2.AsyncClient(transport=httpx2.MockTransport(answer)) as http:
        client = outlay.wrap(openai.AsyncOpenAI(api_key="x", http_client=http))
        await client.chat.completions.create(model="gpt-4.1", messages=ASK)
        stream = await client.chat.completions.create(model="gpt-4o-mini", messages=ASK, stream=True)
        text = "".join([piece.choices[0].delta.content or "" async for piece in stream])
        claude = outlay.wrap(anthropic.AsyncAnthropic(api_key="x", http_client=http))
        async with await claude.messages.create(
            model="claude-x", max_tokens=9, messages=ASK, stream=True
        ) as pieces:
            async for _ in pieces:
                pass
    assert text == "Hello!"
    assert [usage for *_, usage in tell(outlay, held)] == [
        {"input_tokens": 2006, "cache_read_tokens": 1920, "output_tokens": 300},
        {"input_tokens": 9, "output_tokens": 3},
        {"input_tokens": 4108, "cache_read_tokens": 4096, "output_tokens": 25},
    ]


def test_an_unknown_address_is_priced_by_the_address(made: tuple[Outlay, Held]) -> None:
    outlay, held = made
    with httpx2.Client(transport=httpx2.MockTransport(answer)) as http:
        client = openai.OpenAI(api_key="x", base_url="https://api.groq.com/openai/v1", http_client=http)
        outlay.wrap(client).chat.completions.create(model="m", messages=ASK)
    ((provider, _, _),) = tell(outlay, held)
    assert provider == "groq"


def test_a_failing_call_fails_as_before_and_tells_nothing(made: tuple[Outlay, Held]) -> None:
    outlay, held = made
    away = httpx2.MockTransport(lambda _: httpx2.Response(400, json={"error": {"message": "no"}}))
    with httpx2.Client(transport=away) as http:
        client = outlay.wrap(openai.OpenAI(api_key="x", http_client=http, max_retries=0))
        with pytest.raises(openai.BadRequestError):
            client.chat.completions.create(model="m", messages=ASK)
    assert tell(outlay, held) == []


def test_functions_may_be_tracked_and_streams_passed_through(made: tuple[Outlay, Held]) -> None:
    outlay, held = made

    @outlay.tracked(provider="aws", use_case="summary")
    def ask() -> dict[str, Any]:
        return {**ANSWERS["bedrock-converse"], "model": "anthropic.claude-sonnet-4-5-20250929-v1:0"}

    assert ask()["stopReason"] == "end_turn"

    def pieces() -> Iterator[dict[str, Any]]:
        yield from OPENAI_STREAM
        raise ConnectionError("cut off")

    with pytest.raises(ConnectionError):
        list(outlay.stream(pieces(), provider="openai", user="u"))
    outlay.litellm({"custom_llm_provider": "groq"}, ANSWERS["openai-chat"])
    outlay.litellm({"cache_hit": True}, ANSWERS["openai-chat"])
    gemini = {"usage_metadata": {"prompt_token_count": 10, "candidates_token_count": 20, "thoughts_token_count": 5},
              "model_version": "gemini-2.5-flash"}  # fmt: skip
    outlay.record(gemini)
    assert tell(outlay, held) == [
        ("aws", "anthropic.claude-sonnet-4-5-20250929-v1:0",
         {"input_tokens": 1149, "cache_read_tokens": 1024, "output_tokens": 60}),
        ("openai", "gpt-4o-mini", {"output_tokens": 3, "unreported_calls": 1}),
        ("groq", "gpt-4.1-2025-04-14", {"input_tokens": 2006, "cache_read_tokens": 1920, "output_tokens": 300}),
        ("google", "gemini-2.5-flash", {"input_tokens": 10, "output_tokens": 25, "output_reasoning_tokens": 5}),
    ]  # fmt: skip
    assert held.events()[0]["use_case"] == "summary"


def behind(request: httpx2.Request) -> httpx2.Response:
    response = answer(request)
    response.headers["x-portkey-provider"] = "azure-openai"
    response.headers["x-secret"] = "no hint"
    return response


async def test_a_gateway_says_who_is_behind_it(made: tuple[Outlay, Held]) -> None:
    outlay, held = made
    where: Any = {"api_key": "x", "base_url": "https://llm.example.com/v1"}
    with httpx2.Client(transport=httpx2.MockTransport(behind)) as http:
        client = outlay.wrap(openai.OpenAI(http_client=http, **where))
        client.chat.completions.create(model="m", messages=ASK)
        for _ in client.chat.completions.create(
            model="m", messages=ASK, stream=True, stream_options={"include_usage": True}
        ):
            pass
    async with httpx2.AsyncClient(transport=httpx2.MockTransport(behind)) as later:
        waiting = outlay.wrap(openai.AsyncOpenAI(http_client=later, **where))
        await waiting.chat.completions.create(model="m", messages=ASK)
    assert [provider for provider, *_ in tell(outlay, held)] == ["azure"] * 3
    assert {name for event in held.events() for name in event["headers"]} == {"x-portkey-provider"}


def test_wrap_takes_the_provider(made: tuple[Outlay, Held]) -> None:
    outlay, held = made
    with httpx2.Client(transport=httpx2.MockTransport(answer)) as http:
        client = openai.OpenAI(api_key="x", base_url="https://llm.example.com/v1", http_client=http)
        outlay.wrap(client, provider="azure").chat.completions.create(model="m", messages=ASK)
    ((provider, _, _),) = tell(outlay, held)
    assert provider == "azure"
    assert "api_url" not in held.usage()[0].attributes


def test_what_says_nothing_of_its_usage_is_counted_and_said_once(
    made: tuple[Outlay, Held], caplog: pytest.LogCaptureFixture
) -> None:
    outlay, held = made
    for _ in range(3):
        outlay.record({"choices": [{"message": {"content": "a secret"}}]})
    assert (outlay.stats.unread, outlay.stats.tracked) == (3, 0)
    assert [record.message for record in caplog.records if "no usage" in record.message] == [
        "outlay: no usage is found in dict: its calls are not counted (stats.unread)"
    ]
    assert tell(outlay, held) == []


@pytest.mark.parametrize("client", [object(), None, "gpt-4o", {"chat": 1}])
def test_wrapping_an_unsupported_object_raises_with_the_supported_methods(
    made: tuple[Outlay, Held], client: object
) -> None:
    outlay, _ = made
    with pytest.raises(TypeError, match=r"chat\.completions\.create.*messages\.create.*converse.*record"):
        outlay.wrap(client)


def test_wrapping_a_client_twice_is_allowed(made: tuple[Outlay, Held]) -> None:
    outlay, held = made
    client = outlay.wrap(outlay.wrap(Bedrock()))
    client.converse(modelId="m")
    assert outlay.flush()
    assert len(held.events()) == 1


class Bedrock:
    """Answers as the client of Amazon Bedrock's runtime does."""

    def converse(self, **_: Any) -> dict[str, Any]:
        return dict(ANSWERS["bedrock-converse"])

    def converse_stream(self, **_: Any) -> dict[str, Any]:
        usage = ANSWERS["bedrock-converse"]["usage"]
        pieces = [{"contentBlockDelta": {"delta": {"text": "a"}}}, {"metadata": {"usage": usage}}]
        return {"ResponseMetadata": {"RequestId": "r"}, "stream": iter(pieces)}


class Models:
    """Answers as google-genai's client does."""

    def generate_content(self, **_: Any) -> dict[str, Any]:
        return dict(ANSWERS["gemini-generate"])

    def generate_content_stream(self, **_: Any) -> Iterator[dict[str, Any]]:
        whole = ANSWERS["gemini-generate"]
        first = {**whole["usageMetadata"], "candidatesTokenCount": 1}
        yield {**whole, "candidates": [{"content": {}}], "usageMetadata": first}
        yield whole


class Google:
    def __init__(self) -> None:
        self.models = Models()


def test_clients_of_bedrock_and_google(made: tuple[Outlay, Held]) -> None:
    outlay, held = made
    bedrock, google = outlay.wrap(Bedrock()), outlay.wrap(Google())
    model = "anthropic.claude-sonnet-4-5-20250929-v1:0"
    assert bedrock.converse(modelId=model, messages=[])["stopReason"] == "end_turn"
    assert len(list(bedrock.converse_stream(modelId=model, messages=[])["stream"])) == 2
    google.models.generate_content(model="gemini-2.5-flash", contents="Hi")
    assert len(list(google.models.generate_content_stream(model="gemini-2.5-flash", contents="Hi"))) == 2
    claude = ("aws", model, {"input_tokens": 1149, "cache_read_tokens": 1024, "output_tokens": 60})
    thinking = {
        "input_tokens": 10,
        "input_text_tokens": 10,
        "output_tokens": 520,
        "output_reasoning_tokens": 500,
    }
    gemini = ("google", "gemini-2.5-flash", thinking)
    assert tell(outlay, held) == [claude, claude, gemini, gemini]
    assert len({event["id"] for event in held.events()}) == 3, "Gemini repeats its response's id"
