"""Where figures are read: from the rollups, or from the ledger where tags are asked for, which rollups do not have."""

# ruff: noqa: S608 (what is pasted are names of our dimensions and views, and tags that the catalog checked)

from collections.abc import Iterable

from outlay_alerter.domain.watches import tag_of
from outlay_schemas.dimensions import CELL
from outlay_schemas.events import Grain

VIEWS: dict[Grain, str] = {"minute": "costs_minutely", "hour": "costs_hourly", "day": "costs_daily"}
_STARTS: dict[Grain, str] = {
    "minute": "minute",
    "hour": "toStartOfHour(minute)",
    "day": "toStartOfDay(minute, 'UTC')",
}


def source(grain: Grain, names: Iterable[str]) -> str:
    """Return what to read windows of `grain` from, given the dimensions that are asked for."""
    tags = sorted({name for name in names if tag_of(name)})
    if not tags:
        return VIEWS[grain]
    columns = ", ".join([*CELL, *(f"tags['{tag_of(name)}'] AS {column(name)}" for name in tags)])
    return (
        f"(SELECT tenant, {_STARTS[grain]} AS time, ifNull(cost, 0) AS cost, 1 AS events,"
        f" toUInt64(unpriced) AS unpriced_events, usage, {columns} FROM costs)"
    )


def column(name: str) -> str:
    """Return the column of a dimension as SQL."""
    return f"`{name}`" if tag_of(name) else name


def columns(names: Iterable[str]) -> str:
    """Return columns that follow others: `, team, sku`."""
    return "".join(f", {column(name)}" for name in names)


def conditions(scope: Iterable[str]) -> list[str]:
    """Return that each dimension is one of the values bound as `s0`, `s1`, and so on."""
    return [f"{column(name)} IN {{s{n}:Array(String)}}" for n, name in enumerate(scope)]
