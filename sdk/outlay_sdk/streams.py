"""Streams of answers: passed through piece by piece, and counted when they end, fail, or are given up."""

from collections.abc import Callable
from typing import Any, TypeVar, cast

from outlay_sdk.responses import Found, Usage, anthropic, get, read, usage_of

S = TypeVar("S")
UNREPORTED = "unreported_calls"
"""A meter without a price: it marks an event as unpriced, for a part of what was used is not known."""


class Seen:
    """What the pieces of a stream have said so far."""

    def __init__(self) -> None:
        self._whole: object = None
        self._usage: Usage = {}
        self._maker = ""
        self._model: str | None = None
        self._id: str | None = None
        self._pieces = 0
        self._complete = False
        self._began = False

    def look(self, piece: object) -> None:
        """Take in one piece."""
        self._began = True
        kind = get(piece, "type")
        if kind == "message_start":
            self._begin(get(piece, "message"), "anthropic")
            self._usage = anthropic(get(get(piece, "message"), "usage"))
        elif kind == "message_delta":
            self._anthropic_delta(get(piece, "usage"))
        elif isinstance(kind, str) and kind.startswith("response."):
            self._responses(kind, get(piece, "response"))
        elif kind == "content_block_delta":
            self._pieces += 1
        elif kind is None:
            self._chunk(piece)

    def result(self, provider: str = "", model: str = "") -> Found | None:
        """Return what was used. Where the stream was cut off, what is not known is marked, not guessed as 0."""
        if self._whole is not None and (found := read(self._whole, provider)) is not None:
            return found
        name = self._model or model
        if not self._began or not name:
            return None
        found = Found(name, dict(self._usage), provider or self._maker or "openai", self._id)
        if self._complete:
            return found
        output = max(self._pieces, found.usage.get("output_tokens", 0))
        if output:
            found.usage["output_tokens"] = output
        if "input_tokens" not in found.usage:
            found.usage[UNREPORTED] = 1
        found.attributes = {"aborted": "true", "usage_estimated": "output_tokens"}
        return found

    def _begin(self, source: object, maker: str) -> None:
        self._model = self._model or get(source, "model")
        self._id = self._id or get(source, "id")
        self._maker = self._maker or maker

    def _anthropic_delta(self, counts: object) -> None:
        """Output is told as a running total; input only where it changed."""
        told = anthropic(counts)
        if told.get("input_tokens", 0) < self._usage.get("input_tokens", 0):
            told.pop("input_tokens", None)
        self._usage.update(told)
        self._complete = "output_tokens" in told

    def _responses(self, kind: str, response: object) -> None:
        if response is not None:
            self._begin(response, "openai")
            if get(response, "usage") is not None:
                self._whole = response
        elif kind.endswith(".delta"):
            self._pieces += 1

    def _chunk(self, piece: object) -> None:
        """A chunk of OpenAI's chat, LiteLLM's, or Gemini's."""
        self._begin(piece, "")
        self._model = self._model or get(piece, "model_version")
        self._id = self._id or get(piece, "response_id")
        usage, maker = usage_of(piece)
        if usage:
            self._usage, self._maker = usage, self._maker or maker
            self._complete = get(piece, "usage") is not None or _finished(get(piece, "candidates"))
        choices = get(piece, "choices") or ()
        if choices and get(get(choices[0], "delta"), "content"):
            self._pieces += 1


def _finished(candidates: Any) -> bool:
    return any(get(candidate, "finish_reason") for candidate in candidates or ())


def is_only_usage(piece: object) -> bool:
    """Whether this is the additional last chunk that OpenAI sends when asked for the usage."""
    return get(piece, "choices") == [] and get(piece, "usage") is not None


class _Through:
    """Stands for a stream, sync or async: iterates, closes and is a context manager as the original is."""

    def __init__(self, stream: Any, ended: Callable[[Seen], None], hide: bool) -> None:
        self._outlay = (stream, Seen(), ended, hide)
        self._outlay_open = True
        self._outlay_pieces: Any = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._outlay[0], name)

    def __iter__(self) -> Any:
        return self

    def __aiter__(self) -> Any:
        return self

    def __next__(self) -> Any:
        if self._outlay_pieces is None:
            self._outlay_pieces = iter(self._outlay[0])
        while True:
            try:
                piece = next(self._outlay_pieces)
            except BaseException:
                self._outlay_end()
                raise
            if not self._outlay_look(piece):
                return piece

    async def __anext__(self) -> Any:
        if self._outlay_pieces is None:
            self._outlay_pieces = aiter(self._outlay[0])
        while True:
            try:
                piece = await anext(self._outlay_pieces)
            except BaseException:
                self._outlay_end()
                raise
            if not self._outlay_look(piece):
                return piece

    def __enter__(self) -> Any:
        entered = self._outlay[0].__enter__()
        self._outlay = (entered, *self._outlay[1:])
        return self

    def __exit__(self, *error: object) -> Any:
        self._outlay_end()
        return self._outlay[0].__exit__(*error)

    async def __aenter__(self) -> Any:
        entered = await self._outlay[0].__aenter__()
        self._outlay = (entered, *self._outlay[1:])
        return self

    async def __aexit__(self, *error: object) -> Any:
        self._outlay_end()
        return await self._outlay[0].__aexit__(*error)

    def close(self) -> Any:
        """Give the stream up."""
        self._outlay_end()
        return self._outlay[0].close()

    def __del__(self) -> None:
        self._outlay_end()

    def _outlay_look(self, piece: object) -> bool:
        """Take a piece in; tell whether to keep it from the caller."""
        _, seen, _, hide = self._outlay
        try:
            seen.look(piece)
            return hide and is_only_usage(piece)
        except Exception:  # noqa: BLE001 (the caller's stream goes on, whatever we cannot read)
            return False

    def _outlay_end(self) -> None:
        if self._outlay_open:
            self._outlay_open = False
            try:
                self._outlay[2](self._outlay[1])
            except Exception:  # noqa: BLE001 (as above)
                return


def through(stream: S, ended: Callable[[Seen], None], hide: bool = False) -> S:
    """Return a stand-in for a stream that calls `ended` once, with what was seen."""
    return cast("S", _Through(stream, ended, hide))
