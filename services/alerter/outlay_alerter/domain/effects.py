"""Why it costs more: the change between two windows, split into parts that add up to it exactly.

What is in both windows is split as price, volume and mix (https://en.wikipedia.org/wiki/Variance_analysis):
volume is what as much more use of the same mixture would have cost, mix is what the other mixture adds at
the old prices, and price is what the new prices add. A volume is a number of events, a price is the cost
of one event of one SKU: a longer prompt is a higher price.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

Group = tuple[str, str]
"""Provider and SKU."""
Use = tuple[int, int]
"""Cost in pico-USD, and events."""
Kind = Literal["volume", "price", "mix", "new", "gone"]


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a change, in pico-USD."""

    kind: Kind
    cost: int


def split(before: Mapping[Group, Use], after: Mapping[Group, Use]) -> list[Part]:
    """Return the parts of the change of cost, without those that are zero. They add up to it to the last digit."""
    both = [g for g in after if after[g][1] > 0 and before.get(g, (0, 0))[1] > 0]
    new = sum(cost for g, (cost, _) in after.items() if g not in both)
    gone = sum(cost for g, (cost, _) in before.items() if g not in both)
    parts = [Part("new", new), Part("gone", -gone)]
    if both:
        cost0, cost1 = sum(before[g][0] for g in both), sum(after[g][0] for g in both)
        events0, events1 = sum(before[g][1] for g in both), sum(after[g][1] for g in both)
        as_mixed = round(Fraction(cost0 * events1, events0))
        at_old_prices = round(sum(Fraction(after[g][1] * before[g][0], before[g][1]) for g in both))
        parts = [
            Part("volume", as_mixed - cost0),
            Part("price", cost1 - at_old_prices),
            Part("mix", at_old_prices - as_mixed),
            *parts,
        ]
    return [part for part in parts if part.cost]
