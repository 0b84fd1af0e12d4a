"""Changes one item of a catalog, such as a budget: checked as `outlay catalog check` checks a folder."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from outlay.catalog.checks import contradictions, unreached
from outlay.catalog.export import plain, to_yaml
from outlay.catalog.load import PARTS, type_of, validated
from outlay.catalog.yaml_files import CatalogError, Document, Problem, parse_yaml
from outlay_schemas.catalog import Catalog


class UnknownItemError(LookupError):
    """The item that is to be changed is not there: somebody removed it, or moved it."""


@dataclass(frozen=True)
class Edit:
    """A new item of a part of the catalog, or another content for one, or none: it is removed."""

    part: str
    """`budgets`, `rules`, `channels`, `owners`."""
    key: str = ""
    """The item, by `key_of`; empty: a new one."""
    fields: Mapping[str, str] | None = None
    """Field to its value as YAML; None: remove the item."""


def key_of(item: Any, place: int) -> str:
    """Return how an item is named among those of its part: by its id, or by its place."""
    return str(getattr(item, "id", place))


def place_of(items: Sequence[Any], key: str) -> int:
    """Return the place of an item. Raises UnknownItemError."""
    for place, item in enumerate(items):
        if key_of(item, place) == key:
            return place
    raise UnknownItemError(key)


def apply(known: Catalog, edit: Edit) -> tuple[Catalog | None, list[Problem], int]:
    """Return the catalog with the change (None if it cannot be read), its problems, and the place of the item, whose
    fields have paths such as `[3].amount`. Raises UnknownItemError."""
    items = getattr(known, edit.part)
    raw, problems = [plain(item) for item in items], list[Problem]()
    place = place_of(items, edit.key) if edit.key else len(raw)
    if edit.fields is None:
        del raw[place]
    else:
        raw[place : place + 1] = [_read(edit, place, problems)]
    if problems:
        return None, problems, place
    document = _document(edit.part, raw)
    value = validated(document, type_of(edit.part), problems)
    if value is None:
        return None, problems, place
    catalog = known.model_copy(update={edit.part: value})
    documents = defaultdict(
        Document, {f"{part}.yaml": _document(part, plain(getattr(catalog, part))) for part in PARTS}
    )
    before = {_what(problem) for problem in contradictions(known, documents)}
    # A channel comes before its route, and goes after it: between the two, no route leads to it.
    idle = set(unreached(catalog).values())
    new = (one for one in contradictions(catalog, documents) if _what(one) not in before)
    found = [one for one in new if one.message not in idle]
    return catalog, sorted(found), place


def _read(edit: Edit, place: int, problems: list[Problem]) -> dict[str, Any]:
    item = {}
    for name, text in (edit.fields or {}).items():
        try:
            item[name] = parse_yaml(text, f"{edit.part}.yaml").content
        except CatalogError as error:
            problems += [
                Problem(one.file, 0, f"[{place}].{name}", one.message, one.hint) for one in error.problems
            ]
    return item


def _document(part: str, value: Any) -> Document:
    return parse_yaml(to_yaml(value), f"{part}.yaml")


def _what(problem: Problem) -> tuple[str, str]:
    return problem.file, problem.message
