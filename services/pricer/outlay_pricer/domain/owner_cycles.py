"""Finds owners that lead back to themselves: attribution still ends, but has no defined meaning."""

from collections.abc import Sequence

from outlay_schemas.catalog import Owner

Node = tuple[str, str]


def owner_cycles(owners: Sequence[Owner]) -> list[list[Node]]:
    """Return each cycle once, as the (key, value) pairs along it, starting with its first in the catalog."""
    edges: dict[Node, list[Node]] = {}
    for owner in owners:
        edges.setdefault((owner.key, owner.value), []).extend(
            (str(key), value) for key, value in owner.sets.items()
        )
    found: dict[frozenset[Node], list[Node]] = {}
    for start in edges:
        cycle = _back_to(start, edges)
        if cycle:
            found.setdefault(frozenset(cycle), cycle)
    return list(found.values())


def _back_to(start: Node, edges: dict[Node, list[Node]]) -> list[Node]:
    """Return the shortest way from a node back to itself; empty if it has none."""
    ways: list[list[Node]] = [[start]]
    seen: set[Node] = set()
    for way in ways:  # grows while it is walked: breadth first
        for target in edges.get(way[-1], []):
            if target == start:
                return way
            if target not in seen:
                seen.add(target)
                ways.append([*way, target])
    return []
