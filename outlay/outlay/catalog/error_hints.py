"""Hints for the errors that pydantic finds."""

import re
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from functools import lru_cache
from typing import Any

from pydantic import BaseModel

from outlay_schemas import catalog as parts
from outlay_schemas.catalog import channels, watch


def text_of(place: Sequence[int | str]) -> str:
    """Write a place as people do: `rules[3].prices[0].meters.gb.price`."""
    text = ""
    for step in place:
        text += f"[{step}]" if isinstance(step, int) else f".{step}" if text else step
    return text


def hint_of(error: Mapping[str, Any]) -> str:
    """Say what to do about an error."""
    place = error["loc"]
    field = str(place[-1]) if place else ""
    kind = str(error["type"])
    if kind == "extra_forbidden":
        close = get_close_matches(field, _field_names(), 1)
        return (
            f"did you mean {close[0]}?"
            if close and close[0] != field
            else "take it out: it has no meaning here"
        )
    if kind in ("literal_error", "union_tag_invalid"):
        return _meant(error)
    if kind == "missing":
        return f"add `{field}:`"
    return next((hint for start, hint in _HINTS if kind.startswith(start)), "")


_HINTS = (
    ("decimal", "write a plain number, such as 0.08"),
    ("is_instance_of", "write a plain number, such as 0.08"),
    ("date", "write a date, 2026-01-31, or a time with its zone, 2026-01-31T00:00:00Z"),
    ("timezone", "write a date, 2026-01-31, or a time with its zone, 2026-01-31T00:00:00Z"),
    ("tuple_type", "write a list: each item on its own line after `- `"),
    ("list_type", "write a list: each item on its own line after `- `"),
    ("dict_type", "write fields, as `name: value`"),
    ("model", "write fields, as `name: value`"),
)


def _meant(error: Mapping[str, Any]) -> str:
    """Say which of the words that are meant is most like the one that is there."""
    context = error.get("ctx", {})
    words = re.findall(r"'([^']+)'", str(context.get("expected_tags", context.get("expected", ""))))
    near = get_close_matches(str(context.get("tag", error.get("input", ""))), words, 1, 0.5)
    return f"did you mean {near[0]}?" if near else ""


@lru_cache(maxsize=1)
def _field_names() -> tuple[str, ...]:
    known = [*vars(parts).values(), *vars(channels).values(), *vars(watch).values()]
    models = [item for item in known if isinstance(item, type) and issubclass(item, BaseModel)]
    names = {field.alias or name for model in models for name, field in model.model_fields.items()}
    return tuple(sorted(names))
