"""Reads a catalog folder: `price_books/*.yaml`, and one YAML file for each other part."""

from collections.abc import Iterator
from datetime import UTC, date, datetime
from importlib.resources import files
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from outlay.catalog.checks import contradictions
from outlay.catalog.error_hints import hint_of, text_of
from outlay.catalog.model_prices import from_library
from outlay.catalog.yaml_files import CatalogError, Document, Problem, read_yaml
from outlay_kit.clock import SystemClock
from outlay_schemas.catalog import Catalog, PriceBook, RateData

_DRAFT = datetime(1970, 1, 1, tzinfo=UTC)
"""A catalog that was read but not published has revision 0 and no time of its own."""
PARTS = (
    "aliases",
    "azure_deployments",
    "budgets",
    "channels",
    "defaults",
    "fx",
    "mute_time_intervals",
    "negotiated",
    "owners",
    "reported",
    "required_tags",
    "reviews",
    "routes",
    "rules",
    "splits",
    "usage",
    "virtual_tags",
)
"""Each may be a file `<part>.yaml`, and is the field of that name of `Catalog`."""


def load(folder: Path, today: date | None = None) -> Catalog:
    """Read a catalog folder as a draft: revision 0. Raises CatalogError with every problem that is in it."""
    catalog, problems = examine(folder, today)
    if catalog is None or problems:
        raise CatalogError(problems)
    return catalog


def load_default() -> Catalog:
    """Read the catalog that comes with Outlay: list prices of models and of common clouds."""
    return load(default_folder())


def default_folder() -> Path:
    """Return where the catalog is that comes with Outlay."""
    return Path(str(files("outlay.catalog") / "default"))


def check(folder: Path) -> list[Problem]:
    """Return all that is wrong with a catalog folder, in the order of files and lines."""
    return examine(folder)[1]


def examine(folder: Path, today: date | None = None) -> tuple[Catalog | None, list[Problem]]:
    """Read a folder as far as it can be read, and say what is wrong with it."""
    if not folder.is_dir():
        return None, [
            Problem(
                str(folder),
                0,
                "",
                "there is no such folder",
                "give the folder that holds price_books/ and budgets.yaml",
            )
        ]
    problems = list(_strangers(folder))
    documents: dict[str, Document] = {}
    books: list[PriceBook] = []
    parts: dict[str, Any] = {}
    for path in sorted((folder / "price_books").glob("*.yaml")):
        book = _read(path, f"price_books/{path.name}", TypeAdapter(PriceBook), documents, problems)
        books += [] if book is None else [book]
    for part in PARTS:
        path = folder / f"{part}.yaml"
        if path.is_file():
            kind: TypeAdapter[Any] = TypeAdapter(Catalog.model_fields[part].rebuild_annotation())
            value = _read(path, path.name, kind, documents, problems)
            if value is not None:
                parts[part] = value
    rates = from_library(today or SystemClock().now().date())
    catalog = _catalog(rates, books, parts)
    problems += contradictions(catalog, documents)
    return catalog, sorted(problems)


def _catalog(rates: RateData, books: list[PriceBook], parts: dict[str, Any]) -> Catalog:
    return Catalog(revision=0, created_at=_DRAFT, rates=rates, price_books=tuple(books), **parts)


def _read(
    path: Path, name: str, kind: TypeAdapter[Any], documents: dict[str, Document], problems: list[Problem]
) -> Any:
    """Read one file as what it should hold; None if it is empty or wrong."""
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
        for item in _own(error):
            place = item["loc"]
            line = document.line(place)
            problems.append(Problem(name, line, text_of(place), item["msg"], hint_of(item)))
        return None


def _own(error: ValidationError) -> list[Any]:
    """Return the errors, without those that only follow: pydantic counts a list as empty whose items are wrong."""
    found = error.errors(include_url=False)
    places = [item["loc"] for item in found]
    return [
        item
        for item in found
        if item["type"] != "too_short"
        or not any(len(loc) > len(item["loc"]) and loc[: len(item["loc"])] == item["loc"] for loc in places)
    ]


def _strangers(folder: Path) -> Iterator[Problem]:
    """Find files that would silently be left out: misspelt names, `.yml`."""
    known = {f"{part}.yaml" for part in PARTS}
    for path in sorted([*folder.glob("*.y*ml"), *(folder / "price_books").glob("*.yml")]):
        if path.name not in known:
            hint = (
                f"rename it to {path.stem}.yaml"
                if path.suffix == ".yml"
                else f"use one of {', '.join(PARTS)}"
            )
            yield Problem(str(path.relative_to(folder)), 0, "", "no part of the catalog has this name", hint)
