"""JSON Schema of every file of a catalog folder, so that an editor completes and checks while one writes."""

import json
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from outlay.catalog.load import PARTS
from outlay_schemas.catalog import Catalog, PriceBook

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def json_schemas() -> dict[str, dict[str, Any]]:
    """Return a schema for each file name: `price_books/*.yaml`, `budgets.yaml`, and so on.

    In an editor that speaks YAML Language Server, the first line of a file names its schema:
    `# yaml-language-server: $schema=../schemas/book.json`.
    """
    kinds: dict[str, TypeAdapter[Any]] = {"price_books/*.yaml": TypeAdapter(PriceBook)}
    kinds |= {f"{part}.yaml": TypeAdapter(Catalog.model_fields[part].rebuild_annotation()) for part in PARTS}
    return {
        name: {"$schema": DIALECT, "title": name, **kind.json_schema(by_alias=True)}
        for name, kind in kinds.items()
    }


def write_schemas(folder: Path) -> dict[str, str]:
    """Write a schema for each file into `folder`; return by file the line that makes an editor use it."""
    folder.mkdir(parents=True, exist_ok=True)
    lines: dict[str, str] = {}
    for name, schema in json_schemas().items():
        path = folder / f"{name.split('/')[0].removesuffix('.yaml')}.json"
        path.write_text(json.dumps(schema, indent=2) + "\n", "utf-8")
        lines[name] = f"# yaml-language-server: $schema={path.resolve()}"
    return lines
