"""Edits of a JSON object that fix a dead letter: set, delete, rename, each by a dotted path. Pure."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import msgspec

from outlay_schemas.errors import Invalid

_DOT = re.compile(r"(?<!\\)\.")


def _exact(text: str) -> msgspec.Raw:
    return msgspec.Raw(text.encode())


_decoder = msgspec.json.Decoder(float_hook=_exact)


@dataclass(frozen=True, slots=True)
class Edit:
    """One change. Paths are names joined by dots; a dot in a name is written `\\.`."""

    what: Literal["set", "delete", "rename"]
    path: tuple[str, ...]
    value: Any = None
    to: tuple[str, ...] = ()

    @classmethod
    def set(cls, text: str) -> "Edit":
        """Read `usage.input_tokens=5`; a value that is not JSON is text. Raises Invalid."""
        path, value = _halves(text)
        try:
            found = _decoder.decode(value.encode())
        except (msgspec.MsgspecError, ValueError):
            found = value
        return cls("set", _path(path), found)

    @classmethod
    def delete(cls, text: str) -> "Edit":
        """Read `tags.x`. Raises Invalid."""
        return cls("delete", _path(text))

    @classmethod
    def rename(cls, text: str) -> "Edit":
        """Read `usage.tokens=usage.input_tokens`. Raises Invalid."""
        old, new = _halves(text)
        return cls("rename", _path(old), to=_path(new))


def apply(body: bytes, edits: Sequence[Edit]) -> bytes:
    """Return the object in `body` with all edits made, in order. Numbers keep their digits.

    Raises Invalid if the body, or a value on a path, is not an object. A missing path is not deleted or renamed.
    """
    if not edits:
        return body
    try:
        whole = _decoder.decode(body)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise Invalid("json_malformed", f"this is not JSON, so edits cannot fix it: {error}") from None
    for edit in edits:
        if edit.what == "set":
            _holder(whole, edit.path, create=True)[edit.path[-1]] = edit.value
        elif edit.path[-1] in (holder := _holder(whole, edit.path)):
            value = holder.pop(edit.path[-1])
            if edit.what == "rename":
                _holder(whole, edit.to, create=True)[edit.to[-1]] = value
    return msgspec.json.encode(whole)


def _holder(whole: object, path: tuple[str, ...], *, create: bool = False) -> dict[str, Any]:
    """Return the object that holds the last name of `path`; create it where it is missing, or return an empty one."""
    holder = _object(whole, ())
    for at, name in enumerate(path[:-1]):
        if name not in holder and not create:
            return {}
        holder = _object(holder.setdefault(name, {}), path[: at + 1])
    return holder


def _object(value: object, path: tuple[str, ...]) -> dict[str, Any]:
    if not isinstance(value, dict):
        place = ".".join(("$", *path))
        raise Invalid("edit_misses", f"{place} is not an object, so nothing in it can be edited", place)
    return value


def _halves(text: str) -> tuple[str, str]:
    left, equals, right = text.partition("=")
    if not equals:
        raise Invalid("edit_malformed", f"{text!r} is not of the form path=value")
    return left, right


def _path(text: str) -> tuple[str, ...]:
    names = tuple(name.replace("\\.", ".") for name in _DOT.split(text.removeprefix("$.")))
    if not all(names):
        raise Invalid("edit_malformed", f"{text!r} is not a path such as usage.input_tokens")
    return names
