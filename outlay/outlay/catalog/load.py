"""Reads a catalog folder: `price_books/*.yaml`, and one YAML file for each other part, over those of Outlay's own."""

import json
from collections import defaultdict
from collections.abc import Container, Iterable, Iterator
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
PARTS = sorted(
    Catalog.model_fields.keys() - {"revision", "created_at", "note", "author", "rates", "price_books"}
)
"""Each is a field of `Catalog`, and may be a file `<part>.yaml`."""


def load(folder: Path, today: date | None = None, *, layered: bool = False) -> Catalog:
    """Read a catalog folder as a draft: revision 0. Raises CatalogError with all its problems. `layered`: over Outlay's
    own, so that a file that the folder lacks is the one that comes with Outlay, and an empty file means nothing."""
    catalog, problems = examine(folder, today, layered=layered)
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


def examine(
    folder: Path, today: date | None = None, *, layered: bool = False
) -> tuple[Catalog | None, list[Problem]]:
    """Read a folder as far as possible, `layered` as by `load`; return the catalog and all problems."""
    if not folder.is_dir():
        hint = "give the folder that holds price_books/ and budgets.yaml"
        return None, [Problem(str(folder), 0, "", "there is no such folder", hint)]
    problems = list(_unknown_files(folder))
    documents: dict[str, Document] = defaultdict(Document)
    own, below = _files(folder), _files(default_folder()) if layered else {}
    book_type = TypeAdapter(PriceBook)
    names = book_order([*own, *below], below)
    found = [_read(own.get(name) or below[name], name, book_type, documents, problems) for name in names]
    parts: dict[str, Any] = {"price_books": tuple(book for book in found if book is not None)}
    for part in PARTS:
        path = own.get(f"{part}.yaml") or below.get(f"{part}.yaml")
        value = _read(path, path.name, type_of(part), documents, problems) if path else None
        parts |= {} if value is None else {part: value}
    rates = from_library(today or SystemClock().now().date())
    catalog = Catalog(revision=0, created_at=_DRAFT, rates=rates, **parts)
    problems += contradictions(catalog, documents)
    return catalog, sorted(problems)


def _files(folder: Path) -> dict[str, Path]:
    """Return the files of a catalog folder by name, such as `budgets.yaml` and `price_books/acme.yaml`."""
    found = {f"price_books/{path.name}": path for path in (folder / "price_books").glob("*.yaml")}
    return found | {path.name: path for part in PARTS if (path := folder / f"{part}.yaml").is_file()}


def book_order(names: Iterable[str], below: Container[str]) -> list[str]:
    """Return the price books among file names as they apply: one's own come before those that come with Outlay."""
    found = {name for name in names if name.startswith("price_books/")}
    return sorted(found, key=lambda name: (name in below, name))


def default_files() -> frozenset[str]:
    """Return the names of the files that come with Outlay."""
    return frozenset(_files(default_folder()))


def json_schemas() -> dict[str, dict[str, Any]]:
    """Return a JSON Schema for each file name, such as `price_books/*.yaml`, with which editors complete and check."""
    kinds = {"price_books/*": TypeAdapter(PriceBook), **{part: type_of(part) for part in PARTS}}
    return {
        f"{name}.yaml": {"$schema": _DIALECT, "title": f"{name}.yaml", **kind.json_schema(by_alias=True)}
        for name, kind in kinds.items()
    }


def type_of(part: str) -> TypeAdapter[Any]:
    """Return the type that validates the content of `<part>.yaml`."""
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
    return None if document.content is None else validated(document, kind, problems)


def validated(document: Document, kind: TypeAdapter[Any], problems: list[Problem]) -> Any:
    """Return the content of a document as `kind`; None if it is invalid, which `problems` then says."""
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
