"""The formats a body may have, and how it is cut into events, undecoded."""

import re
from collections.abc import Sequence
from typing import Literal

import msgspec

from outlay_ingest.domain.rejections import explain
from outlay_schemas.errors import UNREADABLE, Invalid

Format = Literal["json", "ndjson", "cloudevent", "cloudevents"]
FORMATS: dict[str, Format] = {
    "application/json": "json",
    "application/x-ndjson": "ndjson",
    "application/ndjson": "ndjson",
    "application/jsonl": "ndjson",
    "application/cloudevents+json": "cloudevent",
    "application/cloudevents-batch+json": "cloudevents",
}

_ARRAY = re.compile(rb"[ \t\r\n]*\[")
_array = msgspec.json.Decoder(list[msgspec.Raw])


def split(body: bytes, form: Format) -> tuple[Sequence[bytes], Sequence[int]]:
    """Cut a body into its events, and say on which line (from 1) each stands, for NDJSON only.

    Raises Invalid if it cannot be cut, or holds no event.
    """
    places: Sequence[int] = ()
    if form == "ndjson":
        numbered = [(part, line) for line, part in enumerate(body.split(b"\n"), 1) if part.strip()]
        parts: Sequence[bytes] = [part for part, _ in numbered]
        places = [line for _, line in numbered]
    elif form == "cloudevent" or (form == "json" and not is_array(body)):
        parts = [body] if body.strip() else []
    else:
        try:
            parts = [bytes(raw) for raw in _array.decode(body)]
        except UNREADABLE as error:
            raise explain(error, body) from None
    if not parts:
        raise Invalid("empty", "the body holds no event")
    return parts, places


def is_array(body: bytes) -> bool:
    """Whether a JSON body is an array."""
    return _ARRAY.match(body) is not None


def locate(form: Format, many: bool, index: int, places: Sequence[int], path: str) -> str:
    """Say where in the body a path within one event is: `$[3].usage`, `line 4: $.usage`, or the path."""
    if form == "ndjson":
        return f"line {places[index]}: {path}"
    return path.replace("$", f"$[{index}]", 1) if many else path
