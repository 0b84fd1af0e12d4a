"""Why one period cost more than another: price, volume and mix, which add up to the difference exactly.

Things are compared where they are counted alike: tokens with tokens, machine seconds with machine seconds, and
what has no quantity by its events. Within one measure, of all that is in both periods:

- volume: everything grows as the measure's total does, at the earlier cost: C0 (Q1/Q0 - 1)
- mix: its own quantity grew more or less than that, at the earlier unit cost: q1 c0/q0 - C0 Q1/Q0
- price: the unit cost is another: C1 - q1 c0/q0

What is only in the later period is new, what is only in the earlier is gone. The unit cost of a model also moves with
its share of cached input and of output: that is in price, since it is what a token came to cost.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from fractions import Fraction

from outlay_reports.cost_query import Cell, CostQuery, Keys, Sums, whole_cells
from outlay_reports.money import share
from outlay_reports.periods import range_text
from outlay_reports.report_table import (
    GROWTH,
    Column,
    ReportTable,
    Row,
    cost_report,
    dimension_columns,
    names,
    spent,
)

EFFECTS = ("price", "volume", "mix", "new", "gone")
THING = ("kind", "provider", "sku")
"""What has a price of its own: the finest that effects are computed for, within the dimensions asked for."""
_ROUNDED = 3
"""Pico-USD by which one event's cost is off at most: each of its meters is rounded."""


@dataclass
class Difference:
    """Two periods of one combination of values, and the effects between them, in pico-USD."""

    keys: Keys
    earlier: Sums = field(default_factory=Sums)
    later: Sums = field(default_factory=Sums)
    effects: dict[str, int] = field(default_factory=lambda: dict.fromkeys(EFFECTS, 0))

    @property
    def change(self) -> int:
        """The later cost minus the earlier; always the sum of the effects."""
        return round(self.later.cost - self.earlier.cost)


@dataclass(frozen=True)
class Comparison:
    """All together, and each combination, the greatest change first."""

    all: Difference
    parts: tuple[Difference, ...]


def compare(
    earlier: Sequence[Cell], later: Sequence[Cell], depth: int, scale: Fraction = Fraction(1)
) -> Comparison:
    """Compare two periods by `depth` dimensions, then `THING`. `scale` multiplies the earlier costs and quantities."""
    earlier, later = whole_cells(earlier), whole_cells(later)
    things: dict[Keys, Difference] = {}
    for cell in earlier:
        things.setdefault(cell.keys, Difference(cell.keys)).earlier.add(cell.sums)
    for cell in later:
        things.setdefault(cell.keys, Difference(cell.keys)).later.add(cell.sums)
    measures: dict[str, list[Difference]] = defaultdict(list)
    for thing in things.values():
        thing.earlier.cost = round(thing.earlier.cost * scale)
        if not thing.earlier.events:
            thing.effects["new"] = round(thing.later.cost)
        elif not thing.later.events:
            thing.effects["gone"] = -round(thing.earlier.cost)
        else:
            measures[_measure(thing)].append(thing)
    for measure, group in measures.items():
        _explain(measure, group, scale)
    whole = Difference(())
    parts: dict[Keys, Difference] = {}
    for thing in things.values():
        for sum_of in (whole, parts.setdefault(thing.keys[:depth], Difference(thing.keys[:depth]))):
            sum_of.earlier.add(thing.earlier)
            sum_of.later.add(thing.later)
            for name, effect in thing.effects.items():
                sum_of.effects[name] += effect
    order = sorted(parts.values(), key=lambda part: (-abs(part.change), part.keys))
    return Comparison(whole, tuple(order) if depth else ())


def _measure(thing: Difference) -> str:
    """Return what the thing is counted in: tokens, else the meter that both periods have, else events."""
    if thing.earlier.tokens and thing.later.tokens:
        return "tokens"
    return min(
        (m for m, q in thing.earlier.usage.items() if q and thing.later.usage.get(m)), default="events"
    )


def _quantity(sums: Sums, measure: str) -> Fraction:
    if measure == "tokens":
        return Fraction(sums.tokens)
    return Fraction(sums.events) if measure == "events" else Fraction(sums.usage.get(measure, Decimal(0)))


def _explain(measure: str, group: Sequence[Difference], scale: Fraction) -> None:
    """Set the effects of things counted alike. Rounding is within a pico-USD, and price takes the rest.

    Unless the rest is no more than the rounding of the events, `_ROUNDED` each: then no price has changed, and the
    greater of the others takes it, however little was spent.
    """
    quantities = [(_quantity(one.earlier, measure) * scale, _quantity(one.later, measure)) for one in group]
    growth = sum(q1 for _, q1 in quantities) / sum(q0 for q0, _ in quantities)
    for thing, (q0, q1) in zip(group, quantities, strict=True):
        at_old_price = thing.earlier.cost * q1 / q0
        volume = round(thing.earlier.cost * (growth - 1))
        mix = round(at_old_price - thing.earlier.cost * growth)
        price = thing.change - volume - mix
        rounding = _ROUNDED * (thing.later.events + (thing.earlier.events * scale + 1) * q1 / q0)
        if abs(price) <= rounding and abs(volume) >= abs(mix):
            volume, price = volume + price, 0
        elif abs(price) <= rounding:
            mix, price = mix + price, 0
        thing.effects |= {"volume": volume, "mix": mix, "price": price}


def compare_table(
    earlier: CostQuery, later: CostQuery, found: Comparison, cells: Sequence[Cell]
) -> ReportTable:
    """Return two periods side by side with the effects between them."""
    depth, span = len(later.by), earlier.span

    def row(part: Difference) -> Row:
        growth, effects = share(part.change, part.earlier.cost), (part.effects[name] for name in EFFECTS)
        costs = spent(part.earlier), spent(part.later), part.change
        return Row((*names(part.keys, depth), *costs, growth, *effects))

    columns = (
        *dimension_columns(later.by), Column("earlier_usd", "earlier", "usd"), Column("later_usd", "later", "usd"),
        Column("change_usd", "change", "change"), GROWTH,
        *(Column(f"{name}_usd", name, "change") for name in EFFECTS),
    )  # fmt: skip
    report = cost_report(
        "compare", "Compare", later, columns, map(row, found.parts), total=row(found.all), whole=found.all.later,
        cells=cells, earlier_from=span.start.isoformat(), earlier_to=span.end.isoformat(),
    )  # fmt: skip
    return replace(report, title=f"{report.title}, with {range_text(span, earlier.zone)}")
