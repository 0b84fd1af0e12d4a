"""Streams of responses: passed through piece by piece, and counted when they end, fail, or are given up."""

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, TypeVar, cast

from outlay_sdk.responses import USAGE, WITH_USAGE, Response, fields_of, get, strip
from outlay_sdk.responses import model as model_of

S = TypeVar("S")
_CONTENT = frozenset({"content_block_delta", "content-delta"})
UNREPORTED = "unreported_calls"
"""A meter without a price: it marks an event as unpriced, for a part of what was used is not known."""


@dataclass
class Found:
    """What a stream said. `usage` is not empty where the response does not say it: what is known without it."""

    response: Response
    usage: dict[str, int] = field(default_factory=dict)
    attributes: dict[str, object] = field(default_factory=dict)


class Seen:
    """What the pieces of a stream have said so far."""

    def __init__(self) -> None:
        self._response: Response = {}
        self._pieces = 0
        self._began = False
        self._complete = False

    def look(self, piece: object) -> None:
        """Take in one piece."""
        self._began = True
        fields = fields_of(piece) or {}
        kind = fields.get("type")
        self._pieces += _is_content(fields, kind)
        self._name(fields)
        if kind in _CONTENT or all(fields.get(name) is None for name in WITH_USAGE):
            return  # nearly every piece: nothing but content
        found = strip(piece)
        while found is not None and not any(name in found for name in USAGE):
            inside = (one for one in found.values() if isinstance(one, dict) and "HTTPHeaders" not in one)
            found = next(inside, None)
        if found is not None:
            for name, value in found.items():
                self._response[name] = _later(self._response.get(name), value)
            ends = (
                get(one, "finish_reason") or get(one, "finishReason")
                for one in fields.get("candidates") or ()
            )
            self._complete = kind != "message_start" and ("candidates" not in found or any(ends))

    def result(self, model: str = "") -> Found | None:
        """Return what was used. Where the stream was cut off, what is not known is marked, not guessed as 0."""
        response = self._response
        if model and not model_of(response):
            response["model"] = model
        if not self._began or not model_of(response):
            return None
        if self._complete:
            return Found(response)
        about: dict[str, object] = {"aborted": "true", "usage_estimated": "output_tokens"}
        usage = response.get("usage")
        if isinstance(usage, dict) and usage.get("input_tokens"):
            usage["output_tokens"] = max(self._pieces, usage.get("output_tokens") or 0)
            return Found(response, attributes=about)
        if any(name in response for name in USAGE):
            return Found(response, attributes={"aborted": "true"})
        counted = {"output_tokens": self._pieces} if self._pieces else {}
        return Found(response, {**counted, UNREPORTED: 1}, about)

    def _name(self, piece: Mapping[str, Any]) -> None:
        if "model" in self._response:
            return
        for source in (piece, piece.get("response"), piece.get("message")):
            for name in ("id", "model"):
                if name not in self._response and isinstance(value := get(source, name), str):
                    self._response[name] = value


def _later(before: Any, now: Any) -> Any:
    """Join what two pieces say: counts only grow, and a later piece may leave some out or set them to 0."""
    if isinstance(before, dict) and isinstance(now, dict):
        return {**before, **{name: _later(before.get(name), value) for name, value in now.items()}}
    if isinstance(before, int) and isinstance(now, int):
        return max(before, now)
    if isinstance(before, list) and isinstance(now, list):
        return now if len(str(now)) >= len(str(before)) else before
    return before if now is None or (isinstance(before, str) and before) else now


def _is_content(piece: Mapping[str, Any], kind: object) -> bool:
    if isinstance(kind, str):
        return kind in _CONTENT or kind.endswith(".delta")
    choices = piece.get("choices") or ()
    return bool(choices and get(get(choices[0], "delta"), "content")) or "contentBlockDelta" in piece


class _Through:
    def __init__(self, stream: Any, ended: Callable[[Seen], None], hide: bool) -> None:
        self._outlay_stream, self._outlay_ended, self._outlay_hide = stream, ended, hide
        self._outlay_seen = Seen()
        self._outlay_open = True
        self._outlay_pieces: Any = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._outlay_stream, name)

    def __iter__(self) -> Any:
        return self

    def __aiter__(self) -> Any:
        return self

    def __next__(self) -> Any:
        if self._outlay_pieces is None:
            self._outlay_pieces = iter(self._outlay_stream)
        try:
            while self._outlay_hides(piece := next(self._outlay_pieces)):
                pass
        except BaseException:
            self._outlay_end()
            raise
        return piece

    async def __anext__(self) -> Any:
        if self._outlay_pieces is None:
            self._outlay_pieces = aiter(self._outlay_stream)
        try:
            while self._outlay_hides(piece := await anext(self._outlay_pieces)):
                pass
        except BaseException:
            self._outlay_end()
            raise
        return piece

    def __enter__(self) -> Any:
        self._outlay_stream = self._outlay_stream.__enter__()
        return self

    def __exit__(self, *error: object) -> Any:
        self._outlay_end()
        return self._outlay_stream.__exit__(*error)

    async def __aenter__(self) -> Any:
        self._outlay_stream = await self._outlay_stream.__aenter__()
        return self

    async def __aexit__(self, *error: object) -> Any:
        self._outlay_end()
        return await self._outlay_stream.__aexit__(*error)

    def close(self) -> Any:
        self._outlay_end()
        return self._outlay_stream.close()

    def _outlay_hides(self, piece: object) -> bool:
        """Take a piece in; tell whether to keep it from the caller: the last chunk that OpenAI sends when asked."""
        with suppress(Exception):  # the caller's stream goes on, whatever we cannot read
            self._outlay_seen.look(piece)
            return self._outlay_hide and get(piece, "choices") == [] and get(piece, "usage") is not None
        return False

    def _outlay_end(self) -> None:
        if self._outlay_open:
            self._outlay_open = False
            with suppress(Exception):
                self._outlay_ended(self._outlay_seen)

    __del__ = _outlay_end


def through(stream: S, ended: Callable[[Seen], None], hide: bool = False) -> S:
    """Return a stand-in for a stream that calls `ended` once, with what was seen."""
    return cast("S", _Through(stream, ended, hide))
