"""Reads YAML with exact numbers and line numbers, and reports problems with file, line and a hint."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from difflib import get_close_matches
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel

from outlay_schemas import catalog as parts
from outlay_schemas.catalog import channels, watch

try:
    from yaml import CSafeLoader as _Safe  # ten times as fast, and in every wheel
except ImportError:  # pragma: no cover - a PyYAML built without libyaml
    from yaml import SafeLoader as _Safe  # type: ignore[assignment]

Place = Sequence[int | str]  # where a value is in a file: keys, and places in lists


@dataclass(frozen=True, order=True, slots=True)
class Problem:
    """A mistake in a catalog folder, which must be fixed before the catalog can be used."""

    file: str
    line: int  # from 1; 0 for the file as a whole
    path: str
    message: str
    hint: str = ""

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}" if self.line else self.file
        where = f" {self.path}:" if self.path else ""
        return f"{place}:{where} {self.message}" + (f" — {self.hint}" if self.hint else "")


class CatalogError(ValueError):
    """A catalog folder that cannot be used, with all its problems."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__("\n".join(map(str, problems)))
        self.problems = tuple(problems)


class _Loader(_Safe):
    """Reads 0.1 as the decimal that was written, not as the nearest float."""


def _number(loader: _Loader, node: yaml.ScalarNode) -> Any:
    try:
        return Decimal(str(loader.construct_scalar(node)).replace("_", ""))
    except InvalidOperation:
        return loader.construct_yaml_float(node)


def _moment(loader: _Loader, node: yaml.ScalarNode) -> Any:
    try:
        return loader.construct_yaml_timestamp(node)
    except ValueError:
        return str(loader.construct_scalar(node))  # 2026-13-01: the field's own check reports it


_Loader.add_constructor("tag:yaml.org,2002:float", _number)
_Loader.add_constructor("tag:yaml.org,2002:timestamp", _moment)


@dataclass(frozen=True)
class Document:
    """A YAML file: its content, and its tree with line numbers."""

    name: str = ""
    content: Any = None
    tree: yaml.Node | None = None

    def line(self, place: Place) -> int:
        """Return the line of the value at a place, or of the nearest value around it."""
        node, line = self.tree, self.tree.start_mark.line + 1 if self.tree else 1
        for step in place:
            # Without the names of members of a union, which pydantic has in places and files have not.
            line, node = _step(node, step) or (line, node)
        return line

    def problem(self, place: Place, message: str, hint: str) -> Problem:
        """Return a problem at a place of this file, whose path is as `rules[3].prices[0].meters.gb.price`."""
        path = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in place)
        return Problem(self.name, self.line(place), path.removeprefix("."), message, hint)


def did_you_mean(name: str, known: Sequence[str], cutoff: float = 0.6) -> str:
    """Return a hint that names the known word most like `name`; empty if none is like it."""
    near = get_close_matches(name, known, 1, cutoff)
    return f"did you mean {near[0]}?" if near else ""


def _step(node: yaml.Node | None, step: int | str) -> tuple[int, yaml.Node] | None:
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if key.value == str(step):
                return key.start_mark.line + 1, value
    if isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
        item: yaml.Node = node.value[step]
        return item.start_mark.line + 1, item
    return None


def read_yaml(path: Path, name: str) -> Document:
    """Read a YAML file. Raises CatalogError if it is not valid, or if a mapping has a key twice."""
    try:
        return parse_yaml(path.read_text(encoding="utf-8"), name)
    except UnicodeDecodeError:
        raise CatalogError([Problem(name, 0, "", "this is not UTF-8 text", "save it as UTF-8")]) from None


def parse_yaml(text: str, name: str) -> Document:
    """Read the text of a YAML file. Raises as `read_yaml` does."""
    try:
        loader = _Loader(text)
        tree = loader.get_single_node()
        if duplicates := list(_duplicate_keys(tree, name)):
            raise CatalogError(duplicates)
        return Document(name, None if tree is None else loader.construct_document(tree), tree)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        message = f"this is not YAML: {getattr(error, 'problem', None) or error}"
        hint = "check indentation, colons and brackets there"
        raise CatalogError([Problem(name, mark.line + 1 if mark else 0, "", message, hint)]) from None


def _duplicate_keys(node: yaml.Node | None, name: str) -> Iterator[Problem]:
    if isinstance(node, yaml.MappingNode):
        seen: dict[str, int] = {}
        for key, value in node.value:
            line = key.start_mark.line + 1
            if key.value in seen:
                hint = "keep one: YAML would silently use the last"
                yield Problem(name, line, str(key.value), f"already given on line {seen[key.value]}", hint)
            seen[key.value] = line
            yield from _duplicate_keys(value, name)
    elif isinstance(node, yaml.SequenceNode):
        for item in node.value:
            yield from _duplicate_keys(item, name)


def hint_of(error: Mapping[str, Any]) -> str:
    """Return what to do about an error of pydantic; empty if its message says enough."""
    field = str(error["loc"][-1]) if error["loc"] else ""
    kind = str(error["type"])
    if kind == "extra_forbidden":
        known = _field_names()
        near = did_you_mean(field, known) if field not in known else ""
        return near or "remove it: it has no meaning here"
    if kind in ("literal_error", "union_tag_invalid"):
        context = error.get("ctx", {})
        expected = re.findall(r"'([^']+)'", str(context.get("expected_tags", context.get("expected", ""))))
        return did_you_mean(str(context.get("tag", error.get("input", ""))), expected, 0.5)
    if kind == "missing":
        return f"add `{field}:`"
    return next((hint for starts, hint in _HINTS.items() if kind.startswith(starts)), "")


_HINTS = {
    ("decimal", "is_instance_of"): "write a plain number, such as 0.08",
    ("date", "timezone"): "write a date, 2026-01-31, or a time with its zone, 2026-01-31T00:00:00Z",
    ("tuple_type", "list_type"): "write a list: each item on its own line after `- `",
    ("dict_type", "model"): "write fields, as `name: value`",
}


@lru_cache(maxsize=1)
def _field_names() -> tuple[str, ...]:
    known = [*vars(parts).values(), *vars(channels).values(), *vars(watch).values()]
    models = [item for item in known if isinstance(item, type) and issubclass(item, BaseModel)]
    names = {field.alias or name for model in models for name, field in model.model_fields.items()}
    return tuple(sorted(names))
