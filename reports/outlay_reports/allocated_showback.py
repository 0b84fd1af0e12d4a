"""Showback with shared costs allocated: own and shared costs in separate columns."""

from collections.abc import Mapping

from outlay_reports.allocation import Allocation
from outlay_reports.cost_query import Cell, CostQuery, Sums
from outlay_reports.money import dollars, share
from outlay_reports.report_builders import AMOUNTS, facts, gaps, heading
from outlay_reports.report_table import Column, ReportTable, Row, Spent
from outlay_reports.showback import Node, tree, walk
from outlay_schemas.dimensions import name_of

Keys = tuple[str, ...]


def allocated_table(question: CostQuery, found: Allocation) -> ReportTable:
    """Return who spent what by themselves and what they bear of shared costs. The whole is what showback's is."""
    depth = len(question.by)
    own = tree(found.own, depth)
    shared = tree([Cell(0, part.keys, Sums(part.cost)) for part in found.received], depth)
    names = [name for name, pool in found.pools.items() if pool.events]
    parts = {
        name: _by_keys(
            tree([Cell(0, p.keys, Sums(p.cost)) for p in found.received if p.split == name], depth)
        )
        for name in names
    }
    whole = own.sums.cost + shared.sums.cost
    by_keys: dict[Keys, tuple[Sums, int]] = {
        (): (own.sums, shared.sums.cost),
        **{node.keys: (node.sums, 0) for node in walk(own)},
    }
    for node in walk(shared):
        by_keys[node.keys] = (by_keys.get(node.keys, (Sums(), 0))[0], node.sums.cost)

    def row(keys: Keys) -> Row:
        sums, part = by_keys[keys]
        names_ = (*map(name_of, keys), *[None] * (depth - len(keys)))
        both = sums.cost + part
        values = (
            *names_,
            Spent(sums.cost, sums.unpriced),
            Spent(part),
            Spent(both, sums.unpriced),
            share(both, whole),
            sums.events,
            *(Spent(parts[split].get(keys, 0)) for split in names),
        )
        return Row(values, len(keys) - 1, len(keys) == depth)

    columns = (
        *(Column(name, name.replace("_", " ")) for name in question.by),
        Column("own_usd", "own", "usd"), Column("shared_usd", "shared", "usd"), AMOUNTS[question.amount],
        Column("share", "share", "share"), Column("events", "events", "count"),
        *(Column(f"shared_usd.{name}", f"of {name}", "usd", wide=len(names) < 2) for name in names),
    )  # fmt: skip
    pools = [f"{dollars(pool.cost)} of {name} is shared" for name, pool in found.pools.items() if pool.events]
    notes = (
        *(pools or ["no split of the catalog fits any cost of this time"]),
        *gaps(own.sums, found.own, question.by),
    )
    title = heading("Showback with shared costs", question.span, question)
    rows = tuple(row(keys) for keys in _ordered(by_keys))
    return ReportTable("showback", title, columns, rows, row(()), notes, facts(question), tree=depth)


def _by_keys(root: Node) -> dict[Keys, int]:
    """Return the cost of each node, and of all under ()."""
    return {(): root.sums.cost, **{node.keys: node.sums.cost for node in walk(root)}}


def _ordered(by_keys: Mapping[Keys, tuple[Sums, int]]) -> list[Keys]:
    """Return the keys, parents before children, the most expensive first."""
    nodes = {keys: Node(keys, Sums(sums.cost + part, sums.events)) for keys, (sums, part) in by_keys.items()}
    for keys, node in nodes.items():
        if keys:
            nodes[keys[:-1]].children.append(node)
    for node in nodes.values():
        node.children.sort(key=lambda child: (-child.sums.cost, child.keys))
    return [node.keys for node in walk(nodes[()])]
