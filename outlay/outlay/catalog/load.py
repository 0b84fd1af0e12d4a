"""Reads a catalog folder: `books/*.yaml`, and one YAML file for each other part."""

from datetime import UTC, date, datetime
from importlib.resources import files
from pathlib import Path
from typing import Any

import yaml

from outlay.catalog.library import from_library
from outlay_kit.clock import SystemClock
from outlay_schemas.catalog import Catalog

_DRAFT = datetime(1970, 1, 1, tzinfo=UTC)
"""A catalog that was read but not published has revision 0 and no time of its own."""
LISTS = {
    "budgets": "budgets",
    "rules": "rules",
    "negotiated": "negotiated",
    "fx": "fx",
    "reported": "reported",
    "azure_deployments": "azure_deployments",
    "owners": "owners",
    "aliases": "aliases",
    "defaults": "defaults",
    "virtual_tags": "virtual_tags",
    "required_tags": "required_tags",
    "splits": "splits",
}
"""File name without `.yaml` to the part of the catalog it holds."""


def load(folder: Path, today: date | None = None) -> Catalog:
    """Read a catalog folder as a draft: revision 0. Raises ValueError (pydantic's) if something in it is wrong."""
    rates = from_library(today or SystemClock().now().date())
    books = [_yaml(path) for path in sorted((folder / "books").glob("*.yaml"))]
    parts: dict[str, Any] = {}
    for name, field in LISTS.items():
        path = folder / f"{name}.yaml"
        if path.is_file():
            parts[field] = _yaml(path) or []
    return Catalog.model_validate(
        {"revision": 0, "created_at": _DRAFT, "rates": rates, "price_books": books, **parts}
    )


def load_default() -> Catalog:
    """Read the catalog that comes with Outlay: list prices of models and of common clouds."""
    return load(Path(str(files("outlay.catalog") / "default")))


def _yaml(path: Path) -> Any:
    return yaml.safe_load(path.read_text(encoding="utf-8"))
