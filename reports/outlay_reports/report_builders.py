"""What cost reports share: their columns, heading, notes on doubtful amounts, and facts for JSON."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from outlay_kit.time_ranges import TimeRange
from outlay_reports.cost_query import Amount, Cell, CostQuery, Keys, Sums
from outlay_reports.money import completeness, counted, dollars, percent, share
from outlay_reports.report_table import Column, ReportTable, Row, Spent, Value
from outlay_schemas.dimensions import name_of

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
    notes: Sequence[str],
    **facts: object,
) -> ReportTable:
    """Return the table of a query, its title with what was asked, and `facts` beside those that every report has."""
    asked = {
        "from": query.span.start.isoformat(),
        "to": query.span.end.isoformat(),
        "tz": query.zone.key,
        "by": list(query.by),
        "where": {name: list(values) for name, values in query.where.items()},
        "tenants": list(query.tenants),
        "amount": query.amount,
    }
    return ReportTable(name, title, columns, tuple(rows), total, tuple(notes), asked | facts)


def heading(what: str, query: CostQuery) -> str:
    """Return the title of a report: what, when, in which zone, of what."""
    where = "".join(f", {name} {' or '.join(map(name_of, values))}" for name, values in query.where.items())
    charged = "" if query.amount == "cost" else " of charged amounts"
    return f"{what}{charged}, {range_text(query.span, query)} {query.zone.key}{where}"


def range_text(span: TimeRange, query: CostQuery) -> str:
    """Return a time range in the query's zone: days, with a clock time where it is not midnight."""
    local = (at.astimezone(query.zone) for at in (span.start, span.end))
    return " to ".join(f"{at:%Y-%m-%d %H:%M}".removesuffix(" 00:00") for at in local)


def gaps(whole: Sums, cells: Sequence[Cell], by: Sequence[str]) -> list[str]:
    """Return notes on unpriced, estimated and unassigned costs."""
    found = []
    if doubts := completeness(whole.unpriced, whole.estimated, whole.guessed):
        status, bound = ("unpriced", ": the totals are lower bounds") if whole.unpriced else ("estimated", "")
        amount = dollars(whole.cost, lower_bound=bool(whole.unpriced))
        found.append(f"{amount}, {doubts}{bound}; see which: --where price_status={status}")
    for n, name in enumerate(by):
        unassigned = sum(cell.sums.cost for cell in cells if not cell.keys[n])
        if events := sum(cell.sums.events for cell in cells if not cell.keys[n]):
            part = percent(share(unassigned, whole.cost)) or "0%"
            which = f"have no {name.replace('_', ' ')}"
            found.append(f"{dollars(unassigned)} ({part}), {counted(events, 'event')}, {which}")
    return found
