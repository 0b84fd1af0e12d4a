"""Allocates shared costs to those who use them, by the catalog's splits: exact to a pico-USD."""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from outlay_reports.cost_query import Cell, Keys, Sums, whole_cells
from outlay_schemas.catalog import Match, Split

_Known = tuple[Cell, Mapping[str, str]]
"""A cell, and its value of each dimension."""


@dataclass(frozen=True)
class Allocated:
    """A part of a shared cost that a receiver bears, in pico-USD. `keys`: the receiver, as `Question.by`."""

    split: str
    keys: Keys
    cost: int
    beside: int
    """The other amount, as `Sums.beside`."""


@dataclass(frozen=True)
class Allocation:
    """Costs after sharing: own cells, parts received, and the pools they came from. Their sum is what came in."""

    own: tuple[Cell, ...]
    received: tuple[Allocated, ...]
    pools: Mapping[str, Sums]
    """What each split shared, by its id."""


def conditions_of(match: Match) -> dict[str, tuple[str, ...]]:
    """Return a match as dimension to words, `tags.env` and `attributes.region` among them."""
    found: dict[str, tuple[str, ...]] = {}
    for name in type(match).model_fields:
        value = getattr(match, name)
        if isinstance(value, dict):
            found |= {f"{name}.{key}": tuple(words) for key, words in value.items()}
        elif value:
            found[name] = tuple(value)
    return found


def dimensions_of(splits: Iterable[Split]) -> tuple[str, ...]:
    """Return the dimensions that cells must have for these splits, in a fixed order."""
    names = {name for split in splits for name in conditions_of(split.match)}
    names |= {name for split in splits for share in split.shares for name in share.sets}
    names |= {split.by for split in splits if split.method == "proportional"}
    return tuple(sorted(names))


def active(splits: Iterable[Split], at: datetime) -> list[Split]:
    """Return the splits in force at a time, in their order: the first that fits a cost shares it."""
    return [split for split in splits if split.active(at)]


def allocate(cells: Sequence[Cell], names: Sequence[str], depth: int, splits: Sequence[Split]) -> Allocation:
    """Take what the splits are about out of the cells, and share it among those whose own costs are left.

    `names`: the cells' dimensions; the first `depth` are those of the report, and of the answer. A receiver that
    has several combinations of them gets its part in proportion to their own costs.
    """
    cells = whole_cells(cells)
    own: list[_Known] = []
    pools: dict[str, Sums] = {split.id: Sums() for split in splits}
    for cell in cells:
        facts = dict(zip(names, cell.keys, strict=True))
        split = next((split for split in splits if _fits(split.match, facts)), None)
        if split is None:
            own.append((cell, facts))
        else:
            pools[split.id].add(cell.sums)
    received = []
    for split in splits:
        pool, weights = pools[split.id], _weights(split, own, names[:depth])
        parts, others = apportion(round(pool.cost), weights), apportion(round(pool.beside), weights)
        received += [
            Allocated(split.id, keys, cost, others[keys]) for keys, cost in sorted(parts.items()) if cost
        ]
    folded: dict[tuple[int, Keys], Sums] = {}
    for cell, _ in own:
        folded.setdefault((cell.bucket, cell.keys[:depth]), Sums()).add(cell.sums)
    ordered = sorted(folded.items(), key=lambda item: item[0])
    return Allocation(tuple(Cell(*key, sums) for key, sums in ordered), tuple(received), pools)


def _fits(match: Match, facts: Mapping[str, str]) -> bool:
    return all(
        any(_word_fits(word, facts.get(name, "")) for word in words)
        for name, words in conditions_of(match).items()
    )


def _word_fits(word: str, text: str) -> bool:
    if "*" not in word:
        return word == text
    pattern = ".*".join(map(re.escape, word.split("*")))
    return bool(text) and re.fullmatch(pattern, text) is not None


def _weights(split: Split, own: Sequence[_Known], names: Sequence[str]) -> dict[Keys, int]:
    """Return how much of the pool each receiver (its values of `names`) bears, as whole-numbered weights."""
    if split.method == "proportional":
        sets = [share.sets for share in split.shares] or [{}]
        chosen = [
            (cell, facts) for cell, facts in own if facts[split.by] and any(_has(facts, s) for s in sets)
        ]
        return _costs(chosen, len(names)) or {("",) * len(names): 1}
    # Every share is scaled by the same number, so that a fixed weight of 0.3 and one of 0.7 are whole.
    scale = 10**12
    weights: dict[Keys, int] = defaultdict(int)
    for share in split.shares:
        size = scale if split.method == "even" or share.weight is None else round(share.weight * scale)
        within = _costs([one for one in own if _has(one[1], share.sets)], len(names))
        if not any(within.values()):
            within = {tuple(dict[str, str](share.sets).get(name, "") for name in names): 1}
        for keys, part in apportion(size, within).items():
            weights[keys] += part
    return weights


def _has(facts: Mapping[str, str], sets: Mapping[Any, str]) -> bool:
    return all(facts[name] == value for name, value in sets.items())


def _costs(own: Iterable[_Known], depth: int) -> dict[Keys, int]:
    found: dict[Keys, int] = defaultdict(int)
    for cell, _ in own:
        found[cell.keys[:depth]] += round(cell.sums.cost)
    return found


def apportion(amount: int, weights: Mapping[Keys, int]) -> dict[Keys, int]:
    """Split a whole number by weights, or evenly if all are 0, by largest remainders (Hamilton's method)."""
    if not any(weights.values()):
        weights = dict.fromkeys(weights, 1)
    whole = sum(weights.values())
    parts = {keys: amount * weight // whole for keys, weight in weights.items()}
    left = amount - sum(parts.values())
    order = sorted(weights, key=lambda keys: (-(amount * weights[keys] % whole), keys))
    for keys in order[:left]:
        parts[keys] += 1
    return parts
