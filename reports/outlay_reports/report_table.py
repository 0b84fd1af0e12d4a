"""A report as typed rows and columns with exact values, and what cost reports share: columns, heading, notes, facts."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from typing import Literal
from zoneinfo import ZoneInfo

from outlay_reports.cost_query import Amount, Cell, CostQuery, Keys, Sums
from outlay_reports.money import (
    about,
    completeness,
    counted,
    decimal_of,
    dollars,
    from_pico,
    percent,
    plain,
    share,
    symbol,
    usd,
)
from outlay_reports.periods import moment_text, range_text
from outlay_schemas.currency import Currency
from outlay_schemas.dimensions import condition_text, name_of
from outlay_schemas.money import Exact, rounded_usd, to_usd

Kind = Literal["text", "time", "usd", "change", "share", "growth", "count", "rate"]
"""time: ISO 8601. usd: `Spent`. change: pico-USD, shown with a sign. share, growth: of one. rate: USD for one unit."""


@dataclass(frozen=True, slots=True)
class Spent:
    """A cost in pico-USD: a lower bound if `unpriced` events are not, or not wholly, in it."""

    pico: Exact
    unpriced: int = 0


@dataclass(frozen=True, slots=True)
class ExpectedCost(Spent):
    """A forecast of a cost: people see whole dollars from $100 up."""


@dataclass(frozen=True, slots=True)
class Moment:
    """An instant: people see it in the zone of the view, and in its `own` zone if that is another."""

    at: datetime
    zone: ZoneInfo
    own: ZoneInfo


Value = str | int | Decimal | Fraction | Spent | Moment | None


@dataclass(frozen=True)
class Column:
    """A column: its name for machines, its title for people, and what is in it."""

    name: str
    title: str
    kind: Kind = "text"
    wide: bool = False
    """For machines: in CSV and JSON, and not in what people are shown."""


@dataclass(frozen=True)
class Row:
    """One row. `depth`: how far it is indented; `leaf`: it adds up with the other leaves to the total."""

    values: tuple[Value, ...]
    depth: int = 0
    leaf: bool = True


@dataclass(frozen=True)
class ReportTable:
    """A table with a title, a total and notes."""

    name: str
    title: str
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    total: Row | None = None
    notes: tuple[str, ...] = ()
    facts: dict[str, object] = field(default_factory=dict)
    """What JSON says about the report beside its rows: from, to, time zone, totals."""
    tree: int = 0
    """How many of the first columns are a hierarchy, shown to people as one indented column."""
    empty: str = "no spend in this period"
    """The text of a table without rows."""
    currency: str = "USD"
    """Of its amounts, and in the names of its columns."""

    def in_currency(self, currency: Currency) -> "ReportTable":
        """Return the table of amounts that were read in a currency: its columns, facts and notes say so."""
        if currency.code == self.currency:
            return self
        columns = tuple(
            replace(
                one,
                name=_USD.sub(currency.code.lower(), one.name),
                title=one.title.replace("$", symbol(currency.code)).replace("USD", currency.code),
            )
            if one.kind in ("usd", "change", "rate")
            else one
            for one in self.columns
        )
        facts = {**self.facts, "currency": currency.code, "rates": currency.sources}
        note = f"{currency.code}, {conversion(currency)}"
        return replace(self, columns=columns, facts=facts, notes=(*self.notes, note), currency=currency.code)


_USD = re.compile(r"(?<![a-z])usd(?![a-z])")


def conversion(currency: Currency) -> str:
    """Say how amounts were converted: `converted from USD at each day's rate (ECB)`."""
    sources = f" ({'; '.join(currency.sources)})" if currency.sources else ""
    return f"converted from USD at each day's rate{sources}"


_BREAKS = re.compile(r"[\n\r\t\v\f\x1c-\x1e\x85\u2028\u2029]+")


def one_line(text: str) -> str:
    """Return a name without what would split the row of a table that it stands in."""
    return _BREAKS.sub("⏎", text)


def shown(value: Value, column: Column, currency: str = "USD") -> str:
    """Write a value for people."""
    if isinstance(value, Spent):
        bound = bool(value.unpriced)
        write = about if isinstance(value, ExpectedCost) else usd
        return write(from_pico(value.pico), lower_bound=bound, currency=currency)
    if isinstance(value, Moment):
        return moment_text(value.at, value.zone, value.own)
    if isinstance(value, Fraction):
        grown = column.kind == "growth"
        return usd(value, currency=currency) if column.kind == "rate" else percent(value, sign=grown)
    if isinstance(value, int | Decimal):
        if column.kind == "change":
            return dollars(int(value), sign=True, currency=currency)
        return f"{value:,.0f}" if value == int(value) else f"{value:,.2f}"
    text = value or ""
    return text.replace("T", " ").removesuffix("+00:00") if column.kind == "time" else text


def machine(value: Value, column: Column) -> str | int | None:
    """Write a value for machines: money and shares as decimal strings, exact (shares and rates to 12 places),
    times as ISO 8601 with their offset."""
    match value:
        case None | str():
            return value
        case Spent(pico, _):
            return rounded_usd(pico)
        case Moment(at, zone, _):
            return at.astimezone(zone).isoformat()
        case int():
            return to_usd(value) if column.kind == "change" else value
        case Fraction():
            return plain(decimal_of(value))
        case Decimal():
            return plain(value)


AMOUNTS: dict[Amount, Column] = {
    "cost": Column("cost_usd", "cost", "usd"),
    "charged": Column("charged_usd", "charged", "usd"),
}
SHARE = Column("share", "share", "share")
GROWTH = Column("growth", "growth", "growth")
EVENTS = Column("events", "events", "count")
UNPRICED = Column("unpriced_events", "unpriced", "count")


def spent(sums: Sums) -> Spent:
    """Return the cost of some events as a cell of a table."""
    return Spent(sums.cost, sums.unpriced)


def dimension_columns(by: Sequence[str]) -> tuple[Column, ...]:
    """Return a column for each dimension."""
    return tuple(Column(name, name.replace("_", " ")) for name in by)


def names(keys: Keys, depth: int) -> tuple[str | None, ...]:
    """Return the names of values for `dimension_columns`; a subtotal has fewer values than dimensions."""
    return (*map(name_of, keys), *[None] * (depth - len(keys)))


def amount_columns(amount: Amount, whole: Sums) -> tuple[Column, Column]:
    """Return the columns of the amount asked for and of the other one, which people see only where they differ."""
    other = AMOUNTS["charged" if amount == "cost" else "cost"]
    return AMOUNTS[amount], replace(other, wide=whole.beside == whole.cost)


def count_columns(whole: Sums) -> tuple[Column, ...]:
    """Return the columns of `counts`; people see estimated and free events only where there are any."""
    estimated = Column("estimated_usd", "estimated", "usd", wide=not whole.estimated)
    return EVENTS, UNPRICED, estimated, Column("free_events", "free", "count", wide=not whole.free)


def counts(sums: Sums) -> tuple[Value, ...]:
    """Return how many events there are, and of how many the cost is not plainly known."""
    return sums.events, sums.unpriced, Spent(sums.guessed), sums.free


def cost_report(
    name: str,
    title: str,
    query: CostQuery,
    columns: tuple[Column, ...],
    rows: Iterable[Row],
    *,
    total: Row,
    whole: Sums,
    cells: Sequence[Cell],
    notes: Sequence[str] = (),
    tree: int = 0,
    **facts: object,
) -> ReportTable:
    """Return the table of a query: its title with what was asked, notes on gaps, and facts that every report has."""
    asked = {
        "from": query.span.start.isoformat(),
        "to": query.span.end.isoformat(),
        "tz": query.zone.key,
        "by": list(query.by),
        "where": {name: list(values) for name, values in query.where.items()},
        "tenants": list(query.tenants),
        "amount": query.amount,
    }
    notes = (*notes, *gaps(whole, cells, query.by, query.currency.code))
    report = ReportTable(name, heading(title, query), columns, tuple(rows), total, notes, asked | facts, tree)
    return report.in_currency(query.currency)


def heading(what: str, query: CostQuery) -> str:
    """Return the title of a report: what, when, in which zone, of what."""
    where = "".join(f", {condition_text(name, values)}" for name, values in query.where.items())
    charged = "" if query.amount == "cost" else " of charged amounts"
    charged += "" if query.currency.code == "USD" else f" in {query.currency.code}"
    return f"{what}{charged}, {range_text(query.span, query.zone)} {query.zone.key}{where}"


def gaps(whole: Sums, cells: Sequence[Cell], by: Sequence[str], currency: str = "USD") -> list[str]:
    """Return notes on unpriced, estimated and unassigned costs."""
    found = []
    if doubts := completeness(whole.unpriced, whole.estimated, whole.guessed, currency):
        status, bound = ("unpriced", ": the totals are lower bounds") if whole.unpriced else ("estimated", "")
        amount = dollars(whole.cost, lower_bound=bool(whole.unpriced), currency=currency)
        found.append(f"{amount}, {doubts}{bound}; see which: --where price_status={status}")
    for n, name in enumerate(by):
        unassigned = sum(cell.sums.cost for cell in cells if not cell.keys[n])
        if events := sum(cell.sums.events for cell in cells if not cell.keys[n]):
            part = percent(share(unassigned, whole.cost)) or "0%"
            which = f"have no {name.replace('_', ' ')}"
            found.append(
                f"{dollars(unassigned, currency=currency)} ({part}), {counted(events, 'event')}, {which}"
            )
    return found
