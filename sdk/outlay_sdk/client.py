"""`Outlay`: takes events in microseconds, and sends them from a thread of its own."""

import atexit
import contextvars
import functools
import inspect
import itertools
import logging
import os
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, ParamSpec, TypeVar, Unpack, overload

from outlay_sdk import responses, streams, wrap
from outlay_sdk.events import LABELS, CallLabels, Event, Labels, UsageLabels, short, short_all
from outlay_sdk.sender import Sender, Stats
from outlay_sdk.transport import HttpTransport, Transport

P = ParamSpec("P")
R = TypeVar("R")
log = logging.getLogger("outlay_sdk")

_inside: contextvars.ContextVar[Mapping[str, Any] | None] = contextvars.ContextVar("outlay", default=None)


class Outlay:
    """Takes the usage of a program. Only `wrap` raises, and nothing makes the caller wait. Without `url` and
    `api_key` (default: OUTLAY_URL, OUTLAY_API_KEY) nothing is sent, which the log says once. `labels` (see `Labels`)
    are for every event. At most `max_events` wait; past that, new ones are dropped and counted in `stats`."""

    def __init__(
        self,
        url: str | None = None,
        api_key: str | None = None,
        *,
        source: str | None = None,
        transport: Transport | None = None,
        max_events: int = 10_000,
        batch: int = 500,
        linger: float = 1.0,
        flush_at_exit: float = 5.0,
        clock: Callable[[], int] = time.time_ns,
        **labels: Unpack[Labels],
    ) -> None:
        self._source = short(source or os.environ.get("OUTLAY_SOURCE") or "python")
        self._labels = _clean(labels)
        self._clock = clock
        self._sender = Sender(
            transport or _default_transport(url, api_key), max_events=max_events, batch=batch, linger=linger
        )
        self._new_ids()
        os.register_at_fork(after_in_child=self._after_fork)
        if flush_at_exit > 0:
            atexit.register(self.close, flush_at_exit)

    @property
    def stats(self) -> Stats:
        """What became of the events so far."""
        return self._sender.stats

    @overload
    def track(self, *, sku: str, usage: Mapping[str, Any], **more: Unpack[UsageLabels]) -> None: ...
    @overload
    def track(self, *, model: str, usage: Mapping[str, Any], **more: Unpack[UsageLabels]) -> None: ...
    def track(self, *, usage: Mapping[str, Any], sku: str = "", model: str = "", **more: Any) -> None:
        """Record usage of a `model`, or of another `sku`; the names of meters are those of Outlay. `kind` is llm by
        default. `reported_cost` is in USD, `at` in nanoseconds since 1970."""
        try:
            if not (sku or model):
                raise ValueError("track needs sku or model")
            event: Event = {
                "kind": more.pop("kind", "llm"),
                "provider": more.pop("provider", ""),
                "sku": short(sku or model),
                "usage": dict(usage),
            }
            if (cost := more.pop("reported_cost", None)) is not None:
                event["reported_cost"] = cost
            self._put(event, more)
        except Exception as error:  # noqa: BLE001 (usage that cannot be recorded must not fail the program)
            self._sender.lost(f"could not be read: {error}", 1)

    def record(
        self, response: object, *, provider: str = "", model: str = "", **labels: Unpack[CallLabels]
    ) -> None:
        """Track what a provider's response says that it used: any client's object, or JSON that was decoded. Its
        content stays here; ingest reads the numbers. `provider` and `model` are for what the response leaves out."""
        try:
            found = responses.strip(response)
            provider = provider or responses.maker(response)
            self.report(
                streams.Found(found) if found else None, type(response).__name__, provider, model, labels
            )
        except Exception:  # noqa: BLE001 (as in `track`)
            self._sender.lost("could not be read", 1)

    def report(
        self, found: streams.Found | None, kind: str, provider: str, model: str, labels: Mapping[str, Any]
    ) -> None:
        """Send what was seen of a response or a stream; None: it said nothing, which is counted by its `kind`."""
        if found is None:
            self._sender.unread(kind)
            return
        more: dict[str, Any] = {"event_id": responses.identity(found.response)}
        more |= {name: value for name, value in labels.items() if value is not None}
        more["attributes"] = {**more.get("attributes", {}), **found.attributes}
        event: Event = {"response": found.response, "headers": more.pop("headers", {})}
        known = {
            "provider": provider,
            "sku": "" if responses.model(found.response) else model,
            "usage": found.usage,
        }
        self._put(event | {name: value for name, value in known.items() if value}, more)

    def _put(self, event: Event, more: dict[str, Any]) -> None:
        event_id, source = more.pop("event_id", None), more.pop("source", None)
        event["id"] = short(event_id) if event_id else f"{self._prefix}-{next(self._number)}"
        event["source"] = short(source) if source else self._source
        event["time"] = more.pop("at", None) or self._clock()
        if activity := more.pop("activity", ""):
            event["activity"] = activity
        if attributes := more.pop("attributes", None):
            event["attributes"] = short_all(attributes)
        event.update(self._labels)
        if (inside := _inside.get()) is not None:
            _merge(event, inside)
        if more:
            _merge(event, _clean(more))
        self._sender.put(event)

    def stream(self, stream: R, *, provider: str = "", model: str = "", **labels: Unpack[CallLabels]) -> R:
        """Pass a stream of an answer through; track what it used when it ends, fails or is given up."""

        def ended(seen: streams.Seen) -> None:
            self.report(seen.result(model), "a stream", provider, model, labels)

        return streams.through(stream, ended)

    def wrap(
        self, client: R, *, provider: str = "", include_usage: bool = True, **labels: Unpack[CallLabels]
    ) -> R:
        """Track every call of a provider's client, sync or async, streams too. Returns the same client. `provider`:
        who answers behind a gateway; without it, the gateway's own headers, its names for models and the client's
        address say it. `include_usage`: ask OpenAI for the usage of streams, and keep the additional chunk from the
        caller. Raises TypeError, with the methods that it supports, for any other object."""
        wrap.wrap(self, client, provider, include_usage, labels)
        return client

    def litellm(self, kwargs: Mapping[str, Any], response: object, *_: object) -> None:
        """Track a call of LiteLLM: `litellm.success_callback = [outlay.litellm]`."""
        if not kwargs.get("cache_hit"):
            provider, model = (str(kwargs.get(name) or "") for name in ("custom_llm_provider", "model"))
            self.record(response, provider=provider, model=model)

    @contextmanager
    def context(self, **labels: Unpack[Labels]) -> Iterator[None]:
        """Label all usage inside (see `Labels`). Nests; follows tasks."""
        merged = dict(_inside.get() or {})
        _merge(merged, _clean(labels))
        token = _inside.set(merged)
        try:
            yield
        finally:
            _inside.reset(token)

    def attributed(self, **labels: Unpack[Labels]) -> Callable[[Callable[P, R]], Callable[P, R]]:
        """Label all usage inside a function: `context` as a decorator, for coroutines too."""

        def decorate(function: Callable[P, R]) -> Callable[P, R]:
            if not inspect.iscoroutinefunction(function):
                return self.context(**labels)(function)

            @functools.wraps(function)
            async def waiting(*args: P.args, **kwargs: P.kwargs) -> Any:
                with self.context(**labels):
                    return await function(*args, **kwargs)

            return waiting  # type: ignore[return-value] # it is what it wraps: a coroutine function

        return decorate

    def tracked(
        self, *, provider: str = "", **labels: Unpack[CallLabels]
    ) -> Callable[[Callable[P, R]], Callable[P, R]]:
        """Track what the answer (or stream) that a function returns says that it used, as a decorator."""
        return lambda function: wrap.tracking(self, function, provider, labels)

    def flush(self, timeout: float = 5.0) -> bool:
        """Wait until all tracked so far is sent; False if it is not in `timeout` seconds."""
        return self._sender.flush(timeout)

    def close(self, timeout: float = 5.0) -> bool:
        """Flush and stop. What is tracked afterwards is dropped."""
        return self._sender.close(timeout)

    def _new_ids(self) -> None:
        self._prefix = uuid.uuid4().hex
        self._number = itertools.count()

    def _after_fork(self) -> None:
        """A child begins with nothing waiting (its parent sends that) and with ids of its own."""
        self._new_ids()
        self._sender.restart()


def _clean(labels: Mapping[str, Any]) -> dict[str, Any]:
    """Return known labels, bounded. An unknown name is a mistake of the program: said once in the log, and left out."""
    found: dict[str, Any] = {}
    for name, value in labels.items():
        if value is None:
            continue
        if name in LABELS or name == "tenant":
            found[name] = short(value)
        elif name == "tags":
            found[name] = short_all(value)
        else:
            _unknown(name)
    return found


@functools.lru_cache(maxsize=100)
def _unknown(name: str) -> None:
    log.warning("outlay: unknown label %s; the labels are %s and tags", name, ", ".join(LABELS))


def _merge(into: dict[str, Any], labels: Mapping[str, Any]) -> None:
    if "tags" in labels and "tags" in into:
        labels = {**labels, "tags": {**into["tags"], **labels["tags"]}}
    into.update(labels)


def _default_transport(url: str | None, api_key: str | None) -> Transport | None:
    url, api_key = url or os.environ.get("OUTLAY_URL"), api_key or os.environ.get("OUTLAY_API_KEY")
    if url and api_key:
        try:
            return HttpTransport(url, api_key)
        except ValueError as error:
            log.warning("outlay: %s", error)
            return None
    log.warning("outlay: nothing is sent: set OUTLAY_URL and OUTLAY_API_KEY")
    return None
