"""Clients of OpenAI and Anthropic whose calls are tracked: their own methods, called as before."""

import functools
import inspect
import logging
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar, cast
from urllib.parse import urlsplit

from outlay_sdk.streams import through

if TYPE_CHECKING:
    from outlay_sdk.client import Outlay

P = ParamSpec("P")
R = TypeVar("R")
log = logging.getLogger("outlay_sdk")
_METHODS = ("chat.completions.create", "responses.create", "embeddings.create", "messages.create")
_OWN = {"api.openai.com": "openai", "api.anthropic.com": "anthropic"}
_MARK = "_outlay_tracked"


def wrap(outlay: "Outlay", client: object, include_usage: bool, labels: Mapping[str, Any]) -> None:
    """Put tracking around the methods that `client` has."""
    provider, attributes = _provider(client)
    more = {**labels, "attributes": {**attributes, **(labels.get("attributes") or {})}}
    ask = include_usage and (provider in ("openai", "azure"))
    for path in _METHODS:
        *way, name = path.split(".")
        try:
            resource = functools.reduce(getattr, way, client)
            original = getattr(resource, name)
            if not getattr(original, _MARK, False):
                asks = ask and path.startswith("chat")
                setattr(resource, name, _tracking(outlay, original, provider, more, asks))
        except AttributeError:
            continue


def tracked(
    outlay: "Outlay", function: Callable[P, R], provider: str, labels: Mapping[str, Any]
) -> Callable[P, R]:
    """Put tracking around a function that returns an answer or a stream of one."""
    return cast("Callable[P, R]", _tracking(outlay, function, provider, labels, ask=False))


def _tracking(
    outlay: "Outlay", original: Callable[..., Any], provider: str, labels: Mapping[str, Any], ask: bool
) -> Callable[..., Any]:
    def after(answer: Any, kwargs: Mapping[str, Any], hide: bool) -> Any:
        if kwargs.get("stream") or _streams(answer):
            model = str(kwargs.get("model") or "")
            return through(answer, lambda seen: outlay.report(seen.result(provider, model), labels), hide)
        outlay.record(answer, provider=provider, **labels)
        return answer

    def prepare(kwargs: dict[str, Any]) -> bool:
        """Ask for the usage of a stream, unless the caller says itself what it wants."""
        if ask and kwargs.get("stream") and not kwargs.get("stream_options"):
            kwargs["stream_options"] = {"include_usage": True}
            return True
        return False

    @functools.wraps(original)
    def call(*args: Any, **kwargs: Any) -> Any:
        hide = prepare(kwargs)
        answer = original(*args, **kwargs)
        if inspect.isawaitable(answer):

            async def wait() -> Any:
                return after(await answer, kwargs, hide)

            return wait()
        return after(answer, kwargs, hide)

    setattr(call, _MARK, True)
    return call


def _streams(answer: object) -> bool:
    return hasattr(answer, "__next__") or hasattr(answer, "__anext__")


def _provider(client: object) -> tuple[str, dict[str, object]]:
    """Say who answers by the client's address; of an unknown one the address itself goes along, to be priced by."""
    url = str(getattr(client, "base_url", "") or "")
    host = urlsplit(url).hostname or ""
    if host in _OWN:
        return _OWN[host], {}
    if host.endswith((".openai.azure.com", ".cognitiveservices.azure.com")):
        return "azure", {"azure_resource": host.partition(".")[0]}
    return "", {"api_url": url} if url else {}
