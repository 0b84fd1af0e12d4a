"""Showback: who spent what, as a tree of dimensions with shares; and its flat cousin, the top of a list."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction

from outlay_reports.cost_query import Cell, Sums
from outlay_reports.money import share


@dataclass
class Node:
    """A value of a dimension within the values above it, with its children, the most expensive first."""

    keys: tuple[str, ...]
    sums: Sums = field(default_factory=Sums)
    children: list["Node"] = field(default_factory=list)


def tree(cells: Sequence[Cell], depth: int) -> Node:
    """Return the root of all cells; a node's sums are those of its children, exactly."""
    root = Node(())
    known: dict[tuple[str, ...], Node] = {(): root}
    for cell in cells:
        root.sums.add(cell.sums)
        for level in range(1, depth + 1):
            keys = cell.keys[:level]
            node = known.get(keys)
            if node is None:
                node = known[keys] = Node(keys)
                known[keys[:-1]].children.append(node)
            node.sums.add(cell.sums)
    for node in known.values():
        node.children.sort(key=lambda child: (-child.sums.cost, -child.sums.events, child.keys))
    return root


def walk(node: Node) -> list[Node]:
    """Return a node's descendants, parents first, the most expensive first."""
    found = []
    for child in node.children:
        found.append(child)
        found += walk(child)
    return found


@dataclass(frozen=True)
class Rank:
    """A place in a list: what it costs, its share of all, and the share of all places down to it."""

    keys: tuple[str, ...]
    sums: Sums
    share: Fraction | None
    running: Fraction | None


@dataclass(frozen=True)
class Top:
    """The most expensive combinations, and the sum of the rest."""

    ranks: tuple[Rank, ...]
    rest: Sums
    others: int
    """How many combinations are in `rest`."""
    whole: Sums


def top(cells: Sequence[Cell], limit: int) -> Top:
    """Return the `limit` most expensive cells."""
    leaves = list(walk_leaves(cells))
    whole, rest = Sums(), Sums()
    for _, sums in leaves:
        whole.add(sums)
    ranks, running = [], 0
    for keys, sums in leaves[:limit]:
        running += sums.cost
        ranks.append(Rank(keys, sums, share(sums.cost, whole.cost), share(running, whole.cost)))
    for _, sums in leaves[limit:]:
        rest.add(sums)
    return Top(tuple(ranks), rest, max(len(leaves) - limit, 0), whole)


def walk_leaves(cells: Sequence[Cell]) -> list[tuple[tuple[str, ...], Sums]]:
    """Return each combination of values once, summed over time, the most expensive first."""
    found: dict[tuple[str, ...], Sums] = {}
    for cell in cells:
        found.setdefault(cell.keys, Sums()).add(cell.sums)
    return sorted(found.items(), key=lambda item: (-item[1].cost, -item[1].events, item[0]))
