"""Why an event is refused: its place, what is wrong, and the mend."""

import difflib
import re
from dataclasses import dataclass

import msgspec

from outlay_schemas.errors import Invalid
from outlay_schemas.events import Key, Label, Quantity, UsageEvent

_PLACE = re.compile(r"^(?P<what>.*?)(?: - at `(?P<path>[^`]*)`)?$", re.DOTALL)
_UNKNOWN = re.compile(r"unknown field `([^`]*)`")
_FIELDS = UsageEvent.__struct_fields__
_MAPS: dict[str, object] = {
    "usage": dict[Key, Quantity],
    "tags": dict[Key, Label],
    "attributes": dict[Key, Label],
}


@dataclass(frozen=True, slots=True)
class Refusal:
    """One event of a request that is not taken. `raw` is the event as it came."""

    index: int
    code: str
    path: str
    message: str
    raw: bytes
    id: str | None = None


def explain(error: msgspec.MsgspecError | Invalid, raw: bytes) -> Invalid:
    """Turn a decoder's error into one with a stable code, the exact place, and a mend."""
    if isinstance(error, Invalid):
        return error
    if not isinstance(error, msgspec.ValidationError):
        return Invalid("json_malformed", f"this is not JSON: {error}", "$")
    match = _PLACE.match(str(error))
    what = match["what"] if match else str(error)
    path = (match["path"] if match else None) or "$"
    if unknown := _UNKNOWN.search(what):
        return Invalid("unknown_field", _unknown(unknown[1]), f"{path}.{unknown[1]}")
    if "missing required field" in what:
        name = what.split("`")[1]
        return Invalid("missing_field", f"the field {name} is required", f"{path}.{name}")
    if "timezone" in what:
        return Invalid("time_zone_missing", "a time needs its zone, as in 2026-11-24T01:02:03Z", path)
    return Invalid("wrong_type", what, _exact(path, raw))


def _unknown(field: str) -> str:
    near = difflib.get_close_matches(field, _FIELDS, 1)
    mend = f"did you mean {near[0]}?" if near else "put what is your own into tags or attributes"
    return f"there is no field {field}; {mend}"


def _exact(path: str, raw: bytes) -> str:
    """The decoder says `$.usage[...]`; find which entry it was."""
    field = path.removeprefix("$.").removesuffix("[...]")
    if not path.endswith("[...]") or field not in _MAPS:
        return path
    try:
        entries = msgspec.json.decode(raw)[field].items()
    except (msgspec.MsgspecError, KeyError, AttributeError, TypeError):
        return path
    for name, value in entries:
        try:
            msgspec.convert({name: value}, _MAPS[field])
        except msgspec.ValidationError:
            return f"$.{field}.{name}"
    return path
