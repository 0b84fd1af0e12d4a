"""The differences between two catalogs, for `outlay catalog plan`."""

from collections.abc import Iterator, Mapping
from typing import Any, Literal

from msgspec import Struct

from outlay_schemas.catalog import Catalog

_NAMES: Mapping[str, tuple[str, ...]] = {
    "aliases": ("dimension", "name", "tenant"),
    "azure_deployments": ("resource", "deployment"),
    "fx": ("currency", "from"),
    "owners": ("key", "value", "from", "tenant"),
}
"""The fields that name an item of these parts. Others are named by their `id`, or without one by their position."""


class Change(Struct, frozen=True):
    """An entry that one catalog has and the other does not have, or has differently."""

    what: Literal["added", "removed", "changed"]
    thing: str  # the part and the name: `price book aws-compute: p5.48xlarge`
    details: list[str] = []  # for `changed`: the fields that differ, before → after


def changes(old: Catalog, new: Catalog) -> list[Change]:
    """Return the differences in the order of the parts. Revision, date and note do not count."""
    before, after = dict(_things(old)), dict(_things(new))
    found: list[Change] = []
    for thing in before | after:
        if thing not in after:
            found.append(Change("removed", thing))
        elif thing not in before:
            found.append(Change("added", thing))
        elif before[thing] != after[thing]:
            found.append(Change("changed", thing, list(_fields("", before[thing], after[thing]))))
    return found


def removals(old: Catalog, new: Catalog) -> list[str]:
    """Return what people wrote that `new` would remove. Model prices are not theirs: a library brings them."""
    gone = changes(old.model_copy(update={"rates": None}), new.model_copy(update={"rates": None}))
    return [change.thing for change in gone if change.what == "removed"]


def _things(catalog: Catalog) -> Iterator[tuple[str, Any]]:
    without = {"revision", "created_at", "note", "author"}
    plain = catalog.model_dump(mode="json", by_alias=True, exclude_defaults=True, exclude=without)
    rates = plain.pop("rates", None) or {}
    for provider in rates.pop("providers", ()):
        models = provider.pop("models", ())
        yield f"provider {provider['id']}", provider
        for place, model in enumerate(models):
            yield f"model {provider['id']}/{model.get('id', place)}", model
    yield "model prices", rates
    for book in plain.pop("price_books", ()):
        rules = book.pop("rules", ())
        yield f"price book {book['name']}", book
        for rule in rules:
            yield f"price book {book['name']}: {rule['id']}", rule
    for part, value in plain.items():
        for place, item in enumerate(value, 1) if isinstance(value, list) else ():
            names = [str(item[name]) for name in _NAMES.get(part, ("id",)) if item.get(name)]
            yield f"{part}: {' '.join(names) or place}", item
        if not isinstance(value, list):
            yield part, value


def _fields(path: str, old: Any, new: Any) -> Iterator[str]:
    if isinstance(old, dict) and isinstance(new, dict):
        for key in old | new:
            yield from _fields(f"{path}.{key}" if path else str(key), old.get(key), new.get(key))
    elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        for place, (one, other) in enumerate(zip(old, new, strict=True)):
            yield from _fields(f"{path}[{place}]", one, other)
    elif old != new:
        yield f"{path}: {_short(old)} → {_short(new)}"


def _short(value: Any) -> str:
    text = "nothing" if value is None else str(value)
    return text if len(text) <= 80 else f"{text[:77]}…"
