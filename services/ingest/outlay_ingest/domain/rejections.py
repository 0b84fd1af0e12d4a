"""Why an event is refused: its place, what is wrong, and the fix."""

import difflib
import re
from dataclasses import dataclass
from typing import TypeVar

import msgspec

from outlay_schemas.errors import UNREADABLE, Invalid
from outlay_schemas.events import Key, Label, Quantity, UsageEvent

T = TypeVar("T")
_PLACE = re.compile(r"^(?P<what>.*?)(?: - at `(?P<path>.*)`)?$", re.DOTALL)
_UNKNOWN = re.compile(r"unknown field `(.*)`", re.DOTALL)
_FIELDS = UsageEvent.__struct_fields__
_ENVELOPE = ("id", "source", "time")
_MAPS: dict[str, object] = {
    "usage": dict[Key, Quantity],
    "tags": dict[Key, Label],
    "attributes": dict[Key, Label],
}
_SHOWN = 200


@dataclass(frozen=True, slots=True)
class Rejection:
    """One event of a request that is not taken. `raw` is the event as it came."""

    index: int
    code: str
    path: str
    """The place in the event."""
    message: str
    raw: bytes
    id: str | None = None
    where: str = ""
    """The place in the body."""


def decode(decoder: msgspec.json.Decoder[T], body: bytes) -> T:
    """Decode a body. Raises Invalid."""
    try:
        return decoder.decode(body)
    except UNREADABLE as error:
        raise explain(error, body) from None


def explain(error: Exception, raw: bytes) -> Invalid:
    """Turn a decoder's error into one with a stable code, the exact place, and the fix."""
    if isinstance(error, Invalid):
        return error
    if isinstance(error, UnicodeDecodeError):
        return Invalid("not_utf8", "a string in this is not UTF-8")
    if isinstance(error, RecursionError):
        return Invalid("json_too_deep", "this is nested too deeply")
    if not isinstance(error, msgspec.ValidationError):
        return Invalid("json_malformed", f"this is not JSON: {error}")
    return _explain_type(str(error), raw)


def _explain_type(message: str, raw: bytes) -> Invalid:
    match = _PLACE.match(message)
    what = match["what"] if match else message
    path = (match["path"] if match else None) or "$"
    if unknown := _UNKNOWN.search(what):
        field = unknown[1][:_SHOWN]
        return Invalid("unknown_field", _unknown(field, path), f"{path}.{field}")
    if "missing required field" in what:
        name = what.split("`")[1]
        return Invalid("missing_field", f"the field {name} is required", f"{path}.{name}")
    if "timezone" in what:
        return Invalid("time_zone_missing", "a time needs its zone, as in 2026-11-24T01:02:03Z", path)
    if "RFC3339" in what:
        what = "this is not an RFC 3339 time; write it as in 2026-11-24T01:02:03Z"
    return Invalid("wrong_type", what[:_SHOWN], _exact(path, raw))


def _unknown(field: str, path: str) -> str:
    if path == "$.data" and field in _ENVELOPE:
        return f"{field} belongs to the envelope; leave it out of data"
    near = ["sku"] if field == "model" else difflib.get_close_matches(field, _FIELDS, 1)
    fix = f"did you mean {near[0]}?" if near else "put what is your own into tags or attributes"
    return f"unknown field {field}; {fix}"


def _exact(path: str, raw: bytes) -> str:
    """The decoder says `$.usage[...]`; find which entry it was."""
    outer, _, field = path.removesuffix("[...]").rpartition(".")
    if not path.endswith("[...]") or field not in _MAPS:
        return path
    try:
        found = msgspec.json.decode(raw)
        entries = (found["data"] if outer == "$.data" else found)[field].items()
    except (*UNREADABLE, KeyError, AttributeError, TypeError):
        return path
    for name, value in entries:
        try:
            msgspec.convert({name: value}, _MAPS[field])
        except msgspec.ValidationError:
            return f"{outer}.{field}.{name[:_SHOWN]}"
    return path
