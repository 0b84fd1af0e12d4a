"""Shared costs as FOCUS has them: an unowned row becomes one for each who bears a part of it (since 1.3)."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from outlay_reports.allocation import Allocation, apportion, conditions_of
from outlay_reports.cost_query import Keys
from outlay_reports.range_sums import bind, column
from outlay_schemas.catalog import Split
from outlay_schemas.dimensions import UNASSIGNED, name_of
from outlay_schemas.money import to_pico, to_usd

_AMOUNTS = (
    "BilledCost", "ContractedCost", "EffectiveCost", "ListCost", "PricingCurrencyEffectiveCost", "ConsumedQuantity",
    "PricingQuantity", "x_ChargedCost",
)  # fmt: skip
_COUNTS = ("x_Events", "x_UnpricedEvents")


@dataclass(frozen=True)
class Sharing:
    """Which split shares a cost, as SQL with what it binds, and who bears how much of each split."""

    sql: str
    bound: Mapping[str, Any]
    weights: Mapping[str, Mapping[Keys, int]]
    by: tuple[str, ...]  # the dimensions of a receiver, the widest first


def sharing(splits: Sequence[Split], found: Allocation, by: tuple[str, ...]) -> Sharing:
    """Return how the costs of a span are shared: each of their rows as the whole of them is in a report."""
    bound: dict[str, object] = {}
    tests = [f"{_condition(split, bound)}, {bind(split.id, bound)}" for split in splits]
    weights: dict[str, dict[Keys, int]] = {split.id: {} for split in splits}
    for part in found.received:
        weights[part.split][part.keys] = part.cost
    sql = f"multiIf({', '.join(tests)}, '')" if tests else "''"
    # A pool that cost nothing has no receivers: its rows stay as they are.
    return Sharing(sql, bound, weights, by)


def _condition(split: Split, bound: dict[str, object]) -> str:
    parts = ["1"]
    for name, words in conditions_of(split.match).items():
        text = column(name, bound)
        parts.append(f"({' OR '.join(_fits(text, word, bound) for word in words)})")
    return " AND ".join(parts)


def _fits(text: str, word: str, bound: dict[str, object]) -> str:
    """As the pricer and the reports compare: `*` stands for any text, and never for a value that is not there."""
    if "*" not in word:
        return f"{text} = {bind(word, bound)}"
    pattern = ".*".join(map(re.escape, word.split("*")))
    return f"({text} != '' AND match({text}, {bind(f'^(?s:{pattern})$', bound)}))"


def shared(
    table: pa.Table, splits: Any, sharing: Sharing, units: Mapping[str, str] | None = None
) -> pa.Table:
    """Return the rows with those of a split cut up among its receivers; every amount adds up to what it was.
    `units`: InvoiceId to the dimension whose values have a part of the invoice each."""
    borne = [split for split, weights in sharing.weights.items() if split and weights]
    chosen = pc.is_in(splits, pa.array(borne, pa.string()))
    rows: list[dict[str, Any]] = []
    for row, split in zip(table.filter(chosen).to_pylist(), splits.filter(chosen).to_pylist(), strict=True):
        rows += _parts(row, split, sharing, units or {})
    cut = pa.Table.from_pylist(rows, schema=table.schema)
    return pa.concat_tables([table.filter(pc.invert(chosen)), cut])


def _parts(
    row: dict[str, Any], split: str, sharing: Sharing, units: Mapping[str, str]
) -> list[dict[str, Any]]:
    weights = sharing.weights[split]
    whole = sum(weights.values())
    cut = {
        name: apportion(to_pico(str(row[name])), weights) for name in _AMOUNTS if row.get(name) is not None
    }
    counts = {name: apportion(int(row[name]), weights) for name in _COUNTS}
    text = isinstance(row["BilledCost"], str)
    invoice = row["InvoiceId"]
    pays = units.get(invoice, "") if "InvoiceDetailId" in row else ""
    found = []
    for keys, weight in sorted(weights.items()):
        part = dict(row)
        part |= {name: _amount(parts[keys], text=text) for name, parts in cut.items()}
        part |= {name: str(parts[keys]) if text else parts[keys] for name, parts in counts.items()}
        labels = {f"outlay/{name}": value for name, value in zip(sharing.by, keys, strict=True) if value}
        ratio = round(Fraction(weight, whole), 12)
        part |= {
            "AllocatedMethodId": split,
            "AllocatedMethodDetails": json.dumps({"Elements": [{"AllocatedRatio": float(ratio)}]}),
            "AllocatedResourceId": "/".join(name_of(value) for value in keys),
            "AllocatedResourceName": next((value for value in reversed(keys) if value), UNASSIGNED),
            "AllocatedTags": json.dumps(labels, ensure_ascii=False),
        }
        if pays in sharing.by:  # the receiver's statement has it, not the owner's
            part["InvoiceDetailId"] = f"{invoice}/{name_of(keys[sharing.by.index(pays)])}"
        found.append(part)
    return found


def _amount(pico: int, *, text: bool) -> Any:
    return to_usd(pico) if text else Decimal(to_usd(pico))
