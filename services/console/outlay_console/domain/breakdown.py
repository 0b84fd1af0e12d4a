"""What was spent, by the values of a dimension: the rows of a table, a page at a time, that add up to its total."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from outlay_console.domain.view import JOINT
from outlay_reports.cost_query import Amount
from outlay_reports.money import completeness
from outlay_schemas.currency import Currency, rounded
from outlay_schemas.dimensions import OTHER_USERS
from outlay_schemas.money import to_pico


@dataclass(frozen=True)
class CostTotal:
    """What was spent in a span: what providers charge, and what internal customers pay."""

    cost: Decimal = Decimal(0)
    events: int = 0
    unpriced: int = 0
    """Events that are not, or not wholly, priced: the amounts are lower bounds."""
    estimated: int = 0
    guessed: Decimal = Decimal(0)
    """The cost of estimated events."""
    charged: Decimal = Decimal(0)
    free: int = 0
    """Events of what the provider offers free."""
    currency: str = field(default="USD", kw_only=True)
    amount: Amount = field(default="cost", kw_only=True)
    """Which of `cost` and `charged` it was asked for."""

    @classmethod
    def of(cls, measures: Sequence[Any], currency: Currency, amount: Amount = "cost") -> "CostTotal":
        """Return a total of the measures of `queries.TOTAL`, with amounts rounded to 12 places."""
        values: list[Any] = [rounded(one) if isinstance(one, Decimal) else one for one in measures]
        return cls(*values, currency=currency.code, amount=amount)

    @property
    def shown(self) -> Decimal:
        """The amount that it was asked for."""
        return self.charged if self.amount == "charged" else self.cost

    @property
    def doubts(self) -> str:
        """What the total rests on, for people; empty: every event has a price that is known."""
        return completeness(self.unpriced, self.estimated, to_pico(self.guessed), self.currency)


@dataclass(frozen=True)
class BreakdownRow:
    """One value of a dimension, or several together: amounts in a span and in the one that it is compared with."""

    value: str
    now: Decimal
    before: Decimal
    events: int = 0
    unpriced: int = 0
    dimension: str = ""
    unpriced_before: int = 0
    rows: int = 1
    """How many values it stands for."""

    @property
    def folded(self) -> bool:
        """Whether it is users past the limit of a window, whom rollups sum as one."""
        return OTHER_USERS in self.value.split(JOINT)

    @classmethod
    def of(cls, sums: Sequence[Any], dimension: str = "", *, rows: int) -> "BreakdownRow":
        """Return what `rows` values come to together, of the sums of `queries.SHOWN`."""
        now, before, events, unpriced, unpriced_before = sums
        return cls("", rounded(now), rounded(before), events, unpriced, dimension, unpriced_before, rows)

    def less(self, *parts: "BreakdownRow") -> "BreakdownRow":
        """Return what is left of these values without some of them."""
        return BreakdownRow(
            "", self.now - sum(one.now for one in parts), self.before - sum(one.before for one in parts),
            self.events - sum(one.events for one in parts), self.unpriced - sum(one.unpriced for one in parts),
            self.dimension, self.unpriced_before - sum(one.unpriced_before for one in parts),
            self.rows - sum(one.rows for one in parts),
        )  # fmt: skip


@dataclass
class Breakdown:
    """The values of one dimension, the most expensive first: all of them, or one page.

    `spent`, `before` and `count` are of all values. `earlier`, `rows` and `rest` add up to them, to the last digit.
    """

    rows: list[BreakdownRow] = field(default_factory=list)
    spent: CostTotal = field(default_factory=CostTotal)
    before: Decimal = Decimal(0)
    unpriced_before: int = 0
    count: int = 0
    """How many values there are."""
    earlier: BreakdownRow | None = None
    """What the values of the pages before come to; None on the first page."""

    @property
    def whole(self) -> BreakdownRow:
        """What all values come to."""
        spent = self.spent
        sums = (spent.shown, self.before, spent.events, spent.unpriced, self.unpriced_before)
        return BreakdownRow.of(sums, rows=self.count)

    @property
    def rest(self) -> BreakdownRow | None:
        """What the values after these come to; None: there are no more. Of converted amounts, it has what rounding each
        row to 12 places makes of difference to the total."""
        left = self.whole.less(*self.rows, *([self.earlier] if self.earlier else []))
        return left if left.rows else None
