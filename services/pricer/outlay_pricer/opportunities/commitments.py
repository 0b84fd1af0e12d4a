"""Commitments that would pay: machines that ran so steadily that reserving them would have cost less.

An option is a rule of a price book for a lease (`where: {lease: reserved-1y}`), list price or agreed. Break-even: a
reserved machine is paid for every hour, used or not, so it pays where more than reserved / on-demand of the hours
are used. How many to reserve is found on the hours themselves.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction

from outlay_pricer.opportunities.detector import Opportunity, SavingMethod, Where

HOURS_LEAST = 72
"""Minimum hours of history for a commitment of a year."""
HOUR = 3600
_MONTH = 730


@dataclass(frozen=True)
class Use:
    """What one sku was used on demand in one hour: seconds of machines, and pico-USD."""

    hour: datetime
    seconds: Fraction
    cost: int
    events: int


@dataclass(frozen=True)
class Fleet:
    """The hours in which one sku of one region was used on demand, and the events that cost most."""

    where: Where
    region: str
    uses: tuple[Use, ...]
    examples: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Best:
    """How many machines to reserve for the least cost, in pico-USD over the hours looked at."""

    units: int
    saving: int
    needed: Fraction
    """Hours of a month (730) that a reserved machine must be used to pay for itself."""
    used: Fraction
    """Hours of a month that the last one of them would have been used."""


def best(uses: Sequence[Use], hours: int, rate: Fraction) -> Best | None:
    """Return the number of machines that saves most, None if none does.

    `hours`: all hours looked at, also those without use, for which a reserved machine is paid too. `rate`: pico-USD of
    a reserved second. The work of an hour is taken to be spread evenly over it.
    """
    used = [use for use in uses if use.seconds]
    if not used:
        return None

    def saving(units: int) -> Fraction:
        size = Fraction(units * HOUR)
        spared = sum((use.cost * min(size, use.seconds) / use.seconds for use in used), Fraction(0))
        return spared - rate * size * hours

    # Each machine more is used less than the one before it: the last that saves is the last to reserve.
    low, high = 0, -int(-max(use.seconds for use in used) // HOUR)
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if saving(middle) > saving(middle - 1) else (low, middle - 1)
    saved = int(saving(low))
    if saved <= 0:
        return None
    on_demand = sum(use.cost for use in used) / sum((use.seconds for use in used), Fraction(0))
    others = Fraction((low - 1) * HOUR)
    last = sum((min(max(use.seconds - others, Fraction(0)), Fraction(HOUR)) for use in used), Fraction(0))
    return Best(low, saved, _MONTH * rate / on_demand, _MONTH * last / HOUR / hours)


Rate = Callable[[Fleet, str], Fraction | None]
"""Pico-USD of a second under a lease; None: the price books do not say."""


def commitments(
    fleets: Sequence[Fleet], hours: int, leases: Callable[[Where], Sequence[str]], rate: Rate
) -> list[Opportunity]:
    """Return what each lease would have saved each fleet, over `hours` looked at."""
    if hours < HOURS_LEAST:
        return []
    found = []
    for fleet in fleets:
        for lease in leases(fleet.where):
            price = rate(fleet, lease)
            plan = None if price is None else best(fleet.uses, hours, price)
            if plan is not None:
                found.append(_finding(fleet, lease, plan))
    return found


def _finding(fleet: Fleet, lease: str, plan: Best) -> Opportunity:
    place = f" in {fleet.region}" if fleet.region else ""
    check = (
        f"{plan.units} of them: each pays from {float(plan.needed):.0f} hours of use a month on,"
        f" and the last was used {float(plan.used):.0f}. will that stay so for the whole term?"
    )
    way = SavingMethod("commitment", f"commit to {lease}{place}", check)
    cost, events = sum(use.cost for use in fleet.uses), sum(use.events for use in fleet.uses)
    return Opportunity(way, fleet.where, plan.saving, cost, events, list(fleet.examples))
