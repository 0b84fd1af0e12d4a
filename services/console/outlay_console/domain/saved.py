"""What people keep: saved views of Explore, dashboards made of them, and notes on charts."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from outlay_console.domain.view import View, ViewError, query_pairs, read_view

MOST_VIEWS = 200
"""Saved views of a tenant that one person sees."""
MOST_NOTES = 100
"""Notes on one chart."""
NAME = 80
"""Characters of the name of a view or a dashboard."""

SAVED_VIEWS = f"""
SELECT id, name, query, dashboard, shared, owner, owner_name FROM saved_views FINAL
WHERE tenant = {{tenant:String}} AND NOT deleted AND (shared OR owner = {{owner:String}})
ORDER BY lowerUTF8(name), id LIMIT {MOST_VIEWS}"""  # noqa: S608 (a constant)

NOTES = f"""
SELECT id, at, text, author, author_name FROM notes FINAL
WHERE tenant = {{tenant:String}} AND NOT deleted
    AND at >= toDateTime({{low:UInt32}}, 'UTC') AND at < toDateTime({{high:UInt32}}, 'UTC')
ORDER BY at DESC, id LIMIT {MOST_NOTES}"""  # noqa: S608 (a constant)

NOTE = """
SELECT id, at, text, author, author_name FROM notes FINAL
WHERE tenant = {tenant:String} AND NOT deleted AND id = {id:String}"""


@dataclass(frozen=True)
class SavedView:
    """A view of Explore under a name."""

    id: str
    name: str
    query: str
    """Its address within Explore, from `?`."""
    dashboard: str
    """Empty: on no dashboard."""
    shared: bool
    owner: str
    owner_name: str


def stored_view(query: str) -> View | None:
    """Return the view of an address within Explore; None: it is not one."""
    try:
        return read_view(query_pairs(query))
    except ViewError:
        return None


def dashboards(views: Iterable[SavedView]) -> Mapping[str, list[SavedView]]:
    """Return the views of each dashboard, by its name."""
    found: dict[str, list[SavedView]] = {}
    for view in views:
        if view.dashboard:
            found.setdefault(view.dashboard, []).append(view)
    return dict(sorted(found.items(), key=lambda one: one[0].lower()))


def saved_view(row: Mapping[str, Any]) -> SavedView:
    """Return a row of SAVED_VIEWS as a value."""
    return SavedView(**{**row, "shared": bool(row["shared"])})
