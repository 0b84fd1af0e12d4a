"""Clients of providers whose calls are tracked: their own methods, called as before."""

import contextvars
import functools
import inspect
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar
from urllib.parse import urlsplit

from outlay_sdk.responses import maker
from outlay_sdk.streams import through

if TYPE_CHECKING:
    from outlay_sdk.client import Outlay

P = ParamSpec("P")
R = TypeVar("R")
_METHODS = (
    "chat.completions.create", "chat.completions.parse", "completions.create", "responses.create", "responses.parse",
    "embeddings.create", "images.generate", "images.edit", "audio.transcriptions.create",  # OpenAI and its like
    "messages.create", "beta.messages.create",  # Anthropic
    "models.generate_content", "models.generate_content_stream", "models.embed_content",  # Google
    "aio.models.generate_content", "aio.models.generate_content_stream", "aio.models.embed_content",
    "chat.complete", "chat.complete_async", "chat.stream", "chat.stream_async",  # Mistral
    "converse", "converse_stream",  # Amazon Bedrock
)  # fmt: skip
_ASK = (
    "api.openai.com",
    ".openai.azure.com",
    ".cognitiveservices.azure.com",
    "openrouter.ai",
    "api.groq.com",
)
"""Whose streams tell their usage if they are asked. Others may refuse a request that asks."""
_HINTS = (
    "x-portkey-", "x-litellm-", "x-bifrost-", "x-ai-eg-", "x-ms-", "apim-", "azureml-", "llm_provider", "x-groq-",
    "x-amzn-bedrock-", "anthropic-organization-id",
)  # fmt: skip
"""Headers of a response that may say who is behind a gateway."""
_MARK = "_outlay_tracked"
_headers: contextvars.ContextVar[dict[str, str] | None] = contextvars.ContextVar(
    "outlay_headers", default=None
)


def wrap(
    outlay: "Outlay", client: object, provider: str, include_usage: bool, labels: Mapping[str, Any]
) -> None:
    """Put tracking around the methods that `client` has. Raises TypeError if it has none of them."""
    url = str(getattr(client, "base_url", "") or "")
    provider = provider or maker(client)
    about = {"api_url": url} if url and not provider else {}
    more = {**labels, "attributes": {**about, **(labels.get("attributes") or {})}}
    host = urlsplit(url).hostname or ""
    ask = include_usage and (provider in ("openai", "azure") or host.endswith(_ASK))
    _listen(getattr(client, "_client", None))
    found = False
    for path in _METHODS:
        *way, name = path.split(".")
        try:
            resource = functools.reduce(getattr, way, client)
            original = getattr(resource, name)
            found = True
            if not getattr(original, _MARK, False):
                asks = ask and path == "chat.completions.create"
                setattr(resource, name, tracking(outlay, original, provider, more, asks))
        except AttributeError:
            continue
    if not found:
        raise TypeError(
            f"wrap does not support {type(client).__module__}.{type(client).__qualname__}: give the client of OpenAI, "
            "Anthropic, Google, Mistral or Bedrock, or one with the method "
            f"{', '.join(_METHODS)}; of other clients pass each response to record"
        )


def tracking(
    outlay: "Outlay", original: Callable[P, R], provider: str, labels: Mapping[str, Any], ask: bool = False
) -> Callable[P, R]:
    """Put tracking around a function that returns a response or a stream of one."""

    def after(answer: Any, kwargs: Mapping[str, Any], hide: bool, headers: dict[str, str]) -> Any:
        model = str(kwargs.get("model") or kwargs.get("modelId") or "")
        if isinstance(answer, dict) and "stream" in answer:  # Bedrock
            return {**answer, "stream": after(answer["stream"], {**kwargs, "stream": True}, hide, headers)}
        said = {**labels, "headers": headers} if headers else labels
        if kwargs.get("stream") or hasattr(answer, "__next__") or hasattr(answer, "__anext__"):
            kind = f"a stream of {type(answer).__name__}"
            return through(
                answer, lambda seen: outlay.report(seen.result(model), kind, provider, model, said), hide
            )
        outlay.record(answer, provider=provider, model=model, **said)
        return answer

    @functools.wraps(original)
    def call(*args: Any, **kwargs: Any) -> Any:
        # Ask for the usage of a stream, unless the caller says itself what it wants.
        if hide := bool(ask and kwargs.get("stream") and not kwargs.get("stream_options")):
            kwargs["stream_options"] = {"include_usage": True}
        headers: dict[str, str] = {}
        token = _headers.set(headers)
        try:
            answer = original(*args, **kwargs)
        finally:
            _headers.reset(token)
        if not inspect.isawaitable(answer):
            return after(answer, kwargs, hide, headers)

        async def wait() -> Any:
            _headers.set(headers)
            return after(await answer, kwargs, hide, headers)

        return wait()

    setattr(call, _MARK, True)
    return call


def _listen(http: Any) -> None:
    hooks = getattr(http, "event_hooks", None)
    if not isinstance(hooks, dict) or any(getattr(hook, _MARK, False) for hook in hooks.get("response", ())):
        return

    def note(response: Any) -> None:
        if (headers := _headers.get()) is not None:
            headers.update(
                {name: value[:256] for name, value in response.headers.items() if name.startswith(_HINTS)}
            )

    async def note_later(response: Any) -> None:
        note(response)

    hook = note_later if inspect.iscoroutinefunction(http.send) else note
    setattr(hook, _MARK, True)
    http.event_hooks = {**hooks, "response": [*hooks.get("response", ()), hook]}
