"""Showback: who spent what, as a tree of dimensions with shares or as a list of the most expensive."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction

from outlay_reports.allocation import Allocation
from outlay_reports.cost_query import Cell, CostQuery, Keys, Sums, total
from outlay_reports.money import dollars, share
from outlay_reports.report_table import (
    AMOUNTS,
    EVENTS,
    SHARE,
    Column,
    ReportTable,
    Row,
    Spent,
    Value,
    amount_columns,
    cost_report,
    count_columns,
    counts,
    dimension_columns,
    names,
    spent,
)
from outlay_schemas.money import PICO, Exact

_UNITS = (
    Column("usd_per_event", "$/event", "rate"),
    Column("usd_per_1k_tokens", "$/1k tokens", "rate"),
    Column("cached_input_share", "cached", "share"),
    Column("users", "users", "count"),
    Column("usd_per_user", "$/user", "rate"),
    Column("cache_saved_usd", "cache saved", "usd"),
)


@dataclass
class Node:
    """A value of a dimension within the values above it, with its children, the most expensive first."""

    keys: Keys
    sums: Sums = field(default_factory=Sums)
    children: list["Node"] = field(default_factory=list)


def tree(cells: Sequence[Cell], depth: int) -> Node:
    """Return the root of all cells; a node's sums are those of its children, exactly."""
    root = Node(())
    known: dict[Keys, Node] = {(): root}
    for cell in cells:
        root.sums.add(cell.sums)
        for level in range(1, depth + 1):
            keys = cell.keys[:level]
            if keys not in known:
                known[keys] = Node(keys)
                known[keys[:-1]].children.append(known[keys])
            known[keys].sums.add(cell.sums)
    for node in known.values():
        node.children.sort(key=lambda child: (-child.sums.cost, -child.sums.events, child.keys))
    return root


def walk(node: Node) -> list[Node]:
    """Return a node's descendants, parents first, the most expensive first."""
    return [each for child in node.children for each in (child, *walk(child))]


def leaves(cells: Sequence[Cell]) -> list[tuple[Keys, Sums]]:
    """Return each combination of values once, summed over time, the most expensive first."""
    found: dict[Keys, Sums] = {}
    for cell in cells:
        found.setdefault(cell.keys, Sums()).add(cell.sums)
    return sorted(found.items(), key=lambda item: (-item[1].cost, -item[1].events, item[0]))


@dataclass(frozen=True)
class UnitEconomics:
    """What unit economics are made of: users of each depth, from all together (0) on; what caching saved by values."""

    users: Sequence[Mapping[Keys, int]]
    saved: Mapping[Keys, int]

    def cells(self, keys: Keys, sums: Sums) -> tuple[Value, ...]:
        """Return what one event, 1,000 tokens and one user cost, and what prompt caching saved."""
        users = self.users[len(keys)].get(keys, 0)
        saved = sum(saved for place, saved in self.saved.items() if place[: len(keys)] == keys)
        each = per_unit(sums, sums.events), per_unit(sums, Fraction(sums.tokens) / 1000)
        return (*each, cached_share(sums), users, per_unit(sums, users), Spent(saved))


def per_unit(sums: Sums, count: int | Fraction) -> Fraction | None:
    """Return USD for one of `count`; None for none, and where nothing is priced. A lower bound if some are unpriced."""
    return Fraction(sums.cost) / (PICO * count) if count and (sums.cost or not sums.unpriced) else None


def cached_share(sums: Sums) -> Fraction | None:
    """Which share of the input tokens came from a cache, None without input."""
    return share(sums.usage.get("cache_read_tokens", 0), sums.usage.get("input_tokens", 0))


def showback_table(
    query: CostQuery, cells: Sequence[Cell], units: UnitEconomics | None = None
) -> ReportTable:
    """Return who spent what, and with `units` what an event, a user and 1,000 tokens cost."""
    depth = len(query.by)
    root = tree(cells, depth)

    def row(keys: Keys, sums: Sums) -> Row:
        values = (
            *names(keys, depth), spent(sums), Spent(sums.beside, sums.unpriced), share(sums.cost, root.sums.cost),
            *counts(sums), *(units.cells(keys, sums) if units else ()),
        )  # fmt: skip
        return Row(values, len(keys) - 1, len(keys) == depth)

    columns = (
        *dimension_columns(query.by), *amount_columns(query.amount, root.sums), SHARE,
        *count_columns(root.sums), *(_UNITS if units else ()),
    )  # fmt: skip
    rows = [row(node.keys, node.sums) for node in walk(root)]
    every = row((), root.sums)
    return cost_report(
        "showback", "Showback", query, columns, rows, total=every, whole=root.sums, cells=cells, tree=depth
    )


def top_table(query: CostQuery, cells: Sequence[Cell], limit: int) -> ReportTable:
    """Return the most expensive combinations, and the rest. `running`: the share of all rows down to this one."""
    ranked, depth = leaves(cells), len(query.by)
    whole = total(sums for _, sums in ranked)

    def row(keys: Sequence[str | None], sums: Sums, running: Fraction | None) -> Row:
        amounts = spent(sums), Spent(sums.beside, sums.unpriced)
        return Row((*keys, *amounts, share(sums.cost, whole.cost), running, *counts(sums)))

    running: Exact = 0
    rows = []
    for keys, sums in ranked[:limit]:
        running += sums.cost
        rows.append(row(names(keys, depth), sums, share(running, whole.cost)))
    title = f"Top {len(rows)}" if rows else "Top"
    if others := ranked[limit:]:
        rest = total(sums for _, sums in others)
        rows.append(row((f"({len(others):,} others)", *[""] * (depth - 1)), rest, None))
    columns = (
        *dimension_columns(query.by), *amount_columns(query.amount, whole), SHARE,
        Column("running_share", "running", "share"), *count_columns(whole),
    )  # fmt: skip
    every = row([None] * depth, whole, None)
    return cost_report("top", title, query, columns, rows, total=every, whole=whole, cells=cells)


def allocated_table(query: CostQuery, found: Allocation) -> ReportTable:
    """Return showback with own costs and allocated shared costs apart. The whole is what showback's is."""
    depth = len(query.by)
    own = {node.keys: node.sums for node in _nodes(found.own, depth)}
    parts = [(part.split, Cell(0, part.keys, Sums(part.cost))) for part in found.received]
    splits = [name for name, pool in found.pools.items() if pool.events]
    shared = {
        name: {
            node.keys: node.sums.cost for node in _nodes([cell for of, cell in parts if of == name], depth)
        }
        for name in splits
    }
    both = [*found.own, *(cell for _, cell in parts)]
    whole = total(cell.sums for cell in both)

    def row(keys: Keys, sums: Sums) -> Row:
        mine = own.get(keys, Sums())
        values = (
            *names(keys, depth), spent(mine), Spent(sums.cost - mine.cost), Spent(sums.cost, mine.unpriced),
            share(sums.cost, whole.cost), mine.events, *(Spent(shared[name].get(keys, 0)) for name in splits),
        )  # fmt: skip
        return Row(values, len(keys) - 1, len(keys) == depth)

    columns = (
        *dimension_columns(query.by), Column("own_usd", "own", "usd"), Column("shared_usd", "shared", "usd"),
        AMOUNTS[query.amount], SHARE, EVENTS,
        *(Column(f"shared_usd.{name}", f"of {name}", "usd", wide=len(splits) < 2) for name in splits),
    )  # fmt: skip
    code = query.currency.code
    pools = [f"{dollars(found.pools[name].cost, currency=code)} of {name} is shared" for name in splits]
    every, *rows = (row(node.keys, node.sums) for node in _nodes(both, depth))
    return cost_report(
        "showback", "Showback with shared costs", query, columns, rows, total=every, whole=own[()], cells=found.own,
        notes=pools or ["no split of the catalog fits any cost of this time"], tree=depth,
    )  # fmt: skip


def _nodes(cells: Sequence[Cell], depth: int) -> list[Node]:
    root = tree(cells, depth)
    return [root, *walk(root)]
