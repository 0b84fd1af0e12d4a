"""Forms for the items of a catalog, made of the models that also check them: pure."""

import ast
import inspect
import json
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from itertools import pairwise
from typing import Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel

from outlay.catalog.export import plain, to_yaml
from outlay.catalog.yaml_files import Problem
from outlay_schemas.catalog import Owner
from outlay_schemas.catalog.channels import AnyChannel, Route
from outlay_schemas.catalog.watch import AlertRule, Budget

Kind = Literal["text", "number", "choice", "list", "yaml"]
_FIRST = ("id", "name", "scope", "amount", "period", "timezone", "thresholds", "group_by", "key", "value", "sets",
          "match")  # fmt: skip
"""Fields that a form shows at once, beside those that are required. Others are behind "More fields"."""
_RULES = {
    get_args(kind.model_fields["type"].annotation)[0]: kind for kind in get_args(get_args(AlertRule)[0])
}
_CHANNELS = {get_args(kind.model_fields["type"].annotation)[0]: kind for kind in get_args(AnyChannel)}
MODELS: Mapping[str, Mapping[str, type[BaseModel]]] = {
    "budgets": {"": Budget},
    "rules": _RULES,
    "channels": _CHANNELS,
    "routes": {"": Route},
    "owners": {"": Owner},
}
"""Part of the catalog to the types of its items, by their `type`; empty: they have none."""


@dataclass(frozen=True)
class Input:
    """One field of a form."""

    name: str
    label: str
    kind: Kind
    about: str
    """What it means, as the model says it."""
    value: str
    usual: str
    """What holds where it is left empty."""
    required: bool
    choices: Sequence[str] = ()
    problems: Sequence[Problem] = ()

    @property
    def first(self) -> bool:
        """Whether the form shows it at once."""
        return self.required or self.name in _FIRST or bool(self.problems) or bool(self.value)


def inputs(
    part: str, kind: str, values: Mapping[str, str], problems: Sequence[Problem] = (), place: int = 0
) -> list[Input]:
    """Return the form of an item with values and with the problems of the item at a place."""
    model = MODELS[part][kind]
    about = _docstrings(model)
    found = []
    for name, field in model.model_fields.items():
        named = field.alias or name
        if name == "type":
            continue
        usual = "" if field.is_required() else _shown(plain(field.get_default(call_default_factory=True)))
        found.append(
            Input(
                named, _label(named), _kind(field.annotation), about.get(name, ""),
                values.get(named, ""), usual, field.is_required(), _choices(field.annotation),
                [one for one in problems if _field_of(one, place) == named],
            )
        )  # fmt: skip
    return sorted(found, key=lambda one: not one.first)


def _label(field: str) -> str:
    return field.replace("timezone", "time zone").replace("_", " ").capitalize()


def values_of(item: BaseModel) -> dict[str, str]:
    """Return what a form shows for an item."""
    return {name: _shown(value) for name, value in plain(item).items() if name != "type"}


def fields_of(part: str, kind: str, posted: Mapping[str, str]) -> dict[str, str]:
    """Return each field of a form as YAML; those that are empty are left out."""
    model = MODELS[part][kind]
    found = {"type": json.dumps(kind)} if kind else {}
    for name, field in model.model_fields.items():
        named = field.alias or name
        text = posted.get(f"f.{named}", "").strip()
        if text and name != "type":
            found[named] = _as_yaml(_kind(field.annotation), text, numbers="Decimal" in str(field.annotation))
    return found


def _as_yaml(kind: Kind, text: str, *, numbers: bool) -> str:
    if kind in ("text", "choice"):
        return json.dumps(text)
    if kind == "list" and not text.startswith(("[", "- ")):
        items = [one.strip() for one in text.replace("\n", ",").split(",") if one.strip()]
        return "[" + ", ".join(items if numbers else map(json.dumps, items)) + "]"
    return text.replace("\r\n", "\n")


def _field_of(problem: Problem, place: int) -> str:
    start = f"[{place}]."
    if not problem.path.startswith(start):
        return ""
    rest = problem.path.removeprefix(start).split(".")
    # A member of a union has its name in the path, as in [3].spend_spike.min_usd.
    name = rest[1] if len(rest) > 1 and rest[0] in {**_RULES, **_CHANNELS} else rest[0]
    return name.split("[")[0]


def _kind(annotation: Any) -> Kind:
    names = _types(annotation)
    if names & {dict} or any(isinstance(one, type) and issubclass(one, BaseModel) for one in names):
        return "yaml"
    if tuple in names:
        return "list"
    if _choices(annotation):
        return "choice"
    return "number" if names & {int, Decimal} else "text"


def _choices(annotation: Any) -> tuple[str, ...]:
    if get_origin(annotation) is Literal:
        return tuple(map(str, get_args(annotation)))
    if annotation is bool:
        return ("true", "false")
    return ()


def _types(annotation: Any) -> set[Any]:
    """Return the types within an annotation, and its containers."""
    origin = get_origin(annotation)
    if origin is Literal:
        return {str}
    inner = [one for one in get_args(annotation) if isinstance(one, type) or get_origin(one) is not None]
    found = set[Any]() if origin in (Union, None) else {origin}
    return found.union({annotation} if not inner else set(), *map(_types, inner))


def _shown(value: Any) -> str:
    if value is None or value in ((), [], {}, ""):
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list) and all(isinstance(one, str | int | Decimal) for one in value):
        return ", ".join(map(str, value))
    if isinstance(value, list | dict):
        return to_yaml(value).strip()
    return str(value)


@cache
def _docstrings(model: type[BaseModel]) -> dict[str, str]:
    """Return what the source of a model says beneath each field."""
    found: dict[str, str] = {}
    for base in reversed(model.__mro__):
        if not issubclass(base, BaseModel) or base is BaseModel:
            continue
        (tree,) = ast.parse(textwrap.dedent(inspect.getsource(base))).body
        body = tree.body if isinstance(tree, ast.ClassDef) else []
        for field, text in pairwise(body):
            if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name):
                said = text.value if isinstance(text, ast.Expr) else None
                if isinstance(said, ast.Constant) and isinstance(said.value, str):
                    found[field.target.id] = " ".join(said.value.replace("`", "").split())
    return found
