"""Reads a catalog folder: `price_books/*.yaml`, and one YAML file for each other part."""

import json
from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, date, datetime
from importlib.resources import files
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from outlay.catalog.checks import contradictions
from outlay.catalog.model_prices import from_library
from outlay.catalog.yaml_files import CatalogError, Document, Problem, hint_of, read_yaml
from outlay_kit.clock import SystemClock
from outlay_schemas.catalog import Catalog, PriceBook

_DIALECT = "https://json-schema.org/draft/2020-12/schema"
_DRAFT = datetime(1970, 1, 1, tzinfo=UTC)
"""The time of a catalog that is not published yet; its revision is 0."""
PARTS = sorted(Catalog.model_fields.keys() - {"revision", "created_at", "note", "rates", "price_books"})
"""Each is a field of `Catalog`, and may be a file `<part>.yaml`."""


def load(folder: Path, today: date | None = None) -> Catalog:
    """Read a catalog folder as a draft: revision 0. Raises CatalogError with all its problems."""
    catalog, problems = examine(folder, today)
    if catalog is None or problems:
        raise CatalogError(problems)
    return catalog


def load_default() -> Catalog:
    """Read the catalog that comes with Outlay: list prices of models and of common clouds."""
    return load(default_folder())


def default_folder() -> Path:
    """Return the folder of the catalog that comes with Outlay."""
    return Path(str(files("outlay.catalog") / "default"))


def check(folder: Path) -> list[Problem]:
    """Return all problems of a catalog folder, in the order of files and lines."""
    return examine(folder)[1]


def examine(folder: Path, today: date | None = None) -> tuple[Catalog | None, list[Problem]]:
    """Read a folder as far as possible; return the catalog and all problems."""
    if not folder.is_dir():
        hint = "give the folder that holds price_books/ and budgets.yaml"
        return None, [Problem(str(folder), 0, "", "there is no such folder", hint)]
    problems = list(_unknown_files(folder))
    documents: dict[str, Document] = defaultdict(Document)
    book_files = sorted((folder / "price_books").glob("*.yaml"))
    book_type = TypeAdapter(PriceBook)
    found = [_read(path, f"price_books/{path.name}", book_type, documents, problems) for path in book_files]
    parts: dict[str, Any] = {"price_books": tuple(book for book in found if book is not None)}
    for part in PARTS:
        path = folder / f"{part}.yaml"
        value = _read(path, path.name, _type_of(part), documents, problems) if path.is_file() else None
        parts |= {} if value is None else {part: value}
    rates = from_library(today or SystemClock().now().date())
    catalog = Catalog(revision=0, created_at=_DRAFT, rates=rates, **parts)
    problems += contradictions(catalog, documents)
    return catalog, sorted(problems)


def json_schemas() -> dict[str, dict[str, Any]]:
    """Return a JSON Schema for each file name, such as `price_books/*.yaml`, with which editors complete and check."""
    kinds = {"price_books/*": TypeAdapter(PriceBook), **{part: _type_of(part) for part in PARTS}}
    return {
        f"{name}.yaml": {"$schema": _DIALECT, "title": f"{name}.yaml", **kind.json_schema(by_alias=True)}
        for name, kind in kinds.items()
    }


def _type_of(part: str) -> TypeAdapter[Any]:
    return TypeAdapter(Catalog.model_fields[part].rebuild_annotation())


def write_schemas(folder: Path) -> dict[str, str]:
    """Write a schema for each file into `folder`; return by file the first line that makes an editor use it."""
    folder.mkdir(parents=True, exist_ok=True)
    lines: dict[str, str] = {}
    for name, schema in json_schemas().items():
        path = folder / f"{name.split('/')[0].removesuffix('.yaml')}.json"
        path.write_text(json.dumps(schema, indent=2) + "\n", "utf-8")
        lines[name] = f"# yaml-language-server: $schema={path.resolve()}"
    return lines


def _read(
    path: Path, name: str, kind: TypeAdapter[Any], documents: dict[str, Document], problems: list[Problem]
) -> Any:
    try:
        document = read_yaml(path, name)
    except CatalogError as error:
        problems += error.problems
        return None
    documents[name] = document
    if document.content is None:
        return None
    try:
        return kind.validate_python(document.content)
    except ValidationError as error:
        problems += [document.problem(item["loc"], item["msg"], hint_of(item)) for item in _causes(error)]
        return None


def _causes(error: ValidationError) -> list[Any]:
    """Return the errors without those that only follow: pydantic counts a list with invalid items as empty."""
    found = error.errors(include_url=False)
    places = [item["loc"] for item in found]
    return [
        item
        for item in found
        if item["type"] != "too_short"
        or not any(len(loc) > len(item["loc"]) and loc[: len(item["loc"])] == item["loc"] for loc in places)
    ]


def _unknown_files(folder: Path) -> Iterator[Problem]:
    """Find files that would silently be ignored: misspelt names, `.yml`, and the folder of earlier versions."""
    known = {f"{part}.yaml" for part in PARTS}
    inside = folder / "price_books"
    for path in sorted([*folder.glob("*.y*ml"), *inside.glob("*.yml"), *folder.glob("book*/*.y*ml")]):
        if path.name not in known or path.parent != folder:
            hint = f"use one of {', '.join(PARTS)}"
            if path.suffix == ".yml":
                hint = f"rename it to {path.stem}.yaml"
            elif path.parent != folder:
                hint = "move it to price_books/"
            yield Problem(str(path.relative_to(folder)), 0, "", "no part of the catalog has this name", hint)
