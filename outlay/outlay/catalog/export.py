"""Writes a catalog as the folder of YAML that `load` reads, and makes a new folder to start from."""

import textwrap
from collections.abc import Mapping
from datetime import datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel

from outlay.catalog.load import PARTS, book_order, default_files
from outlay_schemas.catalog import Catalog, PriceBook

_STATED = {"type", "timezone"}
"""Fields that are written even where they are the default, as readers look for them."""
_NOTHING = "# Empty on purpose: what comes with Outlay under this name is left out.\n"


def export(catalog: Catalog) -> dict[str, str]:
    """Return the text of each file by its name; a folder of them, loaded over Outlay's own, is the same catalog. Model
    prices are in none of them."""
    ours = default_files()
    files = dict.fromkeys(sorted(ours), _NOTHING)
    for part in PARTS:
        value = getattr(catalog, part)
        if f"{part}.yaml" in ours or value != Catalog.model_fields[part].get_default():
            files[f"{part}.yaml"] = to_yaml(value)
    for name, book in _book_files(catalog.price_books, ours).items():
        files[name] = to_yaml(book)
    return files


def _book_files(price_books: tuple[PriceBook, ...], ours: frozenset[str]) -> dict[str, PriceBook]:
    """Name the price books so that they apply in their order when they are read again."""
    plain = {f"price_books/{book.name}.yaml": book for book in price_books}
    if book_order([*plain, *ours], ours) == [*plain, *(n for n in book_order(ours, ours) if n not in plain)]:
        return plain
    return {f"price_books/{n:03}-{book.name}.yaml": book for n, book in enumerate(price_books, 1)}


def to_yaml(value: Any) -> str:
    """Write a part of a catalog, without what is the default anyway."""
    return yaml.dump(
        plain(value), Dumper=_Dumper, sort_keys=False, allow_unicode=True, default_flow_style=None, width=100
    )


def alone(item: Any) -> str:
    """Return an item of a list as YAML, without the dash before it."""
    return textwrap.dedent(to_yaml([item]).replace("-", " ", 1)).strip()


def plain(value: Any) -> Any:
    """Return what people would write in YAML for a part of a catalog: fields that are the default are left out."""
    if isinstance(value, BaseModel):
        fields = type(value).model_fields.items()
        found = [(name, field, getattr(value, name)) for name, field in fields]
        return {
            field.alias or name: plain(one)
            for name, field, one in found
            if name in _STATED or one != field.get_default(call_default_factory=True)
        }
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [plain(item) for item in value]
    if isinstance(value, datetime):
        midnight = value.utcoffset() == timedelta(0) and value.time() == time(0)
        return value.date() if midnight else value.isoformat().replace("+00:00", "Z")
    return value.isoformat() if isinstance(value, time) else value


class _Dumper(yaml.SafeDumper):
    """Writes decimals as they were written, and lists indented."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        del indentless
        super().increase_indent(flow, False)

    def ignore_aliases(self, data: Any) -> bool:
        del data
        return True


def _decimal(dumper: yaml.SafeDumper, value: Decimal) -> yaml.ScalarNode:
    text = f"{value:f}"
    return dumper.represent_scalar(f"tag:yaml.org,2002:{'float' if '.' in text else 'int'}", text)


_Dumper.add_representer(Decimal, _decimal)

_START = {
    "budgets": """# Budgets: an amount of USD for a period, and the percentages at which alerts are sent.
# - id: growth
#   name: Growth
#   scope: {team: growth}
#   amount: 5000
#   period: month
#   timezone: Europe/Berlin
#   thresholds: [50, 80, 100]
""",
    "owners": """# Owners: who a user, a team, an API key or a tag belongs to.
# - {key: user, value: ann, sets: {team: growth}}
""",
    "channels": """# Channels: where alerts go. A secret is never written here, only where it is.
# - {id: team, type: slack, url: "${env:OUTLAY_CHANNEL_TEAM}"}
""",
}


def start(folder: Path, schemas: Mapping[str, str]) -> list[Path]:
    """Write the files of a new catalog into `folder`, each with the line that makes an editor use its schema; return
    those that were written. Files that are there already stay as they are. Raises OSError."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for part, text in _START.items():
        path = folder / f"{part}.yaml"
        if not path.exists():
            path.write_text(f"{schemas[path.name]}\n{text}", "utf-8")
            written.append(path)
    return written
