"""YAML that keeps its numbers exact and remembers on which line each thing stands."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

import yaml

try:
    from yaml import CSafeLoader as _Safe  # ten times as fast, and in every wheel
except ImportError:  # pragma: no cover - a PyYAML built without libyaml
    from yaml import SafeLoader as _Safe  # type: ignore[assignment]


@dataclass(frozen=True, order=True, slots=True)
class Problem:
    """Something in a catalog folder that must be fixed before it can be used."""

    file: str
    line: int
    """From 1; 0 where the file as a whole is meant."""
    path: str
    message: str
    hint: str = ""

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}" if self.line else self.file
        where = f" {self.path}:" if self.path else ""
        return f"{place}:{where} {self.message}" + (f" — {self.hint}" if self.hint else "")


class CatalogError(ValueError):
    """A catalog folder that cannot be used, with all that is wrong with it."""

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
        return str(
            loader.construct_scalar(node)
        )  # 2026-13-01: whoever wants a date says what is wrong, and where


_Loader.add_constructor("tag:yaml.org,2002:float", _number)
_Loader.add_constructor("tag:yaml.org,2002:timestamp", _moment)


@dataclass(frozen=True)
class Document:
    """A YAML file: its content, and the tree that knows the lines."""

    name: str
    content: Any
    tree: yaml.Node | None

    def line(self, path: Sequence[int | str]) -> int:
        """Return the line of the thing at `path`, or of the nearest thing around it."""
        node, line = self.tree, self.tree.start_mark.line + 1 if self.tree else 1
        for step in path:
            found = _step(node, step)
            if found is None:
                continue  # a step that is no place in the file: pydantic names the kind of a union too
            line, node = found
        return line


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
    """Read a YAML file. Raises CatalogError if it is none, or if a key stands in it twice."""
    try:
        text = path.read_text(encoding="utf-8")
        loader = _Loader(text)
        tree = loader.get_single_node()
        twice = list(_twice(tree, name))
        if twice:
            raise CatalogError(twice)
        content = None if tree is None else loader.construct_document(tree)
        return Document(name, content, tree)
    except UnicodeDecodeError:
        raise CatalogError([Problem(name, 0, "", "this is not UTF-8 text", "save it as UTF-8")]) from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        what = getattr(error, "problem", None) or str(error)
        line = mark.line + 1 if mark else 0
        hint = "check indentation, colons and brackets there"
        raise CatalogError([Problem(name, line, "", f"this is not YAML: {what}", hint)]) from None


def _twice(node: yaml.Node | None, name: str) -> Iterator[Problem]:
    if isinstance(node, yaml.MappingNode):
        seen: dict[str, int] = {}
        for key, value in node.value:
            line = key.start_mark.line + 1
            if key.value in seen:
                hint = "keep one; YAML would silently take the last"
                yield Problem(name, line, str(key.value), f"already given on line {seen[key.value]}", hint)
            seen[key.value] = line
            yield from _twice(value, name)
    elif isinstance(node, yaml.SequenceNode):
        for item in node.value:
            yield from _twice(item, name)
