"""Chargeback: a statement for each business unit and month, what closing a month keeps, and what comes after it."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime

import msgspec

from outlay_reports.allocation import Allocation
from outlay_reports.cost_query import Keys, Sums

OWN = "own"
SHARED = "shared"


class Line(msgspec.Struct, frozen=True, omit_defaults=True):
    """A line of a statement: the unit that pays, own or shared use, and of what. Amounts in pico-USD."""

    unit: str
    what: str
    keys: tuple[str, ...]
    """Own use: the dimensions of the lines. Shared use: the id of the split."""
    cost: int
    """What the unit is charged."""
    events: int = 0
    unpriced: int = 0
    provider_cost: int | None = None
    """What the provider charges; None: the same, as in every month that 0.1.0 closed."""

    @property
    def of_provider(self) -> int:
        """Pico-USD that the provider charges."""
        return self.cost if self.provider_cost is None else self.provider_cost


class Closing(msgspec.Struct, frozen=True):
    """A month as it was closed."""

    seq: int
    """1 is the first closing; a later one takes in the amendments until then."""
    at: datetime
    by: str
    note: str
    lines: tuple[Line, ...]

    @property
    def cost(self) -> int:
        """Pico-USD of all lines."""
        return sum(line.cost for line in self.lines)


class Amendment(msgspec.Struct, frozen=True):
    """What a line is more or less than it was when the month was closed, in pico-USD."""

    unit: str
    what: str
    keys: tuple[str, ...]
    closed: int
    now: int
    provider_change: int = 0
    """What the provider charges more or less."""

    @property
    def change(self) -> int:
        """What is still to be charged, or to be given back."""
        return self.now - self.closed


class Statement(msgspec.Struct, frozen=True):
    """What one unit pays for a month."""

    unit: str
    lines: tuple[Line, ...]
    """As closed, or as it stands where the month is not closed."""
    amendments: tuple[Amendment, ...]

    @property
    def unpriced(self) -> int:
        """Events that are not, or not wholly, priced: the cost is a lower bound if not 0."""
        return sum(line.unpriced for line in self.lines)

    @property
    def amended(self) -> int:
        """Pico-USD of the lines and the amendments together."""
        return sum(line.cost for line in self.lines) + sum(item.change for item in self.amendments)

    @property
    def of_provider(self) -> int:
        """The same of what the provider charges."""
        changes = sum(item.provider_change for item in self.amendments)
        return sum(line.of_provider for line in self.lines) + changes


def statement_id(tenant: str, period: str, zone: str, seq: int) -> str:
    """Return the id of the statements of a month's closing, such as `acme/2026-10/UTC/1`."""
    return f"{tenant}/{period}/{zone}/{seq}"


def lines_of(allocation: Allocation) -> tuple[Line, ...]:
    """Return the lines of all units; the first dimension is the unit, the others say what it used."""
    found: dict[tuple[str, str, Keys], Sums] = defaultdict(Sums)
    for cell in allocation.own:
        found[cell.keys[0], OWN, cell.keys[1:]].add(cell.sums)
    for part in allocation.received:
        found[part.keys[0], SHARED, (part.split,)].add(Sums(part.cost, beside=part.beside))
    return tuple(
        Line(
            *key, round(sums.cost), sums.events, sums.unpriced,
            None if sums.beside == sums.cost else round(sums.beside),
        )
        for key, sums in sorted(found.items())
    )  # fmt: skip


def amendments(closed: Iterable[Line], now: Iterable[Line]) -> tuple[Amendment, ...]:
    """Return every line that is charged another amount than when the month was closed."""
    before, after = (
        {(line.unit, line.what, line.keys): (line.cost, line.of_provider) for line in lines}
        for lines in (closed, now)
    )
    found = []
    for key in sorted(before.keys() | after.keys()):
        (was, provider_was), (cost, provider) = before.get(key, (0, 0)), after.get(key, (0, 0))
        if was != cost:
            found.append(Amendment(*key, was, cost, provider - provider_was))
    return tuple(found)


def statements(now: Sequence[Line], closing: Closing | None) -> tuple[Statement, ...]:
    """Return a statement for each unit, the most expensive first: as closed with its amendments, else as it stands."""
    lines = sorted(closing.lines if closing else now, key=lambda line: (line.what, -line.cost, line.keys))
    changed = amendments(lines, now)
    found = [
        Statement(
            unit, tuple(i for i in lines if i.unit == unit), tuple(i for i in changed if i.unit == unit)
        )
        for unit in {i.unit for i in lines} | {i.unit for i in changed}
    ]
    return tuple(sorted(found, key=lambda statement: (-statement.amended, statement.unit)))
